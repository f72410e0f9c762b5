"""The clauses about effects: each finds its own bug, and none fails a conforming receiver."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from forwarded_messages import wecom_message
from incident_receiver import IncidentReceiver
from incident_receivers import CONFORMING, MUTANTS, PAGERDUTY_RECEIVER, WECOM_RECEIVER, check_with_observer
from receiver_factories import CREDENTIALS
from run_check import failed_codes

from tcop_mock.contract.builders_effects import sent_values
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.contract import Prerequisite
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.summary import reason_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.server.messages import ReceivedRequest, Reply

IN_EFFECTS = {clause.code: clause for clause in load_clauses() if clause.builder.name == "effect_scenarios"}
ALL = ("TCM5*", "TCM6*", "TCM70[12]")
IN_EACH_RUN = ("forwards-to-WeCom", "resolves-at-PagerDuty-without-a-payload")
"""Receivers whose tests are not marked proof: they cover a chat robot and PagerDuty."""
SERVICES = ("pagerduty", "wecom", "dingtalk", "feishu")
ENDS = {
    Prerequisite.DOWNSTREAM: SERVICES,
    Prerequisite.PAGERDUTY: ("pagerduty",),
    Prerequisite.WECOM: ("wecom",),
    Prerequisite.DINGTALK_OR_FEISHU: ("dingtalk", "feishu"),
}


async def _restart() -> None:
    await asyncio.sleep(0)


def not_run_codes(name: str, profile: str) -> set[str]:
    """Return the clauses about what a conforming receiver does not do, and those of other profiles."""
    service = next((service for service in SERVICES if service in name.lower()), "wecom" if "forwards" in name else "")
    service = "wecom" if name == "needs-credentials" else service
    unmet = {prerequisite for prerequisite in ENDS if service not in ENDS[prerequisite]}
    if service and service != "pagerduty":
        unmet.add(Prerequisite.OPEN_INCIDENTS)
    return {
        code
        for code, clause in IN_EFFECTS.items()
        if clause.prerequisites & unmet or profile not in (clause.profiles or (profile,))
    } - {"TCM515"}


@pytest.mark.parametrize(
    "name, profile",
    [
        *(
            pytest.param(name, DEFAULT_PROFILE, marks=pytest.mark.proof)
            for name in CONFORMING
            if name != "forwards-to-WeCom"
        ),
        *((name, DEFAULT_PROFILE) for name in IN_EACH_RUN),
        *(
            pytest.param(name, profile, marks=pytest.mark.proof)
            for name in (
                "writes-a-row-about-the-verification",
                "resolves-at-PagerDuty-without-a-payload",
                "needs-credentials",
            )
            for profile in ("2019-ack", "2021-verify", "2025")
        ),
    ],
)
def test_no_clause_fails_a_conforming_receiver(name: str, profile: str) -> None:
    """All clauses pass for a conforming receiver, except those about features that it lacks."""
    skip = ["TCM515"] if profile == DEFAULT_PROFILE else ["TCM515", "TCM519"]  # which takes most of the time
    verdict = check_with_observer(
        CONFORMING[name](), ALL, skip=skip, effect_timeout_s=3.0, restart=_restart, max_time_s=300.0, profile=profile
    )
    assert {item.clause.code: item.findings for item in verdict.results if item.findings} == {}
    assert [reason_text(item) for item in verdict.results if item.status is ClauseStatus.ERROR] == []
    missing = {item.clause.code for item in verdict.results if item.status is ClauseStatus.NOT_RUN}
    assert missing == not_run_codes(name, profile)


def test_a_receiver_with_a_rate_limit_is_inconclusive() -> None:
    """It sends 20 messages a minute, as WeCom accepts; what still waits in its queue is not lost."""
    receiver = WECOM_RECEIVER(one_by_one=True, burst=20, pause_s=60.0)
    verdict = check_with_observer(receiver, ["TCM501", "TCM516", "TCM506"], effect_timeout_s=5.0, max_time_s=300.0)
    assert failed_codes(verdict) == set()
    reasons = {reason_text(item) for item in verdict.results if item.status is ClauseStatus.ERROR}
    assert any("turn that off for the check" in reason for reason in reasons)


def test_what_the_first_phases_left_in_the_queue_is_waited_for() -> None:
    """An effect clause is judged after the receiver has sent all messages about what came before."""
    receiver = WECOM_RECEIVER(one_by_one=True, pause_s=0.3)
    verdict = check_with_observer(receiver, ["TCM101", "TCM501"], effect_timeout_s=1.0, max_time_s=300.0)
    assert {item.clause.code: item.status for item in verdict.results} == {
        "TCM101": ClauseStatus.PASS,
        "TCM501": ClauseStatus.PASS,
    }


def test_effects_are_inconclusive_while_earlier_callbacks_wait() -> None:
    """Clauses about effects are inconclusive if the queue of earlier phases takes most of the run."""
    receiver = WECOM_RECEIVER(one_by_one=True, burst=20, pause_s=60.0)
    verdict = check_with_observer(receiver, ["TCM101", "TCM501"], effect_timeout_s=5.0, max_time_s=120.0)
    results = {item.clause.code: item for item in verdict.results}
    assert {code: item.status for code, item in results.items()} == {
        "TCM101": ClauseStatus.PASS,
        "TCM501": ClauseStatus.ERROR,
    }
    assert "has not come to the callbacks that the run sent last" in reason_text(results["TCM501"])


def test_a_receiver_that_forwards_nothing_any_more_fails() -> None:
    """When nothing happens at all for a while, alarms without effect are lost."""
    receiver = WECOM_RECEIVER("forwards-nothing-later")
    verdict = check_with_observer(receiver, ["TCM519"], max_time_s=300.0)
    assert failed_codes(verdict) == {"TCM519"}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_bug_is_found_by_its_clause(name: str) -> None:
    """A receiver with one mistake breaks the clause of that mistake."""
    deadline_s = 1.0 if name.startswith("TCM521") else 5.0
    profile = next(iter(IN_EFFECTS[name[:6]].profiles), DEFAULT_PROFILE)
    verdict = check_with_observer(
        MUTANTS[name](),
        [name[:6]],
        restart=_restart,
        deadline_s=deadline_s,
        max_time_s=300.0,
        profile=profile,
    )
    assert failed_codes(verdict) == {name[:6]}, [reason_text(item) for item in verdict.results]


def test_a_receiver_that_forgets_a_push_that_failed_is_not_blamed() -> None:
    """It forwards before it answers, and answers 503: the retry of that push is forwarded."""
    receiver = WECOM_RECEIVER("forgets-a-push-that-failed", forwards_before_reply=True)
    [item] = check_with_observer(receiver, ["TCM517"], max_time_s=300.0).results
    assert item.status is ClauseStatus.PASS


def test_a_receiver_that_knows_open_alarms_in_memory_only_fails_the_restart() -> None:
    """It recognises the push that it had before, and takes the resolve for that of an unknown alarm."""
    receiver = WECOM_RECEIVER("forgets-what-is-open")

    async def restart() -> None:
        receiver.end()

    verdict = check_with_observer(receiver, ["TCM518"], restart=restart, max_time_s=300.0)
    assert [finding.title.partition(": ")[2] for finding in verdict.findings] == [
        "the alarm is resolved after the restart: 3 effects, no more than the 3 before it"
    ]


def test_every_clause_about_effects_has_a_bug_that_proves_it() -> None:
    """There is no clause without a receiver that breaks it."""
    assert {name[:6] for name in MUTANTS} == IN_EFFECTS.keys()


def test_a_receiver_that_drops_tke_is_reported_which_products() -> None:
    """One finding names the shapes, with what was sent, answered and seen."""
    [item] = check_with_observer(IncidentReceiver("drops-tke"), ["TCM519"]).results
    [finding] = item.findings
    assert finding.title.startswith("tke/cluster, documented and ")
    assert finding.title.endswith(" more: it fires: no effects in place of at least 1")
    assert "of 154 cases" in finding.detail
    assert "it fires: answered 200; 0 effects, 0 open" in finding.evidence
    assert finding.reproduction.curl.startswith("curl ")


def test_a_double_notification_fails_one_clause() -> None:
    """A receiver that forwards every alarm twice fails TCM501, and repetitions and restarts add nothing to it."""
    verdict = check_with_observer(
        IncidentReceiver("notifies-twice"), ["TCM501", "TCM502", "TCM503", "TCM518"], restart=_restart
    )
    assert failed_codes(verdict) == {"TCM501"}, [reason_text(item) for item in verdict.results]
    assert {item.status for item in verdict.results[1:]} == {ClauseStatus.PASS}


@pytest.mark.proof
def test_other_clauses_do_not_fail_for_a_drop() -> None:
    """A receiver that drops a product fails TCM519. Scenarios of that product decide nothing for other clauses."""
    verdict = check_with_observer(IncidentReceiver("drops-tke"), ["TCM506", "TCM519"])
    assert failed_codes(verdict) == {"TCM519"}
    [isolation] = [item for item in verdict.results if item.clause.code == "TCM506"]
    assert "TCM519" in reason_text(isolation)


def test_other_clauses_do_not_fail_for_what_stays_open() -> None:
    """A receiver that closes nothing fails TCM505. Other clauses about its open incidents are inconclusive."""
    verdict = check_with_observer(
        IncidentReceiver("ignores-resolves"), ["TCM505", "TCM506", "TCM507", "TCM509", "TCM511", "TCM512"]
    )
    assert failed_codes(verdict) == {"TCM505"}
    assert {reason_text(item) for item in verdict.results[1:]} == {"its resolve does not close its incident (TCM505)"}


def test_other_clauses_do_not_fail_for_what_is_refused() -> None:
    """A receiver that rejects events, or resolves of unknown alarms, fails no clause about another thing."""
    events = check_with_observer(IncidentReceiver("refuses-events"), ["TCM307", "TCM514"])
    assert failed_codes(events) == {"TCM307"}
    assert "an event that resolves: answered 422 (TCM101)" in reason_text(events.results[1])
    assert failed_codes(check_with_observer(IncidentReceiver("refuses-orphans"), ["TCM101", "TCM307", "TCM510"])) == {
        "TCM510"
    }


@pytest.mark.parametrize("bug, code", [("drops-metrics", "TCM519"), ("refuses-metrics", "TCM101")])
@pytest.mark.parametrize("profile", [DEFAULT_PROFILE, pytest.param("2019-ack", marks=pytest.mark.proof)])
def test_a_receiver_of_events_alone_is_judged_by_events(bug: str, code: str, profile: str) -> None:
    """What its events cannot do, as to repeat, is left out with its reason; the run goes on."""
    clauses = ("TCM101", "TCM30[1-5]", "TCM50*", "TCM512", "TCM519", "TCM523", "TCM525", "TCM53[5-9]", "TCM541")
    verdict = check_with_observer(IncidentReceiver(bug), clauses, max_time_s=600.0, profile=profile)
    results = {item.clause.code: item for item in verdict.results}
    assert code in failed_codes(verdict)
    assert "event alarms never repeat" in reason_text(results["TCM504"])
    assert results["TCM505"].status is ClauseStatus.PASS


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


def test_ends_that_nothing_comes_to_are_reported_where_a_url_shows_effects() -> None:
    """The clauses about messages are errors; those about effects are judged."""
    verdict = check_with_observer(
        WECOM_RECEIVER("forwards-nothing"), ["TCM501", "TCM520"], observe_url=True, effect_timeout_s=0.5
    )
    results = {item.clause.code: item for item in verdict.results}
    assert results["TCM501"].status is ClauseStatus.PASS
    assert results["TCM520"].status is ClauseStatus.ERROR
    assert reason_text(results["TCM520"]).startswith("nothing came to --downstream")


def test_an_observer_without_open_incidents_is_reported() -> None:
    """If a plain alarm opens nothing, the reason questions the path of the observer."""
    verdict = check_with_observer(IncidentReceiver("opens-nothing"), ["TCM501", "TCM505"])
    results = {item.clause.code: item for item in verdict.results}
    assert results["TCM501"].status is ClauseStatus.PASS
    assert "is --observe-open right?" in reason_text(results["TCM505"])


def test_a_seed_that_the_receiver_knows_is_reported() -> None:
    """Run twice with one seed against a receiver that remembers: an error that names the remedy, no finding."""
    desk = IncidentReceiver()
    assert failed_codes(check_with_observer(desk, ["TCM501"])) == set()
    [item] = check_with_observer(desk, ["TCM501"]).results
    assert item.status is ClauseStatus.ERROR
    assert "knows the alarms of this seed already" in reason_text(item)


def test_a_refused_alarm_reports_nothing_about_effects() -> None:
    """A receiver that rejects a callback fails TCM101, not the clauses about effects."""
    [refused, item] = check_with_observer(IncidentReceiver("refuses-events"), ["TCM101", "TCM519"]).results
    assert (refused.status, item.status) == (ClauseStatus.FAIL, ClauseStatus.PASS)
    assert "answered 422 (TCM101)" in item.reason
    [item] = check_with_observer(IncidentReceiver("refuses-events"), ["TCM519"]).results
    assert item.status is ClauseStatus.ERROR  # nobody else reports it
    assert "answered 422 (TCM101)" in reason_text(item)


def test_resolves_in_a_slow_queue_are_not_a_standstill() -> None:
    """Each resolve sends a message and closes an incident, one a second; the burst behind them is waited for."""
    receiver = PAGERDUTY_RECEIVER(one_by_one=True, pause_s=1.0)
    verdict = check_with_observer(receiver, ["TCM101", "TCM516"], effect_timeout_s=5.0, max_time_s=300.0)
    assert {item.clause.code: item.status for item in verdict.results} == dict.fromkeys(
        ["TCM101", "TCM516"], ClauseStatus.PASS
    )


def test_what_a_receiver_does_not_do_is_not_run() -> None:
    """Clauses about offsets and restarts are not run for a receiver that has neither."""
    verdict = check_with_observer(IncidentReceiver("shifts-twice"), ["TCM102", "TCM513", "TCM518"])
    reasons = {item.clause.code: reason_text(item) for item in verdict.results if item.status is ClauseStatus.NOT_RUN}
    assert reasons == {
        "TCM513": "no time of the alarm is shown with its offset from UTC",
        "TCM518": "needs restart: give --run CMD, or --restart-cmd, a command that restarts the receiver",
    }


def test_a_broken_key_is_one_finding_over_its_shapes() -> None:
    """The same cause on several products is reported once."""
    [item] = check_with_observer(IncidentReceiver("merges-by-object-id"), ["TCM506"]).results
    [finding] = item.findings
    assert "and 5 more" in finding.title


def test_both_ends_are_checked_by_what_came() -> None:
    """A PagerDuty receiver whose events have no state fails as well."""
    assert failed_codes(check_with_observer(PAGERDUTY_RECEIVER("ignores-resolves"), ["TCM505", "TCM522"])) == {
        "TCM505",
        "TCM522",
    }


@pytest.mark.parametrize("profile", ["2019-ack", "2021-verify", "2025"])
@pytest.mark.parametrize(
    "receiver, code",
    [
        (partial(IncidentReceiver, "takes-recover-time-for-the-state"), "TCM524"),
        (partial(IncidentReceiver, "knows-numbers-only"), "TCM525"),
        (partial(IncidentReceiver, "cuts-at-1-kib"), "TCM526"),
        (partial(IncidentReceiver, "acts-before-it-checks", credentials=CREDENTIALS), "TCM527"),
        (partial(WECOM_RECEIVER, "reads-latin-1"), "TCM532"),
        (partial(WECOM_RECEIVER, "stops-at-what-is-rejected"), "TCM533"),
    ],
)
def test_other_generations_of_callbacks_find_the_same_bugs(
    receiver: Callable[[], IncidentReceiver], code: str, profile: str
) -> None:
    """A clause finds its bug in every profile in which it holds."""
    verdict = check_with_observer(receiver(), [code], profile=profile, max_time_s=200.0)
    assert failed_codes(verdict) == {code}


@pytest.mark.parametrize("profile", ["2019-ack", "2021-verify"])
@pytest.mark.parametrize("bug, codes", [("", set[str]()), ("key-without-region", {"TCM508"})])
def test_alarms_with_the_same_body_are_one_alarm(bug: str, codes: set[str], profile: str) -> None:
    """Callbacks without an account cannot tell two accounts apart: that scenario is left out, and others are judged."""
    [item] = check_with_observer(IncidentReceiver(bug), ["TCM508"], profile=profile).results
    assert {item.clause.code} & codes == ({item.clause.code} if item.status is ClauseStatus.FAIL else set())
    assert item.status is (ClauseStatus.FAIL if bug else ClauseStatus.PASS)
    if not bug:
        assert "by session and times only" in reason_text(item)


def test_what_an_end_refuses_counts_whichever_clause_caused_it() -> None:
    """An event that PagerDuty refuses breaks TCM601, also where only another clause sends that product."""
    verdict = check_with_observer(PAGERDUTY_RECEIVER("invents-severities-for-tke"), ["TCM506", "TCM601"])
    results = {item.clause.code: item for item in verdict.results}
    [finding] = results["TCM601"].findings
    assert "messages of the whole run: /pagerduty rejects" in finding.title
    assert "'payload.severity' is missing or invalid" in finding.title
    assert finding.shape == "tke/pod"
    assert "k8s" in finding.reproduction.curl
    assert '"severity": "fatal"' in finding.evidence


def test_a_plain_alarm_that_an_end_refuses_breaks_the_clause_about_the_end() -> None:
    """If a service rejects every message, its clause fails; other clauses name that reason."""
    verdict = check_with_observer(
        WECOM_RECEIVER("invents-message-types"), ["TCM501", "TCM519", "TCM604"], effect_timeout_s=0.3
    )
    results = {item.clause.code: item for item in verdict.results}
    assert failed_codes(verdict) == {"TCM604"}
    assert "errcode 40008" in results["TCM604"].findings[0].title
    assert {results[code].status for code in ("TCM501", "TCM519")} == {ClauseStatus.ERROR}
    assert "errcode 40008" in reason_text(results["TCM519"])


@pytest.mark.proof
def test_a_wrong_address_stays_an_error_of_the_set_up() -> None:
    """WeCom refuses a robot without a key: nothing is said about the messages."""
    verdict = check_with_observer(WECOM_RECEIVER("has-no-key"), ["TCM604", "TCM519"], effect_timeout_s=0.3)
    assert {item.status for item in verdict.results} == {ClauseStatus.ERROR}
    assert "errcode 93000" in reason_text(verdict.results[0])


def test_a_row_is_no_message_and_no_incident() -> None:
    """A receiver that writes a row for a rejected body fails the clause about rows, not the one about incidents."""
    verdict = check_with_observer(IncidentReceiver("writes-what-it-rejects"), ["TCM527", "TCM528"])
    assert failed_codes(verdict) == {"TCM528"}
    opened = check_with_observer(IncidentReceiver("acts-before-it-checks"), ["TCM527", "TCM528"])
    assert failed_codes(opened) == {"TCM527"}
    assert "(TCM527)" in reason_text(opened.results[1])


def test_messages_are_looked_at_beside_an_observer() -> None:
    """Effects at a URL and messages to the stubs both count."""
    verdict = check_with_observer(
        WECOM_RECEIVER("acts-before-it-checks"), ["TCM527"], observe_url=True, effect_timeout_s=0.5
    )
    assert "1 incident and 1 message about it" in verdict.results[0].findings[0].title


def test_what_is_accepted_is_not_a_rejection() -> None:
    """A receiver that accepts a broken body fails another clause. The effects of that body are not a finding here."""
    for item in check_with_observer(IncidentReceiver("accepts-broken-bodies"), ["TCM527", "TCM528"]).results:
        assert item.status is ClauseStatus.ERROR
        assert "answered 200" in reason_text(item)


def test_an_observer_of_rows_alone_cannot_tell_what_was_opened() -> None:
    """Without open incidents and without messages, the clauses about openings are not run, with the flag to give."""
    for item in check_with_observer(IncidentReceiver(), ["TCM527", "TCM528"], open_path=None).results:
        assert item.status is ClauseStatus.NOT_RUN
        assert "--observe-open" in reason_text(item)


def test_values_of_lists_name_alarms() -> None:
    """Texts at any depth of a body are known; times, types and what is not JSON are not."""
    assert sent_values('{"a": ["web-1", {"b": "2023-08-07 12:00:00"}], "alarmType": "metric"}\n{') == {"web-1"}


def test_a_queue_that_gives_up_forwards_the_next_alarm() -> None:
    """A receiver that repeats a rejected message for 20 s before the next one passes: the run waits 30 s."""
    assert (
        failed_codes(check_with_observer(WECOM_RECEIVER("gives-up-after-20-s"), ["TCM533"], max_time_s=200.0)) == set()
    )


def test_what_the_run_has_no_time_for_is_inconclusive() -> None:
    """TCM534 needs 65 s to check a service that never answers; a shorter run is inconclusive."""
    [item] = check_with_observer(WECOM_RECEIVER(time_limit_s=1e6, one_by_one=True), ["TCM534"], max_time_s=20.0).results
    assert item.status is ClauseStatus.ERROR
    assert "--max-time ends before 65 s" in reason_text(item)


def test_a_receiver_that_is_busy_does_not_fail_for_the_fault() -> None:
    """A receiver that answers 503 to the next alarm while a message hangs is inconclusive: TCOP sends it again."""
    [item] = check_with_observer(WECOM_RECEIVER("is-busy-while-it-forwards"), ["TCM534"], max_time_s=200.0).results
    assert item.status is ClauseStatus.ERROR
    assert "answered 503" in reason_text(item)


def test_a_push_that_was_not_acknowledged_may_be_lost() -> None:
    """A receiver that answers late because the service hangs gets the push again; the first alarm is inconclusive."""
    receiver = WECOM_RECEIVER("loses-what-hangs", forwards_before_reply=True)
    assert failed_codes(check_with_observer(receiver, ["TCM534"], max_time_s=200.0)) == set()


def test_a_receiver_that_sends_no_message_about_an_alarm_is_not_asked_for_the_next() -> None:
    """The clause is not run if the fault is never used."""
    receiver = WECOM_RECEIVER("forwards-nothing-later")
    [item] = check_with_observer(receiver, ["TCM533"], max_time_s=200.0, effect_timeout_s=0.5).results
    assert item.status is ClauseStatus.NOT_RUN
    assert "no message about the first alarm" in reason_text(item)


def test_a_slow_queue_leaves_time_for_requests() -> None:
    """A receiver that sends one message a second is judged by its answers; its effects are undecided, not missing."""
    requests = ["TCM401", "TCM409", "TCM515"]
    receiver = WECOM_RECEIVER(one_by_one=True, pause_s=1.0)
    verdict = check_with_observer(receiver, [*requests, "TCM5*"], max_time_s=300.0)
    by_code = {result.clause.code: result.status for result in verdict.results}
    assert {by_code[code] for code in requests} == {ClauseStatus.PASS}
    assert by_code["TCM519"] is ClauseStatus.ERROR
    assert failed_codes(verdict) == set()


class LateAt(IncidentReceiver):
    """A receiver that forwards to WeCom, and answers some of its pushes too late.

    Args:
        numbers: numbers of these pushes.
    """

    def __init__(self, *numbers: int) -> None:
        super().__init__(forward=wecom_message)
        self.numbers, self.pushes = numbers, 0

    async def __call__(self, request: ReceivedRequest) -> Reply:
        """Answer a push, or the state."""
        self.pushes += request.method == "POST"
        if self.pushes in self.numbers:
            await asyncio.sleep(6.0)
        return await super().__call__(request)


@pytest.mark.parametrize("numbers, codes", [((4,), set()), ((4, 5), {"TCM521"})], ids=["once", "again"])
def test_a_push_that_is_late_beside_others_is_repeated(numbers: tuple[int, ...], codes: set[str]) -> None:
    """Other scenarios may have made its answer late; only a second late answer breaks the clause."""
    receiver = LateAt(*numbers)
    verdict = check_with_observer(receiver, ["TCM521"])
    assert failed_codes(verdict) == codes
    assert receiver.pushes == 5
