"""Each command of a finding shows the finding again on the same buggy receiver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from direct_transport import DirectTransport
from mutant_receivers import BUSY_MUTANTS, GUARDED_MUTANTS, MUTANTS, PAYLOAD_MUTANTS
from receiver_factories import CREDENTIALS, in_thread, with_userinfo
from run_check import SHORT_DEADLINE_PROFILE, check, check_directly

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.cli import check as cli_check
from tcop_mock.cli import send
from tcop_mock.cli.main import main
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.credentials import replayed_credentials
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_requests
from tcop_mock.reports.har import har_document
from tcop_mock.reports.json import check_document, json_text
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import Attempt, Transport
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.verdict import Finding, Verdict
    from tcop_mock.inputs.requests import InputRequest

HANDLERS = PAYLOAD_MUTANTS | {name: handler for name, handler in GUARDED_MUTANTS.items() if "latin" not in name}
"""Without the one that lets nobody in, so that no finding is possible."""
ON_CONNECTIONS = [
    "TCM104-redirects-to-a-slash",
    "TCM106-accepts-GET",
    "TCM106-accepts-any-method",
    "TCM109-answers-500-to-the-verification",
    "TCM110-leaves-rejected-bodies-unread",
    "TCM111-rejects-Content-Type-with-a-charset",
    "TCM112-answers-500-to-chunked-bodies",
    "TCM113-rejects-a-query-string",
    "TCM114-reads-the-socket-once",
    "TCM115-reads-1-KiB-only",
    "TCM315-rejects-bodies-over-32-KiB",
    "TCM210-trusts-the-connection",
    "TCM406-accepts-incomplete-bodies",
]
DEADLINE_S = 2.0
NO_CURL = BUSY_MUTANTS.keys() | {
    "TCM110-counts-characters",
    "TCM110-leaves-rejected-bodies-unread",
    "TCM110-repeats-the-first-session-of-a-connection",
    "TCM110-sends-more-than-its-Content-Length",
    "TCM114-decodes-each-part-alone",
    "TCM114-reads-the-socket-once",
    "TCM117-answers-retCode-1-on-a-reused-connection",
    "TCM210-trusts-the-connection",
    "TCM406-accepts-incomplete-bodies",
    "TCM407-serves-one-client-at-a-time",
}
"""They need a cut, segments, a connection in use, or other requests in flight."""
NOT_SHORT = {
    "TCM103-answers-after-1.5-s",
    "TCM316-rejects-unknown-headers",
    "TCM409-exits-on-a-malformed-body",
    "TCM409-dies-after-a-malformed-body",
}
"""They need the usual deadline, a template of the user, or more requests than are printed."""
_CURL_TIMED_OUT = 28


def profile_of(name: str) -> Profile:
    """Return the profile of a mutant's clause."""
    return load_profile(next(iter(find_clause(load_clauses(), name[:6]).profiles), DEFAULT_PROFILE))


def replayed(requests: list[InputRequest], target: Target, transport: Transport) -> Attempt:
    """Send requests as ``replay`` does, one by one, and return the last attempt."""

    async def send_all() -> list[Attempt]:
        attempts = []
        for one in requests:
            assert one.reproduced is not None
            credentials = replayed_credentials(target.credentials, one.reproduced.credential_variant, "it")
            attempts.append(await transport(one.to_outgoing(credentials), deadline_s=DEADLINE_S))
        return attempts

    return asyncio.run(send_all())[-1]


def assert_shown(finding: Finding, attempt: Attempt) -> None:
    """Assert that an attempt ended as the first one of a finding."""
    expected = finding.exchanges[0].attempt
    assert (attempt.outcome, attempt.status) == (expected.outcome, expected.status)


def assert_replays_show(verdict: Verdict, target: Target, transport: Transport) -> None:
    """Assert that both reports and the command of the first finding send what shows it."""
    [result] = verdict.results
    finding = result.findings[0]
    report, archive = json_text(check_document(verdict)).encode(), json.dumps(har_document(verdict)).encode()
    if finding.reproduction.requests:
        requests, _ = read_requests(report, "report.json")
        of_finding = [one for one in requests if one.location.endswith(finding.title)]
        assert_shown(finding, replayed(of_finding, target, transport))
        words = shlex.split(finding.reproduction.replay)  # none where the case is none of the clause's own
        assert not words or words[2].startswith(f"{result.clause.code}/")
    else:
        with pytest.raises(UsageError, match=f"--clauses {result.clause.code}"):
            read_requests(report, "report.json")
    if len(finding.reproduction.requests) == 1:
        assert_shown(finding, replayed(read_requests(archive, "x.har")[0][:1], target, transport))
    else:
        with pytest.raises(UsageError, match=f"--clauses {result.clause.code}"):
            read_requests(archive, "x.har")


def posted_by_curl(command: str, transport: Transport) -> int | None:
    """Send what curl commands send, and return the last status."""
    requests, _ = read_requests(command.encode(), "curl")

    async def send_all() -> list[Attempt]:
        return [await transport(one.to_outgoing(None), deadline_s=DEADLINE_S) for one in requests]

    return asyncio.run(send_all())[-1].status


@pytest.fixture
def replay_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, Transport, str], int | None]:
    """Give a function that runs a replay command over a transport and returns the status of its last attempt."""

    def run(command: str, transport: Transport, target: str) -> int | None:
        monkeypatch.setenv("TCOP_MOCK_TARGET", target)
        monkeypatch.setattr(send, "open_transport", lambda *_, **__: contextlib.nullcontext(transport))
        capsys.readouterr()
        words = [target if word == "$TCOP_MOCK_TARGET" else word for word in shlex.split(command)[1:]]
        assert main([*words, "--json"]) in {0, 1}
        document = json.loads(capsys.readouterr().out)
        status: int | None = document["deliveries"][-1]["attempts"][-1]["status"]
        return status

    return run


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_a_replay_of_a_finding_about_a_body_shows_it(
    name: str, replay_command: Callable[[str, Transport, str], int | None]
) -> None:
    """Sent again with its kind of credentials, the request gets the answer that the finding has."""
    credentials = CREDENTIALS if name in GUARDED_MUTANTS else None
    verdict = check_directly(HANDLERS[name], credentials, profile=profile_of(name), clauses=[name[:6]])
    url = with_userinfo("http://receiver", credentials)
    target = Target.parse(url)
    transport = DirectTransport(HANDLERS[name], target, time.perf_counter)
    assert_replays_show(verdict, target, transport)
    [result] = verdict.results
    expected, reproduction = result.findings[0].exchanges[0].attempt.status, result.findings[0].reproduction
    if reproduction.replay:
        assert replay_command(reproduction.replay, transport, url) == expected
    if not credentials:
        assert posted_by_curl(reproduction.curl, transport) == expected


@pytest.fixture
def check_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, Transport, str], list[dict[str, Any]]]:
    """Give a function that runs a check command over a transport and returns the findings."""

    def run(command: str, transport: Transport, target: str) -> list[dict[str, Any]]:
        monkeypatch.setenv("TCOP_MOCK_TARGET", target)
        monkeypatch.setattr(cli_check, "open_transport", lambda *_, **__: contextlib.nullcontext(transport))
        capsys.readouterr()
        words = [target if word == "$TCOP_MOCK_TARGET" else word for word in shlex.split(command)[1:]]
        assert main([*words, "--json"]) in {1, 3}  # a should clause alone decides nothing
        clauses = json.loads(capsys.readouterr().out)["clauses"]
        return [finding for clause in clauses for finding in clause["findings"]]

    return run


FIRST_OF_GROUPS = {name[:4]: name for name in sorted(HANDLERS, reverse=True)}.values()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FIRST_OF_GROUPS else pytest.mark.proof) for name in sorted(HANDLERS)],
)
def test_the_check_command_of_a_finding_shows_it(
    name: str, check_command: Callable[[str, Transport, str], list[dict[str, Any]]]
) -> None:
    """The command finds the same cases in the same words."""
    credentials = CREDENTIALS if name in GUARDED_MUTANTS else None
    verdict = check_directly(HANDLERS[name], credentials, profile=profile_of(name), clauses=[name[:6]])
    url = with_userinfo("http://receiver", credentials)
    [result] = verdict.results
    transport = DirectTransport(HANDLERS[name], Target.parse(url), time.perf_counter)
    command = result.findings[0].reproduction.cli
    again = check_command(command, transport, url)
    assert [(finding["title"], finding["reproduce"]["cli"]) for finding in again] == [
        (finding.title, finding.reproduction.cli) for finding in result.findings
    ]


@pytest.mark.parametrize("name", ON_CONNECTIONS)
def test_a_replay_of_a_finding_about_a_connection_shows_it(name: str) -> None:
    """Its chunks, segments, cut, query and connection are those of the clause's own case."""
    profile = profile_of(name)
    with in_thread(MUTANTS[name]) as url:
        target = Target.parse(url)
        transport = HttpTransport(target, sleep=lambda pause_s: asyncio.sleep(max(pause_s, _PAUSE_S)))
        assert_replays_show(check(url, [name[:6]], profile=profile), target, transport)


_PAUSE_S = 0.2
"""Between segments: a receiver on a busy machine reads two that come soon after each other at once."""


def test_credentials_of_a_finding_need_credentials_of_the_target() -> None:
    """A finding about credentials is not sent to a target without any."""
    requests, _ = read_requests(_report_of_a_wrong_password(), "report.json")
    reproduced = requests[0].reproduced
    assert reproduced is not None
    with pytest.raises(UsageError, match="put USER:PASSWORD@ before the host in --to"):
        replayed_credentials(None, reproduced.credential_variant, "it")


def _report_of_a_wrong_password() -> bytes:
    handler = GUARDED_MUTANTS["TCM202-ignores-upper-and-lower-case"]
    return json_text(check_document(check_directly(handler, CREDENTIALS, clauses=["TCM202"]))).encode()


@pytest.mark.proof
@pytest.mark.skipif(not shutil.which("curl"), reason="the commands are for curl")
@pytest.mark.parametrize(
    "name", sorted(MUTANTS.keys() - PAYLOAD_MUTANTS.keys() - NOT_SHORT - {"TCM203-decodes-Latin-1"})
)
def test_curl_shows_the_finding(name: str) -> None:
    """The curl commands, run by a shell against a new receiver, get the same status, or give up at the deadline.

    Where curl cannot send the request as it was, none is printed.
    """
    profile = SHORT_DEADLINE_PROFILE if profile_of(name).name == DEFAULT_PROFILE else profile_of(name)
    with in_thread(MUTANTS[name]) as url:
        finding = check(url, [name[:6]], profile=profile).results[0].findings[0]
    assert (not finding.reproduction.curl) == (name in NO_CURL)
    if not finding.reproduction.curl:
        return
    expected = finding.exchanges[0].attempt
    with in_thread(MUTANTS[name]) as new_url:
        command = finding.reproduction.curl.replace(Target.parse(url).authority, Target.parse(new_url).authority)
        user, password = CREDENTIALS.user.reveal(), CREDENTIALS.password.reveal()
        done = subprocess.run(  # noqa: S603 - our own command
            ["bash", "-c", command],
            env={"PATH": "/usr/bin:/bin", "TCOP_USER": user, "TCOP_PASSWORD": password},
            capture_output=True,
            check=False,
            timeout=30,
        )
    statuses = [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d+)", done.stdout, re.MULTILINE)]
    if expected.outcome is Outcome.TIMED_OUT:
        assert done.returncode == _CURL_TIMED_OUT
    assert expected.status is None or statuses[-1] == expected.status
