"""Mutators: the changes that clauses make to bodies, by name, for ``emit --mutate`` and ``export``.

They are read from the clause files, so ``emit`` writes the same bodies that ``check`` sends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.mutations import apply_mutation, change_type, raw_body, serialize_variant
from tcop_mock.domain.callback import State, encode_json
from tcop_mock.domain.contract import Level
from tcop_mock.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tcop_mock.domain.contract import Clause

_CAMEL_CASE = re.compile(r"\b[a-z]+(?:[A-Z][a-z]*)+")
_CAPITAL = re.compile(r"[A-Z]")
_ARTICLE = re.compile(r"^an?-")
_LISTING = "`tcop-mock list --mutators` shows all mutators"


class ExpectedReaction(StrEnum):
    """Expected answer to a body: accept it with 2xx, reject it with 4xx, or either."""

    ACCEPT = "accept"
    REJECT = "reject"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Mutator:
    """One change of a body."""

    name: str
    title: str
    clause: str
    """Code of the clause that uses it."""
    level: Level
    """Level of that clause."""
    recommended_reaction: ExpectedReaction
    """The reaction that passes the clause; ``EITHER`` if the status alone does not decide."""
    change: Callable[[Any], bytes]
    """Turns a body's tree into bytes; raises ``UnknownNameError`` if the tree lacks the path."""
    state: State = State.FIRING
    """State of the callback that the clause changes."""
    has_threshold: bool = True
    """Whether that callback has a threshold."""
    shape: str = ""
    """Shape of the callback that the clause changes; empty: any."""
    profiles: tuple[str, ...] = ()
    """Profiles to which the clause applies; empty: all."""

    @property
    def expected_reaction(self) -> ExpectedReaction:
        """The reaction of every receiver that keeps the contract. Clauses below ``must`` allow either."""
        return self.recommended_reaction if self.level is Level.MUST else ExpectedReaction.EITHER


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
        UnknownNameError: there is no mutator of that name; the message lists similar names.
    """
    if name not in load_mutators():
        raise UnknownNameError("mutator", name, load_mutators(), listing=_LISTING)
    return load_mutators()[name]


def _mutation_mutators(clause: Clause) -> Iterator[Mutator]:
    default_base = clause.builder.params.get("base_values") or {}
    for variant in clause.builder.params["mutations"]:

        def change(tree: Any, variant: Mapping[str, Any] = variant) -> bytes:  # noqa: ANN401 - a JSON tree
            return serialize_variant(
                apply_mutation(apply_mutation(tree, {"set": variant.get("base_values", default_base)}), variant),
                variant,
            )

        yield Mutator(
            _name_of(variant["title"]),
            variant["title"],
            clause.code,
            clause.level,
            ExpectedReaction.EITHER if "also_accept" in variant else _recommended_reaction(clause),
            change,
            state=State(variant.get("state", State.FIRING)),
            has_threshold=variant.get("has_threshold", True),
            shape=variant.get("shape", ""),
            profiles=clause.profiles,
        )


def _type_mutators(clause: Clause) -> Iterator[Mutator]:
    for field in clause.builder.params["fields"]:
        path = field["path"]
        for type_name in field["types"]:

            def change(tree: Any, path: str = path, type_name: str = type_name) -> bytes:  # noqa: ANN401 - a JSON tree
                return encode_json(change_type(tree, path, type_name))

            title = f"{path.rpartition('.')[2]} as {type_name}"
            yield Mutator(
                _name_of(title),
                title,
                clause.code,
                clause.level,
                ExpectedReaction.ACCEPT,
                change,
                shape=field.get("shape", ""),
                profiles=clause.profiles,
            )


def _raw_body_mutators(clause: Clause) -> Iterator[Mutator]:
    is_asserted = not clause.builder.params.get("assert_plain_after", False)
    reaction = _recommended_reaction(clause) if is_asserted else ExpectedReaction.EITHER
    for table in clause.builder.params["bodies"]:

        def change(_tree: Any, table: Mapping[str, str] = table) -> bytes:  # noqa: ANN401 - a JSON tree
            return raw_body(table)

        yield Mutator(
            _name_of(table["title"]),
            table["title"],
            clause.code,
            clause.level,
            reaction,
            change,
            profiles=clause.profiles,
        )


def _recommended_reaction(clause: Clause) -> ExpectedReaction:
    """Return the reaction that passes a clause. A clause that only forbids some responses allows either."""
    allowed = {status for invocation in clause.assertions for status in invocation.params.get("allow", ())}
    classes = {status[0] for status in allowed}
    return {"2": ExpectedReaction.ACCEPT, "4": ExpectedReaction.REJECT}.get("".join(classes), ExpectedReaction.EITHER)


def _no_mutators(_clause: Clause) -> Iterator[Mutator]:
    return iter(())


_READERS: dict[str, Callable[[Clause], Iterator[Mutator]]] = {
    "raw_bodies": _raw_body_mutators,
    "scalar_types": _type_mutators,
    "mutations": _mutation_mutators,
}
"""Readers by request builder; the other builders change no body."""


def _name_of(title: str) -> str:
    """Return a title as a name: ``recoverTime "" while firing`` is ``recover-time-empty-while-firing``."""
    name = _CAMEL_CASE.sub(lambda key: _CAPITAL.sub(r"-\g<0>", key[0]), title.replace('""', "empty")).lower()
    return _ARTICLE.sub("", re.sub(r"[^a-z0-9]+", "-", name).strip("-"))
