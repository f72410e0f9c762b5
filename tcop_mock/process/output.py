"""The output of a receiver: its last lines, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_CHARS = 32 * 1024 * 1024
_MAX_LINE_BYTES = 65_536
_READ_BYTES = 65_536


class NewLines(NamedTuple):
    """Lines from a number on; the first line of a process has the number 0."""

    first: int
    """The number of the first complete line here, or of the next one."""
    complete: list[str]
    partial: str
    """The last line, if it has no end yet."""
    oldest: int
    """The number of the oldest line that the buffer still holds."""


@dataclass(slots=True)
class OutputBuffer:
    """The lines that a process printed; if there are too many, the oldest are dropped.

    Args:
        max_chars: maximum number of characters to keep.
        watch: called with all bytes as they arrive, also those that are not kept.
    """

    max_chars: int = _MAX_CHARS
    watch: Callable[[bytes], object] | None = None
    dropped_lines: int = 0
    """Number of dropped lines."""
    _lines: deque[str] = field(default_factory=deque)
    _chars: int = 0
    _partial: bytes = b""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def copy_from(self, stream: IO[bytes]) -> None:
        """Read a stream to its end."""
        while data := stream.read1(_READ_BYTES):  # type: ignore[attr-defined]  # pipes of a process are buffered
            self.append(data)
        self.append(b"\n" if self._partial else b"")
        stream.close()

    def append(self, data: bytes) -> None:
        """Add some bytes, which may end within a line."""
        with self._lock:
            if self.watch is not None:
                self.watch(data)
            *lines, self._partial = (self._partial + data).split(b"\n")
            while len(self._partial) > _MAX_LINE_BYTES:
                lines.append(self._partial[:_MAX_LINE_BYTES])
                self._partial = self._partial[_MAX_LINE_BYTES:]
            for line in lines:
                text = line.rstrip(b"\r").decode("utf-8", "replace")
                self._lines.append(text)
                self._chars += len(text) + 1
            while self._chars > self.max_chars:
                self._chars -= len(self._lines.popleft()) + 1
                self.dropped_lines += 1

    def lines(self) -> list[str]:
        """Return the lines, the last one also if it has no end yet."""
        found = self.lines_since(0)
        return [*found.complete, found.partial] if found.partial else found.complete

    def lines_since(self, number: int) -> NewLines:
        """Return the lines from a number on."""
        with self._lock:
            first = max(number, self.dropped_lines)
            complete = list(islice(self._lines, first - self.dropped_lines, None))
            return NewLines(first, complete, self._partial.decode("utf-8", "replace"), self.dropped_lines)

    def tail(self, count: int) -> list[str]:
        """Return the last lines that are not blank."""
        return [line for line in self.lines() if line.strip()][-count:]
