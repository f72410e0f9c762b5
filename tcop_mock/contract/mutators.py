"""Mutators: what the clauses do to bodies, by name, for ``emit --mutate`` and ``export``.

They are read from the clauses themselves, so that a body which breaks a receiver here is the one that ``check`` sends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.mutations import changed, raw_body, retyped, written
from tcop_mock.domain.alarm import State, wire_bytes
from tcop_mock.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.domain.contract import Clause

_CAMEL = re.compile(r"\b[a-z]+(?:[A-Z][a-z]*)+")
_HUMP = re.compile(r"[A-Z]")
_ARTICLE = re.compile(r"^an?-")
_LISTING = "`tcop-mock list --mutators` shows all mutators"


class Wanted(StrEnum):
    """What a receiver has to do with a body: take it, refuse it, or either, as long as it does not break."""

    TAKE = "take"
    REFUSE = "refuse"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Mutator:
    """One change of a body."""

    name: str
    title: str
    clause: str
    """Code of the clause that it serves."""
    wanted: Wanted
    """What a receiver has to do with the body."""
    change: Callable[[Any], bytes]
    """From the body's tree to the bytes in its place; raises ``UnknownNameError`` where the tree lacks the path."""
    state: State = State.FIRING
    """Of the callback that the clause changes."""
    threshold: bool = True
    """Whether that callback has a threshold."""
    shape: str = ""
    """The shape that the clause changes callbacks of, where it is about one product."""


@cache
def load_mutators() -> Mapping[str, Mutator]:
    """Return all mutators by name, in the order of their clauses."""
    found: dict[str, Mutator] = {}
    for clause in load_clauses():
        for mutator in _READERS.get(clause.play.name, _none)(clause):
            found.setdefault(mutator.name, mutator)
    return found


def find_mutator(name: str) -> Mutator:
    """Return a mutator.

    Raises:
        UnknownNameError: there is none of that name; names near misses.
    """
    if name not in load_mutators():
        raise UnknownNameError("mutator", name, load_mutators(), listing=_LISTING)
    return load_mutators()[name]


def _variants(clause: Clause) -> Iterator[Mutator]:
    usual = clause.play.params.get("given") or {}
    for variant in clause.play.params["variants"]:

        def change(tree: Any, variant: Mapping[str, Any] = variant) -> bytes:  # noqa: ANN401 - a JSON tree
            return written(changed(changed(tree, {"set": variant.get("given", usual)}), variant), variant)

        yield Mutator(
            _named(variant["title"]),
            variant["title"],
            clause.code,
            wanted=Wanted.EITHER if "besides" in variant else _wanted(clause),
            change=change,
            state=State(variant.get("state", State.FIRING)),
            threshold=variant.get("threshold", True),
            shape=variant.get("shape", ""),
        )


def _spellings(clause: Clause) -> Iterator[Mutator]:
    for field in clause.play.params["fields"]:
        path = field["path"]
        for kind in field["types"]:

            def change(tree: Any, path: str = path, kind: str = kind) -> bytes:  # noqa: ANN401 - a JSON tree
                return wire_bytes(retyped(tree, path, kind))

            title = f"{path.rpartition('.')[2]} as {kind}"
            yield Mutator(_named(title), title, clause.code, Wanted.TAKE, change=change, shape=field.get("shape", ""))


def _bodies(clause: Clause) -> Iterator[Mutator]:
    for raw in clause.play.params["bodies"]:

        def change(_tree: Any, raw: Mapping[str, str] = raw) -> bytes:  # noqa: ANN401 - a JSON tree
            return raw_body(raw)

        yield Mutator(_named(raw["title"]), raw["title"], clause.code, Wanted.REFUSE, change=change)


def _wanted(clause: Clause) -> Wanted:
    """Say what a clause expects of its bodies: one that only forbids a crash leaves the choice."""
    allowed = {status for call in clause.expect for status in call.params.get("allow", ())}
    if not allowed:
        return Wanted.EITHER
    return Wanted.TAKE if "2xx" in allowed else Wanted.REFUSE


def _none(_clause: Clause) -> Iterator[Mutator]:
    return iter(())


_READERS: dict[str, Callable[[Clause], Iterator[Mutator]]] = {
    "bodies": _bodies,
    "spellings": _spellings,
    "variants": _variants,
}
"""By the player that a clause names; the others change no body."""


def _named(title: str) -> str:
    """Return a title as a name: ``recoverTime "" while firing`` is ``recover-time-empty-while-firing``."""
    words = _CAMEL.sub(lambda key: _HUMP.sub(r"-\g<0>", key[0]), title.replace('""', "empty")).lower()
    return _ARTICLE.sub("", re.sub(r"[^a-z0-9]+", "-", words).strip("-"))
