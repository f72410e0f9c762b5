"""Violations of JSON Schemas, in plain words. The only module that imports ``jsonschema``.

The library is imported at the first check: it costs 80 ms, which only users with files or bodies should pay.
"""

from __future__ import annotations

import json
import re
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tcop_mock.catalog.schema_match import compile_match
from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.exceptions import SchemaError, ValidationError
    from jsonschema.protocols import Validator

    Checker: TypeAlias = Validator
    Schema = dict[str, Any]

KEY_PRESENCE_RULES = frozenset({"additionalProperties", "required"})
"""Schema keywords about the presence or absence of a key."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_MAX_SHOWN = 6
_MAX_SUGGESTION_CHARS = 100
"""Longer keys get no suggestion, because the search would take too long."""
_TYPES = {
    "array": "a list",
    "boolean": "a boolean",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_short_repr = reprlib.Repr()
_short_repr.maxstring = _short_repr.maxother = 60
_short_repr.maxlevel = 2


class SchemaViolation(NamedTuple):
    """One violation of a schema."""

    path: tuple[str | int, ...]
    """Keys and positions from the root, including a missing or unknown key."""
    message: str
    rule: str
    """Violated keyword of the schema: ``required``, ``type``, ..."""
    description: str
    """Description of the violated schema; for a missing or unknown key, of its table."""


_API_DOCUMENTS = {"openapi": "OpenAPI", "swagger": "OpenAPI", "asyncapi": "AsyncAPI"}


def validator(schema: Schema) -> Checker:
    """Return a validator for a schema; creating one costs more than using it."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see the module's docstring

    return Draft202012Validator(schema)


def load_user_schema(name: str) -> Callable[[Any], Iterator[SchemaViolation]]:
    """Return a function that yields all violations of a user's JSON Schema, in the dialect that the schema names.

    Formats are annotations, as is the default in recent dialects. Nothing is ever fetched.

    Raises:
        UsageError: the file is unreadable, is not a JSON Schema, or refers to something outside of it.
    """
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415 - see the module's docstring
    from jsonschema.validators import Draft202012Validator, validator_for  # noqa: PLC0415 - see the module's docstring
    from referencing.jsonschema import EMPTY_REGISTRY  # noqa: PLC0415 - see the module's docstring

    schema = _read_user_schema(name)
    dialect = validator_for(schema, default=Draft202012Validator)
    try:
        dialect.check_schema(schema)
    except SchemaError as problem:
        violation = next(_violations_of(problem))
        location = f"{'.'.join(map(str, violation.path))}: " if violation.path else ""
        raise UsageError(f"schema file {name!r} is not a JSON Schema: {location}{violation.message}") from None
    if isinstance(schema, dict) and not schema.keys() & dialect.VALIDATORS.keys():
        raise UsageError(f"schema file {name!r} {_describe_unchecking(schema)}")
    checker = dialect(schema, registry=EMPTY_REGISTRY)  # the empty registry fetches nothing
    _require_references(name, schema, str(dialect.META_SCHEMA.get("$schema", "")))
    try:
        list(checker.iter_errors({}))
    except RecursionError:
        raise UsageError(f"schema file {name!r} refers to itself endlessly") from None
    return lambda value: iter_violations(checker, value)


def _describe_unchecking(schema: Mapping[str, Any]) -> str:
    """Return what an object is that has no keyword of JSON Schema, and would accept every body."""
    kind = next((kind for key, kind in _API_DOCUMENTS.items() if key in schema), None)
    if kind:
        return f"is an {kind} document, not a JSON Schema: give one schema of it, as in components.schemas"
    return "has no keyword of JSON Schema at its top, so it would accept every body: give the schema of one callback"


def _read_user_schema(name: str) -> Any:  # noqa: ANN401 - an object or a boolean
    try:
        schema = json.loads(Path(name).read_bytes())
    except OSError as problem:
        raise UsageError(f"schema file {name!r} cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"schema file {name!r} is not JSON: {problem}") from None
    if not isinstance(schema, dict | bool):
        raise UsageError(f"schema file {name!r} is not a JSON Schema: it is {type_of(schema)}, not an object")
    return schema


def _require_references(name: str, schema: Any, dialect: str) -> None:  # noqa: ANN401 - an object or a boolean
    """Reject a schema that refers to something outside of it."""
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - see the module's docstring
    from referencing.jsonschema import EMPTY_REGISTRY, specification_with  # noqa: PLC0415 - see the module's docstring

    root = specification_with(dialect).create_resource(schema)
    parts = [(root, EMPTY_REGISTRY.resolver_with_root(root))]
    while parts:
        part, resolver = parts.pop()
        contents: Any = part.contents
        for key in _REFERENCES if isinstance(contents, dict) else ():
            reference = contents.get(key)
            try:
                resolver.lookup(reference or "#")
            except Unresolvable:
                raise UsageError(
                    f"schema file {name!r} refers to {short_repr(reference)}, which is not in it; nothing is fetched, "
                    "so add the definition to the file, under $defs"
                ) from None
        parts += [(child, resolver.in_subresource(child)) for child in part.subresources()]


def iter_violations(checker: Checker, value: Any) -> Iterator[SchemaViolation]:  # noqa: ANN401 - any JSON value
    """Yield all violations of a value, one for each missing or unknown key."""
    for error in checker.iter_errors(value):
        yield from _violations_of(error)


class SchemaChecker:
    """Finds the violations of a schema; of a value without any in a thirtieth of the time that ``jsonschema`` takes.

    Args:
        schema: JSON Schema of the dialect 2020-12.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._matches = compile_match(schema)
        self._validator: Checker | None = None

    def violations(self, value: Any) -> Iterator[SchemaViolation]:  # noqa: ANN401 - any JSON value
        """Yield all violations of a value, as :func:`iter_violations` does."""
        if self._matches is not None and self._matches(value):
            return
        if self._validator is None:
            self._validator = validator(self._schema)
        yield from iter_violations(self._validator, value)


def worst_violation(checker: Checker, value: Any) -> SchemaViolation | None:  # noqa: ANN401 - any JSON value
    """Return the violation nearest to the root; if there are several, an unknown key.

    An unknown key is often a misspelling of a missing one.
    """
    from jsonschema.exceptions import best_match, by_relevance  # noqa: PLC0415 - see the module's docstring

    error = best_match(checker.iter_errors(value), key=by_relevance(strong=frozenset(["additionalProperties"])))
    if error is None:
        return None
    return next(_violations_of(error))


def short_repr(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a value in a few characters, as JSON if it is short."""
    if isinstance(value, dict | list):
        return _short_repr.repr(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _short_repr.maxstring else _short_repr.repr(value)


def type_of(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a value's JSON type in words: ``a string``, ``an object``."""
    if value is None:
        return _TYPES["null"]
    json_types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return next(_TYPES[name] for python_type, name in json_types.items() if isinstance(value, python_type))


def _violations_of(error: ValidationError | SchemaError) -> Iterator[SchemaViolation]:
    schema: Any = error.schema if isinstance(error.schema, dict) else {}  # a schema may be just `false`
    instance: Any = error.instance
    expected: Any = error.validator_value
    path, rule = tuple(error.absolute_path), str(error.validator)
    hint = str(schema.get("description", ""))
    if rule == "additionalProperties":
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for key in instance:
            if key not in known and not any(re.search(pattern, key) for pattern in patterns):
                suggestion = did_you_mean(key, known) if len(key) <= _MAX_SUGGESTION_CHARS else ""
                yield SchemaViolation(
                    (*path, key),
                    "is an unknown key" + (f"; did you mean {suggestion}?" if suggestion else ""),
                    rule,
                    hint,
                )
    elif rule == "required":
        missing = next(key for key in expected if error.message.startswith(repr(key)))
        yield SchemaViolation((*path, missing), "is missing", rule, hint)
    elif rule == "dependentRequired":
        pairs = ((key, other) for key, others in expected.items() for other in others)
        key, other = next(pair for pair in pairs if error.message == f"{pair[1]!r} is a dependency of {pair[0]!r}")
        yield SchemaViolation(path, f"{key!r} requires {other!r}, which is missing", rule, hint)
    elif rule in {"anyOf", "oneOf"} and not hint and error.context:
        nearest = max(error.context, key=lambda error_in_context: len(error_in_context.absolute_path))
        yield from _violations_of(nearest)
    else:
        make_message = _MESSAGES.get(rule)
        message = (
            make_message(expected, instance)
            if make_message
            else error.message.replace(repr(instance), short_repr(instance))
        )
        yield SchemaViolation(path, message if make_message else " ".join(message.split()), rule, hint)


def _type_message(types: str | list[str], value: object) -> str:
    expected = [_TYPES[name] for name in ([types] if isinstance(types, str) else types)]
    return f"is {type_of(value)}, not {' or '.join(expected)}"


def _enum_message(values: list[object], value: object) -> str:
    examples = " or ".join(map(short_repr, values[:_MAX_SHOWN]))
    if len(values) <= _MAX_SHOWN:
        return f"is {short_repr(value)}, not {examples}"
    suggestion = did_you_mean(f"{value}", map(str, values))
    hint = f"; did you mean {suggestion}?" if suggestion else ""
    return f"is {short_repr(value)}, not {examples} or one of {len(values) - _MAX_SHOWN} more{hint}"


def _pattern_message(pattern: str, value: object) -> str:
    return f"is {short_repr(value)}, which does not match {pattern}"


_MESSAGES: dict[str, Callable[[Any, Any], str]] = {
    "anyOf": lambda _rule, value: f"is {short_repr(value)}",
    "const": lambda wanted, value: f"is {short_repr(value)}, not {short_repr(wanted)}",
    "enum": _enum_message,
    "maxItems": lambda most, items: f"has {len(items)} items, more than {most}",
    "minLength": lambda least, text: f"has {len(text)} characters, fewer than {least}" if text else "is empty",
    "maxLength": lambda most, text: f"has {len(text)} characters, more than {most}",
    "minimum": lambda least, value: f"is {value}, less than {least}",
    "not": lambda _rule, value: f"{value!r} is not allowed" if isinstance(value, str) else "is not allowed",
    "pattern": _pattern_message,
    "type": _type_message,
}
"""Messages that replace those of jsonschema where these do not help to correct the value."""
