"""Virtual time: what TCOP waits for is told, and nobody waits for it."""

from __future__ import annotations

import threading


class Clock:
    """Seconds of alarm time since the test began.

    ``tcop_sender`` moves it by the pauses between attempts and between an alarm's callbacks; ``tcop_pagerduty`` and
    ``tcop_wecom`` reckon their limits by the minute with it. Calling it gives the time, too.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._lock = threading.Lock()
        self.pauses_s: list[float] = []
        """What a sender would have waited, in order."""

    @property
    def now_s(self) -> float:
        """Seconds since the test began."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: less than none.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds:g} s")
        with self._lock:
            self._now_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait as a sender does: no time at all."""
        self.pauses_s.append(seconds)
        self.advance(seconds)

    def __call__(self) -> float:
        """Return the seconds since the test began."""
        return self._now_s
