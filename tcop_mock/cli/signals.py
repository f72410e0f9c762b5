"""SIGTERM and SIGHUP end a command as Ctrl-C does, with its summary and its reports."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED = 130
_SIGNAL_CODE = 128
"""Number that shells add to the number of a signal for the exit code."""
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))  # Windows: no SIGHUP


class Termination:
    """The first signal that was received."""

    number = 0
    """0: none."""

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        """Record the signal and interrupt the run like Ctrl-C."""
        self.number = self.number or number
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts commands in the background so
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    def exit_code(self, code: int) -> int:
        """Return the exit code of a command: in place of 130, 143 where SIGTERM ended it, 129 where SIGHUP did."""
        return _SIGNAL_CODE + self.number if self.number and code == INTERRUPTED else code


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[Termination]:
    """Have SIGTERM and SIGHUP do what Ctrl-C does, in the main thread.

    A signal that something else handles or ignores is left alone: nohup has SIGHUP ignored.
    """
    termination = Termination()
    is_main = threading.current_thread() is threading.main_thread()
    ours = [number for number in _ENDING if is_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, termination.interrupt)
    try:
        yield termination
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
