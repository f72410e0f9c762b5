"""The clauses are proved twice: each finds its own bug, and none fails a conforming receiver."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from conforming_receivers import PROCESSES, SERVERS, run_process
from correct_receiver_variants import expecting, rate_limited, resolves_slowly
from mutant_receivers import (
    BUSY_MUTANTS,
    GUARDED_MUTANTS,
    MUTANTS,
    PAYLOAD_MUTANTS,
    acks_after,
    holds_last_byte,
    serialises,
)
from receiver_factories import CREDENTIALS, in_thread, server_factory
from run_check import CONNECTION_CODES, DEADLINE_S, SHORT_DEADLINE_PROFILE, check, check_directly, failed_codes

from tcop_mock.callbacks.notification_template import NotificationTemplate
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.contract import Clause, Level, Prerequisite
from tcop_mock.domain.profile import DEFAULT_PROFILE, Profile
from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.errors import TargetError
from tcop_mock.reports.summary import reason_text
from tcop_mock.server.demo_receivers import correct_receiver, with_basic_auth
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from receiver_factories import ReceiverFactory

CLAUSES = {clause.code: clause for clause in load_clauses()}
SLOW = {
    "TCM102-delays-the-last-byte",
    "TCM102-answers-late",
    "TCM103-answers-after-1.5-s",
    "TCM405-dies-after-a-deeply-nested-body",
    "TCM407-serves-one-client-at-a-time",
}
"""Checked below with a deadline of a second, to take seconds instead of minutes."""
DYING = {name for name in MUTANTS if name.startswith("TCM409")}
ALSO = {
    "TCM314-parses-all-values-as-numbers": {"TCM321"},  # an empty value is not a number
    "TCM104-redirects-to-a-slash": {"TCM101"},
    "TCM115-reads-1-KiB-only": {"TCM101", "TCM311", "TCM312", "TCM315"},
    "TCM108-answers-with-another-session": {"TCM117"},
    "TCM108-answers-OK": {"TCM117"},
    "TCM108-answers-false-as-retCode": {"TCM117"},
    "TCM114-reads-the-socket-once": {"TCM315"},
    "TCM301-status-must-be-a-number": {"TCM101", "TCM317"},
    "TCM301-vport-must-be-text": {"TCM101"},
    "TCM301-notify-period-of-an-event-must-be-a-number": {"TCM317", "TCM318"},
    "TCM302-zero-text-when-resolved": {"TCM317"},
    "TCM206-answers-500-to-invalid-Base64": {"TCM209"},
    "TCM303-needs-policy-id": {"TCM317", "TCM318"},
    "TCM303-needs-region": {"TCM101", "TCM320"},
    "TCM303-needs-namespace": {"TCM320"},
    "TCM318-needs-policyType": {"TCM320"},
    "TCM304-rejects-unknown-keys-at-the-top": {"TCM317", "TCM318", "TCM319"},
    "TCM304-rejects-unknown-dimensions": {"TCM317"},
    "TCM304-rejects-unknown-keys-with-numbers": {"TCM319"},
    "TCM304-rejects-unknown-keys-with-null-or-booleans": {"TCM319"},
    "TCM307-rejects-events": {"TCM101", "TCM317", "TCM318"},
    "TCM309-decodes-ASCII": {"TCM317"},
    "TCM317-divides-by-durationTime-of-events": {"TCM318"},
    "TCM308-rejects-unknown-alarm-types": {"TCM320"},
    "TCM320-needs-dimensions": {"TCM319"},
}
"""Bugs that also break other clauses: they post such bodies, too, or no callback is accepted at all."""
LOCKED = {name for name in MUTANTS if name.startswith("TCM203")}
"""They reject the valid credentials, so that no other clause can be checked."""
TEMPLATED = {name for name in MUTANTS if Prerequisite.TEMPLATE in CLAUSES[name[:6]].prerequisites}
"""Checked below with a template."""
CHECKED = sorted(name for name in MUTANTS if name[:6] in CLAUSES and name not in SLOW | DYING | LOCKED | TEMPLATED)


def profile_of(name: str) -> Profile:
    """Return the profile to which a mutant's clause applies."""
    return load_profile(next(iter(CLAUSES[name[:6]].profiles), DEFAULT_PROFILE))


def runs_clause(clause: Clause, *, profile: str = DEFAULT_PROFILE, auth: bool = False) -> bool:
    """Return whether a clause runs without an observer."""
    needs = (
        clause.prerequisites
        - {Prerequisite.HTTP}
        - ({Prerequisite.AUTH, Prerequisite.SPECIAL_CHARACTER_CREDENTIALS} if auth else set())
    )
    return profile in (clause.profiles or (profile,)) and not needs


@pytest.mark.parametrize(
    "name", [name if "limits" in name else pytest.param(name, marks=pytest.mark.proof) for name in CHECKED]
)
def test_each_bug_is_found_by_its_own_clause_and_no_other(name: str) -> None:
    """A receiver with exactly one bug fails exactly the clause of that bug (and the clauses of ``ALSO``).

    A mutant with a bug in its handler is called without sockets, except for clauses about connections and credentials.
    """
    expected = {name[:6]} | ALSO.get(name, set())
    if name in PAYLOAD_MUTANTS:
        verdict = check_directly(PAYLOAD_MUTANTS[name], profile=profile_of(name))
        assert failed_codes(verdict) == expected
        expected, clauses = set(), CONNECTION_CODES
    elif name in GUARDED_MUTANTS:
        assert failed_codes(check_directly(GUARDED_MUTANTS[name], CREDENTIALS)) == expected
        clauses = (*CONNECTION_CODES, "TCM2*")
    elif name in BUSY_MUTANTS:
        assert failed_codes(check_directly(BUSY_MUTANTS[name]())) == expected
        expected, clauses = set(), CONNECTION_CODES
    else:
        clauses = ()
    with in_thread(MUTANTS[name]) as url:
        # a busy machine alone causes delays
        verdict = check(url, clauses, skip=["TCM103", "TCM515"], profile=profile_of(name))
    assert failed_codes(verdict) == expected


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(SERVERS))
def test_no_clause_fails_a_conforming_receiver(name: str) -> None:
    """However a conforming receiver responds, no clause of any level fails or is inconclusive."""
    with in_thread(SERVERS[name]) as url:
        verdict = check(url)
    assert failed_codes(verdict) == set()
    not_passed = {item.clause.code for item in verdict.results if item.status is not ClauseStatus.PASS}
    assert not_passed == {code for code, clause in CLAUSES.items() if not runs_clause(clause, auth="@" in url)}


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_no_must_clause_fails_a_conforming_server(name: str) -> None:
    """Receivers on real servers, each in a separate process, keep every must clause."""
    with run_process(PROCESSES[name]) as url:
        verdict = check(url)
    must_results = [item for item in verdict.results if item.clause.level is Level.MUST]
    assert {item.clause.code: item.findings for item in must_results if item.status is ClauseStatus.FAIL} == {}
    assert {item.clause.code for item in must_results if item.status is ClauseStatus.ERROR} == set()


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(DYING))
def test_a_receiver_that_dies_of_malformed_bodies_fails_tcm409_alone(name: str) -> None:
    """A receiver that never responds after a malformed body fails TCM409; clauses that found it dead are errors."""
    with in_thread(MUTANTS[name]) as url:
        verdict = check(url, ["TCM401", "TCM403", "TCM409", "TCM102"], profile=SHORT_DEADLINE_PROFILE)
    assert failed_codes(verdict) == {"TCM409"}


@pytest.mark.parametrize(
    "factory, codes",
    [(SERVERS["answers-200"], set()), *((MUTANTS[name], {name[:6]}) for name in sorted(TEMPLATED))],
    ids=["conforming", *sorted(TEMPLATED)],
)
def test_templated_callbacks_replace_default_ones(factory: ReceiverFactory, codes: set[str]) -> None:
    """Clauses that change TCOP's own callbacks are not run with a template; clauses about requests are."""
    template = NotificationTemplate('{"what": "{{.policy_name}}", "state": "{{.status}}"}', "own.txt")
    with in_thread(factory) as url:
        verdict = check(
            url, ["TCM101", "TCM106", "TCM302", "TCM316"], profile=load_profile("template"), template=template
        )
    assert failed_codes(verdict) == codes
    results = {item.clause.code: item for item in verdict.results}
    assert results["TCM101"].status is ClauseStatus.PASS
    assert reason_text(results["TCM302"]) == "is about TCOP's own callbacks, and --template writes others"
    for finding in results["TCM316"].findings:
        assert '"state": "Recovery"' in finding.reproduction.curl or '"state": "Trigger"' in finding.reproduction.curl
        assert finding.reproduction.cli.endswith(" --profile template --template own.txt")


def test_credentials_that_break_a_receiver_are_found() -> None:
    """A receiver that fails on a colon in the password fails TCM203."""
    with in_thread(MUTANTS["TCM203-splits-at-every-colon"]) as url:
        assert failed_codes(check(url, ["TCM203"])) == {"TCM203"}


def test_tcm203_ignores_failures_of_the_body() -> None:
    """A receiver that checks credentials correctly but fails on every callback passes TCM203."""
    with in_thread(
        server_factory(lambda: with_basic_auth(lambda _request: Reply(500), CREDENTIALS), CREDENTIALS)
    ) as url:
        assert failed_codes(check(url, ["TCM203"])) == set()


def test_text_clauses_ignore_object_names_without_a_number_sign() -> None:
    """A receiver that splits the name at its first number sign fails TCM311 only, not other clauses about texts."""

    def split_name(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        alarm = json.loads(request.body) if reply.status == 200 else {}
        name = alarm.get("alarmObjInfo", {}).get("dimensions", {}).get("objName", "#")
        return reply if "#" in name else Reply(500)

    with in_thread(server_factory(lambda: split_name)) as url:
        assert failed_codes(check(url, ["TCM309", "TCM310", "TCM311"])) == {"TCM311"}


@pytest.mark.parametrize(
    "name, text",
    [
        ("TCM203-decodes-Latin-1", "them in Latin-1"),
        ("TCM203-compares-the-percent-encoded-text", "them percent-encoded, as they stand in a URL"),
        ("TCM203-cuts-the-password-at-its-last-colon", "the password cut at its last colon"),
    ],
)
def test_a_misreading_of_credentials_is_named(name: str, text: str) -> None:
    """A receiver that rejects the right credentials fails TCM203, which says what it takes in their place."""
    verdict = check_directly(GUARDED_MUTANTS[name], CREDENTIALS)
    assert failed_codes(verdict) == {"TCM203"}
    results = {item.clause.code: item for item in verdict.results}
    assert results["TCM203"].findings[0].title == f"a plain firing callback: answered 401, and takes {text}"
    assert results["TCM101"].status is ClauseStatus.ERROR
    assert results["TCM101"].reason == "the receiver rejects the right credentials (TCM203)"
    assert results["TCM108"].status is ClauseStatus.NOT_RUN


@pytest.mark.parametrize(
    "expected, text", [("a+b", "them with + for each blank"), ("a%20b", "them percent-encoded, as they stand in a URL")]
)
def test_a_misread_blank_is_named(expected: str, text: str) -> None:
    """A blank becomes a plus in forms, and %20 in URLs."""
    verdict = check_directly(expecting("alice", expected), Credentials(Secret("alice"), Secret("a b")))
    assert text in verdict.findings[0].title


@pytest.mark.parametrize("password", ["other:wise", "other%wise"])
def test_wrong_credentials_are_an_error_of_the_target(password: str) -> None:
    """If no known misreading is accepted either, the password may be wrong: no clause can be checked."""
    with pytest.raises(TargetError, match="percent-encoded") as caught:
        check_directly(expecting("alice", "right"), Credentials(Secret("alice"), Secret(password)))
    assert ("cuts them at another colon" in str(caught.value)) is (":" in password)


def test_a_misreading_is_tried_for_its_own_clause_only() -> None:
    """Wrong credentials are sent only where TCM203 is checked: without it the target is unusable."""
    with in_thread(MUTANTS["TCM203-decodes-Latin-1"]) as url, pytest.raises(TargetError, match="percent-encoded"):
        check(url, ["TCM101"])


@pytest.mark.parametrize("name", ["TCM405-dies-after-a-deeply-nested-body", "TCM407-serves-one-client-at-a-time"])
def test_a_silent_receiver_fails_the_clause_that_stopped_it(name: str) -> None:
    """A receiver that stops responding after a deep body, or during a slow sender, fails that clause alone."""
    with in_thread(MUTANTS[name]) as url:
        verdict = check(url, ["TCM101", "TCM302", "TCM4*"], profile=SHORT_DEADLINE_PROFILE)
    assert failed_codes(verdict) == {name[:6]}


@pytest.mark.proof
@pytest.mark.parametrize("factory", [holds_last_byte, acks_after], ids=lambda factory: factory.__name__)
def test_a_late_receiver_fails_tcm102_alone(factory: object) -> None:
    """A receiver whose head or last byte arrives after the deadline fails TCM102 alone."""
    assert callable(factory)
    with in_thread(factory(DEADLINE_S * 1.3)) as url:
        verdict = check(url, ["TCM101", "TCM102", "TCM302", "TCM401"], profile=SHORT_DEADLINE_PROFILE)
    assert failed_codes(verdict) == {"TCM102"}


@pytest.mark.proof
@pytest.mark.parametrize("name", ["2019-ack", "2021-verify", "2025"])
def test_the_correct_receiver_keeps_the_contract_of_every_profile(name: str) -> None:
    """Callbacks of other generations lack some fields; clauses about these are reported as not run."""
    with in_thread(SERVERS["answers-200"]) as url:
        verdict = check(url, skip=["TCM515"], profile=load_profile(name))
    for item in verdict.results:
        expected = ClauseStatus.PASS if runs_clause(item.clause, profile=name) else ClauseStatus.NOT_RUN
        assert item.status is expected, item.reason


@pytest.mark.proof
def test_a_receiver_that_needs_most_of_the_deadline_fails_tcm103_alone() -> None:
    """A receiver that responds just in time fails the clause about headroom only."""
    with in_thread(acks_after(DEADLINE_S * 0.3)) as url:
        verdict = check(url, ["TCM102", "TCM103", "TCM104"], profile=SHORT_DEADLINE_PROFILE)
    assert failed_codes(verdict) == {"TCM103"}


@pytest.mark.proof
def test_a_sequential_receiver_fails_the_burst_only() -> None:
    """A receiver that needs 0.05 s per request, one at a time, is late only in a burst."""
    with in_thread(serialises(0.05)) as url:
        verdict = check(url, ["TCM515", "TCM102", "TCM302"])
    assert failed_codes(verdict) == {"TCM515"}


@pytest.mark.proof
def test_a_sequential_receiver_passes_when_rerun_alone() -> None:
    """A receiver that needs most of the deadline per request, one at a time, is rerun alone and passes."""
    with in_thread(serialises(DEADLINE_S * 0.3)) as url:
        verdict = check(url, ["TCM102", "TCM104", "TCM302"], profile=SHORT_DEADLINE_PROFILE)
    assert [item.status for item in verdict.results] == [ClauseStatus.PASS] * 3


def test_every_clause_has_a_bug_that_proves_it() -> None:
    """Every clause about responses has a mutant that fails it."""
    others = {"effect_scenarios", "process_callbacks"}
    not_about_responses = {code for code, clause in CLAUSES.items() if clause.builder.name in others}
    assert {name[:6] for name in MUTANTS} >= CLAUSES.keys() - not_about_responses


@pytest.mark.proof
def test_a_receiver_that_is_late_with_every_resolve_is_found_in_bounded_time() -> None:
    """A receiver that is late with half of all callbacks fails the clauses about them before the run's time limit.

    Two cases of each clause without a response are rerun alone; the others are skipped with a reason.
    """
    with in_thread(server_factory(partial(resolves_slowly, DEADLINE_S * 1.3))) as url:
        verdict = check(url, ["TCM101", "TCM302", "TCM306", "TCM309"], profile=SHORT_DEADLINE_PROFILE)
    assert failed_codes(verdict) == {"TCM101"}
    assert not [item.reason for item in verdict.results if "--max-time" in reason_text(item)]
    late = next(item for item in verdict.results if item.clause.code == "TCM101").findings[0]
    assert "no answer inside the deadline" in late.title


def test_a_strict_rate_limit_fails_the_burst_only() -> None:
    """A receiver that accepts one callback a minute fails the burst; hidden clauses are inconclusive."""
    with in_thread(server_factory(partial(rate_limited, 1, 60.0))) as url:
        verdict = check(url, ["TCM302", "TCM309", "TCM515"])
    results = {item.clause.code: item for item in verdict.results}
    assert failed_codes(verdict) == {"TCM515"}
    assert results["TCM309"].status is ClauseStatus.ERROR
    assert "answered 429" in results["TCM309"].reason
