"""Read one file of data (a catalogue entry, a clause, a profile) and hold it to its JSON Schema.

The door of ``jsonschema``. Shipped files are held to their schemas by our tests and are not checked again at run time;
what a user brings is.
"""

from __future__ import annotations

import json
import math
import tomllib
from datetime import date, time
from functools import cache
from typing import TYPE_CHECKING, Any

from tcop_mock._data import data_root
from tcop_mock.errors import EntryError, did_you_mean
from tcop_mock.model.problem import Problem
from tcop_mock.model.shape import HOLE_MARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.resources.abc import Traversable

    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

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
    from jsonschema.exceptions import best_match, by_relevance  # noqa: PLC0415 - 80 ms that only users' files cost

    found = best_match(
        _validator(schema).iter_errors(table), key=by_relevance(strong=frozenset(["additionalProperties"]))
    )
    problem = _told(found)[0] if found else next(_unwritable(table), None)
    if problem:
        raise EntryError(file, problem.key, _with_wanted(problem))


def all_problems(table: dict[str, Any], schema: str) -> list[Problem]:
    """Return everything that a schema of ours, or the format itself, has against a table, each thing once."""
    told = [problem for error in _validator(schema).iter_errors(table) for problem in _told(error)]
    return list(dict.fromkeys([*told, *_unwritable(table)]))


def _with_wanted(problem: Problem) -> str:
    return problem.problem + (f" ({problem.fix})" if problem.fix else "")


def _told(error: ValidationError) -> list[Problem]:
    """Return what is wrong, and from the schema's description what is wanted; one error may be about several keys."""
    schema: Any = error.schema or {}  # a schema may be just `false`
    say = _SAYINGS.get(str(error.validator))
    texts = say(error.validator_value, error.instance, schema) if say else [error.message]
    key = ".".join(str(part) for part in error.absolute_path)
    return [Problem(key, _one_line(text), schema.get("description", "")) for text in texts]


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


def _say_unknown(_rule: object, table: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    known = schema.get("properties", {})
    nears = {key: did_you_mean(key, known) for key in table if key not in known}
    return [f"unknown key {key!r}" + (f"; did you mean {near}?" if near else "") for key, near in nears.items()]


def _say_missing(keys: list[str], table: dict[str, Any], _schema: object) -> list[str]:
    return [f"{key!r} is missing" for key in keys if key not in table]


def _say_lonely(partners: dict[str, list[str]], table: dict[str, Any], _schema: object) -> list[str]:
    pairs = [(key, other) for key, others in partners.items() if key in table for other in others if other not in table]
    return [f"{key!r} is there, so {other!r} must be, too" for key, other in pairs]


def _say_forbidden(_rule: object, value: object, _schema: object) -> list[str]:
    return [f"{value!r} is not allowed" if isinstance(value, str) else "is not allowed"]


def _say_too_many(most: int, items: list[Any], _schema: object) -> list[str]:
    return [f"has {len(items)} items, {most} are the most"]


_SAYINGS: dict[str, Callable[[Any, Any, dict[str, Any]], list[str]]] = {
    "additionalProperties": _say_unknown,
    "dependentRequired": _say_lonely,
    "maxItems": _say_too_many,
    "not": _say_forbidden,
    "required": _say_missing,
}
"""Where jsonschema's own words name the rule and not the remedy."""


@cache
def _validator(schema: str) -> Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - as above

    return Draft202012Validator(read_schema(schema))


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
