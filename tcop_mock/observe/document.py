"""What a document says of a receiver's effects: rows and incidents, chosen by JSONPath (RFC 9535)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonpath_rfc9535 import JSONPathError, JSONPathQuery
from jsonpath_rfc9535 import compile as compiled

from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.model.effect import Effect, Sight

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERY_EFFECT = "$.effects[*]"
EVERY_OPEN = "$.open[*]"
"""Where effects and open incidents stand in a document that is written for us."""
_MOST_CHARS = 80


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a document has its effects and its open incidents."""

    effects: JSONPathQuery | None
    open: JSONPathQuery | None

    @classmethod
    def parse(cls, effects: str | None, is_open: str | None) -> Paths:
        """Read two JSONPaths; without the first, open incidents are the effects.

        Raises:
            UsageError: one is no JSONPath; says where and why.
        """
        return cls(_query("--observe-all", effects), _query("--observe-open", is_open))

    def sight(self, raw: bytes | str, source: str) -> Sight:
        """Return what a JSON text tells.

        Args:
            raw: the text.
            source: where it comes from, for messages.

        Raises:
            ObserverError: it is no JSON.
        """
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            shown = repr(raw[:_MOST_CHARS].strip())
            raise ObserverError(f"{source} is no JSON: {shown}") from None
        return self.sight_of(document)

    def sight_of(self, document: Any) -> Sight:  # noqa: ANN401 - a JSON value
        """Return what a document tells."""
        is_open = None if self.open is None else _effects(self.open, document)
        effects = (is_open or ()) if self.effects is None else _effects(self.effects, document)
        return Sight(effects, is_open)


def own_paths(document: Any) -> Paths:  # noqa: ANN401 - a JSON value
    """Return the paths of a document that is written for us; one without ``open`` does not tell what is open."""
    tells = isinstance(document, dict) and "open" in document
    return Paths.parse(EVERY_EFFECT, EVERY_OPEN if tells else None)


def _query(flag: str, text: str | None) -> JSONPathQuery | None:
    if text is None:
        return None
    try:
        return compiled(text)
    except JSONPathError as problem:
        raise UsageError(f"{flag} {text!r} is no JSONPath: {problem}; write for example $.incidents[*]") from None


def _effects(query: JSONPathQuery, document: Any) -> tuple[Effect, ...]:  # noqa: ANN401 - a JSON value
    values: Sequence[Any] = query.find(document).values()
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]  # $.incidents is meant as $.incidents[*]
    return tuple(Effect(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for value in values)
