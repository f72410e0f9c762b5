"""Bodies of an open load that are generated before they are due."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.load import LoadModel, LoadPlan, Stage
from tcop_mock.domain.target import Target
from tcop_mock.load.executors import OpenExecutor
from tcop_mock.load.stats import StatsRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.load.engine import LoadEngine

_FIRST_OF_A_CHUNK_S, _CHUNK = 0.0001, 64


class _Engine:
    """An engine on a clock that only the generation of bodies and the timer move."""

    def __init__(self, rate: float) -> None:
        self.plan = LoadPlan(
            Target.parse("http://127.0.0.1:1/"),
            load_profile().delivery,
            "2023",
            1,
            model=LoadModel.OPEN,
            stages=(Stage(10.0, rate, rate),),
        )
        self.now_s = self.start_s = 0.0
        self.pool = SimpleNamespace(in_flight={})
        self.sent: list[bytes] = []
        self.late_s: list[float] = []
        self.executor = OpenExecutor(cast("LoadEngine", self), self._bodies(), timer_factory=self._make_timer)
        self.now_s = 0.0

    def _bodies(self) -> Iterator[bytes]:
        number = 0
        while True:
            if number % _CHUNK == 0:
                self.now_s += _FIRST_OF_A_CHUNK_S
            yield b"%d" % number
            number += 1

    def _make_timer(self, on_expiry: Callable[[], None]) -> SimpleNamespace:
        self._on_expiry = on_expiry
        return SimpleNamespace(set=self._set_timer, close=lambda: None)

    def _set_timer(self, delay_s: float) -> None:
        self._expires_s = self.now_s + delay_s

    def clock(self) -> float:
        return self.now_s

    def recorder_for(self, _intended_s: float) -> StatsRecorder:
        return StatsRecorder()

    def send(self, body: bytes, intended_s: float, now_s: float) -> None:
        self.sent.append(body)
        self.late_s.append(now_s - intended_s)

    def run(self, count: int) -> None:
        """Start the load and let the timer expire until so many callbacks are sent."""
        self.executor.start()
        while len(self.sent) < count:
            self.now_s = max(self.now_s, self._expires_s)
            self._on_expiry()


def test_a_chunk_is_generated_while_nothing_is_due() -> None:
    """With half a millisecond between two callbacks, no callback waits for the generation of a chunk."""
    engine = _Engine(rate=2000)
    engine.run(1000)
    assert engine.sent == [b"%d" % number for number in range(len(engine.sent))]
    assert max(engine.late_s) < 1e-9


def test_without_time_to_spare_a_body_is_generated_when_it_is_needed() -> None:
    """With a twentieth of a millisecond between two callbacks, a chunk delays those that are due meanwhile."""
    engine = _Engine(rate=20_000)
    engine.run(1000)
    assert engine.sent == [b"%d" % number for number in range(len(engine.sent))]
    assert 0 < max(engine.late_s) <= _FIRST_OF_A_CHUNK_S
