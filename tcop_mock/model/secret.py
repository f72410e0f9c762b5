"""Values that no output may ever show."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from typing import final

MASK = "***"


@final
class Secret:
    """A text whose ``repr``, ``str``, ``format``, pickle and traceback show ``***``.

    Only ``reveal()`` gives the text. A pickled secret is lost on purpose: what comes back reveals ``***``.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; for the wire, never for an output."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, (MASK,))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of HTTP Basic authentication (RFC 7617), percent-decoded."""

    user: Secret
    password: Secret

    def token(self) -> Secret:
        """Return the base64 of ``user:password`` as it stands after ``Basic`` in the header."""
        pair = f"{self.user.reveal()}:{self.password.reveal()}"
        return Secret(base64.b64encode(pair.encode()).decode("ascii"))

    def traces(self) -> tuple[str, ...]:
        """Return every spelling under which these credentials could leak, longest first. For masking only."""
        return tuple(sorted({self.token().reveal(), self.password.reveal(), self.user.reveal()} - {""}, key=len)[::-1])
