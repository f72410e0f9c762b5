"""The clauses: read from ``contracts/clauses/``, one file each; the file's name is code and slug."""

from __future__ import annotations

import fnmatch
import inspect
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.data_files import data_root, read_entry, walk
from tcop_mock.contract.assertions import JUDGES, Judge
from tcop_mock.contract.builders import PLAYERS
from tcop_mock.contract.effect_assertions import STORY_JUDGES
from tcop_mock.domain.contract import Call, Clause, Level, Need, Stage
from tcop_mock.domain.target import Parser
from tcop_mock.errors import EntryError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tcop_mock.domain.contract import Play

    Known = Mapping[str, Callable[..., object]]


class Group(StrEnum):
    """Groups of entry points."""

    PLAYERS = "tcop_mock.players"
    """Callables that take a :class:`~tcop_mock.contract.case_factory.Workshop` and keywords, and return a ``Play``."""
    JUDGES = "tcop_mock.judges"
    """Callables that take an attempt, a context and keywords, and return what is wrong, or nothing; or a ``Judge``."""


def plugged_names(group: Group) -> list[str]:
    """Return the names in a group; none of them is loaded."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - who names none of these need not load it

    return sorted(entry_points(group=group.value).names)


def plugged(group: Group, name: str) -> Any:  # noqa: ANN401 - a callable, or a judge
    """Return what an entry point gives.

    Raises:
        UsageError: it cannot be loaded, or is nothing of the kind.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - who names none of these need not load it

    [point] = list(entry_points(group=group.value, name=name))[:1]
    where = f"entry point {name!r} of {group.value} ({point.value})"
    try:
        found = point.load()
    except Exception as problem:
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise UsageError(f"{where} cannot be loaded: {told}") from problem
    if not isinstance(found, Judge) and not callable(found):
        raise UsageError(f"{where} is of type {type(found).__name__}, which cannot be called")
    return found


def judge_whole(found: Judge | Callable[..., str | None]) -> Judge:
    """Return a judge that sees whole answers, where what was given does not say what it has to be shown."""
    return found if isinstance(found, Judge) else Judge(found, whole_answer=True)


SCHEMA = "clause"

_CHECKS = {name: judge.check for name, judge in JUDGES.items()}

_HANDED_IN = {"player": ("workshop",), "judge": ("attempt", "context"), "judge of stories": ("told",)}

STORIES = "stories"

_LISTING = "`tcop-mock check --list` shows all clauses"


def load_clauses() -> tuple[Clause, ...]:
    """Return all clauses in the order of their codes."""
    folder = data_root("contracts") / "clauses"
    return tuple(parse_clause(name, read_entry(file, SCHEMA, check=False)) for name, file in walk(folder, ".toml"))


def parse_clause(name: str, table: dict[str, Any], *, file: str = "", plugs: bool = False) -> Clause:
    """Turn the table of a clause file that keeps its schema into a clause.

    Args:
        name: code and slug.
        table: what the file says.
        file: for messages.
        plugs: whether it may name players and judges of other packages.

    Raises:
        EntryError: it names a player or a judge that is not there.
    """
    code, _, slug = name.partition("-")
    place = file or f"{name}.toml"
    play = _call((place, "play"), table["play"], "player", PLAYERS, Group.PLAYERS if plugs else None)
    what, judges = ("judge of stories", STORY_JUDGES) if play.name == STORIES else ("judge", _CHECKS)
    group = Group.JUDGES if plugs and play.name != STORIES else None
    expect = tuple(_call((place, "expect"), call, what, judges, group) for call in table["expect"])
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


def player_of(clause: Clause) -> Callable[..., Play]:
    """Return the player of a clause."""
    player: Callable[..., Play] = clause.play.own or PLAYERS[clause.play.name]
    return player


def judge_of(call: Call) -> Judge:
    """Return a judge of a clause that looks at answers."""
    judge: Judge = call.own or JUDGES[call.name]
    return judge


def _call(place: tuple[str, str], table: dict[str, Any], what: str, known: Known, group: Group | None) -> Call:
    file, key = place
    key_of_name = what.partition(" ")[0]
    name, own = table[key_of_name], None
    plugs = plugged_names(group) if group and name not in known else []
    if name not in known and name not in plugs:
        raise EntryError(file, f"{key}.{key_of_name}", str(UnknownNameError(what, name, [*known, *plugs])))
    if name in plugs and group:
        try:
            own = plugged(group, name)
        except UsageError as problem:
            raise EntryError(file, f"{key}.{key_of_name}", str(problem)) from None
        own = judge_whole(own) if group is Group.JUDGES else own
    check = known[name] if own is None else own.check if isinstance(own, Judge) else own
    params = {param: value for param, value in table.items() if param != key_of_name}
    try:
        inspect.signature(check).bind(*_HANDED_IN[what], **params)
    except TypeError as problem:
        raise EntryError(file, key, f"{what} {name!r}: {problem}") from None
    return Call(name, params, own)


def _matches(clause: Clause, glob: str) -> bool:
    names = (clause.code.lower(), clause.slug, clause.id.lower())
    return any(fnmatch.fnmatchcase(name, glob.lower()) for name in names)


def _names(clauses: Sequence[Clause]) -> list[str]:
    return [name for clause in clauses for name in (clause.code, clause.slug)]
