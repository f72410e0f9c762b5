"""Read one file of data (a catalogue entry, a clause, a profile) and hold it to its JSON Schema.

Shipped files are held to their schemas by our tests and are not checked again at run time;
what a user brings is.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from tcop_mock._data import data_root
from tcop_mock.errors import EntryError
from tcop_mock.validation import ABOUT_KEYS, validator, worst

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from tcop_mock.validation import Checker

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
    flaw = worst(_validator(schema), table)
    if flaw is None:
        return
    hint = f" ({flaw.wanted})" if flaw.wanted else ""
    path, what = list(map(str, flaw.path)), flaw.message
    if flaw.rule in ABOUT_KEYS:
        what = f"{path.pop()!r} {what}"
    raise EntryError(file, ".".join(path), _one_line(what + hint))


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
