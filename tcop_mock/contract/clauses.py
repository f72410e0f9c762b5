"""The clauses: read from ``contracts/clauses/``, one file each; the file's name is code and slug."""

from __future__ import annotations

import fnmatch
import inspect
from typing import TYPE_CHECKING, Any

from tcop_mock._data import data_root, walk
from tcop_mock.contract.judges import JUDGES
from tcop_mock.contract.players import PLAYERS
from tcop_mock.contract.witness import STORY_JUDGES
from tcop_mock.entries import read_entry
from tcop_mock.errors import EntryError, UnknownNameError
from tcop_mock.model.clause import Call, Clause, Level, Need, Stage
from tcop_mock.model.target import Parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

SCHEMA = "clause"
_CHECKS = {name: judge.check for name, judge in JUDGES.items()}
_HANDED_IN = {"player": ("workshop",), "judge": ("attempt", "context"), "judge of stories": ("told",)}
_STORIES = "stories"
_LISTING = "`tcop-mock check --list` shows all clauses"


def load_clauses() -> tuple[Clause, ...]:
    """Return all clauses in the order of their codes."""
    folder = data_root("contracts") / "clauses"
    return tuple(parse_clause(name, read_entry(file, SCHEMA, check=False)) for name, file in walk(folder, ".toml"))


def parse_clause(name: str, table: dict[str, Any]) -> Clause:
    """Turn the table of a clause file that keeps its schema into a clause.

    Raises:
        EntryError: it names a player or a judge that is not there.
    """
    code, _, slug = name.partition("-")
    play = _call(name, "play", table["play"], "player", PLAYERS)
    what, judges = ("judge of stories", STORY_JUDGES) if play.name == _STORIES else ("judge", _CHECKS)
    expect = tuple(_call(name, "expect", call, what, judges) for call in table["expect"])
    return Clause(
        code=code,
        slug=slug,
        level=Level(table["level"]),
        profiles=tuple(table.get("profiles", ())),
        needs=frozenset(map(Need, table.get("needs", ()))),
        stage=Stage(table.get("stage", Stage.MAIN)),
        requirement=table["requirement"],
        source=table["source"],
        why=table["why"],
        fix=table["fix"],
        play=play,
        expect=expect,
        parsers=frozenset(map(Parser, table.get("parsers", ()))),
    )


def select(clauses: Sequence[Clause], globs: Iterable[str], skipped: Iterable[str] = ()) -> tuple[Clause, ...]:
    """Return the clauses whose code or id matches one of the globs (all, where there is none) and none of ``skipped``.

    Raises:
        UnknownNameError: a glob matches nothing.
    """
    wanted, unwanted = list(globs), list(skipped)
    for glob in (*wanted, *unwanted):
        if not any(_matches(clause, glob) for clause in clauses):
            raise UnknownNameError("clause", glob, _names(clauses), listing=_LISTING)
    return tuple(
        clause
        for clause in clauses
        if (not wanted or any(_matches(clause, glob) for glob in wanted))
        and not any(_matches(clause, glob) for glob in unwanted)
    )


def find(clauses: Sequence[Clause], code: str) -> Clause:
    """Return the clause of a code, a slug or both.

    Raises:
        UnknownNameError: there is none; names near misses.
    """
    folded = code.lower()
    for clause in clauses:
        if folded in {clause.code.lower(), clause.slug, clause.id.lower()}:
            return clause
    raise UnknownNameError("clause", code, _names(clauses), listing=_LISTING)


def _call(file: str, key: str, table: dict[str, Any], what: str, known: Mapping[str, Callable[..., object]]) -> Call:
    key_of_name = what.partition(" ")[0]
    name = table[key_of_name]
    if name not in known:
        raise EntryError(f"{file}.toml", f"{key}.{key_of_name}", str(UnknownNameError(what, name, known)))
    params = {param: value for param, value in table.items() if param != key_of_name}
    try:
        inspect.signature(known[name]).bind(*_HANDED_IN[what], **params)
    except TypeError as problem:
        raise EntryError(f"{file}.toml", key, f"{what} {name!r}: {problem}") from None
    return Call(name, params)


def _matches(clause: Clause, glob: str) -> bool:
    names = (clause.code.lower(), clause.slug, clause.id.lower())
    return any(fnmatch.fnmatchcase(name, glob.lower()) for name in names)


def _names(clauses: Sequence[Clause]) -> list[str]:
    return [name for clause in clauses for name in (clause.code, clause.slug)]
