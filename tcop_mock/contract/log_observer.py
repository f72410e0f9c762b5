"""Observer of a log: each line that mentions an alarm is an effect."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.process.output import OutputBuffer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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

    def lines(self) -> list[str]:
        """Return the lines since the start.

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
        return self.buffer.lines()


@dataclass(frozen=True, slots=True)
class LogObserver:
    """Shows lines as effects.

    Args:
        lines: returns all lines so far.
        pattern: only lines in which it is found count.
    """

    lines: Callable[[], list[str]]
    pattern: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, lines: Callable[[], list[str]], pattern: str | None) -> LogObserver:
        """Create an observer of the lines that match a regular expression.

        Raises:
            UsageError: it is not a regular expression.
        """
        try:
            return cls(lines, re.compile(pattern) if pattern else None)
        except re.error as problem:
            raise UsageError(f"--observe-all {pattern!r} is not a regular expression: {problem}") from None

    async def observe(self, token: str) -> EffectSnapshot:  # noqa: ARG002 - an observer's signature
        """Return the lines so far.

        Raises:
            ObserverError: the log cannot be read.
        """
        pattern = self.pattern
        lines = (line for line in self.lines() if line.strip() and (pattern is None or pattern.search(line)))
        return EffectSnapshot(tuple(Effect(line, _LOCATION) for line in lines))
