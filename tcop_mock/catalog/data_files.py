"""Data files (catalogue entries, clauses, profiles), read from TOML and checked against their JSON Schemas.

Our tests check the shipped files, so only users' files are checked at run time.
"""

from __future__ import annotations

import json
import math
from datetime import date, time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli

from tcop_mock.catalog.schema_check import KEY_PRESENCE_RULES, iter_violations, validator, worst_violation
from tcop_mock.domain.shape import MARKER_CHARS, Problem
from tcop_mock.errors import EntryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from tcop_mock.catalog.schema_check import Checker, SchemaViolation


def data_root(name: str) -> Traversable:
    """Return the folder ``payload_catalog`` or ``contracts``, from a wheel, a zipped wheel or a checkout."""
    packaged = files("tcop_mock") / name
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / name


def iter_files(folder: Traversable, suffix: str, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield (path below ``folder`` without ``suffix``, file), sorted by path.

    Names that begin with ``_`` or ``.`` are not entries (pools, editors' files) and are skipped.
    """
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.name.startswith(("_", ".")):
            continue
        if item.is_dir():
            yield from iter_files(item, suffix, f"{prefix}{item.name}/")
        elif item.name.endswith(suffix):
            yield f"{prefix}{item.name.removesuffix(suffix)}", item


_MAX_MESSAGE_CHARS = 200
_MAX_LEVELS = 50
"""Maximum nesting of tables and lists: a recursive validator needs a bound."""


def read_entry(file: Traversable, schema: str, *, check: bool) -> dict[str, Any]:
    """Return the table of one TOML file.

    Args:
        file: TOML file.
        schema: name of its schema in ``contracts/schemas/`` without ``.schema.json``.
        check: whether to check the table against the schema.

    Raises:
        EntryError: the file is unreadable, not UTF-8, not TOML, or breaks the schema; names file, key and problem.
    """
    try:
        table = tomli.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise EntryError(str(file), "", f"cannot be read: {problem.strerror or problem}") from None
    except UnicodeDecodeError as problem:
        raise EntryError(str(file), "", f"is not UTF-8 (byte {problem.start})") from None
    except (tomli.TOMLDecodeError, RecursionError) as problem:  # the latter: nested too deeply
        raise EntryError(str(file), "", f"is not TOML: {problem}") from None
    if check:
        check_entry(str(file), table, schema)
    return table


def check_entry(file: str, table: dict[str, Any], schema: str) -> None:
    """Check a table against one of our schemas.

    Raises:
        EntryError: the violation nearest to the root; if there are several, an unknown key, because that is often a
            misspelling of a missing one.
    """
    problem = next(_not_json(table), None)
    violation = None if problem else worst_violation(_validator(schema), table)
    if violation:
        problem = _to_problem(violation)
    if problem:
        hint = f" ({problem.fix})" if problem.fix else ""
        raise EntryError(file, problem.key, problem.message + hint)


def all_problems(table: dict[str, Any], schema: str) -> list[Problem]:
    """Return all violations of one of our schemas; if there are values that JSON lacks, only those."""
    return list(_not_json(table)) or [
        _to_problem(violation) for violation in iter_violations(_validator(schema), table)
    ]


def _to_problem(violation: SchemaViolation) -> Problem:
    path, message = list(map(str, violation.path)), violation.message
    if violation.rule in KEY_PRESENCE_RULES:
        message = f"{path.pop()!r} {message}"
    return Problem(".".join(path), _truncate(message), violation.description)


def _not_json(node: Any, key: str = "", level: int = 0) -> Iterator[Problem]:  # noqa: ANN401 - a node of a table
    """Yield TOML values that JSON lacks: dates, infinite numbers; also what entries may not contain."""
    if isinstance(node, str) and any(char in node for char in MARKER_CHARS):
        yield Problem(key, "contains U+FDD0, U+FDD1 or U+FDD2, which Unicode reserves for internal use; remove it")
    if isinstance(node, float) and not math.isfinite(node):
        yield Problem(key, f"{node} is not a JSON number")
    if isinstance(node, date | time):
        yield Problem(key, f"{node} is a date or a time, which JSON lacks; write it as a string, in quotes")
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if level > _MAX_LEVELS:
        children = ()
        yield Problem(key, f"is nested more than {_MAX_LEVELS} levels deep; no entry needs that")
    for name, child in children:
        path = f"{key}.{name}" if key else f"{name}"
        yield from _not_json(name, path, level)
        yield from _not_json(child, path, level + 1)


@cache
def _validator(schema: str) -> Checker:
    return validator(read_schema(schema))


def read_schema(schema: str) -> dict[str, Any]:
    """Return one of our JSON Schemas by name."""
    text = (data_root("contracts") / "schemas" / f"{schema}.schema.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def _truncate(message: str) -> str:
    line = " ".join(message.split())
    if len(line) <= _MAX_MESSAGE_CHARS:
        return line
    half = _MAX_MESSAGE_CHARS // 2
    return f"{line[:half]} … {line[-half:]}"
