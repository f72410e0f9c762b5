"""Sample plan and summary of a scenario, for tests of reports and objectives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel, LoadPlan
from tcop_mock.domain.load_summary import Bucket, Distribution, LoadResult, LoadSummary, SeriesPoint
from tcop_mock.domain.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.domain.load import ObjectiveResult

PLAN = LoadPlan(
    target=Target.parse("http://alarms:swordfish-7Kq2@127.0.0.1:8080/hook"),
    rules=load_profile().delivery,
    profile="2023",
    seed=42,
    model=LoadModel.SCRIPT,
    title="zone-outage",
    assumptions=("pauses of 1, 2 and 4 s between the attempts (no page gives any)",),
)
SUMMARY = LoadSummary(
    plan=PLAN,
    elapsed_s=60.0,
    attempts=120,
    outcomes={Outcome.ACKED: 100, Outcome.TIMED_OUT: 12, Outcome.REJECTED: 8},
    statuses={200: 100, 503: 8},
    ack_times=Distribution((Bucket(0.02, 90), Bucket(2.0, 10)), max_s=2.0, sum_s=21.8),
    service_times=Distribution((Bucket(0.02, 95), Bucket(2.0, 5)), max_s=2.0, sum_s=11.9),
    lateness=Distribution((Bucket(0.001, 119), Bucket(0.02, 1)), max_s=0.02, sum_s=0.139),
    late=1,
    dropped=0,
    replayed=0,
    connections=120,
    series=tuple(
        SeriesPoint(
            float(at), 1.0, 2, 2 if at % 3 else 1, int(at % 3 == 0), 0, 0, at % 4, 0.02, 0.02 + at / 30, 0.03 + at / 30
        )
        for at in range(60)
    ),
    alarms=40,
    notifications=102,
    lost=2,
    duplicates=12,
    recovery_s=5.5,
)


def load_result(
    summary: LoadSummary = SUMMARY,
    objectives: tuple[ObjectiveResult, ...] = (),
    alarms_by_attempts: Mapping[int, int] | None = None,
) -> LoadResult:
    """Return the result of a load that began on 23 November 2026."""
    return LoadResult(summary, objectives, alarms_by_attempts or {}, datetime(2026, 11, 23, 10, 30, tzinfo=UTC))
