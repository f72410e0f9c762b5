"""Preconditions that an observation of effects does not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.observers import CallableObserver
from tcop_mock.domain.contract import MissingPrerequisite, Prerequisite
from tcop_mock.server.downstream import DownstreamRecorder

CLAUSE = load_clauses()[0]
OBSERVER = CallableObserver("m:f", lambda _token: [], None)


@pytest.mark.parametrize(
    "needs, config, missing",
    [
        (Prerequisite.OBSERVER, ObservationConfig(), Prerequisite.OBSERVER),
        (Prerequisite.WECOM, ObservationConfig(), Prerequisite.OBSERVER),
        (Prerequisite.WECOM, ObservationConfig(observer=OBSERVER), Prerequisite.DOWNSTREAM),
        (Prerequisite.RESTART, ObservationConfig(observer=OBSERVER), Prerequisite.RESTART),
        (Prerequisite.OBSERVER, ObservationConfig(observer=OBSERVER), None),
        (Prerequisite.WECOM, ObservationConfig(downstream=DownstreamRecorder()), None),
        (Prerequisite.AUTH, ObservationConfig(), None),
    ],
)
def test_the_first_missing_precondition_is_named(
    needs: Prerequisite, config: ObservationConfig, missing: Prerequisite | None
) -> None:
    """A clause without its observer, its stub services or its restart command is not run for that reason."""
    clause = replace(CLAUSE, prerequisites=frozenset({needs}))
    assert config.missing_prerequisite(clause) == (None if missing is None else MissingPrerequisite(missing))
