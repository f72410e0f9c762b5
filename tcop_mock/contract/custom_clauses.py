"""A team's own clauses: files like ours, with codes of their own, held to all rules at once."""

from __future__ import annotations

import glob
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.data_files import all_problems, read_entry
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.case_factory import Workshop
from tcop_mock.contract.clauses import SCHEMA, STORIES, parse_clause, player_of
from tcop_mock.domain.contract import EFFECT_NEEDS, Need, Stage
from tcop_mock.errors import EntryError, TcopMockError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.contract import Clause

_NAME = re.compile(r"(?P<code>[A-Z]{2,10}[0-9]{3})-[a-z0-9]+(?:-[a-z0-9]+)*")
_OURS = "TCM"
_NAMES = re.compile(r"play\.player|expect\.\d+\.judge")
"""Keys of which the schema knows our own values only."""
_STAGES = {
    STORIES: Stage.EFFECTS,
    "bodies": Stage.ABUSE,
    "truncated": Stage.ABUSE,
    "burst": Stage.BURST,
    "credentials": Stage.AUTH,
    "beside_a_slow_one": Stage.DRIP,
}
"""When a player's clauses are played, where they do not say."""
_EFFECTS = frozenset({Stage.EFFECTS, Stage.PATIENCE})


def own_clauses(globs: Iterable[str], catalog: Catalog) -> tuple[tuple[Clause, ...], tuple[EntryError, ...]]:
    """Return the clauses of files in the order of their codes, and all that is wrong with any of the files.

    Args:
        globs: of files; ``**`` matches folders.
        catalog: of the shapes that they may name.

    Raises:
        UsageError: a glob matches no file.
    """
    clauses: list[Clause] = []
    problems: list[EntryError] = []
    places: defaultdict[str, list[Path]] = defaultdict(list)
    for file in _files(globs):
        try:
            clause = _clause(file, catalog)
        except ClauseFileError as found:
            problems += found.problems
            continue
        places[clause.code].append(file)
        clauses.append(clause)
    for code, files in places.items():
        problems += [EntryError(str(file), "", f"{code} is the code of {files[0]} already") for file in files[1:]]
    return tuple(sorted(clauses, key=lambda clause: clause.code)), tuple(problems)


class ClauseFileError(UsageError):
    """All that is wrong with one file."""

    def __init__(self, problems: list[EntryError]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


def _files(globs: Iterable[str]) -> Iterator[Path]:
    seen: set[Path] = set()
    for pattern in globs:
        files = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute ones, too
        if not files:
            raise UsageError(
                f"--clause-files {pattern!r} matches no file; clauses are files like ACME101-our-rule.toml"
            )
        for file in files:
            if file.resolve() not in seen and not file.is_dir():
                seen.add(file.resolve())
                yield file


def _clause(file: Path, catalog: Catalog) -> Clause:
    """Return the clause of a file.

    Raises:
        ClauseFileError: all that is wrong with it.
    """
    problems = [EntryError(str(file), "", text) for text in _wrong_name(file)]
    try:
        table = read_entry(file, SCHEMA, check=False)
    except EntryError as problem:
        raise ClauseFileError([*problems, problem]) from None
    problems += [
        EntryError(str(file), found.key, found.problem)
        for found in all_problems(table, SCHEMA)
        if not (_NAMES.fullmatch(found.key) and isinstance(_at(table, found.key), str))
    ]
    if problems:
        raise ClauseFileError(problems)
    try:
        clause = parse_clause(file.stem, _with_stage(table), file=str(file), plugs=True)
        _require_kept(file, clause, catalog)
    except EntryError as problem:
        raise ClauseFileError([problem]) from None
    return clause


def _wrong_name(file: Path) -> Iterator[str]:
    match = _NAME.fullmatch(file.stem)
    if match is None or file.suffix != ".toml":
        yield "the name of a clause's file is its code and slug, as in ACME101-our-rule.toml"
    elif match["code"].startswith(_OURS):
        yield f"codes that begin with {_OURS} are tcop-mock's own; take letters of your own, as in ACME101"


def _at(table: Any, path: str) -> Any:  # noqa: ANN401 - any value of a TOML file
    for key in path.split("."):
        table = table[int(key)] if isinstance(table, list) else table.get(key)
    return table


def _with_stage(table: dict[str, Any]) -> dict[str, Any]:
    stage = _STAGES.get(table["play"]["player"])
    return {"stage": stage.value, **table} if stage else table


def _require_kept(file: Path, clause: Clause, catalog: Catalog) -> None:
    """Hold a clause to what no schema says.

    Raises:
        EntryError: the first problem.
    """
    for name in clause.profiles:
        try:
            load_profile(name)
        except UnknownNameError as problem:
            raise EntryError(str(file), "profiles", str(problem)) from None
    tells = clause.play.name == STORIES
    if tells != (clause.stage in _EFFECTS):
        right = "effects or patience" if tells else "another than effects and patience, which are for stories"
        raise EntryError(str(file), "stage", f"is {clause.stage}; for player {clause.play.name!r} it has to be {right}")
    if tells and not clause.needs & EFFECT_NEEDS:
        raise EntryError(str(file), "needs", 'stories are about effects; write needs = ["observer"]')
    if clause.play.name == "credentials" and Need.AUTH not in clause.needs:
        raise EntryError(str(file), "needs", "player 'credentials' shows other ones; write needs = [\"auth\"]")
    try:
        player_of(clause)(Workshop(catalog, Generator(1), clause.code), **clause.play.params)
    except TcopMockError as problem:
        raise EntryError(str(file), "play", str(problem)) from None
    except Exception as problem:
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise EntryError(str(file), "play", f"player {clause.play.name!r} cannot play it: {told}") from problem
