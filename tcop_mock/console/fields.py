"""Reads the JSON that a page sends: an object with known fields of known types."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_BODY_BYTES = 1024 * 1024
"""Limit of a body that is sent to the target."""
_MAX_CHARS = 300
_MAX_ITEMS = 50
_MAX_SEED = 2**63


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a request. Each method raises ``UsageError`` for a value of another type or size."""

    document: dict[str, Any]

    @classmethod
    def parse(cls, raw: bytes) -> Fields:
        """Parse the body of a request.

        Raises:
            UsageError: it is not a JSON object.
        """
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise UsageError("the request is not a JSON object")
        return cls(document)

    def text(self, name: str, default: str = "", *, limit: int = _MAX_CHARS) -> str:
        """Return a text."""
        value = self.document.get(name, default)
        if not isinstance(value, str) or len(value) > limit:
            raise UsageError(f"{name} must be a text of at most {limit} characters")
        return value

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """Return one of some texts."""
        value = self.text(name, default)
        if value not in allowed:
            raise UsageError(f"{name} must be {', '.join(allowed)}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.document.get(name, default)
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be true or false")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Return a number in a range."""
        value = self.document.get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not low <= value <= high:
            raise UsageError(f"{name} must be a number from {low:g} to {high:g}")
        return float(value)

    def integer(self, name: str, default: int, low: int, high: int = _MAX_SEED) -> int:
        """Return an integer in a range."""
        value = self.document.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UsageError(f"{name} must be an integer from {low} to {high}")
        return value

    def texts(self, name: str, *, limit: int = _MAX_CHARS) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.document.get(name, [])
        is_list = isinstance(value, list) and len(value) <= _MAX_ITEMS
        if not is_list or not all(isinstance(one, str) and len(one) <= limit for one in value):
            raise UsageError(f"{name} must be a list of at most {_MAX_ITEMS} texts of at most {limit} characters")
        return tuple(value)

    def body(self) -> bytes:
        """Return the body to send: the text ``body``, or the bytes of ``body_base64``."""
        if "body_base64" in self.document:
            encoded = self.text("body_base64", limit=2 * MAX_BODY_BYTES)
            try:
                body = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise UsageError("body_base64 is not base64") from None
        else:
            try:
                body = self.text("body", limit=MAX_BODY_BYTES).encode()
            except UnicodeEncodeError:
                raise UsageError("half a surrogate pair cannot be sent, because bodies are UTF-8") from None
        if not body or len(body) > MAX_BODY_BYTES:
            raise UsageError(f"a body has 1 to {MAX_BODY_BYTES} bytes")
        return body
