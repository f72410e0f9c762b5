"""Loader of the clauses in ``contracts/clauses/``: one file each, named by code and slug."""

from __future__ import annotations

import fnmatch
import inspect
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.data_files import data_root, iter_files, read_entry
from tcop_mock.contract.assertions import ASSERTIONS, Assertion
from tcop_mock.contract.builders import BUILDERS
from tcop_mock.contract.effect_assertions import EFFECT_ASSERTIONS
from tcop_mock.contract.process_assertions import PROCESS_ASSERTIONS
from tcop_mock.domain.contract import Clause, Invocation, Level, Phase, Prerequisite
from tcop_mock.domain.target import Parser
from tcop_mock.errors import EntryError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tcop_mock.domain.contract import ClauseTest

    KnownCallables = Mapping[str, Callable[..., object]]


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
    for glob in (*wanted_globs, *unwanted_globs):
        if not any(_matches(clause, glob) for clause in clauses):
            raise UnknownNameError("clause", glob, _codes_and_slugs(clauses), listing=_LISTING)
    return tuple(
        clause
        for clause in clauses
        if (not wanted_globs or any(_matches(clause, glob) for glob in wanted_globs))
        and not any(_matches(clause, glob) for glob in unwanted_globs)
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


def _matches(clause: Clause, glob: str) -> bool:
    names = (clause.code.lower(), clause.slug, clause.id.lower())
    return any(fnmatch.fnmatchcase(name, glob.lower()) for name in names)


def _codes_and_slugs(clauses: Sequence[Clause]) -> list[str]:
    return [name for clause in clauses for name in (clause.code, clause.slug)]
