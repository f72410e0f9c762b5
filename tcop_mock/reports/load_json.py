"""JSON document and CSV of a load. The schema is ``load-report`` in ``contracts/schemas``."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.load import ObjectiveStatus
from tcop_mock.domain.load_summary import SeriesPoint
from tcop_mock.reports.json import VERSION, round_seconds
from tcop_mock.reports.summary import creator_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.load_summary import Distribution, LoadResult, LoadSummary


_PERCENTILES = {"p50_s": 50.0, "p90_s": 90.0, "p95_s": 95.0, "p99_s": 99.0, "p99_9_s": 99.9}


def load_document(result: LoadResult) -> dict[str, Any]:
    """Return the document of ``load --json``."""
    summary, plan = result.summary, result.summary.plan
    return {
        "version": VERSION,
        "tool": creator_document(),
        "target": str(plan.target),
        "profile": plan.profile,
        "seed": plan.seed,
        "assumptions": list(plan.assumptions),
        "plan": _plan_document(plan),
        "summary": _summary_document(summary),
        "acks": _distribution_document(summary.ack_times),
        "services": _distribution_document(summary.service_times),
        "lateness": _distribution_document(summary.lateness),
        "series": [_point_document(point) for point in summary.series],
        "notes": list(summary.notes),
        "objectives": [
            {
                "objective": one.objective.text,
                "kept": None if one.status is ObjectiveStatus.INCONCLUSIVE else one.is_met,
                "measured": one.measurement,
            }
            for one in result.objectives
        ],
        "attempts_of_alarms": [
            {"attempts": number, "alarms": alarms} for number, alarms in result.alarms_by_attempts.items()
        ],
    }


def _plan_document(plan: LoadPlan) -> dict[str, Any]:
    return {
        "model": plan.model.value,
        "title": plan.title,
        "arrivals": "poisson" if plan.is_poisson else "constant",
        "stages": [
            {"duration_s": round_seconds(stage.duration_s), "from_rate": stage.from_rate, "to_rate": stage.to_rate}
            for stage in plan.stages
        ],
        "concurrency": plan.concurrency,
        "max_inflight": plan.max_inflight,
        "warm_up_s": plan.warm_up_s,
        "deadline_s": plan.rules.timeout_s,
        "workers": plan.workers,
        "mix": [{"shapes": shapes, "weight": weight} for shapes, weight in plan.mix],
    }


def _summary_document(summary: LoadSummary) -> dict[str, Any]:
    return {
        "interrupted": summary.interrupted,
        "elapsed_s": round_seconds(summary.elapsed_s),
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
        "recovery_s": None if summary.recovery_s is None else round_seconds(summary.recovery_s),
        "excluded": summary.warm_up_attempts,
        "probes": summary.probes,
    }


def _distribution_document(distribution: Distribution) -> dict[str, Any]:
    percentiles = {
        name: round_seconds(distribution.percentile(percentile)) for name, percentile in _PERCENTILES.items()
    }
    buckets = [
        {"up_to_s": float(f"{bucket.up_to_s:.6g}"), "times": bucket.sample_count} for bucket in distribution.buckets
    ]
    return {
        "count": distribution.count,
        "mean_s": round_seconds(distribution.mean_s),
        **percentiles,
        "max_s": round_seconds(distribution.max_s),
        "buckets": buckets,
    }


def _point_document(point: SeriesPoint) -> dict[str, Any]:
    return {
        "at_s": round_seconds(point.at_s),
        "span_s": round_seconds(point.span_s),
        "started": point.started,
        "acked": point.acked,
        "failed": point.failed,
        "dropped": point.dropped,
        "late": point.late,
        "in_flight": point.in_flight,
        "p50_s": round_seconds(point.p50_s),
        "p99_s": round_seconds(point.p99_s),
        "max_s": round_seconds(point.max_s),
    }


def load_csv(series: Iterable[SeriesPoint]) -> str:
    """Return one row per point, with a header row; times are in seconds."""
    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow([field.name for field in fields(SeriesPoint)])
    rows.writerows([[_format_value(value) for value in astuple(point)] for point in series])
    return stream.getvalue()


def _format_value(value: float) -> str:
    return f"{value}" if isinstance(value, int) else f"{round_seconds(value)}"
