"""Idle gaps of a scenario."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import DeliveryRecord, LoadModel, LoadPlan, ScheduledCallback
from tcop_mock.domain.target import Target
from tcop_mock.load.connection import PooledConnection
from tcop_mock.load.executors import ScenarioExecutor
from tcop_mock.load.stats import StatsRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tcop_mock.load.engine import LoadEngine

_BEGAN_S = 100.0


class _Pacer:
    """Remembers for how long it was set."""

    delay_s = -1.0

    def set(self, delay_s: float) -> None:
        self.delay_s = delay_s

    def close(self) -> None: ...


class _Stage:
    """A driver whose clock stands where it is put, and whose attempts end when it is said."""

    def __init__(self, quiet_s: float | None, dues: Iterable[ScheduledCallback]) -> None:
        self.plan = LoadPlan(
            Target.parse("http://127.0.0.1:1/"),
            load_profile().delivery,
            "2023",
            1,
            model=LoadModel.SCRIPT,
            max_idle_s=quiet_s,
        )
        self.start_s = self.now_s = _BEGAN_S
        self.pool = SimpleNamespace(in_flight=dict[int, PooledConnection]())
        self.pushed: list[float] = []
        self.reported: list[DeliveryRecord] = []
        self.over = False
        self.pacer = _Pacer()
        self._recorder = StatsRecorder()

        def make_pacer(call: Callable[[], None]) -> _Pacer:
            self._call = call
            return self.pacer

        self.load = ScenarioExecutor(
            cast("LoadEngine", self), iter(dues), self.reported.append, timer_factory=make_pacer
        )
        self.load.start()

    def clock(self) -> float:
        return self.now_s

    def recorder_for(self, _intended_s: float) -> StatsRecorder:
        return self._recorder

    def finish_if_idle(self) -> None:
        self.over = True

    def send(self, _body: bytes, intended_s: float, now_s: float, story: Any) -> None:
        self.pushed.append(intended_s - _BEGAN_S)
        line = PooledConnection(cast("Any", SimpleNamespace()))
        line.context, line.intended_s, line.started_s = story, intended_s, now_s
        self.pool.in_flight[len(self.pushed)] = line

    def end(self, number: int, outcome: Outcome) -> None:
        """End an attempt now."""
        line = self.pool.in_flight.pop(number)
        line.outcome, line.status = outcome, 200
        self.load.attempt_ended(line)

    def wait(self) -> None:
        """Let the time pass that the pacer was set to."""
        self.now_s += self.pacer.delay_s
        self._call()


def _due(*moments: float) -> list[ScheduledCallback]:
    return [ScheduledCallback(at_s, b"{}", f"{at_s}", "ins-1", "firing", f"{at_s}") for at_s in moments]


def test_quiet_stretches_are_passed_over() -> None:
    """Cut down to a second, all that follows keeps its distances; also before the first."""
    stage = _Stage(1.0, _due(50.0, 50.5, 350.0, 350.25))
    for number in range(1, 5):
        stage.wait()
        stage.end(number, Outcome.ACKED)
    assert stage.pushed == [1.0, 1.5, 2.5, 2.75]
    assert [one.callback.at_s for one in stage.reported] == [1.0, 1.5, 2.5, 2.75]
    assert (stage.over, stage.load.last_due_s) == (True, 2.75)


def test_nothing_is_passed_over_while_anything_is_under_way() -> None:
    """Neither while an attempt is, nor while one waits to be made again."""
    stage = _Stage(1.0, _due(0.0, 50.0))
    assert (stage.pushed, stage.pacer.delay_s) == ([0.0], 50.0)
    stage.now_s += 5.0
    stage.end(1, Outcome.TIMED_OUT)
    assert stage.pacer.delay_s == pytest.approx(1.0)
    stage.wait()
    assert stage.pushed == [0.0, 6.0]
    stage.end(2, Outcome.ACKED)
    assert stage.pacer.delay_s == pytest.approx(1.0)
    stage.wait()
    assert stage.pushed == [0.0, 6.0, 7.0]


def test_where_the_plan_does_not_say_so_all_is_waited_for() -> None:
    """A script is due when it says."""
    stage = _Stage(None, _due(0.0, 50.0))
    stage.end(1, Outcome.ACKED)
    assert stage.pacer.delay_s == pytest.approx(50.0)
