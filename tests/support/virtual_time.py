"""An event loop whose time jumps to the next timer, so that waiting takes no time and is deterministic."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait, but adds up the time that it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everything waits, and no timer is set"
        self.now_s += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop for code that waits only for timers."""

    def __init__(self) -> None:
        self._jumping_selector = _JumpingSelector()
        super().__init__(self._jumping_selector)

    def time(self) -> float:
        """Return virtual seconds since the loop was created."""
        return self._jumping_selector.now_s


def run_in_virtual_time(make_coroutine: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Run the coroutine that a function makes of the clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(make_coroutine(runner.get_loop().time))
