"""SIGTERM ends a command as Ctrl-C does, with its summary and its reports."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED, TERMINATED = 130, 143


class Termination:
    """Whether SIGTERM has come."""

    has_come = False

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Do what Ctrl-C does at this moment."""
        self.has_come = True
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts commands in the background so
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    def exit_code(self, code: int) -> int:
        """Return the exit code of a command: 143 in place of 130 where SIGTERM ended it."""
        return TERMINATED if self.has_come and code == INTERRUPTED else code


@contextlib.contextmanager
def sigterm_as_interrupt() -> Iterator[Termination]:
    """Have SIGTERM do what Ctrl-C does, in the main thread, unless something else handles or ignores it."""
    termination = Termination()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield termination
        return
    signal.signal(signal.SIGTERM, termination.handle)
    try:
        yield termination
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
