"""A load as a document for programs: ``load-report`` in ``contracts/schemas``."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any

from tcop_mock._version import __version__
from tcop_mock.domain.load_summary import LoadPoint
from tcop_mock.reports.json import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tcop_mock.domain.load import Held, LoadPlan
    from tcop_mock.domain.load_summary import Distribution, LoadSummary


_DECIMALS = 6

_PERCENTILES = {"p50_s": 50.0, "p90_s": 90.0, "p95_s": 95.0, "p99_s": 99.0, "p99_9_s": 99.9}


def load_document(
    summary: LoadSummary, held: Iterable[Held] = (), attempts: Mapping[int, int] | None = None
) -> dict[str, Any]:
    """Return what ``load --json`` prints.

    Args:
        summary: what the load came to.
        held: its objectives.
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
        "acks": _times(summary.acks),
        "services": _times(summary.services),
        "lateness": _times(summary.lateness),
        "series": [_point(point) for point in summary.series],
        "notes": list(summary.notes),
        "objectives": [{"objective": one.objective.text, "kept": one.kept, "measured": one.measured} for one in held],
        "attempts_of_alarms": [{"attempts": number, "alarms": alarms} for number, alarms in (attempts or {}).items()],
    }


def _plan(plan: LoadPlan) -> dict[str, Any]:
    return {
        "model": plan.model.value,
        "title": plan.title,
        "arrivals": "poisson" if plan.poisson else "constant",
        "stages": [
            {"duration_s": _rounded(stage.duration_s), "from_rate": stage.from_rate, "to_rate": stage.to_rate}
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
        "elapsed_s": _rounded(summary.elapsed_s),
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
        "over_limit": summary.over_limit,
        "alarms": summary.alarms,
        "notifications": summary.notifications,
        "amplification": round(summary.amplification, 4),
        "lost": summary.lost,
        "duplicates": summary.duplicates,
        "recovery_s": None if summary.recovery_s is None else _rounded(summary.recovery_s),
        "excluded": summary.excluded,
    }


def _times(times: Distribution) -> dict[str, Any]:
    shares = {name: _rounded(times.percentile(share)) for name, share in _PERCENTILES.items()}
    buckets = [{"up_to_s": float(f"{bucket.up_to_s:.6g}"), "times": bucket.times} for bucket in times.buckets]
    mean = {"mean_s": _rounded(times.mean_s)}
    return {"count": times.count, **mean, **shares, "max_s": _rounded(times.max_s), "buckets": buckets}


def _point(point: LoadPoint) -> dict[str, Any]:
    return {
        "at_s": _rounded(point.at_s),
        "span_s": _rounded(point.span_s),
        "started": point.started,
        "acked": point.acked,
        "failed": point.failed,
        "dropped": point.dropped,
        "late": point.late,
        "in_flight": point.in_flight,
        "p50_s": _rounded(point.p50_s),
        "p99_s": _rounded(point.p99_s),
        "max_s": _rounded(point.max_s),
    }


def _rounded(seconds: float) -> float:
    return round(seconds, _DECIMALS)


def load_csv(series: Iterable[LoadPoint]) -> str:
    """Return points as rows under their names, times in seconds."""
    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow([field.name for field in fields(LoadPoint)])
    rows.writerows([[_written(value) for value in astuple(point)] for point in series])
    return stream.getvalue()


def _written(value: float) -> str:
    return f"{value}" if isinstance(value, int) else f"{round(value, _DECIMALS)}"
