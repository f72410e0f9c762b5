"""Adds up the beats of all processes: second by second for who watches, and all together for the summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import Model
from tcop_mock.domain.load_summary import LATE_S, LoadPoint, LoadSummary, LoadTicked
from tcop_mock.load.stats import Part

if TYPE_CHECKING:
    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.load.stats import Beat

_MOST_POINTS = 1200
"""A longer series has its points taken together two by two."""


class Tally:
    """What a load has come to so far.

    Args:
        plan: of the load.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._total = Part()
        self._warming = 0
        self._ended = self._failed = 0
        self._waiting: dict[int, list[Beat]] = {}
        self._over: set[int] = set()
        """Processes that have told their last."""
        self._series: list[LoadPoint] = []
        self._span_s = 1.0
        self._last: dict[int, Beat] = {}
        self._elapsed_s = 0.0

    def take(self, beat: Beat, lane: int = 0) -> list[LoadTicked]:
        """Count a second of one process; return what is to be told, when all have told of that second."""
        self._total.add(beat.counted)
        self._warming += sum(beat.warming.ended.values())
        self._last[lane] = beat
        self._elapsed_s = max(self._elapsed_s, beat.number + beat.span_s)
        self._waiting.setdefault(beat.number, []).append(beat)
        return self._whole()

    def finish(self, lane: int = 0) -> list[LoadTicked]:
        """Take note that one process has told its last; return what was held up for it."""
        self._over.add(lane)
        return self._whole()

    def summary(self, *, recovery_s: float | None = None, interrupted: bool = False) -> LoadSummary:
        """Return what it has come to."""
        total, last = self._total, self._last.values()
        outcomes: Counter[Outcome] = Counter()
        statuses: Counter[int] = Counter()
        for (outcome, status), times in sorted(total.ended.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
            outcomes[outcome] += times
            if status is not None:
                statuses[status] += times
        attempts, lateness = sum(outcomes.values()), total.lateness.distribution()
        return LoadSummary(
            plan=self._plan,
            elapsed_s=self._elapsed_s,
            attempts=attempts,
            outcomes=dict(outcomes),
            statuses=dict(statuses),
            acks=total.acks.distribution(),
            services=(total.acks if self._plan.model is Model.CLOSED else total.services).distribution(),
            lateness=lateness,
            late=lateness.over(LATE_S),
            dropped=total.dropped,
            replayed=sum(beat.replayed for beat in last),
            connections=sum(beat.connections for beat in last),
            series=tuple(self._series),
            alarms=total.alarms,
            notifications=total.notifications or attempts + total.dropped,
            lost=total.lost if total.notifications else attempts - outcomes[Outcome.ACKED] + total.dropped,
            duplicates=total.duplicates,
            recovery_s=recovery_s,
            interrupted=interrupted,
            excluded=self._warming,
            notes=tuple(sorted({_exhausted(beat.exhausted) for beat in last if beat.exhausted})),
        )

    def _whole(self) -> list[LoadTicked]:
        """Return the seconds of which nobody is left to tell, in order."""
        told = []
        while self._waiting and self._is_whole(number := min(self._waiting)):
            told.append(self._tick(self._waiting.pop(number)))
        return told

    def _is_whole(self, number: int) -> bool:
        lanes = (lane for lane in range(self._plan.workers) if lane not in self._over)
        return all(lane in self._last and self._last[lane].number >= number for lane in lanes)

    def _tick(self, beats: list[Beat]) -> LoadTicked:
        both = Part()
        for beat in beats:
            both.add(beat.counted)
            both.add(beat.warming)
        acks = both.acks.distribution()
        acked = sum(times for (outcome, _), times in both.ended.items() if outcome is Outcome.ACKED)
        failed = sum(both.ended.values()) - acked
        point = LoadPoint(
            at_s=float(beats[0].number),
            span_s=max(beat.span_s for beat in beats),
            started=sum(beat.started for beat in beats),
            acked=acked,
            failed=failed,
            dropped=both.dropped,
            late=both.lateness.distribution().over(LATE_S),
            in_flight=sum(beat.in_flight for beat in beats),
            p50_s=acks.percentile(50),
            p99_s=acks.percentile(99),
            max_s=acks.max_s,
        )
        self._keep(point)
        self._ended += acked + failed
        self._failed += failed
        return LoadTicked(point, self._ended, self._failed)

    def _keep(self, point: LoadPoint) -> None:
        """Add a point to the series, which never grows beyond its bound."""
        series = self._series
        if series and series[-1].span_s + point.span_s <= self._span_s:
            series[-1] = joined(series[-1], point)
        else:
            series.append(point)
        if len(series) > _MOST_POINTS:
            self._span_s *= 2
            pairs = zip(series[::2], series[1::2], strict=False)
            rest = series[len(series) // 2 * 2 :]
            self._series = [joined(first, second) for first, second in pairs] + rest


def joined(first: LoadPoint, second: LoadPoint) -> LoadPoint:
    """Return two points that follow each other as one; of times the worse, which is no less than the truth."""
    return replace(
        first,
        span_s=first.span_s + second.span_s,
        started=first.started + second.started,
        acked=first.acked + second.acked,
        failed=first.failed + second.failed,
        dropped=first.dropped + second.dropped,
        late=first.late + second.late,
        in_flight=second.in_flight,
        p50_s=max(first.p50_s, second.p50_s),
        p99_s=max(first.p99_s, second.p99_s),
        max_s=max(first.max_s, second.max_s),
    )


def _exhausted(said: str) -> str:
    return (
        f"this machine had nothing left for another connection ({said}), so attempts were cancelled that say nothing "
        "of the receiver: lower --max-inflight, or raise the limit with ulimit -n"
    )
