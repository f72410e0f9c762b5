"""Search for the receiver's credentials in what it prints."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.target import MASK

if TYPE_CHECKING:
    from tcop_mock.domain.target import Credentials

_MAX_LINE_BYTES = 65_536
_MAX_CONTEXT_CHARS = 60


class OutputLeak(NamedTuple):
    """The first line that shows the credentials."""

    line_number: int
    """From 1, of all that the receiver has printed, also before a restart."""
    excerpt: str
    """The line around them, with the credentials masked."""


@dataclass(slots=True)
class OutputLeaks:
    """Looks for credentials in a stream of output, whatever the pieces in which it comes.

    Args:
        credentials: the password and the token of these are looked for.
    """

    credentials: Credentials = field(repr=False)
    count: int = 0
    """How many lines show them."""
    first: OutputLeak | None = None
    _line_number: int = 1
    _is_counted: bool = False
    """Whether the line that has no end yet is counted already."""
    _partial: bytes = field(default=b"", repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _parts: tuple[str, ...] = field(default=(), init=False, repr=False)
    """What each leak holds one of; it is looked for first, because that is fast."""

    def __post_init__(self) -> None:
        self._parts = (self.credentials.token().reveal().rstrip("="), *self.credentials.leak_patterns())

    def feed(self, data: bytes) -> None:
        """Look at the next bytes of the output, which may end within a line."""
        with self._lock:
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                self._look_at(line)
                self._line_number += 1
                self._is_counted = False
            if len(self._partial) > _MAX_LINE_BYTES:
                self._look_at(self._partial)
                self._partial = self._partial[-self._overlap :]

    def result(self) -> tuple[int, OutputLeak | None]:
        """Return how many lines show the credentials so far, and the first one."""
        with self._lock:
            self._look_at(self._partial)
            return self.count, self.first

    @property
    def _overlap(self) -> int:
        """How many bytes the longest spelling of a credential may have, with what stands before it."""
        return 4 * max(map(len, self._parts)) + _MAX_CONTEXT_CHARS

    def _look_at(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if self._is_counted or not any(part in text for part in self._parts):
            return
        masked = self.credentials.mask_leaks(text)
        if masked == text:
            return
        self.count += 1
        self._is_counted = True
        if self.first is None:
            pairs = enumerate(zip(masked, text, strict=False))
            start = next((index for index, (shown, char) in pairs if shown != char), len(masked))
            excerpt = masked[max(0, start - _MAX_CONTEXT_CHARS) : start + len(MASK) + _MAX_CONTEXT_CHARS]
            self.first = OutputLeak(self._line_number, self.credentials.mask(excerpt).strip())
