"""Where chance comes from: a stream of bytes that is a hash of its key, so that nothing else influences it."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_FIRST_BYTES = 336
_WORD_BYTES = 8


class Entropy:
    """Draws from SHAKE-128 over a key. The same key gives the same draws in the same order."""

    __slots__ = ("_bytes", "_key", "_next")

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key)).encode()
        self._bytes = hashlib.shake_128(self._key).digest(_FIRST_BYTES)
        self._next = 0

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to ``bound`` - 1; the bias of 64 bits over ``bound`` is not observable."""
        return int.from_bytes(self._take(_WORD_BYTES), "big") % bound

    def between(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def text(self, alphabet: str, length: int) -> str:
        """Return ``length`` characters of an alphabet, each from 16 bits."""
        size = len(alphabet)
        return "".join([alphabet[word % size] for word in struct.unpack(f">{length}H", self._take(2 * length))])

    def _take(self, count: int) -> bytes:
        end = self._next + count
        while end > len(self._bytes):
            self._bytes = hashlib.shake_128(self._key).digest(2 * len(self._bytes))
        taken = self._bytes[self._next : end]
        self._next = end
        return taken
