"""Answers that need no parser: their heads only say how long a body of known length is.

A head that is not read here is read by h11, as the sender's are; so this may know less, and must not take more.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

from tcop_mock.model.delivery import Outcome

_MOST = 512
_LONGEST_BYTES = 8192
"""Of a head that is remembered."""
_SHORT_BYTES = 1024
"""Of an answer that is remembered."""
_BLANK_LINE = b"\r\n\r\n"
_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""RFC 9110, 15.3.5 and 15.4.5: they have none, whatever the head says of its length."""
_TEXT = rb"[\t\x20-\x7e\x80-\xff]"
_NAME = rb"(?!content-length|transfer-encoding|connection)[!#$%&'*+.^_`|~0-9a-z-]++"
_FIELDS = rb"(?:" + _NAME + rb":" + _TEXT + rb"*+\r\n|connection:[\t ]*keep-alive[\t ]*\r\n)*+"
_STATUS_LINE = rb"(?-i:HTTP)/1\.1 ([2-5][0-9]{2})(?: " + _TEXT + rb"*+)?\r\n"
_LENGTH = rb"(?:content-length:[\t ]*([0-9]{1,9})[\t ]*\r\n)?"
_PLAIN = re.compile(_STATUS_LINE + _FIELDS + _LENGTH + _FIELDS + rb"\r\n", re.IGNORECASE)


class Head(NamedTuple):
    """A plain head: HTTP/1.1, one length, and the connection stays open."""

    status: int
    length: int
    """Of the body, in bytes."""
    outcome: Outcome
    """Of the answer when its body has come."""


class Heads(dict[bytes, Head | None]):
    """Heads by their bytes, with the blank line at the end; ``None`` for those that h11 has to read.

    Receivers write the same head again and again, but for the date: the last ones are remembered.

    Args:
        cap_bytes: a longer body is not read to its end, so that its head is not plain.
    """

    def __init__(self, cap_bytes: int) -> None:
        super().__init__()
        self._cap = cap_bytes

    def __missing__(self, head: bytes) -> Head | None:
        """Read a head that is seen for the first time."""
        read = self._read(head)
        if len(head) <= _LONGEST_BYTES:
            if len(self) >= _MOST:
                self.clear()
            self[head] = read
        return read

    def _read(self, head: bytes) -> Head | None:
        match = _PLAIN.fullmatch(head)
        if match is None:
            return None
        status = int(match[1])
        if status not in _NO_BODY and match[2] is None:
            return None  # it ends with the connection
        length = 0 if status in _NO_BODY else int(match[2])
        return Head(status, length, Outcome.of_status(status)) if length <= self._cap else None


class Begun(NamedTuple):
    """An answer whose head has come whole, and some of its body."""

    status: int
    left: int
    """Bytes of the body that are still to come; less than 0 where something came behind it."""
    outcome: Outcome
    """Of the answer when its body has come."""


class Answers(dict[bytes, Begun | None]):
    """Answers by what came of them first; ``None`` for those that h11 has to read.

    Receivers give the same answer again and again, all of it in one piece: the last short ones are remembered. Of those
    that differ in their bodies only, the heads are (:class:`Heads`).

    Args:
        cap_bytes: as of :class:`Heads`.
    """

    def __init__(self, cap_bytes: int) -> None:
        super().__init__()
        self._heads = Heads(cap_bytes)
        self.acking: dict[bytes, int] = {}
        """Of those that are remembered, the ones that came whole and ack: their status."""

    def __missing__(self, data: bytes) -> Begun | None:
        """Read what is seen for the first time."""
        end = data.find(_BLANK_LINE) + len(_BLANK_LINE)
        head = self._heads[data[:end]] if end >= len(_BLANK_LINE) else None
        begun = None if head is None else Begun(head.status, end + head.length - len(data), head.outcome)
        if len(data) <= _SHORT_BYTES:
            if len(self) >= _MOST:
                self.clear()
                self.acking.clear()
            self[data] = begun
            if begun is not None and begun.left == 0 and begun.outcome is Outcome.ACKED:
                self.acking[data] = begun.status
        return begun
