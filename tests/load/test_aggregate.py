"""Seconds of several processes, added up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from load_samples import make_plan, second_stats

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel
from tcop_mock.load.stats import SHORT_BATCH, Counters, SecondStats, StatsAggregator, StatsRecorder, merge_points

if TYPE_CHECKING:
    from tcop_mock.domain.load_summary import SecondElapsed


def beat(number: int, acks: int = 2, *, warm: int = 0, failed: int = 0, exhausted: str = "") -> SecondStats:
    """Return a second with acks of 10 ms, and some attempts of the warm-up."""
    recorder, warming = StatsRecorder(), StatsRecorder()
    for one, times in ((recorder, acks), (warming, warm)):
        for _ in range(times):
            one.record_start(0.02)
            one.record_ack(200, 0.01, 0.005)
    for _ in range(failed):
        recorder.record_failure(Outcome.REFUSED, None)
    return SecondStats(
        number, 1.0, acks + warm + failed, recorder.take_counters(), warming.take_counters(), 3, 1, 2, exhausted
    )


def ticks(reported: list[SecondElapsed]) -> list[tuple[float, int]]:
    """Return of each second that was reported which it was, and its acks."""
    return [(one.point.at_s, one.point.acked) for one in reported]


def test_a_second_is_reported_when_all_have_reported_of_it() -> None:
    """A second is not reported from one of two processes, only from both."""
    tally = StatsAggregator(make_plan(workers=2))
    assert tally.add(beat(0), 0) == []
    assert tally.add(beat(1), 0) == []
    [reported] = tally.add(beat(0, failed=1), 1)
    assert (reported.point.at_s, reported.point.acked, reported.point.failed, reported.point.in_flight) == (
        0.0,
        4,
        1,
        6,
    )
    assert (reported.point.late, reported.point.started, reported.attempts, reported.failed) == (4, 5, 5, 1)
    summary = tally.summary()
    assert (summary.acked, summary.late, summary.replayed, summary.connections) == (6, 6, 2, 4)
    assert summary.outcomes == {Outcome.ACKED: 6, Outcome.REFUSED: 1}
    assert summary.statuses == {200: 6}
    assert summary.elapsed_s == 2.0


def test_a_process_that_has_ended_holds_nothing_up() -> None:
    """The seconds after its end are reported by the others alone."""
    tally = StatsAggregator(make_plan(workers=2))
    tally.add(beat(0), 0)
    assert tally.finish(0) == []
    assert [ticks(tally.add(beat(number), 1)) for number in range(2)] == [[(0.0, 4)], [(1.0, 2)]]


def test_processes_that_end_one_after_the_other_are_all_in_the_series() -> None:
    """Each second is reported once, in order, with the counts of all processes that ran then."""
    tally = StatsAggregator(make_plan(workers=3))
    reported = []
    for lane, last in ((0, 1), (1, 3)):
        reported += [tick for number in range(last + 1) for tick in tally.add(beat(number), lane)]
        reported += tally.finish(lane)
    assert reported == []
    reported += [tick for number in range(6) for tick in tally.add(beat(number), 2)]
    assert ticks(reported) == [(0.0, 6), (1.0, 6), (2.0, 4), (3.0, 4), (4.0, 2), (5.0, 2)]
    assert tally.finish(2) == []
    assert sum(one.acked for one in tally.summary().series) == tally.summary().acked


def test_what_was_held_up_is_reported_when_the_one_it_waited_for_has_ended() -> None:
    """All seconds are reported although one process is several seconds ahead."""
    tally = StatsAggregator(make_plan(workers=2))
    for number in range(3):
        assert tally.add(beat(number), 0) == []
    assert ticks(tally.finish(1)) == [(0.0, 2), (1.0, 2), (2.0, 2)]


def test_a_batch_is_counted_before_it_grows() -> None:
    """Records of several batches are counted completely, and only once."""
    recorder = StatsRecorder()
    times = 2 * SHORT_BATCH + 3
    for _ in range(times):
        recorder.record_start(0.0)
        recorder.record_ack(204, 0.5, 0.5)
    part = recorder.take_counters()
    counted = [one.to_distribution().count for one in (part.lateness, part.ack_times, part.service_times)]
    assert counted == [times, times, times]
    assert part.outcomes == {(Outcome.ACKED, 204): times}
    assert recorder.take_counters().outcomes == {}


def test_attempts_that_fail_are_counted_before_they_grow() -> None:
    """Their lateness too, where nothing is ever acked."""
    recorder = StatsRecorder(batch=10)
    for _ in range(10):
        recorder.record_start(0.5)
        recorder.record_failure(Outcome.REFUSED, None)
    assert recorder.counters.lateness.to_distribution().count == 10


def test_parts_add_up() -> None:
    """Every count of both."""
    one, other = Counters(), Counters()
    for part in (one, other):
        part.dropped = part.notifications = part.lost = part.duplicates = part.alarms = 2
    one.merge(other)
    assert {one.dropped, one.notifications, one.lost, one.duplicates, one.alarms} == {4}


def test_a_series_is_bounded_however_long_the_load() -> None:
    """An hour has at the most 1200 points, of several seconds each, in which nothing is missing."""
    tally = StatsAggregator(make_plan())
    for number in range(3601):
        tally.add(beat(number))
    series = tally.summary().series
    assert len(series) <= 1200
    assert (sum(one.acked for one in series), sum(one.span_s for one in series)) == (7202, 3601)
    assert [one.at_s for one in series] == sorted(one.at_s for one in series)


def test_joined_seconds_show_the_worse_one() -> None:
    """Counts add up, times are the worse, what is under way is the later's."""
    both = merge_points(second_stats(0, p99_s=0.5, in_flight=9), second_stats(1, dropped=2))
    assert (both.span_s, both.acked, both.dropped, both.p99_s, both.in_flight) == (2.0, 200, 2, 0.5, 3)


def test_the_warm_up_is_reported_apart() -> None:
    """It is in the second, and not in the total."""
    tally = StatsAggregator(make_plan())
    [reported] = tally.add(beat(0, warm=5))
    assert (reported.point.acked, tally.summary().acked, tally.summary().warm_up_attempts) == (7, 2, 5)


def test_a_machine_that_has_nothing_left_is_a_note() -> None:
    """Told once, with what to do."""
    tally = StatsAggregator(make_plan(workers=2))
    tally.add(beat(0, exhausted="Too many open files"), 0)
    tally.add(beat(0, exhausted="Too many open files"), 1)
    *_, note = tally.summary().notes
    assert [one for one in tally.summary().notes if "Too many open files" in one] == [note]
    assert tally.summary().is_exhausted
    assert "ulimit -n" in note


@pytest.mark.parametrize(
    "in_flight, late, model, is_noted",
    [
        (10, 3, LoadModel.OPEN, True),
        (10, 3, LoadModel.SCRIPT, True),
        (10, 0, LoadModel.OPEN, False),
        (8, 3, LoadModel.OPEN, False),
        (10, 3, LoadModel.CLOSED, False),
    ],
)
def test_a_load_that_the_tool_held_back_is_a_note(
    in_flight: int,
    late: int,
    model: LoadModel,
    is_noted: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """The note names the flag and for how long; lateness for another reason has none."""
    tally = StatsAggregator(replace(make_plan(), model=model, max_inflight=10))
    tally._series = [second_stats(0, in_flight=in_flight, late=late), second_stats(1, in_flight=2)]
    notes = tally.summary().notes
    assert bool(notes) is is_noted
    assert all("--max-inflight 10 was reached at the end of 1 of 2 s" in note for note in notes)


@pytest.mark.parametrize(
    "late, model, is_noted", [(2, LoadModel.OPEN, True), (1, LoadModel.OPEN, False), (2, LoadModel.CLOSED, False)]
)
def test_a_machine_that_was_too_slow_is_a_note(
    late: int,
    model: LoadModel,
    is_noted: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """More than one in a hundred late starts means that the times are also those of the sender."""
    tally = StatsAggregator(replace(make_plan(), model=model), probes=1)
    tally._total.lateness.record([0.5] * late + [0.001] * (100 - late))
    summary = tally.summary()
    assert (summary.is_held_back, summary.probes) == (is_noted, 1)
    assert [f"to begin {late} of 100 in time" in note for note in summary.notes] == [True] * is_noted


def test_nothing_came_to_nothing() -> None:
    """A load that was cut short at once has a summary without a division by 0."""
    summary = StatsAggregator(make_plan()).summary(interrupted=True)
    assert (summary.rate, summary.amplification, summary.attempts) == (0.0, 0.0, 0)
    assert pytest.approx(0) == summary.over_limit_count
