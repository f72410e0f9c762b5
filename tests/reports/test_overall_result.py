"""Overall result of a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from verdict_samples import ERROR, FAILED, PASSED, SHOULD, SKIPPED, make_verdict

from tcop_mock.domain.contract import Level
from tcop_mock.reports.summary import OverallResult, is_gating, overall_result

if TYPE_CHECKING:
    from tcop_mock.domain.verdict import ClauseResult

_SHOULD_ONLY = (SHOULD,)


@pytest.mark.parametrize("level", list(Level))
def test_levels_count_down_to_fail_on(level: Level) -> None:
    """``fail_on`` includes its own level and all stricter ones; must always counts."""
    order = [Level.MUST, Level.SHOULD, Level.MAY]
    assert [one for one in order if is_gating(one, level)] == order[: order.index(level) + 1]


@pytest.mark.parametrize(
    "results, fail_on, ruling",
    [
        ((PASSED,), Level.MUST, OverallResult.KEPT),
        ((PASSED, *SKIPPED), Level.MUST, OverallResult.KEPT),
        ((PASSED, FAILED, ERROR), Level.MUST, OverallResult.BROKEN),
        ((PASSED, SHOULD), Level.MUST, OverallResult.KEPT),
        ((PASSED, SHOULD), Level.SHOULD, OverallResult.BROKEN),
        ((PASSED, ERROR), Level.MUST, OverallResult.INCONCLUSIVE),
        (SKIPPED, Level.MUST, OverallResult.INCONCLUSIVE),
        ((), Level.MUST, OverallResult.INCONCLUSIVE),
        (_SHOULD_ONLY, Level.MUST, OverallResult.INCONCLUSIVE),
        (_SHOULD_ONLY, Level.SHOULD, OverallResult.BROKEN),
    ],
)
def test_a_run_passes_only_with_a_checked_must_clause(
    results: tuple[ClauseResult, ...], fail_on: Level, ruling: OverallResult
) -> None:
    """A broken clause that counts decides; otherwise an error or a lack of checked must clauses prevents a pass."""
    assert overall_result(make_verdict(*results), fail_on) is ruling
