"""``emit --format``: scripts that post callbacks, run as their tools run them."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest
from receiver_factories import server_factory

from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

EVENTS = "mysql/events"
POSTED = ("curl", "http", "hurl", "k6", "postman", "pytest", "vegeta")
WITH_VARIABLES = ("curl", "hurl", "k6", "postman", "pytest")
"""They read credentials when they run."""


@pytest.fixture
def received() -> list[ReceivedRequest]:
    """Give what the receiver got."""
    return []


@pytest.fixture
def url(opened: Callable[[ReceiverFactory], str], received: list[ReceivedRequest]) -> str:
    """Give the address of a receiver that takes callbacks."""

    def handler(request: ReceivedRequest) -> Reply:
        received.append(request)
        return correct_receiver(request)

    return opened(server_factory(lambda: handler))


def bodies(tcop: RunCommand, *arguments: str) -> list[bytes]:
    """Return the bodies of the same callbacks."""
    return [line.encode() for line in tcop("emit", *arguments, "--seed", "5").stdout.splitlines()]


def written(tcop: RunCommand, form: str, *arguments: str) -> str:
    """Return a script."""
    done = tcop("emit", *arguments, "--seed", "5", "--format", form)
    assert (done.exit_code, done.stderr) == (0, "seed 5\n")
    return done.stdout


def fits(request: ReceivedRequest, body: bytes) -> bool:
    """Tell whether a request is a callback as we send it."""
    headers = {name.lower(): value for name, value in request.headers}
    return (request.method, headers["content-type"], request.body) == ("POST", "application/json", body)


def test_curl_lines_post(tcop: RunCommand, url: str, received: list[ReceivedRequest]) -> None:
    """A shell runs them as they stand: both languages, quotes, one after the other."""
    arguments = (EVENTS, "-n", "3", "--lang", "zh", "--set", 'alarmPolicyInfo.policyName="it\'s \\"$HOME\\" `id`"')
    script = written(tcop, "curl", *arguments, "--to", url)
    subprocess.run(["bash", "-euc", script], check=True, capture_output=True, timeout=60)  # noqa: S603 - ours
    assert all(map(fits, received, bodies(tcop, *arguments)))
    assert len(received) == 3


def test_raw_requests_post(tcop: RunCommand, url: str, received: list[ReceivedRequest]) -> None:
    """Written to a connection they are one request each."""
    script = written(tcop, "http", EVENTS, "--to", url).encode()
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(script)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    [request] = received
    assert fits(request, *bodies(tcop, EVENTS))


def test_vegetas_targets_post(tcop: RunCommand, url: str, received: list[ReceivedRequest]) -> None:
    """Each line is a target in vegeta's JSON format: method, url, header, body in base64."""
    rows = [json.loads(line) for line in written(tcop, "vegeta", EVENTS, "-n", "2", "--to", url).splitlines()]
    for row in rows:
        assert row.keys() == {"method", "url", "header", "body"}
        headers = {name: ", ".join(values) for name, values in row["header"].items()}
        data = base64.b64decode(row["body"])
        request = urllib.request.Request(row["url"], data=data, headers=headers, method=row["method"])  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - ours
            assert answer.status == 200
    assert all(map(fits, received, bodies(tcop, EVENTS, "-n", "2")))


_HURL_ENTRY = re.compile(
    r"# (?P<name>.+)\nPOST (?P<url>\S+)\n(?P<headers>(?:[\w-]+: .+\n)+)\[Options\]\nmax-time: 5000ms\n"
    r"base64,(?P<body>[A-Za-z0-9+/=]+);\nHTTP \*\n\[Asserts\]\nstatus >= 200\nstatus < 300\n\n"
)
"""An entry, by the grammar of Hurl's documentation."""


CONNECTION = (
    *("--insecure", "--cacert", "my ca.pem", "--cert", "c.pem", "--key", "k#1.pem"),
    *("--resolve", "h:443:127.0.0.1", "--resolve", "h:80:[::1]"),
)


def test_curl_and_hurl_take_the_options_of_connections(tcop: RunCommand) -> None:
    """The files are read when the script runs, so they need not be there; --resolve may be repeated."""
    [_, command] = written(tcop, "curl", EVENTS, "--to", "https://h/", *CONNECTION).splitlines()
    words = shlex.split(command)
    assert words[: words.index("-X")] == [
        *("curl", "-sS", "-i", "--insecure", "--cacert", "my ca.pem", "--cert", "c.pem", "--key", "k#1.pem"),
        *("--resolve", "h:443:127.0.0.1", "--resolve", "h:80:[::1]"),
    ]
    script = written(tcop, "hurl", EVENTS, "--to", "https://h/", *CONNECTION)
    assert (
        "\ninsecure: true\ncacert: my\\ ca.pem\ncert: c.pem\nkey: k\\#1.pem\n"
        "resolve: h:443:127.0.0.1\nresolve: h:80:[::1]\n" in script
    )


@pytest.mark.parametrize("name", sorted(set(POSTED) - {"curl", "hurl"}))
@pytest.mark.parametrize("flags", [("--insecure",), ("--cacert", "a.pem"), ("--resolve", "h:443:127.0.0.1")])
def test_other_formats_have_no_options_of_connections(name: str, flags: tuple[str, ...], tcop: RunCommand) -> None:
    """The line names the option and the formats that have it."""
    done = tcop("emit", EVENTS, "--format", name, *flags)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.error_message.startswith(f"{flags[0]}: --format {name} has no such option; use --format curl or hurl")


@pytest.mark.parametrize("flags", [CONNECTION[:1], CONNECTION[1:3], ("--header", "A: b"), CONNECTION[7:9]])
def test_options_of_connections_need_a_script(flags: tuple[str, ...], tcop: RunCommand) -> None:
    """Bodies are not sent."""
    done = tcop("emit", EVENTS, *flags)
    assert (done.exit_code, done.error_message.partition(":")[0]) == (2, flags[0])


def test_hurls_entries_hold_the_requests(tcop: RunCommand) -> None:
    """A Hurl file has one entry for each callback: its request, byte for byte, and an assertion of its status."""
    arguments = (EVENTS, "-n", "2", "--header", "X-Tag: a#b\\c", "--to", "http://h/hook?a=b")
    first, _, rest = written(tcop, "hurl", *arguments).partition("\n")
    entries = list(_HURL_ENTRY.finditer(rest))
    assert first.endswith("Run: hurl --test FILE")
    assert "".join(entry[0] for entry in entries) == rest
    assert [base64.b64decode(entry["body"]) for entry in entries] == bodies(tcop, EVENTS, "-n", "2")
    assert {entry["url"] for entry in entries} == {"http://h/hook?a=b"}
    assert all("Content-Type: application/json\n" in entry["headers"] for entry in entries)
    assert all("X-Tag: a\\#b\\\\c\n" in entry["headers"] for entry in entries)


def test_postmans_collection_holds_the_requests(tcop: RunCommand) -> None:
    """A collection has one request for each callback, its body unchanged, and a test of the status."""
    collection = json.loads(written(tcop, "postman", EVENTS, "-n", "2", "--lang", "zh", "--to", "http://h/hook"))
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert collection["variable"] == [{"key": "url", "value": "http://h/hook"}]
    assert "auth" not in collection
    requests = [item["request"] for item in collection["item"]]
    assert {(one["method"], one["url"], one["body"]["mode"]) for one in requests} == {("POST", "{{url}}", "raw")}
    assert {"key": "Content-Type", "value": "application/json"} in requests[0]["header"]
    expected = bodies(tcop, EVENTS, "-n", "2", "--lang", "zh")
    assert [one["body"]["raw"].encode() for one in requests] == expected
    assert "within(200, 299)" in collection["event"][0]["script"]["exec"][0]


def test_postman_has_no_bytes_that_are_no_text(tcop: RunCommand) -> None:
    """A body that is not UTF-8 is refused, because a collection would change it."""
    done = tcop("emit", "cvm/events", "--mutate", "invalid-utf-8", "--format", "postman")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.error_message == (
        "a Postman collection holds text, and the body of cvm/events firing is not UTF-8; use curl"
    )


def run_pytest(folder: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a module of tests as its user would."""
    (folder / "test_callbacks.py").write_text(script, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV_")} | env
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # some reorder tests, some take seconds to load
    return subprocess.run(  # noqa: S603 - ours
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_module_of_tests_posts(tcop: RunCommand, tmp_path: Path, url: str, received: list[ReceivedRequest]) -> None:
    """Pytest runs it: a test a callback, and each one is taken."""
    done = run_pytest(
        tmp_path, written(tcop, "pytest", EVENTS, "-n", "2", "--to", url), TCOP_USER="u", TCOP_PASSWORD="p"
    )
    assert "2 passed" in done.stdout
    assert all(map(fits, received, bodies(tcop, EVENTS, "-n", "2")))
    reported = {value for request in received for name, value in request.headers if name.lower() == "authorization"}
    assert reported == {"Basic " + base64.b64encode(b"u:p").decode()}


def test_a_module_of_tests_finds_a_refusal(
    tcop: RunCommand, tmp_path: Path, opened: Callable[[ReceiverFactory], str]
) -> None:
    """A receiver that redirects or refuses fails it, by the callback's name."""
    url = opened(server_factory(lambda: lambda _: Reply(307, b"", (("Location", "/"),))))
    done = run_pytest(tmp_path, written(tcop, "pytest", EVENTS), URL=url)
    assert f"FAILED test_callbacks.py::test_the_callback_is_accepted[1 {EVENTS} firing]" in done.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_k6s_script_is_javascript(tcop: RunCommand, tmp_path: Path) -> None:
    """Node reads it as a module; its bodies are the callbacks."""
    script = written(tcop, "k6", EVENTS, "-n", "2", "--to", "http://h/a?b='c'")
    (tmp_path / "callbacks.mjs").write_text(script, encoding="utf-8")
    subprocess.run(["node", "--check", "callbacks.mjs"], cwd=tmp_path, check=True, timeout=60)
    listed = script.partition("const bodies = ")[2].partition(";\n")[0]
    assert [base64.b64decode(row) for row in json.loads(listed)] == bodies(tcop, EVENTS, "-n", "2")
    assert "const url = __ENV.URL || \"http://h/a?b='c'\";" in script


@pytest.mark.parametrize("form", POSTED)
def test_no_script_holds_a_password(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """A script reads the password from the environment, or the format is rejected."""
    monkeypatch.setenv("TCOP_MOCK_TARGET", "http://usher:pa55word@h/hook")
    done = tcop("emit", EVENTS, "--format", form)
    assert "pa55word" not in done.stdout + done.stderr
    assert "usher" not in done.stdout + done.stderr
    if done.exit_code:
        assert done.error_message == (
            f"--format {form} would hold the target's password; "
            f"omit USER:PASSWORD@, or use one of {', '.join(WITH_VARIABLES)}"
        )
    else:
        assert "TCOP_PASSWORD" in done.stdout
        assert "http://h/hook" in done.stdout
    assert (done.exit_code == 0) == (form in WITH_VARIABLES)


def test_scripts_are_bounded(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that holds all bodies at once holds so many; nothing is written of a longer one."""
    monkeypatch.setattr("tcop_mock.reports.scripts._MAX_CALLBACKS_PER_SCRIPT", 3)
    for form in ("k6", "postman", "pytest"):
        assert tcop("emit", EVENTS, "-n", "3", "--format", form).exit_code == 0
        done = tcop("emit", EVENTS, "-n", "4", "--format", form)
        assert (done.exit_code, done.error_message) == (
            2,
            "a script holds at most 3 callbacks; write several, or use vegeta",
        )
    assert tcop("emit", EVENTS, "-n", "4", "--format", "curl").exit_code == 0


REFUSED = {
    "--format curl --json": "--format curl is not JSON: leave --json and --pretty out",
    "--format k6 --pretty": "--format k6 is not JSON: leave --json and --pretty out",
    "--to http://h": "--to: add --format curl|http|hurl|k6|postman|pytest|vegeta, which it goes with; `tcop-mock send`",
    "--format curl --to htp://h": "'htp://h' is not a usable target: the scheme must be http or https, not 'htp'",
}


@pytest.mark.parametrize("flags, message", REFUSED.items(), ids=REFUSED)
def test_flags_that_do_not_fit_are_refused(tcop: RunCommand, flags: str, message: str) -> None:
    """One line says what to do."""
    done = tcop("emit", EVENTS, *flags.split())
    assert done.exit_code == 2
    assert done.error_message.startswith(message)
