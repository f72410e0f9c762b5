"""``export --pact``: a pact that fails for the same callbacks as ``check``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import tcop_mock

if TYPE_CHECKING:
    from pathlib import Path

    from commands import RunCommand


@pytest.fixture
def pact(tcop: RunCommand, tmp_path: Path) -> dict[str, Any]:
    """Return the pact of all shapes."""
    file = tmp_path / "alarms.json"
    done = tcop("export", "--pact", str(file), "--pact-path", "/alarm")
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{file}: {len(document['interactions'])} interactions\n"
    return document


def test_it_has_what_the_specification_asks_for(pact: dict[str, Any]) -> None:
    """Version 4.0; each interaction is a POST with a JSON body, and has a key and a description of its own."""
    assert pact["metadata"]["pactSpecification"] == {"version": "4.0"}
    assert (pact["consumer"], pact["provider"]) == ({"name": "tencent-cloud-alarms"}, {"name": "webhook-receiver"})
    interactions = pact["interactions"]
    for one in interactions:
        assert one["type"] == "Synchronous/HTTP"
        request, response = one["request"], one["response"]
        assert (request["method"], request["path"]) == ("POST", "/alarm")
        assert request["headers"] == {"Content-Type": ["application/json"]}
        assert request["body"].keys() == {"content", "contentType", "encoded"}
        assert response["matchingRules"]["status"]["matchers"] == [{"match": "statusCode", "status": "success"}]
    assert len({one["description"] for one in interactions}) == len({one["key"] for one in interactions})
    assert len({one["key"] for one in interactions}) == len(interactions)


def test_it_posts_what_check_posts(pact: dict[str, Any]) -> None:
    """The bodies are those of TCM101 with the same seed, so both find the same shapes that a receiver refuses."""
    received: list[Any] = []

    def receive(request: httpx.Request) -> httpx.Response:
        received.append(json.loads(request.content))
        return httpx.Response(200)

    tcop_mock.check(httpx.AsyncClient(transport=httpx.MockTransport(receive)), clauses=["TCM101"], seed=1)
    contents = [one["request"]["body"]["content"] for one in pact["interactions"]]
    assert all(content in received for content in contents)
    shown = {one["sessionId"] for one in received if "sessionId" in one}
    assert len(contents) >= len(shown) - 4  # and a few plain callbacks to see whether it listens


def test_shapes_choose_its_interactions(tcop: RunCommand) -> None:
    """--shapes selects the interactions, and --json prints the pact on standard output."""
    done = tcop("export", "--pact", "/dev/null", "--shapes", "cvm/basic-monitoring,cdn/domain", "--json", "--seed", "2")
    keys = [one["key"] for one in json.loads(done.stdout)["interactions"]]
    assert keys == [
        "cdn-domain-firing",
        "cvm-basic-monitoring-firing",
        "cdn-domain-resolved",
        "cvm-basic-monitoring-resolved",
    ]


@pytest.mark.parametrize("arguments, message", [
    ((), "export: write DIR, or --pact FILE"),
    (("--pact-path", "/a", "folder"), "--pact-path: write --pact FILE, too"),
    (("--pact", "p.json", "folder"), "--pact writes what TCM101 posts: leave DIR, --lang and --form out"),
    (("--pact", "p.json", "--lang", "en"), "--pact writes what TCM101 posts"),
    (("--pact", "p.json", "--pact-path", "alarm"), "--pact-path 'alarm': write a path that starts with /"),
    (("--pact", "missing/p.json"), "--pact 'missing/p.json': there is no folder"),
    (("--pact", "p.json", "--shapes", "nonsense"), "nonsense"),
    (("--pact", "p.json", "--shapes", "redis/instance-1min"), "TCM101 posts no shape of 'redis/instance-1min'"),
])  # fmt: skip
def test_a_wrong_call_is_one_line(
    arguments: tuple[str, ...], message: str, tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong call is one line, and writes nothing."""
    monkeypatch.chdir(tmp_path)
    done = tcop("export", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
