"""``demo``: a receiver with planted bugs, then the corrected one."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from verdict_samples import FAILED, PASSED, make_verdict

from tcop_mock.server.demo_receivers import ActingReceiver, correct_receiver

if TYPE_CHECKING:
    from commands import RunCommand

    from tcop_mock.domain.verdict import ClauseResult, Verdict

PLANTED = {"TCM302", "TCM303", "TCM307", "TCM401", "TCM501", "TCM505"}
"""What the receiver of the demo says that it breaks."""


def test_the_demo_shows_both_receivers(tcop: RunCommand) -> None:
    """Callbacks are sent, the first receiver breaks what is planted, the corrected one nothing; no port stays open."""
    done = tcop("demo", "--seed", "7")
    posts = re.findall(r"POST (\S+ \w+), \d+ bytes: (\w+ \d+)", done.stdout)
    assert posts == [
        ("cvm/basic-monitoring firing", "acked 200"),
        ("cvm/basic-monitoring resolved", "acked 200"),
        ("cvm/events firing", "rejected 500"),
        ("cdn/domain firing", "rejected 500"),
    ]
    first, second = done.stdout.split("3. The same receiver, corrected")
    assert set(re.findall(r"TCM\d{3}", first)) >= PLANTED
    assert first.count("\nFAIL TCM") == 3
    assert "FAIL" not in second
    assert "again:" not in first  # nobody listens there when it is read
    assert sum(1 + len(line) // 80 for line in done.stdout.splitlines()) <= 70
    assert "the corrected one 0." in second
    assert (done.exit_code, done.stderr) == (0, "")
    ports = set(map(int, re.findall(r"http://127\.0\.0\.1:(\d+)/", done.stdout)))
    assert len(ports) == 2
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


@pytest.mark.proof
def test_a_demo_with_an_unexpected_verdict_is_an_internal_error(
    tcop: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --json one document has both verdicts; if they are not the demo's, the code is 4."""

    def make(*_: object, **__: object) -> ActingReceiver:
        return ActingReceiver(correct_receiver, is_correct=True)

    monkeypatch.setattr("tcop_mock.cli.demo.ActingReceiver", make)
    done = tcop("demo", "--json", "--seed", "7")
    assert list(done.document) == ["version", "broken", "corrected"]
    for key in ("broken", "corrected"):
        assert {item["code"] for item in done.document[key]["clauses"] if item["result"] == "fail"} == set()
    assert (done.exit_code, done.stderr) == (4, "")


@pytest.mark.parametrize("results, code", [((FAILED, PASSED), 0), ((PASSED, PASSED), 4), ((FAILED, FAILED), 4)])
def test_the_exit_code_is_that_of_the_verdicts(
    tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, results: tuple[ClauseResult, ClauseResult], code: int
) -> None:
    """The first receiver has to be found broken, the second one correct."""

    async def verdicts(*_: object) -> tuple[Verdict, Verdict]:
        return make_verdict(results[0]), make_verdict(results[1])

    monkeypatch.setattr("tcop_mock.cli.demo._demo", verdicts)
    done = tcop("demo", "--json")
    assert (done.exit_code, list(done.document)) == (code, ["version", "broken", "corrected"])
    assert tcop("demo").exit_code == code
