"""What a finding offers shows the finding: the replay of a buggy receiver ends as the finding says."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from typing import TYPE_CHECKING

import pytest
from direct_transport import DirectTransport
from mutant_receivers import GUARDED_MUTANTS, MUTANTS, PAYLOAD_MUTANTS
from receiver_factories import CREDENTIALS, in_thread, with_userinfo
from run_check import check, check_directly

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.credentials import replayed_credentials
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_requests
from tcop_mock.reports.har import har_document
from tcop_mock.reports.json import check_document, json_text
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from tcop_mock.domain.delivery import Attempt, Transport
    from tcop_mock.domain.verdict import Finding, Verdict
    from tcop_mock.inputs.requests import InputRequest

HANDLERS = PAYLOAD_MUTANTS | {name: handler for name, handler in GUARDED_MUTANTS.items() if "latin" not in name}
"""Without the one that lets nobody in, so that no finding is possible."""
ON_CONNECTIONS = [
    "TCM104-redirects-to-a-slash",
    "TCM106-acknowledges-get",
    "TCM106-takes-any-method",
    "TCM109-breaks-on-the-verification",
    "TCM110-leaves-the-rest-of-what-it-refuses",
    "TCM111-wants-the-bare-content-type",
    "TCM112-breaks-on-chunks",
    "TCM113-knows-its-bare-path-only",
    "TCM114-reads-once",
    "TCM115-reads-one-kib",
    "TCM315-takes-32-kib",
    "TCM406-takes-what-comes",
]
DEADLINE_S = 2.0


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
        assert shlex.split(finding.reproduction.replay)[2].startswith(f"{result.clause.code}/")
    else:
        with pytest.raises(UsageError, match=f"--clauses {result.clause.code}"):
            read_requests(report, "report.json")
    if len(finding.reproduction.requests) == 1:
        assert_shown(finding, replayed(read_requests(archive, "x.har")[0][:1], target, transport))
    else:
        with pytest.raises(UsageError, match=f"--clauses {result.clause.code}"):
            read_requests(archive, "x.har")


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_a_replay_of_a_finding_about_a_body_shows_it(name: str) -> None:
    """Sent again with its kind of credentials, the request gets the answer that the finding has."""
    credentials = CREDENTIALS if name in GUARDED_MUTANTS else None
    profile = load_profile(next(iter(find_clause(load_clauses(), name[:6]).profiles), DEFAULT_PROFILE))
    verdict = check_directly(HANDLERS[name], credentials, profile=profile, clauses=[name[:6]])
    target = Target.parse(with_userinfo("http://receiver", credentials))
    assert_replays_show(verdict, target, DirectTransport(HANDLERS[name], target, time.perf_counter))


@pytest.mark.parametrize("name", ON_CONNECTIONS)
def test_a_replay_of_a_finding_about_a_connection_shows_it(name: str) -> None:
    """Its chunks, segments, cut, query and connection are those of the clause's own case."""
    profile = load_profile(next(iter(find_clause(load_clauses(), name[:6]).profiles), DEFAULT_PROFILE))
    with in_thread(MUTANTS[name]) as url:
        target = Target.parse(url)
        assert_replays_show(check(url, [name[:6]], profile=profile), target, HttpTransport(target))


def test_credentials_of_a_finding_need_credentials_of_the_target() -> None:
    """Without any, the request would show something else."""
    requests, _ = read_requests(_report_of_a_wrong_password(), "report.json")
    reproduced = requests[0].reproduced
    assert reproduced is not None
    with pytest.raises(UsageError, match="put USER:PASSWORD@ before the host in --to"):
        replayed_credentials(None, reproduced.credential_variant, "it")


def _report_of_a_wrong_password() -> bytes:
    handler = GUARDED_MUTANTS["TCM202-ignores-case"]
    return json_text(check_document(check_directly(handler, CREDENTIALS, clauses=["TCM202"]))).encode()
