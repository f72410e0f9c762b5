"""Runs against fake transports and clocks."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from virtual_time import run_in_virtual_time

from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.assertions import AssertionContext
from tcop_mock.contract.check import run_check
from tcop_mock.contract.clause_outcome import ClauseOutcome, Exclusion
from tcop_mock.contract.clauses import builder_of, load_clauses, select_clauses
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.observers import CallableObserver
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.preflight import Preflight, TargetProbe, raise_if_no_http, raise_if_unusable
from tcop_mock.contract.request_runner import RequestRunner
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.contract import CaseGroup, ClauseTest, RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseFinished, ClauseStarted, ClauseStatus, RunEvent, RunFinished, RunStarted
from tcop_mock.errors import TargetError
from tcop_mock.reports.summary import reason_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.delivery import Transport

TARGET = Target.parse("http://127.0.0.1:9/hook")
GUARDED = Target.parse("http://alice:s3cr3t@127.0.0.1:9/hook")
Answer = tuple[Outcome, int | None, float]
OK: Answer = (Outcome.ACKED, 200, 0.01)
SILENCE: Answer = (Outcome.TIMED_OUT, None, 5.0)
RESET: Answer = (Outcome.RESET_BEFORE_ANSWER, None, 0.0)
REFUSED: Answer = (Outcome.REFUSED, None, 0.0)


class FakePost:
    """A port that answers at once and lets a clock of its own go on."""

    def __init__(self, answer: Callable[[OutgoingRequest, int], Answer]) -> None:
        self.now_s = 0.0
        self.pushes: list[OutgoingRequest] = []
        self.slept_s: list[float] = []
        self._answer = answer

    def clock(self) -> float:
        """Return what the answers and pauses so far have taken."""
        return self.now_s

    async def sleep(self, pause_s: float) -> None:
        """Let the clock go on."""
        self.now_s += pause_s
        self.slept_s.append(pause_s)

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Answer as planned."""
        started_s = self.now_s
        outcome, status, took_s = self._answer(request, len(self.pushes))
        self.pushes.append(request)
        self.now_s += min(took_s, deadline_s)
        return Attempt(
            outcome,
            intended_s=started_s if intended_s is None else intended_s,
            started_s=started_s,
            ended_s=self.now_s,
            status=status,
            detail="as planned",
        )


def _run(post: FakePost, globs: Sequence[str], target: Target = TARGET, **options: Any) -> ContractRun:
    plan = CheckPlan(target, Catalog.load(), select_clauses(load_clauses(), globs), load_profile(), seed=7, **options)
    return ContractRun(plan, post, post.clock, post.sleep)


def _play(run: ContractRun) -> list[RunEvent]:
    async def play() -> list[RunEvent]:
        return [event async for event in run.events()]

    return asyncio.run(play())


def test_a_run_reports_its_start_each_clause_and_its_end() -> None:
    """Every clause is started and finished once, between the start of the run and its verdict."""
    run = _run(FakePost(lambda _push, _number: OK), ["TCM102", "TCM104"])
    events = _play(run)
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    started = [event.clause.code for event in events if isinstance(event, ClauseStarted)]
    finished = [event.result.clause.code for event in events if isinstance(event, ClauseFinished)]
    assert sorted(started) == sorted(finished) == ["TCM102", "TCM104"]
    assert events[-1].verdict.count(ClauseStatus.PASS) == 2
    assert events[-1].verdict.target == "http://127.0.0.1:9/hook"


@pytest.mark.parametrize(
    "answer, message",
    [
        (REFUSED, "cannot be reached: as planned; is it running? `--wait 30s` gives a starting receiver time"),
        ((Outcome.DNS, None, 0.1), "cannot be reached: as planned; is the name right?"),
        ((Outcome.TLS, None, 0.1), "cannot be reached: as planned; does it speak TLS there? `--insecure` does not"),
        ((Outcome.REJECTED, 401, 0.1), "answers 401 to a plain callback, so it wants credentials"),
        ((Outcome.REJECTED, 403, 0.1), "answers 403"),
        ((Outcome.REJECTED, 404, 0.1), "is the path right?"),
        ((Outcome.REJECTED, 405, 0.1), "is the path right?"),
    ],
)
def test_a_target_that_cannot_be_used_is_an_error(answer: Answer, message: str) -> None:
    """An unusable target ends the run at once with advice, not with sixty failures."""
    post = FakePost(lambda _push, _number: answer)
    with pytest.raises(TargetError) as caught:
        _play(_run(post, []))
    assert message in str(caught.value)
    assert str(caught.value).startswith("http://127.0.0.1:9/hook ")


def test_a_target_without_http_cannot_be_checked() -> None:
    """The cause and the advice are one line."""
    with pytest.raises(TargetError, match=r"^http://h/ is not an HTTP receiver: it speaks TLS: write https://$"):
        raise_if_no_http("it speaks TLS: write https://", Target.parse("http://h/"))
    raise_if_no_http("", Target.parse("http://h/"))


@pytest.mark.parametrize("detail", ["Hostname mismatch, certificate is not valid for 'h'.", "self-signed certificate"])
def test_a_certificate_that_does_not_verify_is_no_question_of_tls(detail: str) -> None:
    """The hint is about the certificate alone, and the sentence has one end."""
    attempt = Attempt(Outcome.TLS, 0.0, 0.0, 0.0, detail=detail)
    with pytest.raises(TargetError) as caught:
        raise_if_unusable(attempt, Target.parse("https://h/"), 0.0)
    ending = f"{detail.rstrip('.')}; `--insecure` does not verify its certificate"
    assert str(caught.value) == f"https://h/ cannot be reached: {ending}"


def test_wrong_credentials_are_reported_without_showing_them() -> None:
    """A target that refuses its own credentials wants other ones; neither is shown."""
    with pytest.raises(TargetError) as caught:
        _play(_run(FakePost(lambda _push, _number: (Outcome.REJECTED, 401, 0.1)), [], GUARDED))
    assert "wants other credentials than these" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert "alice" not in str(caught.value)


def test_a_starting_receiver_is_waited_for() -> None:
    """Refusals, 503, and the 404 of a gateway without routes are waited out; the first other answer counts."""
    answers = [REFUSED, (Outcome.REJECTED, 404, 0.01), (Outcome.REJECTED, 503, 0.01)]
    post = FakePost(lambda _push, number: answers[number] if number < 3 else OK)
    _play(_run(post, ["TCM104"], wait_s=10.0))
    assert post.slept_s == [0.1, 0.1, 0.1]


def test_waiting_has_an_end() -> None:
    """A receiver that does not start in its time is reported, with the time that was given."""
    post = FakePost(lambda _push, _number: REFUSED)
    with pytest.raises(TargetError, match=r"after waiting 2 s: as planned$"):
        _play(_run(post, [], wait_s=2.0))
    assert post.now_s == pytest.approx(2.0)


def test_a_slow_first_answer_is_not_the_measure() -> None:
    """A receiver that needs its first request to warm up is measured by its second."""
    post = FakePost(lambda _push, number: SILENCE if number == 0 else OK)
    events = _play(_run(post, ["TCM302"]))
    assert isinstance(events[-1], RunFinished)
    assert events[-1].verdict.count(ClauseStatus.PASS) == 1


@pytest.mark.parametrize("took_s, in_flight", [(0.01, 4), (0.0, 4), (0.7, 2), (1.9, 1), (4.9, 1)])
def test_slow_receivers_get_fewer_requests_at_once(took_s: float, in_flight: int) -> None:
    """The number in flight is what can be served one by one within a part of the deadline."""
    attempt = Attempt(Outcome.ACKED, 0.0, 0.0, took_s, status=200)
    assert Preflight(attempt, deadline_s=5.0).in_flight == in_flight


@pytest.mark.parametrize("together_s, in_flight", [(2.0, 32), (3.5, 32), (3.7, 4), (4.0, 4), (16.0, 1)])
def test_a_slow_receiver_that_serves_side_by_side_gets_more_at_once(together_s: float, in_flight: int) -> None:
    """Requests that are answered as fast as one show that it need not be asked one by one; eight first, then 32."""
    asked = 0

    async def post(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        assert (request, intended_s) == (plain, None)
        nonlocal asked
        asked += 1
        took_s = min(deadline_s, 2.0 if asked <= 2 else together_s)
        is_late = took_s == deadline_s
        return Attempt(
            Outcome.TIMED_OUT if is_late else Outcome.ACKED, 0.0, 0.0, took_s, status=None if is_late else 200
        )

    plain = OutgoingRequest(b"{}")
    ports = FakePost(lambda _push, _number: OK)
    footing = asyncio.run(
        TargetProbe(
            plain_request=OutgoingRequest(b"{}"),
            target=TARGET,
            transport=post,
            deadline_s=5.0,
            wait_s=0.0,
            clock=ports.clock,
            sleep=ports.sleep,
        ).run()
    )
    sent = {32: 2 + 8 + 32, 4: 2 + 8, 1: 2 + 8 + 1}
    assert (asked, footing.in_flight) == (sent[in_flight], in_flight)


def test_a_mute_receiver_is_checked_on_time_only() -> None:
    """If no plain callback is answered, TCM102 fails and the rest are inconclusive without a request."""
    post = FakePost(lambda _push, _number: SILENCE)
    run = _run(post, [])
    _play(run)
    verdict = run.verdict("-")
    assert [item.clause.code for item in verdict.results if item.status is ClauseStatus.FAIL] == ["TCM102"]
    assert verdict.count(ClauseStatus.PASS) == 0
    assert len(post.pushes) == 2


def test_clauses_that_need_credentials_are_not_run_without_them() -> None:
    """Without credentials, or with --no-auth-from-url, these clauses are not run, with the reason."""
    for target, options in ((TARGET, {}), (GUARDED, {"check_auth": False})):
        run = _run(FakePost(lambda _push, _number: OK), ["TCM2*", "TCM104"], target, **options)
        _play(run)
        results = {item.clause.code: item for item in run.verdict("-").results}
        assert {code for code, item in results.items() if item.status is ClauseStatus.NOT_RUN} == results.keys() - {
            "TCM104"
        }
        assert "USER:PASSWORD@" in reason_text(results["TCM201"])


def test_clauses_of_other_profiles_are_not_run() -> None:
    """A clause that holds in other profiles only is left out and says in which."""
    post = FakePost(lambda _push, _number: OK)
    run = _run(post, ["TCM104"])
    other = tuple(replace(clause, profiles=("2019-ack",)) for clause in run.plan.clauses)
    run.plan = replace(run.plan, clauses=other)
    _play(run)
    [item] = run.verdict("-").results
    assert (item.status, reason_text(item)) == (ClauseStatus.NOT_RUN, "holds in profile 2019-ack only")


def test_each_push_carries_the_target_s_credentials() -> None:
    """Every ordinary push has the credentials of the target."""
    post = FakePost(lambda _push, _number: OK)
    _play(_run(post, ["TCM302"], GUARDED))
    assert {push.credentials for push in post.pushes} == {GUARDED.credentials}


def test_what_is_not_finished_in_time_is_an_error() -> None:
    """At the time limit the remaining clauses are inconclusive, and the verdict is complete."""

    class Stuck(FakePost):
        async def __call__(self, request: OutgoingRequest, **options: Any) -> Attempt:
            if len(self.pushes) >= 1:
                await asyncio.Event().wait()
            return await super().__call__(request, **options)

    run = _run(Stuck(lambda _push, _number: OK), ["TCM102", "TCM104"], max_time_s=0.05)
    events = _play(run)
    assert isinstance(events[-1], RunFinished)
    assert [reason_text(item) for item in events[-1].verdict.results] == ["not finished within --max-time"] * 2


def test_the_run_s_limit_holds_for_the_first_request_too() -> None:
    """A target that does not answer within the time limit of the run is unusable, and the run ends in time."""

    class Stuck(FakePost):
        async def __call__(self, request: OutgoingRequest, **options: Any) -> Attempt:
            await asyncio.Event().wait()
            return await super().__call__(request, **options)

    with pytest.raises(TargetError, match=r"did not answer a plain callback inside --max-time 0\.05s"):
        _play(_run(Stuck(lambda _push, _number: OK), ["TCM102"], max_time_s=0.05))


def test_a_clause_has_a_limit_of_its_own() -> None:
    """A port that never comes back costs one clause its own limit, not the run."""

    class Stuck(FakePost):
        async def __call__(self, request: OutgoingRequest, **options: Any) -> Attempt:
            if len(self.pushes) >= 1:
                await asyncio.Event().wait()
            return await super().__call__(request, **options)

    run = _run(Stuck(lambda _push, _number: OK), ["TCM104"])
    profile = run.plan.profile
    run.plan = replace(run.plan, profile=replace(profile, delivery=replace(profile.delivery, timeout_s=0.001)))
    _play(run)
    [item] = run.verdict("-").results
    assert item.status is ClauseStatus.ERROR
    assert "not finished within its own limit" in reason_text(item)


def test_a_clause_that_fails_to_play_fails_the_run() -> None:
    """An error of ours while a clause is played is raised, not swallowed."""

    def broken(_push: OutgoingRequest, number: int) -> Answer:
        if number:
            raise ZeroDivisionError
        return OK

    with pytest.raises(ZeroDivisionError):
        _play(_run(FakePost(broken), ["TCM104"]))


def test_the_rest_of_an_interrupted_run_has_its_reason() -> None:
    """A verdict can be had at any time; what has no result yet is an error for the reason given."""
    run = _run(FakePost(lambda _push, _number: OK), ["TCM102", "TCM104"])
    assert [reason_text(item) for item in run.verdict("interrupted").results] == ["interrupted"] * 2


def _late_first_time() -> FakePost:
    """Return a port that is late with each of the first three bodies once."""
    seen: dict[bytes, int] = {}

    def answer(push: OutgoingRequest, number: int) -> Answer:
        seen[push.body] = seen.get(push.body, 0) + 1
        return SILENCE if seen[push.body] == 1 and 0 < number < 4 else OK

    return FakePost(answer)


def test_late_under_concurrency_and_in_time_alone_is_reported() -> None:
    """Responses that are late beside others only, not in 24 repetitions alone, are a finding of the burst's clause."""
    run = _run(_late_first_time(), ["TCM102", "TCM515"])
    _play(run)
    late, burst = run.verdict("-").results
    assert (late.status, burst.status) == (ClauseStatus.PASS, ClauseStatus.FAIL)
    assert "no answer inside the deadline only under concurrency" in burst.findings[0].title
    assert "only under concurrency (TCM515)" in late.reason


def test_late_under_concurrency_does_not_pass_without_tcm515() -> None:
    """Without TCM515 the clause with concurrent late responses is inconclusive."""
    run = _run(_late_first_time(), ["TCM102"])
    _play(run)
    [item] = run.verdict("-").results
    assert item.status is ClauseStatus.ERROR
    assert "only under concurrency (TCM515)" in item.reason


def test_late_under_concurrency_and_alone_is_broken() -> None:
    """Responses that are late beside others and alone fail the clause about the deadline."""
    run = _run(FakePost(lambda _push, number: SILENCE if number else OK), ["TCM102"])
    _play(run)
    assert [item.status for item in run.verdict("-").results] == [ClauseStatus.FAIL]


def test_a_receiver_that_was_gone_before_the_abuse_does_not_fail_for_it() -> None:
    """TCM409 is an error where a plain callback was refused before the first broken body."""
    run = _run(FakePost(lambda _push, number: OK if number == 0 else (Outcome.REJECTED, 500, 0.01)), ["TCM4*"])
    _play(run)
    results = {item.clause.code: item for item in run.verdict("-").results}
    assert results["TCM409"].status is ClauseStatus.ERROR
    assert "before the malformed bodies" in reason_text(results["TCM409"])


def test_a_receiver_that_wants_a_pause_gets_it_when_it_is_heard_alone() -> None:
    """A receiver that answers 429 under concurrency gets the request again after Retry-After, and passes."""
    post = FakePost(lambda _push, number: (Outcome.REJECTED, 429, 0.0) if 0 < number < 5 else OK)
    run = _run(post, ["TCM302"])
    _play(run)
    assert [item.status for item in run.verdict("-").results] == [ClauseStatus.PASS]
    assert post.slept_s == [1.0]


def test_a_receiver_that_is_dead_is_not_asked_for_more() -> None:
    """After a receiver has died, the remaining clauses are inconclusive without requests."""
    post = FakePost(lambda _push, number: SILENCE if number else OK)
    run = _run(post, ["TCM515", "TCM201"], GUARDED)
    _play(run)
    assert {reason_text(item) for item in run.verdict("-").results} == {
        "the receiver no longer answers a plain callback (TCM409, TCM515)"
    }
    assert len(post.pushes) == 1 + 2 + 2


def test_silences_are_not_waited_for_without_end() -> None:
    """Twelve cases without an answer in company, and two alone, leave the rest of a clause out."""
    post = FakePost(lambda push, _number: RESET if b'"alarmStatus":"0"' in push.body else OK)
    run = _run(post, ["TCM101"])
    _play(run)
    [item] = run.verdict("-").results
    assert item.status is ClauseStatus.FAIL
    silent = sum(b'"alarmStatus":"0"' in push.body for push in post.pushes)
    assert 12 + 2 <= silent <= 12 + 4 + 2


def test_scenes_are_not_begun_after_silences() -> None:
    """A clause whose controls are answered no more leaves its other scenes out."""
    post = FakePost(lambda _push, number: RESET if number else OK)
    run = _run(post, ["TCM303"])
    _play(run)
    [item] = run.verdict("-").results
    assert item.status is ClauseStatus.ERROR
    assert "1 case, after others had no answer" in reason_text(item)
    assert len(post.pushes) == 1 + 3 + 1 + 2  # the plain callback, three controls, is it broken, two of the rerun


def test_the_burst_starts_on_a_schedule() -> None:
    """Two hundred callbacks are started evenly over a second, whatever the answers do."""
    post = FakePost(lambda _push, _number: OK)
    _play(_run(post, ["TCM515"]))
    assert len(post.slept_s) == 200
    assert post.slept_s[:3] == [0.0, 0.005, 0.01]
    assert max(post.slept_s) < 1.0


def test_a_paced_run_sends_one_request_after_the_other() -> None:
    """Between the starts of two requests the pace lies, whichever clauses are played; crowds are left out."""
    started: list[float] = []

    async def play(clock: Callable[[], float]) -> ContractRun:
        async def post(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
            assert request.body
            assert deadline_s
            started.append(clock())
            await asyncio.sleep(0.01)
            now_s = clock()
            return Attempt(Outcome.ACKED, intended_s or now_s, now_s - 0.01, now_s, status=200)

        clauses = select_clauses(load_clauses(), ["TCM302", "TCM309", "TCM515", "TCM503"])
        observing = ObservationConfig(CallableObserver("m:f", lambda _token: [], None))
        plan = CheckPlan(TARGET, Catalog.load(), clauses, load_profile(), 7, min_interval_s=0.5, observation=observing)
        run = ContractRun(plan, post, clock, asyncio.sleep)
        async for _ in run.events():
            pass
        return run

    results = {item.clause.code: item for item in run_in_virtual_time(play).verdict("").results}
    assert len(started) > 10
    assert min(later - first for first, later in itertools.pairwise(started)) >= 0.5 - 1e-9
    assert results["TCM302"].status is ClauseStatus.PASS
    for code in ("TCM503", "TCM515"):
        assert results[code].status is ClauseStatus.NOT_RUN
        assert reason_text(results[code]) == "needs many requests at once, and --pace sends one after the other"


@pytest.mark.proof
def test_a_run_builds_the_requests_of_a_clause_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests of each clause are built once, also for a finding, and once more for its rerun."""
    built: list[str] = []

    def counting_builder(clause: Clause) -> Callable[..., ClauseTest]:
        def build(factory: Any, **params: Any) -> ClauseTest:
            built.append(clause.code)
            return builder_of(clause)(factory, **params)

        return build

    monkeypatch.setattr("tcop_mock.contract.clause_tests.builder_of", counting_builder)
    post = FakePost(lambda push, _number: (Outcome.REJECTED, 500, 0.01) if b'"recoverTime":""' in push.body else OK)
    observing = ObservationConfig(CallableObserver("m:f", lambda _token: []))
    _play(_run(post, ["TCM302", "TCM104", "TCM519"], observation=observing, max_time_s=1e6))
    assert sorted(built) == ["TCM104", "TCM302", "TCM302", "TCM519"]


def test_an_interrupted_run_keeps_its_results() -> None:
    """After Ctrl-C the verdict has the results so far, and the listener gets the end of the run."""
    events: list[RunEvent] = []

    def interrupt(coroutine: Coroutine[Any, Any, None]) -> None:
        coroutine.close()
        raise KeyboardInterrupt

    post = FakePost(lambda _push, _number: OK)
    plan = _run(post, ["TCM104"]).plan
    done = run_check(plan, post, events.append, run_coroutine=interrupt)
    assert done.interrupted
    assert [item.reason for item in done.verdict.results] == ["interrupted"]
    assert events == [RunFinished(done.verdict)]
    assert run_check(plan, post, run_coroutine=interrupt).interrupted


def test_a_receiver_that_is_late_when_concurrent_is_asked_once_more_before_the_run() -> None:
    """A receiver late with concurrent requests gets one more callback, and then one request at a time."""
    sent: list[float] = []

    async def post(*_: object, deadline_s: float, **_options: object) -> Attempt:
        sent.append(deadline_s)
        is_late = len(sent) > 2
        return Attempt(Outcome.TIMED_OUT if is_late else Outcome.ACKED, 0.0, 0.0, 5.0 if is_late else 0.5, status=200)

    async def identify(_target: Target, _attempt: Attempt) -> str:
        return ""

    def preflight(clock: Callable[[], float]) -> Coroutine[Any, Any, Preflight]:
        return TargetProbe(
            plain_request=OutgoingRequest(b"{}"),
            target=Target.parse("http://receiver/"),
            transport=post,
            deadline_s=5.0,
            wait_s=0.0,
            clock=clock,
            sleep=asyncio.sleep,
            identify=identify,
        ).run()

    assert run_in_virtual_time(preflight).concurrent_capacity == 1
    assert sent == [5.0] * 10 + [40.0]


@pytest.mark.parametrize("duration_s, sent", [(0.1, 24), (6.0, 2)])
def test_a_case_is_repeated_for_some_seconds_only(duration_s: float, sent: int) -> None:
    """24 repetitions of a slow response would take minutes; another failure than the first one does not count."""
    case = RequestCase("x", OutgoingRequest(b"{}"))
    attempt = Attempt(Outcome.REJECTED, 0.0, 0.0, duration_s, status=500)

    async def post(*_: object, **_options: object) -> Attempt:
        return attempt

    async def repeat() -> tuple[int, Failure | None]:
        runner = RequestRunner(post, asyncio.sleep, 5.0, AssertionContext(), 1)
        test = ClauseTest((CaseGroup((case,)),))
        return await runner.repeat(load_clauses()[0], test, Failure(case, attempt, "answered 503"), 24)

    assert asyncio.run(repeat()) == (sent, None)


def test_groups_are_not_begun_after_silences() -> None:
    """Groups that wait for their turn do not start after the receiver has fallen silent."""
    post = FakePost(lambda _push, _number: RESET)

    async def reset(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        await asyncio.sleep(0)
        return await post(request, deadline_s=deadline_s, intended_s=intended_s)

    async def run() -> ClauseOutcome:
        cases = [RequestCase(f"case {number}", OutgoingRequest(b"{}")) for number in range(20)]
        groups = tuple(CaseGroup((case,), RequestCase("plain", OutgoingRequest(b"{}"))) for case in cases)
        runner = RequestRunner(reset, asyncio.sleep, 5.0, AssertionContext(), in_flight=4, max_unanswered=3)
        return await runner.run(load_clauses()[0], ClauseTest(groups))

    outcome = asyncio.run(run())
    sent = len(post.pushes)
    assert 3 <= sent <= 3 + 4
    assert (len(outcome.skipped), len(outcome.not_sent)) == (sent, 20 - sent)


@pytest.mark.parametrize(
    "took_s, jobs, asked, in_flight",
    [
        (1.0, 1, 2, 1),
        (1.0, 8, 2 + 8, 8),
        (1.0, 20, 2 + 8 + 20, 20),
        (1.0, None, 2 + 8 + 32, 32),
        (4.9, None, 2 + 8, 8),
        (0.2, None, 1, 4),
        (0.2, 6, 1, 6),
    ],
)
def test_as_many_callbacks_are_tried_at_once_as_are_allowed(
    took_s: float, jobs: int | None, asked: int, in_flight: int
) -> None:
    """No concurrent probe is sent to a fast receiver, and few to one that needs most of the deadline."""
    sent = []

    async def post(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        assert (deadline_s, intended_s) == (5.0, None)
        sent.append(request)
        return Attempt(Outcome.ACKED, 0.0, 0.0, took_s, status=200)

    found = _preflight(post, jobs)
    assert (len(sent), found.in_flight) == (asked, in_flight)


def test_a_receiver_that_falls_behind_with_slow_answers_is_not_waited_for() -> None:
    """The run has no time for it anyway."""
    sent = []

    async def post(request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        assert (deadline_s, intended_s) == (5.0, None)
        sent.append(request)
        took_s = 4.0 if len(sent) <= 3 else 5.0
        return Attempt(Outcome.ACKED if took_s < 5 else Outcome.TIMED_OUT, 0.0, 0.0, took_s, status=200)

    found = _preflight(post)
    assert (len(sent), found.concurrent_capacity) == (2 + 8, 1)
    assert [found.is_too_slow(time_s) for time_s in (30.0, 300.0)] == [True, False]


@pytest.mark.parametrize(
    "took_s, capacity, extra_s", [(0.1, 1, 0.0), (0.5, 8, 24.0), (0.5, 4, 0.0), (1.2, 32, 57.6), (1.3, 32, 0.0)]
)
def test_a_slow_receiver_that_serves_side_by_side_gets_more_time(took_s: float, capacity: int, extra_s: float) -> None:
    """A run gets more time if the answers are as slow as TCM103 allows."""
    attempt = Attempt(Outcome.ACKED, 0.0, 0.0, took_s, status=200)
    assert Preflight(attempt, 5.0, capacity).extra_time_s == pytest.approx(extra_s)


def _preflight(post: Transport, jobs: int | None = None) -> Preflight:
    ports = FakePost(lambda _push, _number: OK)
    return asyncio.run(
        TargetProbe(
            plain_request=OutgoingRequest(b"{}"),
            target=TARGET,
            transport=post,
            deadline_s=5.0,
            wait_s=0.0,
            clock=ports.clock,
            sleep=ports.sleep,
            max_in_flight=jobs,
        ).run()
    )


@pytest.mark.parametrize("is_silent, codes", [(True, {"TCM409"}), (False, set())])
def test_a_slow_receiver_is_dead_only_if_it_does_not_answer(is_silent: bool, codes: set[str]) -> None:  # noqa: FBT001 - one of two
    """After the malformed bodies it is asked once more, though the run has waited for it too long."""
    run = _run(FakePost(lambda _push, _number: SILENCE if is_silent else OK), ["TCM409", "TCM401"])
    factory, preflight = run._tests.factory("TCM000"), Preflight(Attempt(Outcome.ACKED, 0.0, 0.0, 0.1, status=200), 5.0)
    assert asyncio.run(run._liveness.dead_results(run.plan.clauses, factory, preflight)) == {}
    run._liveness.is_checked = True
    results = asyncio.run(run._liveness.dead_results(run.plan.clauses, factory, preflight))
    assert {code for code, result in results.items() if result.status is ClauseStatus.FAIL} == codes


def test_what_no_time_was_left_to_repeat_stays_as_it_is() -> None:
    """A refusal among effects is neither repeated nor reported once the run has waited too long."""
    run = _run(FakePost(lambda _push, _number: OK), ["TCM101"])
    failure = Failure(
        RequestCase("x", OutgoingRequest(b"{}")), Attempt(Outcome.REJECTED, 0, 0, 0, status=500), "answered 500"
    )
    exclusions = (Exclusion("a", "x: answered 500 (TCM101)", failure, is_repeated=False),) * 2
    run._results.outcomes["TCM505"] = ClauseOutcome(skipped=exclusions)
    run._bounded.spent_s = 100.0
    asyncio.run(run._repeater.repeat_exclusions(run._results.outcomes))
    assert run._results.outcomes["TCM505"].skipped == exclusions


def test_a_failure_that_is_known_when_the_time_is_over_is_reported() -> None:
    """A clause that the time limit cuts short fails by what was seen; without a failure it has no result."""
    run = _run(FakePost(lambda _push, _number: OK), ["TCM101", "TCM102"])
    failure = Failure(
        RequestCase("x", OutgoingRequest(b"{}")), Attempt(Outcome.REJECTED, 0, 0, 0, status=500), "answered 500"
    )
    runner = RequestRunner(run.transport, run.sleep, 5.0, AssertionContext(), 1)
    run._started = (datetime.now(UTC), 0.0)
    outcomes = {"TCM101": ClauseOutcome(failures=(failure,), asserted=frozenset({"x"})), "TCM102": ClauseOutcome()}
    for _ in run._results.record_unfinished(list(run.plan.clauses), outcomes, runner):
        pass
    statuses = {code: result.status for code, result in run._results.by_code.items()}
    assert statuses == {"TCM101": ClauseStatus.FAIL, "TCM102": ClauseStatus.ERROR}
