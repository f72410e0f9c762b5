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
from tcop_mock.contract.mutations import apply_mutation, change_type, raw_body, serialize_variant
from tcop_mock.domain.alarm import State, encode_json
from tcop_mock.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.domain.contract import Clause

_CAMEL_CASE = re.compile(r"\b[a-z]+(?:[A-Z][a-z]*)+")
_CAPITAL = re.compile(r"[A-Z]")
_ARTICLE = re.compile(r"^an?-")
_LISTING = "`tcop-mock list --mutators` shows all mutators"


class ExpectedReaction(StrEnum):
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
    expected_reaction: ExpectedReaction
    """What a receiver has to do with the body."""
    change: Callable[[Any], bytes]
    """From the body's tree to the bytes in its place; raises ``UnknownNameError`` where the tree lacks the path."""
    state: State = State.FIRING
    """Of the callback that the clause changes."""
    has_threshold: bool = True
    """Whether that callback has a threshold."""
    shape: str = ""
    """The shape that the clause changes callbacks of, where it is about one product."""


@cache
def load_mutators() -> Mapping[str, Mutator]:
    """Return all mutators by name, in the order of their clauses."""
    mutators: dict[str, Mutator] = {}
    for clause in load_clauses():
        for mutator in _READERS.get(clause.builder.name, _no_mutators)(clause):
            mutators.setdefault(mutator.name, mutator)
    return mutators


def find_mutator(name: str) -> Mutator:
    """Return a mutator.

    Raises:
        UnknownNameError: there is none of that name; names near misses.
    """
    if name not in load_mutators():
        raise UnknownNameError("mutator", name, load_mutators(), listing=_LISTING)
    return load_mutators()[name]


def _mutation_mutators(clause: Clause) -> Iterator[Mutator]:
    default_base = clause.builder.params.get("given") or {}
    for variant in clause.builder.params["variants"]:

        def change(tree: Any, variant: Mapping[str, Any] = variant) -> bytes:  # noqa: ANN401 - a JSON tree
            return serialize_variant(
                apply_mutation(apply_mutation(tree, {"set": variant.get("given", default_base)}), variant), variant
            )

        yield Mutator(
            _name_of(variant["title"]),
            variant["title"],
            clause.code,
            expected_reaction=ExpectedReaction.EITHER if "besides" in variant else _expected_reaction(clause),
            change=change,
            state=State(variant.get("state", State.FIRING)),
            has_threshold=variant.get("threshold", True),
            shape=variant.get("shape", ""),
        )


def _type_mutators(clause: Clause) -> Iterator[Mutator]:
    for field in clause.builder.params["fields"]:
        path = field["path"]
        for type_name in field["types"]:

            def change(tree: Any, path: str = path, type_name: str = type_name) -> bytes:  # noqa: ANN401 - a JSON tree
                return encode_json(change_type(tree, path, type_name))

            title = f"{path.rpartition('.')[2]} as {type_name}"
            yield Mutator(
                _name_of(title), title, clause.code, ExpectedReaction.TAKE, change=change, shape=field.get("shape", "")
            )


def _raw_body_mutators(clause: Clause) -> Iterator[Mutator]:
    for table in clause.builder.params["bodies"]:

        def change(_tree: Any, table: Mapping[str, str] = table) -> bytes:  # noqa: ANN401 - a JSON tree
            return raw_body(table)

        yield Mutator(_name_of(table["title"]), table["title"], clause.code, ExpectedReaction.REFUSE, change=change)


def _expected_reaction(clause: Clause) -> ExpectedReaction:
    """Say what a clause expects of its bodies: one that only forbids a crash leaves the choice."""
    allowed = {status for invocation in clause.assertions for status in invocation.params.get("allow", ())}
    if not allowed:
        return ExpectedReaction.EITHER
    return ExpectedReaction.TAKE if "2xx" in allowed else ExpectedReaction.REFUSE


def _no_mutators(_clause: Clause) -> Iterator[Mutator]:
    return iter(())


_READERS: dict[str, Callable[[Clause], Iterator[Mutator]]] = {
    "bodies": _raw_body_mutators,
    "spellings": _type_mutators,
    "variants": _mutation_mutators,
}
"""By the player that a clause names; the others change no body."""


def _name_of(title: str) -> str:
    """Return a title as a name: ``recoverTime "" while firing`` is ``recover-time-empty-while-firing``."""
    name = _CAMEL_CASE.sub(lambda key: _CAPITAL.sub(r"-\g<0>", key[0]), title.replace('""', "empty")).lower()
    return _ARTICLE.sub("", re.sub(r"[^a-z0-9]+", "-", name).strip("-"))
