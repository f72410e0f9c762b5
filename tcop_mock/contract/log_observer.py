"""Observer of a log: each line that mentions an alarm is an effect."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.process.output import OutputBuffer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tcop_mock.process.output import NewLines

_READ_BYTES = 1024 * 1024
_LOCATION = "log"


@dataclass(slots=True)
class LogFile:
    """A file that grows; what it holds at first is not read.

    Args:
        path: it may appear later, be cut, or be replaced by a new one.
    """

    path: Path
    buffer: OutputBuffer = field(default_factory=OutputBuffer)
    _read: int = 0
    _inode: int = 0

    def __post_init__(self) -> None:
        if self.path.is_file():
            found = self.path.stat()
            self._read, self._inode = found.st_size, found.st_ino

    def lines_since(self, number: int) -> NewLines:
        """Return the lines from a number on; the first one after the start has the number 0.

        Raises:
            ObserverError: it cannot be read.
        """
        try:
            with self.path.open("rb") as stream:
                found = self.path.stat()
                if found.st_ino != self._inode or found.st_size < self._read:
                    self._read, self._inode = 0, found.st_ino
                stream.seek(self._read)
                while data := stream.read(_READ_BYTES):
                    self._read += len(data)
                    self.buffer.append(data)
        except OSError as problem:
            raise ObserverError(f"--observe-log {str(self.path)!r} cannot be read: {problem.strerror}") from None
        return self.buffer.lines_since(number)


@dataclass(slots=True)
class LogObserver:
    """Shows lines as effects; each line is read once.

    Args:
        lines_since: returns the lines from a number on.
        pattern: only lines in which it is found count.
    """

    lines_since: Callable[[int], NewLines]
    pattern: re.Pattern[str] | None = None
    _effects: deque[tuple[int, Effect]] = field(default_factory=deque, init=False)
    """Those of complete lines, with the numbers of the lines."""
    _next: int = field(default=0, init=False)

    @classmethod
    def parse(cls, lines_since: Callable[[int], NewLines], pattern: str | None) -> LogObserver:
        """Create an observer of the lines that match a regular expression.

        Raises:
            UsageError: it is not a regular expression.
        """
        try:
            return cls(lines_since, re.compile(pattern) if pattern else None)
        except re.error as problem:
            raise UsageError(f"--observe-all {pattern!r} is not a regular expression: {problem}") from None

    async def observe(self, token: str) -> EffectSnapshot:  # noqa: ARG002 - an observer's signature
        """Return the lines so far, as many as are kept.

        Raises:
            ObserverError: the log cannot be read.
        """
        new = self.lines_since(self._next)
        self._effects += [
            (number, Effect(line, _LOCATION))
            for number, line in enumerate(new.complete, new.first)
            if self._counts(line)
        ]
        self._next = new.first + len(new.complete)
        while self._effects and self._effects[0][0] < new.oldest:
            self._effects.popleft()
        partial = [Effect(new.partial, _LOCATION)] if self._counts(new.partial) else []
        return EffectSnapshot((*(effect for _, effect in self._effects), *partial))

    def _counts(self, line: str) -> bool:
        return bool(line.strip()) and (self.pattern is None or self.pattern.search(line) is not None)
