"""The clauses about effects, proved both ways: each finds its own bug, and none blames a receiver that does well."""

from __future__ import annotations

import asyncio

import pytest
from incident_receiver import IncidentReceiver
from incident_receivers import CONFORMING, MUTANTS, PAGERDUTY_RECEIVER, WECOM_RECEIVER, check_with_observer
from run_check import failed_codes

from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.reasons import reason_text

IN_EFFECTS = {clause.code for clause in load_clauses() if clause.builder.name == "effect_scenarios"}
ALL = ("TCM5*", "TCM6*")
SHORT_S = 6.0
"""Long enough for a run, and what is told late is not waited for any longer."""


async def _restart() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "name",
    [name if name.startswith("forwards") else pytest.param(name, marks=pytest.mark.proof) for name in CONFORMING],
)
def test_no_clause_blames_a_receiver_that_does_well(name: str) -> None:
    """Whatever it forwards to and however late, all clauses pass but those about what it does not do."""
    verdict = check_with_observer(CONFORMING[name](), ALL, skip=["TCM515"], effect_timeout_s=3.0, restart=_restart)
    assert failed_codes(verdict) == set()
    assert [reason_text(item) for item in verdict.results if item.status is ClauseStatus.ERROR] == []
    missing = {item.clause.code for item in verdict.results if item.status is ClauseStatus.NOT_RUN}
    assert (
        missing
        == {
            "keeps-incidents": {"TCM517", "TCM520", "TCM521", "TCM522", "TCM601", "TCM602", "TCM603", "TCM604"},
            "answers-409-to-a-session-it-has-seen": {
                *(f"TCM5{number}" for number in (17, 20, 21, 22)),
                *(f"TCM60{number}" for number in range(1, 5)),
            },
            "works-after-its-answer": {"TCM517", "TCM520", "TCM521", "TCM522", "TCM601", "TCM602", "TCM603", "TCM604"},
            "forwards-to-wecom": {"TCM601", "TCM602", *(f"TCM5{number:02}" for number in (4, 5, 9, 10, 11, 12))},
            "forwards-to-pagerduty": {"TCM603", "TCM604"},
        }[name]
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_each_bug_is_found_by_its_clause(name: str) -> None:
    """A receiver with one mistake breaks the clause of that mistake."""
    deadline_s = 1.0 if name.startswith("TCM521") else 5.0
    late = name[:6] in {"TCM517", "TCM603"}
    verdict = check_with_observer(
        MUTANTS[name](),
        [name[:6]],
        restart=_restart,
        deadline_s=deadline_s,
        max_time_s=SHORT_S if late else 60.0,
    )
    assert failed_codes(verdict) == {name[:6]}, [reason_text(item) for item in verdict.results]


def test_every_clause_about_effects_has_a_bug_that_proves_it() -> None:
    """There is no clause without a receiver that breaks it."""
    assert {name[:6] for name in MUTANTS} == IN_EFFECTS


def test_a_receiver_that_drops_tke_is_told_which_products() -> None:
    """One finding names the shapes, with what was sent, answered and seen."""
    [item] = check_with_observer(IncidentReceiver("drops-tke"), ["TCM519"]).results
    [finding] = item.findings
    assert finding.title.startswith("tke/cluster, documented and ")
    assert finding.title.endswith(" more: it fires: no effects in place of at least 1")
    assert "of 154 cases" in finding.detail
    assert "it fires: answered 200; 0 effects, 0 open" in finding.evidence
    assert finding.reproduction.curl.startswith("curl ")


def test_other_clauses_are_not_blamed_for_telling_twice() -> None:
    """Who tells every alarm twice breaks TCM501; that repetitions and restarts add nothing is as true of it."""
    verdict = check_with_observer(
        IncidentReceiver("notifies-twice"), ["TCM501", "TCM502", "TCM503", "TCM518"], restart=_restart
    )
    assert failed_codes(verdict) == {"TCM501"}, [reason_text(item) for item in verdict.results]
    assert {item.status for item in verdict.results[1:]} == {ClauseStatus.PASS}


def test_other_clauses_are_not_blamed_for_a_drop() -> None:
    """Who drops a product breaks TCM519; the stories of that product tell nothing about other clauses."""
    verdict = check_with_observer(IncidentReceiver("drops-tke"), ["TCM506", "TCM519"])
    assert failed_codes(verdict) == {"TCM519"}
    [isolation] = [item for item in verdict.results if item.clause.code == "TCM506"]
    assert "TCM519" in reason_text(isolation)


def test_other_clauses_are_not_blamed_for_what_stays_open() -> None:
    """Who closes nothing breaks TCM505; what other clauses ask of the incidents that are open then is not judged."""
    verdict = check_with_observer(
        IncidentReceiver("ignores-resolves"), ["TCM505", "TCM506", "TCM507", "TCM509", "TCM511", "TCM512"]
    )
    assert failed_codes(verdict) == {"TCM505"}
    assert {reason_text(item) for item in verdict.results[1:]} == {"its resolve does not close its incident (TCM505)"}


def test_other_clauses_are_not_blamed_for_what_is_refused() -> None:
    """Who refuses events, or resolves of what never fired, breaks no clause that is about another thing."""
    events = check_with_observer(IncidentReceiver("refuses-events"), ["TCM307", "TCM514"])
    assert failed_codes(events) == {"TCM307"}
    assert "an event that resolves: answered 422 (TCM101)" in reason_text(events.results[1])
    assert failed_codes(check_with_observer(IncidentReceiver("refuses-orphans"), ["TCM101", "TCM307", "TCM510"])) == {
        "TCM510"
    }


def test_what_nobody_sees_is_an_error_with_advice() -> None:
    """An observer that shows nothing, ends that nothing comes to: an error for each clause, never a pass or a fail."""
    blind = check_with_observer(IncidentReceiver("shows-nothing"), ["TCM501", "TCM505"], effect_timeout_s=0.3)
    assert {item.status for item in blind.results} == {ClauseStatus.ERROR}
    assert "does --observe-all choose" in reason_text(blind.results[0])
    gone = check_with_observer(IncidentReceiver("hides-its-state"), ["TCM501"], effect_timeout_s=0.3)
    assert reason_text(gone.results[0]).endswith("cannot be read: 404")
    silent = check_with_observer(WECOM_RECEIVER("forwards-nothing"), ["TCM501", "TCM520"], effect_timeout_s=0.3)
    assert {item.status for item in silent.results} == {ClauseStatus.ERROR}
    assert "does the receiver forward there?" in reason_text(silent.results[0])
    unknown = check_with_observer(WECOM_RECEIVER("has-no-key"), ["TCM501"], effect_timeout_s=0.3)
    assert "/wecom answered errcode 93000" in reason_text(unknown.results[0])


def test_ends_that_nothing_comes_to_are_told_where_a_url_shows_effects() -> None:
    """The clauses about messages are errors; those about effects are judged."""
    verdict = check_with_observer(
        WECOM_RECEIVER("forwards-nothing"), ["TCM501", "TCM520"], observe_url=True, effect_timeout_s=0.5
    )
    results = {item.clause.code: item for item in verdict.results}
    assert results["TCM501"].status is ClauseStatus.PASS
    assert results["TCM520"].status is ClauseStatus.ERROR
    assert reason_text(results["TCM520"]).startswith("nothing came to --downstream")


def test_an_observer_without_open_incidents_is_told() -> None:
    """Where a plain alarm opens nothing, the path is doubted, not the receiver."""
    verdict = check_with_observer(IncidentReceiver("opens-nothing"), ["TCM501", "TCM505"])
    results = {item.clause.code: item for item in verdict.results}
    assert results["TCM501"].status is ClauseStatus.PASS
    assert "is --observe-open right?" in reason_text(results["TCM505"])


def test_a_seed_that_the_receiver_knows_is_told() -> None:
    """Run twice with one seed against a receiver that remembers: an error that names the remedy, no finding."""
    desk = IncidentReceiver()
    assert failed_codes(check_with_observer(desk, ["TCM501"])) == set()
    [item] = check_with_observer(desk, ["TCM501"]).results
    assert item.status is ClauseStatus.ERROR
    assert "knows the alarms of this seed already" in reason_text(item)


def test_a_refused_alarm_tells_nothing_about_effects() -> None:
    """Who refuses a callback breaks TCM101, not the clauses about effects."""
    [refused, item] = check_with_observer(IncidentReceiver("refuses-events"), ["TCM101", "TCM519"]).results
    assert (refused.status, item.status) == (ClauseStatus.FAIL, ClauseStatus.PASS)
    assert "answered 422 (TCM101)" in item.reason
    [item] = check_with_observer(IncidentReceiver("refuses-events"), ["TCM519"]).results
    assert item.status is ClauseStatus.ERROR  # nobody else reports it
    assert "answered 422 (TCM101)" in reason_text(item)


def test_what_a_receiver_does_not_do_is_not_run() -> None:
    """Who shows no offset is not judged on offsets; who cannot be restarted not on restarts."""
    verdict = check_with_observer(IncidentReceiver("shifts-twice"), ["TCM102", "TCM513", "TCM518"])
    reasons = {item.clause.code: reason_text(item) for item in verdict.results if item.status is ClauseStatus.NOT_RUN}
    assert reasons == {
        "TCM513": "no time of the alarm is shown with its offset from UTC",
        "TCM518": "needs restart: give --restart-cmd, a command that restarts the receiver",
    }


def test_a_broken_key_is_one_finding_over_its_shapes() -> None:
    """The same cause on several products is told once."""
    [item] = check_with_observer(IncidentReceiver("merges-by-object-id"), ["TCM506"]).results
    [finding] = item.findings
    assert "and 3 more" in finding.title


def test_both_ends_are_judged_by_what_came() -> None:
    """A pager that tells no state is found by its own end as well."""
    assert failed_codes(check_with_observer(PAGERDUTY_RECEIVER("ignores-resolves"), ["TCM505", "TCM522"])) == {
        "TCM505",
        "TCM522",
    }
