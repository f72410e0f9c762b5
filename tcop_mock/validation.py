"""Hold values to JSON Schemas and say in plain words what is wrong: the door of ``jsonschema``.

The library is imported when the first value is checked: it costs 80 ms, which only those pay who bring files or bodies.
"""

from __future__ import annotations

import json
import reprlib
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tcop_mock.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

    Checker: TypeAlias = Validator
    Schema = dict[str, Any]

ABOUT_KEYS = frozenset({"additionalProperties", "required"})
"""Rules that a key breaks by being there or not."""
_MOST_SHOWN = 6
_MOST_NEAR_CHARS = 100
"""A longer key is near to none, and looking would take long."""
_TYPES = {
    "array": "a list",
    "boolean": "a boolean",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}
_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 60
_brief.maxlevel = 2


class Flaw(NamedTuple):
    """One way in which a value breaks a schema."""

    path: tuple[str | int, ...]
    """Keys and positions from the root; of a missing or an unknown key, with that key."""
    message: str
    rule: str
    """The schema's keyword that is broken: ``required``, ``type``, ..."""
    wanted: str
    """What the schema describes; of a missing or an unknown key, as what it describes the table."""


def validator(schema: Schema) -> Checker:
    """Return what checks values by a schema; making it costs more than using it."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see the module's docstring

    return Draft202012Validator(schema)


def flaws(checker: Checker, value: Any) -> Iterator[Flaw]:  # noqa: ANN401 - any JSON value
    """Yield all that is wrong with a value, a flaw for each key that is missing or unknown."""
    for error in checker.iter_errors(value):
        yield from _flaws_of(error)


def worst(checker: Checker, value: Any) -> Flaw | None:  # noqa: ANN401 - any JSON value
    """Return the flaw nearest to the root; of several there, an unknown key.

    That is often a typing error, and the reason why another key is missing.
    """
    from jsonschema.exceptions import best_match, by_relevance  # noqa: PLC0415 - as above

    found = best_match(checker.iter_errors(value), key=by_relevance(strong=frozenset(["additionalProperties"])))
    if found is None:
        return None
    return next(_flaws_of(found))


def shown(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a value in a few characters, as JSON where it is short."""
    if isinstance(value, dict | list):
        return _brief.repr(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _brief.maxstring else _brief.repr(value)


def type_of(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a value's JSON type in words: ``a text``, ``an object``."""
    if value is None:
        return _TYPES["null"]
    python = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return next(_TYPES[name] for kind, name in python.items() if isinstance(value, kind))


def _flaws_of(error: ValidationError) -> Iterator[Flaw]:
    schema: Any = error.schema or {}  # a schema may be just `false`
    instance: Any = error.instance
    demanded: Any = error.validator_value
    path, rule = tuple(error.absolute_path), str(error.validator)
    hint = str(schema.get("description", ""))
    if rule == "additionalProperties":
        known = schema.get("properties", {})
        for key in instance:
            if key not in known:
                near = did_you_mean(key, known) if len(key) <= _MOST_NEAR_CHARS else ""
                yield Flaw((*path, key), "is an unknown key" + (f"; did you mean {near}?" if near else ""), rule, hint)
    elif rule == "required":
        missing = next(key for key in demanded if error.message.startswith(repr(key)))
        yield Flaw((*path, missing), "is missing", rule, hint)
    elif rule == "dependentRequired":
        pairs = ((key, other) for key, others in demanded.items() for other in others)
        key, other = next(pair for pair in pairs if error.message == f"{pair[1]!r} is a dependency of {pair[0]!r}")
        yield Flaw(path, f"{key!r} is there, so {other!r} must be, too", rule, hint)
    elif rule == "anyOf" and not hint and error.context:
        nearest = max(error.context, key=lambda one: len(one.absolute_path))
        yield from _flaws_of(nearest)
    else:
        say = _SAYINGS.get(rule)
        text = say(demanded, instance) if say else " ".join(error.message.split())
        yield Flaw(path, text, rule, hint)


def _say_type(types: str | list[str], value: object) -> str:
    wanted = [_TYPES[name] for name in ([types] if isinstance(types, str) else types)]
    return f"is {type_of(value)}, not {' or '.join(wanted)}"


def _say_enum(values: list[object], value: object) -> str:
    some = " or ".join(map(shown, values[:_MOST_SHOWN]))
    if len(values) <= _MOST_SHOWN:
        return f"is {shown(value)}, not {some}"
    near = did_you_mean(f"{value}", map(str, values))
    hint = f"; did you mean {near}?" if near else ""
    return f"is {shown(value)}, not {some} or one of {len(values) - _MOST_SHOWN} more{hint}"


def _say_pattern(pattern: str, value: object) -> str:
    return f"is {shown(value)}, which does not match {pattern}"


_SAYINGS: dict[str, Callable[[Any, Any], str]] = {
    "anyOf": lambda _rule, value: f"is {shown(value)}",
    "const": lambda wanted, value: f"is {shown(value)}, not {shown(wanted)}",
    "enum": _say_enum,
    "maxItems": lambda most, items: f"has {len(items)} items, {most} are the most",
    "minLength": lambda _least, _value: "is empty",
    "minimum": lambda least, value: f"is {value}, less than {least}",
    "not": lambda _rule, value: f"{value!r} is not allowed" if isinstance(value, str) else "is not allowed",
    "pattern": _say_pattern,
    "type": _say_type,
}
"""Where jsonschema's own words name the rule and not the remedy."""
