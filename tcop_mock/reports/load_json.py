"""A load as a document for programs: ``load-report`` in ``contracts/schemas``."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any

from tcop_mock._version import __version__
from tcop_mock.domain.load_summary import SeriesPoint
from tcop_mock.reports.json import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.domain.load import LoadPlan, ObjectiveResult
    from tcop_mock.domain.load_summary import Distribution, LoadSummary


_DECIMALS = 6

_PERCENTILES = {"p50_s": 50.0, "p90_s": 90.0, "p95_s": 95.0, "p99_s": 99.0, "p99_9_s": 99.9}


def load_document(
    summary: LoadSummary, results: Iterable[ObjectiveResult] = (), attempts: Mapping[int, int] | None = None
) -> dict[str, Any]:
    """Return what ``load --json`` prints.

    Args:
        summary: what the load came to.
        results: its objectives.
        attempts: of a scenario, how many alarms took how many attempts.
    """
    plan = summary.plan
    return {
        "version": VERSION,
        "tool": {"name": "tcop-mock", "version": __version__},
        "target": str(plan.target),
        "profile": plan.profile,
        "seed": plan.seed,
        "assumptions": list(plan.assumptions),
        "plan": _plan(plan),
        "summary": _summary(summary),
        "acks": _distribution(summary.ack_times),
        "services": _distribution(summary.service_times),
        "lateness": _distribution(summary.lateness),
        "series": [_point(point) for point in summary.series],
        "notes": list(summary.notes),
        "objectives": [
            {"objective": one.objective.text, "kept": one.is_met, "measured": one.measurement} for one in results
        ],
        "attempts_of_alarms": [{"attempts": number, "alarms": alarms} for number, alarms in (attempts or {}).items()],
    }


def _plan(plan: LoadPlan) -> dict[str, Any]:
    return {
        "model": plan.model.value,
        "title": plan.title,
        "arrivals": "poisson" if plan.is_poisson else "constant",
        "stages": [
            {"duration_s": _round_seconds(stage.duration_s), "from_rate": stage.from_rate, "to_rate": stage.to_rate}
            for stage in plan.stages
        ],
        "concurrency": plan.concurrency,
        "max_inflight": plan.max_inflight,
        "warm_up_s": plan.warm_up_s,
        "deadline_s": plan.rules.timeout_s,
        "workers": plan.workers,
        "mix": [{"shapes": shapes, "weight": weight} for shapes, weight in plan.mix],
    }


def _summary(summary: LoadSummary) -> dict[str, Any]:
    return {
        "interrupted": summary.interrupted,
        "elapsed_s": _round_seconds(summary.elapsed_s),
        "rate": round(summary.rate, 3),
        "attempts": summary.attempts,
        "acked": summary.acked,
        "failed": summary.failed,
        "outcomes": {str(outcome): times for outcome, times in summary.outcomes.items()},
        "statuses": {str(status): times for status, times in summary.statuses.items()},
        "late": summary.late,
        "dropped": summary.dropped,
        "replayed": summary.replayed,
        "connections": summary.connections,
        "over_limit": summary.over_limit_count,
        "alarms": summary.alarms,
        "notifications": summary.notifications,
        "amplification": round(summary.amplification, 4),
        "lost": summary.lost,
        "duplicates": summary.duplicates,
        "recovery_s": None if summary.recovery_s is None else _round_seconds(summary.recovery_s),
        "excluded": summary.warm_up_attempts,
    }


def _distribution(distribution: Distribution) -> dict[str, Any]:
    percentiles = {
        name: _round_seconds(distribution.percentile(percentile)) for name, percentile in _PERCENTILES.items()
    }
    buckets = [
        {"up_to_s": float(f"{bucket.up_to_s:.6g}"), "times": bucket.sample_count} for bucket in distribution.buckets
    ]
    mean_entry = {"mean_s": _round_seconds(distribution.mean_s)}
    return {
        "count": distribution.count,
        **mean_entry,
        **percentiles,
        "max_s": _round_seconds(distribution.max_s),
        "buckets": buckets,
    }


def _point(point: SeriesPoint) -> dict[str, Any]:
    return {
        "at_s": _round_seconds(point.at_s),
        "span_s": _round_seconds(point.span_s),
        "started": point.started,
        "acked": point.acked,
        "failed": point.failed,
        "dropped": point.dropped,
        "late": point.late,
        "in_flight": point.in_flight,
        "p50_s": _round_seconds(point.p50_s),
        "p99_s": _round_seconds(point.p99_s),
        "max_s": _round_seconds(point.max_s),
    }


def _round_seconds(seconds: float) -> float:
    return round(seconds, _DECIMALS)


def load_csv(series: Iterable[SeriesPoint]) -> str:
    """Return points as rows under their names, times in seconds."""
    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow([field.name for field in fields(SeriesPoint)])
    rows.writerows([[_format_value(value) for value in astuple(point)] for point in series])
    return stream.getvalue()


def _format_value(value: float) -> str:
    return f"{value}" if isinstance(value, int) else f"{round(value, _DECIMALS)}"
