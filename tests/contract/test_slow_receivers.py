"""Checks of slow, dripping, mute and dying receivers end in time, with the right clauses failed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from run_check import failed_codes
from timed_receivers import NEVER_S, Timing, check_timed

from tcop_mock.domain.contract import Level
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.summary import reason_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.domain.verdict import Verdict

HUNG, DRIPS = Timing(NEVER_S), Timing(0.0, NEVER_S)
RESET, REFUSED = Timing(failure=Outcome.RESET_BEFORE_ANSWER), Timing(failure=Outcome.REFUSED)


def always(timing: Timing) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that does this with each request."""
    return lambda _request, _number: timing


def every(count: int, timing: Timing) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that does this with one request of some."""
    return lambda _request, number: Timing() if number % count else timing


def after(count: int, timing: Timing) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that does this after some requests."""
    return lambda _request, number: timing if number > count else Timing()


def at_number(late: int, timing: Timing) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that does this once."""
    return lambda _request, number: timing if number == late else Timing()


def for_events(timing: Timing) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that does this with events."""
    return lambda request, _number: timing if b"eventName" in request.body else Timing()


def for_broken_bodies(timing: Timing) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that does this with bodies that are no JSON."""

    def receiver(request: OutgoingRequest, _number: int) -> Timing:
        try:
            json.loads(request.body)
        except ValueError:
            return timing
        return Timing()

    return receiver


def open_codes(verdict: Verdict) -> set[str]:
    """Return the codes of the inconclusive clauses that would have one."""
    return {item.clause.code for item in verdict.results if item.status is ClauseStatus.ERROR}


BAD = {
    "drips-its-head": (always(Timing(20.0)), 11, {"TCM102"}),
    "drips-its-body": (always(DRIPS), 20, {"TCM102"}),
    "sends-its-last-byte-late": (always(Timing(0.0, 4.9)), 20, {"TCM103"}),
    "answers-after-4.9-s": (always(Timing(4.9)), 20, {"TCM103"}),
    "is-mute-for-every-third": (every(3, HUNG), 15, {"TCM102"}),
    "is-mute-for-every-tenth": (every(10, HUNG), 15, {"TCM102"}),
    "is-mute-after-20": (after(20, HUNG), 15, {"TCM102"}),
    "is-mute-in-the-middle": (after(300, HUNG), 15, {"TCM102"}),
    "hangs-after-broken-bodies": (after(500, HUNG), 20, {"TCM409"}),
    "stops-accepting": (after(20, REFUSED), 2, {"TCM409"}),
    "resets-every-third": (every(3, RESET), 5, {"TCM101"}),
    "is-late-for-events": (for_events(Timing(4.9)), 15, set()),
    "is-mute-for-events": (for_events(HUNG), 15, {"TCM102"}),
    "is-mute-for-broken-bodies": (for_broken_bodies(HUNG), 15, {"TCM401"}),
}
"""What they do, how long a check takes at the most, and what they fail at least."""


@pytest.mark.parametrize("name", BAD)
def test_a_check_of_a_bad_receiver_ends_soon(name: str) -> None:
    """A check of a bad receiver ends in time, and the right clause fails."""
    timing, limit_s, codes = BAD[name]
    verdict, took_s, _ = check_timed(timing)
    assert took_s <= limit_s
    assert codes <= failed_codes(verdict)


def test_what_cannot_be_checked_for_others_is_not_failed() -> None:
    """A receiver that is mute for events only is judged by the rest; what is open says that it is too slow."""
    verdict, _, _ = check_timed(for_events(HUNG))
    must = {item.clause.code for item in verdict.results if item.clause.level is Level.MUST}
    assert failed_codes(verdict) & must == {"TCM102"}
    reasons = [reason_text(item) for item in verdict.results if item.status is ClauseStatus.ERROR]
    assert reasons
    assert all("TCM102" in reason for reason in reasons)
    assert verdict.count(ClauseStatus.PASS) > 20


@pytest.mark.parametrize("took_s, limit_s, codes", [(0.0, 3, set()), (0.3, 30, set()), (1.0, 60, {"TCM103"})])
def test_a_conforming_slow_receiver_is_checked_whole(took_s: float, limit_s: float, codes: set[str]) -> None:
    """All clauses have a result, because many requests are in flight. TCM103 fails a receiver that needs a second."""
    verdict, duration_s, _ = check_timed(always(Timing(took_s)))
    assert (failed_codes(verdict), open_codes(verdict)) == (codes, set())
    assert duration_s <= limit_s


@pytest.mark.parametrize("took_s", [0.1, 0.3, 1.0])
def test_a_receiver_that_serves_one_by_one_fails_what_it_breaks(took_s: float) -> None:
    """Clauses that do not fit into 30 s are inconclusive; none fails because others were slow."""
    verdict, duration_s, _ = check_timed(always(Timing(took_s)), workers=1)
    assert failed_codes(verdict) <= {"TCM103", "TCM515"}
    assert duration_s <= 30.1
    assert open_codes(verdict)


def test_a_longer_time_checks_it_whole() -> None:
    """The time limit is the user's."""
    verdict, _, _ = check_timed(always(Timing(0.1)), workers=1, max_time_s=300.0)
    assert (failed_codes(verdict), open_codes(verdict)) == ({"TCM515"}, set())


def test_a_hiccup_is_no_finding() -> None:
    """One late answer among hundreds, and a first one that is late, are accidents."""
    for number in (1, 30):
        verdict, _, _ = check_timed(at_number(number, Timing(6.0)))
        assert (failed_codes(verdict), open_codes(verdict)) == (set(), set())


@pytest.mark.parametrize("jobs", [1, 3])
def test_jobs_bound_what_is_in_flight(jobs: int) -> None:
    """--jobs holds for late answers, too; clauses that send more at once are not run."""
    verdict, _, receiver = check_timed(every(20, Timing(2.0)), jobs=jobs)
    assert receiver.most_in_flight <= jobs
    not_run = [item for item in verdict.results if item.clause.code == "TCM515"]
    assert [reason_text(item) for item in not_run] == [f"sends 200 requests at once, and --jobs allows {jobs}"]


def test_more_jobs_are_more_in_flight() -> None:
    """A receiver that is far away gets more requests in flight by --jobs."""
    _, few_s, few = check_timed(always(Timing(0.05)), ["TCM1*"])
    _, many_s, many = check_timed(always(Timing(0.05)), ["TCM1*"], jobs=12)
    assert (few.most_in_flight, many.most_in_flight) == (4, 12)
    assert many_s < few_s / 2


STALLED, BROKEN = Timing(6.0), Timing(failure=Outcome.RESET_BEFORE_ANSWER)


def at_numbers(timing: Timing, *numbers: range) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that does this with some requests; checked for TCM515 alone, 3 to 202 are the first burst."""
    return lambda _request, number: timing if any(number in some for some in numbers) else Timing()


@pytest.mark.parametrize(
    "timing, bursts, status",
    [
        (always(Timing()), 1, ClauseStatus.PASS),
        (at_numbers(STALLED, range(180, 203)), 2, ClauseStatus.PASS),
        (at_numbers(STALLED, range(180, 203), range(300, 302)), 2, ClauseStatus.FAIL),
        (at_numbers(BROKEN, range(180, 190)), 1, ClauseStatus.FAIL),
        (lambda _, number: {180: BROKEN, 181: STALLED}.get(number, Timing()), 1, ClauseStatus.FAIL),
        (after(180, HUNG), 1, ClauseStatus.FAIL),
    ],
    ids=["in time", "a stall", "late again", "reset", "late and reset", "mute"],
)
def test_a_burst_with_late_answers_is_sent_again(
    timing: Callable[[OutgoingRequest, int], Timing], bursts: int, status: ClauseStatus
) -> None:
    """The machine may have stood still. Other faults count at once, and so does a receiver that answers no more."""
    verdict, _, receiver = check_timed(timing, ["TCM515"])
    [result] = verdict.results
    assert result.status is status
    assert 200 * bursts < receiver.requests < 200 * bursts + 10
    is_noted = "23 of 200 callbacks were late in a first burst; the result is that of a second one" in result.reason
    assert is_noted is (bursts == 2 and status is ClauseStatus.PASS)


def test_a_receiver_that_serves_too_few_at_once_fails_both_bursts() -> None:
    """It needs 0.05 s for each callback, one after the other: 10 s for a burst."""
    verdict, _, receiver = check_timed(always(Timing(0.05)), ["TCM515"], workers=1)
    assert failed_codes(verdict) == {"TCM515"}
    assert receiver.requests > 400


def standing_still(*numbers: int) -> Callable[[OutgoingRequest, int], Timing]:
    """Return a receiver that stands still for 6 s, with its machine, from each of these requests on."""
    until_s = 0.0

    def receiver(_: OutgoingRequest, number: int) -> Timing:
        nonlocal until_s
        now_s = asyncio.get_running_loop().time()
        until_s = now_s + 6.0 if number in numbers else until_s
        return Timing(max(0.0, until_s - now_s))

    return receiver


@pytest.mark.parametrize("numbers, codes", [((40,), set()), ((40, 120), {"TCM515"})], ids=["one", "two"])
def test_late_answers_of_one_moment_are_no_finding(numbers: tuple[int, ...], codes: set[str]) -> None:
    """Alone and in the burst the receiver was in time; what is late at two moments is a fault."""
    verdict, _, _ = check_timed(standing_still(*numbers), ["TCM1*", "TCM515"])
    assert failed_codes(verdict) == codes
    burst = next(item for item in verdict.results if item.clause.code == "TCM515")
    assert codes or "late at one moment, and in time alone and in a burst" in burst.reason


def test_a_receiver_that_a_cut_body_occupies_fails_the_clause_about_slow_senders() -> None:
    """One that serves one client at a time, and waits for the rest of a cut body, is late before that clause."""

    def timing(request: OutgoingRequest, _number: int) -> Timing:
        if request.truncate_at is not None:
            return Timing(6.0)
        return Timing(15.0) if request.segment_sizes else Timing()

    verdict = check_timed(timing, ["TCM406", "TCM407"], workers=1).verdict
    assert "TCM407" in failed_codes(verdict)
