"""Values that no output may ever show."""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
from dataclasses import dataclass
from typing import final
from urllib.parse import quote

MASK = "***"
_KEY = re.compile(r"(?<=[?&])((?:key|access_token|token|secret|sign|sig|password|routing_key)=)[^&#]+", re.IGNORECASE)
"""Names under which robots' addresses and others carry a secret in the query."""


@final
class Secret:
    """A text whose ``repr``, ``str``, ``format``, pickle and traceback show ``***``.

    Only ``reveal()`` gives the text. A pickled secret is lost on purpose: what comes back reveals ``***``.
    A copy is the secret itself.
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

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self._text), _octets(other._text))

    def __hash__(self) -> int:
        return hash((Secret, self._text))


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of HTTP Basic authentication (RFC 7617), percent-decoded."""

    user: Secret
    password: Secret

    def token(self) -> Secret:
        """Return the base64 of ``user:password`` as it stands after ``Basic`` in the header."""
        pair = _octets(f"{self.user.reveal()}:{self.password.reveal()}")
        return Secret(base64.b64encode(pair).decode("ascii"))

    def traces(self) -> tuple[str, ...]:
        """Return every spelling under which these credentials could leak, longest first. For masking only.

        The base64 token; and user and password plain, percent-encoded, and escaped as JSON and HTML do it.
        """
        spellings = {self.token().reveal()}
        for text in (self.user.reveal(), self.password.reveal()):
            encoded = quote(_octets(text), safe="")
            as_json = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
            spellings |= {text, encoded, encoded.lower(), *as_json, html.escape(text)}
        return tuple(sorted(spellings - {""}, key=lambda spelling: (-len(spelling), spelling)))

    def masked_in(self, text: str) -> str:
        """Return a text in which no spelling of these credentials is left."""
        for trace in self.traces():
            text = text.replace(trace, MASK)
        return text


def without_keys(url: str) -> str:
    """Return a URL, or a path with a query, with the secrets in its query masked. For showing only."""
    return _KEY.sub(rf"\g<1>{MASK}", url)


def _octets(text: str) -> bytes:
    """Encode as UTF-8 and never fail: the error would carry the text."""
    return text.encode("utf-8", "surrogatepass")
