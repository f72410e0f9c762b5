"""Loader of a team's own clause files. It reports all problems of all files at once."""

from __future__ import annotations

import glob
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.data_files import all_problems, read_entry
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import CLAUSE_SCHEMA, EFFECT_SCENARIOS, PROCESS_CALLBACKS, builder_of, parse_clause
from tcop_mock.domain.contract import EFFECT_PREREQUISITES, ENDING_MODES, Phase, Prerequisite, SendMode
from tcop_mock.errors import EntryError, TcopMockError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.contract import Clause

_FILE_NAME = re.compile(r"(?P<code>[A-Z]{2,10}[0-9]{3})-[a-z0-9]+(?:-[a-z0-9]+)*")
_RESERVED_PREFIX = "TCM"
_PLUGIN_KEYS = re.compile(r"requests\.builder|expect\.\d+\.assertion")
"""Keys that may name plugins; the schema lists built-in names only."""
_DEFAULT_PHASES = {
    EFFECT_SCENARIOS: Phase.EFFECTS,
    PROCESS_CALLBACKS: Phase.PROCESS,
    "raw_bodies": Phase.MALFORMED_INPUT,
    "truncated_body": Phase.MALFORMED_INPUT,
    "burst": Phase.BURST,
    "credential_variants": Phase.AUTH,
    "during_slow_sender": Phase.SLOW_SENDER,
}
"""Default phases by request builder."""
_EFFECT_PHASES = frozenset({Phase.EFFECTS, Phase.SLOW_EFFECTS, Phase.CRASHES})


def load_custom_clauses(globs: Iterable[str], catalog: Catalog) -> tuple[tuple[Clause, ...], tuple[EntryError, ...]]:
    """Return the clauses of files in the order of their codes, and all problems of the files.

    Args:
        globs: globs of files; ``**`` matches folders.
        catalog: catalogue of the shapes that the clauses may name.

    Raises:
        UsageError: a glob matches no file.
    """
    clauses: list[Clause] = []
    errors: list[EntryError] = []
    files_by_code: defaultdict[str, list[Path]] = defaultdict(list)
    for file in _files(globs):
        try:
            clause = _load_clause(file, catalog)
        except ClauseFileError as error:
            errors += error.errors
            continue
        files_by_code[clause.code].append(file)
        clauses.append(clause)
    for code, files in files_by_code.items():
        errors += [EntryError(str(file), "", f"{code} is already the code of {files[0]}") for file in files[1:]]
    return tuple(sorted(clauses, key=lambda clause: clause.code)), tuple(errors)


class ClauseFileError(UsageError):
    """All problems of one file."""

    def __init__(self, errors: list[EntryError]) -> None:
        self.errors = errors
        super().__init__("; ".join(map(str, errors)))


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


def _load_clause(file: Path, catalog: Catalog) -> Clause:
    """Return the clause of a file.

    Raises:
        ClauseFileError: all problems of the file.
    """
    errors = [EntryError(str(file), "", text) for text in _name_errors(file)]
    try:
        table = read_entry(file, CLAUSE_SCHEMA, check=False)
    except EntryError as error:
        raise ClauseFileError([*errors, error]) from None
    errors += [
        EntryError(str(file), violation.key, violation.message)
        for violation in all_problems(table, CLAUSE_SCHEMA)
        if not (_PLUGIN_KEYS.fullmatch(violation.key) and isinstance(_value_at(table, violation.key), str))
    ]
    if errors:
        raise ClauseFileError(errors)
    try:
        clause = parse_clause(file.stem, _default_phase(table), file=str(file), allow_plugins=True)
        _require_valid(file, clause, catalog)
    except EntryError as error:
        raise ClauseFileError([error]) from None
    return clause


def _name_errors(file: Path) -> Iterator[str]:
    match = _FILE_NAME.fullmatch(file.stem)
    if match is None or file.suffix != ".toml":
        yield "the name of a clause file is its code and slug, as in ACME101-our-rule.toml"
    elif match["code"].startswith(_RESERVED_PREFIX):
        yield f"codes that begin with {_RESERVED_PREFIX} are tcop-mock's own; use letters of your own, as in ACME101"


def _value_at(table: Any, path: str) -> Any:  # noqa: ANN401 - any value of a TOML file
    for key in path.split("."):
        table = table[int(key)] if isinstance(table, list) else table.get(key)
    return table


def _default_phase(table: dict[str, Any]) -> dict[str, Any]:
    phase = _DEFAULT_PHASES.get(table["requests"]["builder"])
    return {"phase": phase.value, **table} if phase else table


def _require_valid(file: Path, clause: Clause, catalog: Catalog) -> None:
    """Check a clause against the rules that the schema cannot express.

    Raises:
        EntryError: the first problem.
    """
    for name in clause.profiles:
        try:
            load_profile(name)
        except UnknownNameError as error:
            raise EntryError(str(file), "profiles", str(error)) from None
    is_about_effects = clause.builder.name == EFFECT_SCENARIOS
    if is_about_effects != (clause.phase in _EFFECT_PHASES):
        expected = (
            "effects, slow-effects or crashes"
            if is_about_effects
            else "another than effects, slow-effects and crashes, which are for scenarios"
        )
        raise EntryError(
            str(file), "phase", f"is {clause.phase}; for builder {clause.builder.name!r} it has to be {expected}"
        )
    _require_own_process(file, clause)
    if is_about_effects and not clause.prerequisites & EFFECT_PREREQUISITES:
        raise EntryError(str(file), "needs", 'effect_scenarios check effects; write needs = ["observer"]')
    if clause.builder.name == "credential_variants" and Prerequisite.AUTH not in clause.prerequisites:
        raise EntryError(
            str(file), "needs", "builder 'credential_variants' sends other credentials; write needs = [\"auth\"]"
        )
    try:
        builder_of(clause)(CaseFactory(catalog, Generator(1), clause.code), **clause.builder.params)
    except TcopMockError as error:
        raise EntryError(str(file), "requests", str(error)) from None
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise EntryError(str(file), "requests", f"builder {clause.builder.name!r} failed: {message}") from error


def _require_own_process(file: Path, clause: Clause) -> None:
    """Check that a clause which ends or measures the receiver needs ``run``, and has a phase of its own.

    Raises:
        EntryError: the first problem.
    """
    is_about_process = clause.builder.name == PROCESS_CALLBACKS
    if is_about_process != (clause.phase is Phase.PROCESS):
        raise EntryError(
            str(file), "phase", f"is {clause.phase}; process is the phase of {PROCESS_CALLBACKS!r}, and only of it"
        )
    modes = {
        step.get("send_mode")
        for scenario in clause.builder.params.get("scenarios", ())
        for step in scenario.get("steps", ())
    }
    ends_receiver = not modes.isdisjoint(ENDING_MODES)
    if (ends_receiver or SendMode.DURING_RESTART in modes) != (clause.phase is Phase.CRASHES):
        names = ", ".join(sorted({*ENDING_MODES, SendMode.DURING_RESTART}))
        raise EntryError(
            str(file), "phase", f"is {clause.phase}; crashes is the phase of send_mode {names}, and only of them"
        )
    if (is_about_process or ends_receiver) and Prerequisite.RUN not in clause.prerequisites:
        raise EntryError(str(file), "needs", 'it ends or measures the receiver; write needs = ["run"]')
