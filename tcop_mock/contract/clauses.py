"""Loader of clauses and their fixes.

``contracts/clauses/`` has one file for each clause, named by code and slug. ``contracts/fixes/`` has code samples that
satisfy clauses, one idea per file. A team can have its own clause files; all of their problems are reported at once.
"""

from __future__ import annotations

import fnmatch
import glob
import inspect
import re
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.data_files import all_problems, data_root, iter_files, read_entry
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.assertions import ASSERTIONS, Assertion
from tcop_mock.contract.builders import BUILDERS
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.effect_assertions import EFFECT_ASSERTIONS
from tcop_mock.contract.process_assertions import PROCESS_ASSERTIONS
from tcop_mock.domain.contract import (
    EFFECT_PREREQUISITES,
    ENDING_MODES,
    Clause,
    Invocation,
    Level,
    Phase,
    Prerequisite,
    SendMode,
)
from tcop_mock.domain.target import Parser
from tcop_mock.errors import EntryError, TcopMockError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.contract import ClauseTest

    KnownCallables = Mapping[str, Callable[..., object]]


CLAUSE_SCHEMA = "clause"
_CHECKS = {name: assertion.check for name, assertion in ASSERTIONS.items()}
_POSITIONAL_ARGUMENTS = {
    "builder": ("factory",),
    "assertion": ("attempt", "context"),
    "assertion of scenarios": ("result",),
    "assertion of a process": ("probe",),
}
EFFECT_SCENARIOS = "effect_scenarios"
PROCESS_CALLBACKS = "process_callbacks"
_OTHER_ASSERTIONS: Mapping[str, tuple[str, KnownCallables]] = {
    EFFECT_SCENARIOS: ("assertion of scenarios", EFFECT_ASSERTIONS),
    PROCESS_CALLBACKS: ("assertion of a process", PROCESS_ASSERTIONS),
}
"""Kinds of assertions that do not look at responses, by request builder."""
_LISTING = "`tcop-mock check --list` shows all clauses"
FIX_SCHEMA = "fix"
LANGUAGE_BY_FRAMEWORK = {
    "flask": "python",
    "fastapi": "python",
    "django": "python",
    "express": "javascript",
    "spring": "java",
    "go": "go",
}
"""Programming language by framework."""
FRAMEWORK_NAMES = {
    "flask": "Flask",
    "fastapi": "FastAPI",
    "django": "Django",
    "express": "Express",
    "spring": "Spring",
    "go": "Go",
    "python": "Python (Flask, FastAPI, Django)",
    "javascript": "JavaScript (Express)",
    "java": "Java (Spring)",
}
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


class PluginGroup(StrEnum):
    """Entry point groups of plugins."""

    BUILDERS = "tcop_mock.request_builders"
    """Request builders: callables that take a :class:`~tcop_mock.contract.case_factory.CaseFactory` and keywords, and
    return a ``ClauseTest``."""
    ASSERTIONS = "tcop_mock.assertions"
    """Assertions: callables that take an attempt, a context and keywords, and return a failure text or None; or
    ``Assertion`` objects."""


def plugin_names(group: PluginGroup) -> list[str]:
    """Return the names in a group without loading them."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - only clauses that name a plugin pay for it

    return sorted(entry_points(group=group.value).names)


def load_plugin(group: PluginGroup, name: str) -> Any:  # noqa: ANN401 - a callable, or an Assertion
    """Return the object of an entry point.

    Raises:
        UsageError: it cannot be loaded, or is not callable.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - only clauses that name a plugin pay for it

    [entry_point] = list(entry_points(group=group.value, name=name))[:1]
    description = f"entry point {name!r} of {group.value} ({entry_point.value})"
    try:
        loaded = entry_point.load()
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"{description} cannot be loaded: {message}") from error
    if not isinstance(loaded, Assertion) and not callable(loaded):
        raise UsageError(f"{description} is of type {type(loaded).__name__}, which cannot be called")
    return loaded


def wrap_assertion(assertion: Assertion | Callable[..., str | None]) -> Assertion:
    """Return an ``Assertion``; a plain callable becomes one that needs full responses."""
    return assertion if isinstance(assertion, Assertion) else Assertion(assertion, needs_full_response=True)


@cache
def load_clauses() -> tuple[Clause, ...]:
    """Return all shipped clauses in the order of their codes."""
    folder = data_root("contracts") / "clauses"
    return tuple(
        parse_clause(name, read_entry(file, CLAUSE_SCHEMA, check=False)) for name, file in iter_files(folder, ".toml")
    )


def parse_clause(name: str, table: dict[str, Any], *, file: str = "", allow_plugins: bool = False) -> Clause:
    """Return the clause of a table that matches the clause schema.

    Args:
        name: code and slug.
        table: the content of the file.
        file: the file name for messages.
        allow_plugins: whether it may name builders and assertions of other packages.

    Raises:
        EntryError: it names an unknown builder or assertion, or passes wrong parameters.
    """
    code, _, slug = name.partition("-")
    location = file or f"{name}.toml"
    builder = _invocation(
        (location, "requests"), table["requests"], "builder", BUILDERS, PluginGroup.BUILDERS if allow_plugins else None
    )
    kind, known_assertions = _OTHER_ASSERTIONS.get(builder.name, ("assertion", _CHECKS))
    group = PluginGroup.ASSERTIONS if allow_plugins and builder.name not in _OTHER_ASSERTIONS else None
    assertions = tuple(
        _invocation((location, "expect"), expectation, kind, known_assertions, group) for expectation in table["expect"]
    )
    return Clause(
        code=code,
        slug=slug,
        level=Level(table["level"]),
        profiles=tuple(table.get("profiles", ())),
        prerequisites=frozenset(map(Prerequisite, table.get("needs", ()))),
        phase=Phase(table.get("phase", Phase.MAIN)),
        requirement=table["requirement"],
        source=table["source"],
        why=table["why"],
        fix=table["fix"],
        builder=builder,
        assertions=assertions,
        parsers=frozenset(map(Parser, table.get("parsers", ()))),
    )


def select_clauses(
    clauses: Sequence[Clause], wanted: Iterable[str], unwanted: Iterable[str] = ()
) -> tuple[Clause, ...]:
    """Return the clauses whose code, slug or id matches a glob of ``wanted`` (default: all) and none of ``unwanted``.

    Raises:
        UnknownNameError: a glob matches nothing.
    """
    wanted_globs, unwanted_globs = list(wanted), list(unwanted)
    for pattern in (*wanted_globs, *unwanted_globs):
        if not any(_matches(clause, pattern) for clause in clauses):
            raise UnknownNameError("clause", pattern, _codes_and_slugs(clauses), listing=_LISTING)
    return tuple(
        clause
        for clause in clauses
        if (not wanted_globs or any(_matches(clause, pattern) for pattern in wanted_globs))
        and not any(_matches(clause, pattern) for pattern in unwanted_globs)
    )


def find_clause(clauses: Sequence[Clause], code: str) -> Clause:
    """Return the clause with a code, a slug or an id.

    Raises:
        UnknownNameError: there is no such clause; the message lists similar names.
    """
    folded = code.lower()
    for clause in clauses:
        if folded in {clause.code.lower(), clause.slug, clause.id.lower()}:
            return clause
    raise UnknownNameError("clause", code, _codes_and_slugs(clauses), listing=_LISTING)


def builder_of(clause: Clause) -> Callable[..., ClauseTest]:
    """Return the request builder of a clause."""
    builder: Callable[..., ClauseTest] = clause.builder.plugin or BUILDERS[clause.builder.name]
    return builder


def assertion_of(invocation: Invocation) -> Assertion:
    """Return an assertion about responses."""
    assertion: Assertion = invocation.plugin or ASSERTIONS[invocation.name]
    return assertion


def _invocation(
    location: tuple[str, str],
    table: dict[str, Any],
    kind: str,
    callables: KnownCallables,
    plugin_group: PluginGroup | None,
) -> Invocation:
    file, key = location
    name_key = kind.partition(" ")[0]
    name, plugin = table[name_key], None
    plugins = plugin_names(plugin_group) if plugin_group and name not in callables else []
    if name not in callables and name not in plugins:
        raise EntryError(file, f"{key}.{name_key}", str(UnknownNameError(kind, name, [*callables, *plugins])))
    if name in plugins and plugin_group:
        try:
            plugin = load_plugin(plugin_group, name)
        except UsageError as error:
            raise EntryError(file, f"{key}.{name_key}", str(error)) from None
        plugin = wrap_assertion(plugin) if plugin_group is PluginGroup.ASSERTIONS else plugin
    function = callables[name] if plugin is None else plugin.check if isinstance(plugin, Assertion) else plugin
    params = {param: value for param, value in table.items() if param != name_key}
    try:
        inspect.signature(function).bind(*_POSITIONAL_ARGUMENTS[kind], **params)
    except TypeError as error:
        raise EntryError(file, key, f"{kind} {name!r}: {error}") from None
    return Invocation(name, params, plugin)


def _matches(clause: Clause, pattern: str) -> bool:
    names = (clause.code.lower(), clause.slug, clause.id.lower())
    return any(fnmatch.fnmatchcase(name, pattern.lower()) for name in names)


def _codes_and_slugs(clauses: Sequence[Clause]) -> list[str]:
    return [name for clause in clauses for name in (clause.code, clause.slug)]


@dataclass(frozen=True, slots=True)
class Fix:
    """One fix with its code samples."""

    title: str
    clauses: tuple[str, ...]
    samples: Mapping[str, str]
    """Code by framework, or by language if it is the same in all frameworks of that language."""

    def samples_for(self, framework: str | None) -> dict[str, str]:
        """Return the sample for a framework, or all samples."""
        if framework is None:
            return dict(self.samples)
        name = framework if framework in self.samples else LANGUAGE_BY_FRAMEWORK[framework]
        return {name: self.samples[name]}


def load_fixes() -> tuple[Fix, ...]:
    """Return all fixes in the order of their files."""
    folder = data_root("contracts") / "fixes"
    tables = [read_entry(file, FIX_SCHEMA, check=False) for _, file in iter_files(folder, ".toml")]
    return tuple(Fix(table["title"], tuple(table["clauses"]), table["samples"]) for table in tables)


def fixes_for(clause: Clause) -> tuple[Fix, ...]:
    """Return the fixes of a clause; custom clauses have none."""
    return tuple(fix for fix in load_fixes() if clause.code in fix.clauses)


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
