"""Read one file of data (a catalogue entry, a clause, a profile) and hold it to its JSON Schema.

Shipped files are held to their schemas by our tests and are not checked again at run time;
what a user brings is.
"""

from __future__ import annotations

import json
import math
import tomllib
from datetime import date, time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.schema_errors import ABOUT_KEYS, flaws, validator, worst
from tcop_mock.domain.shape import HOLE_MARKS, Problem
from tcop_mock.errors import EntryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from tcop_mock.catalog.schema_errors import Checker, Flaw


def data_root(name: str) -> Traversable:
    """Return the folder ``payload_catalog`` or ``contracts``, from a wheel, a zipped wheel or a checkout."""
    inside = files("tcop_mock") / name
    return inside if inside.is_dir() else Path(__file__).parents[2] / name


def walk(folder: Traversable, suffix: str, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield (path below ``folder`` without ``suffix``, file) in the order of the paths.

    Names that begin with ``_`` or ``.`` are not entries (pools, editors' files) and are passed over.
    """
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.name.startswith(("_", ".")):
            continue
        if item.is_dir():
            yield from walk(item, suffix, f"{prefix}{item.name}/")
        elif item.name.endswith(suffix):
            yield f"{prefix}{item.name.removesuffix(suffix)}", item


_MOST_PROBLEM_CHARS = 200


def read_entry(file: Traversable, schema: str, *, check: bool) -> dict[str, Any]:
    """Return the table of one TOML file.

    Args:
        file: where it is.
        schema: name of its schema in ``contracts/schemas/`` without ``.schema.json``.
        check: hold it to the schema.

    Raises:
        EntryError: unreadable, no UTF-8, no TOML, or not as the schema says; names the file, the key and the problem.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise EntryError(str(file), "", f"cannot be read: {problem.strerror or problem}") from None
    except UnicodeDecodeError as problem:
        raise EntryError(str(file), "", f"is not UTF-8 (byte {problem.start})") from None
    except tomllib.TOMLDecodeError as problem:
        raise EntryError(str(file), "", f"is not TOML: {problem}") from None
    if check:
        check_entry(str(file), table, schema)
    return table


def check_entry(file: str, table: dict[str, Any], schema: str) -> None:
    """Hold a table to a schema of ours.

    Raises:
        EntryError: the problem nearest to the root; of several there, an unknown key, which is often a typing error
            and the reason why another key is missing.
    """
    problem = next(_unwritable(table), None)
    flaw = None if problem else worst(_validator(schema), table)
    if flaw:
        problem = _problem(flaw)
    if problem:
        hint = f" ({problem.fix})" if problem.fix else ""
        raise EntryError(file, problem.key, problem.problem + hint)


def all_problems(table: dict[str, Any], schema: str) -> list[Problem]:
    """Return everything that a schema of ours has against a table; before that, what no JSON can say."""
    return list(_unwritable(table)) or [_problem(flaw) for flaw in flaws(_validator(schema), table)]


def _problem(flaw: Flaw) -> Problem:
    path, what = list(map(str, flaw.path)), flaw.message
    if flaw.rule in ABOUT_KEYS:
        what = f"{path.pop()!r} {what}"
    return Problem(".".join(path), _one_line(what), flaw.wanted)


def _unwritable(node: Any, key: str = "") -> Iterator[Problem]:  # noqa: ANN401 - a node of a table
    """Yield what TOML can say and a body cannot: dates, numbers without end, characters that no text may hold."""
    if isinstance(node, str) and any(mark in node for mark in HOLE_MARKS):
        yield Problem(key, "holds U+FDD0, U+FDD1 or U+FDD2, which Unicode keeps for internal use; take it out")
    if isinstance(node, float) and not math.isfinite(node):
        yield Problem(key, f"{node} is no number of JSON's")
    if isinstance(node, date | time):
        yield Problem(key, f"{node} is a date or a time, which JSON has not; write it as a text, in quotes")
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        path = f"{key}.{name}" if key else f"{name}"
        yield from _unwritable(name, path)
        yield from _unwritable(child, path)


@cache
def _validator(schema: str) -> Checker:
    return validator(read_schema(schema))


def read_schema(schema: str) -> dict[str, Any]:
    """Return one of our JSON Schemas by name."""
    text = (data_root("contracts") / "schemas" / f"{schema}.schema.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def _one_line(message: str) -> str:
    line = " ".join(message.split())
    if len(line) <= _MOST_PROBLEM_CHARS:
        return line
    half = _MOST_PROBLEM_CHARS // 2
    return f"{line[:half]} … {line[-half:]}"
