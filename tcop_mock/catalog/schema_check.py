"""Checks against JSON Schemas: whether a value matches, and its violations in plain words.

Only this module imports ``jsonschema``, at the first violation that it has to explain: the import costs 80 ms, which
only users with files or bodies should pay. Whether a value matches is decided here, in a thirtieth of the time.
"""

from __future__ import annotations

import json
import re
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jsonschema.exceptions import SchemaError, ValidationError
    from jsonschema.protocols import Validator

    Match: TypeAlias = Callable[[Any], bool]
    Checker: TypeAlias = Validator
    Schema = dict[str, Any]

_ANNOTATIONS = frozenset({"$comment", "$id", "$schema", "description", "title"})
_SCALARS = str | int | float | None
KEY_PRESENCE_RULES = frozenset({"additionalProperties", "required"})
"""Schema keywords about the presence or absence of a key."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_MAX_SHOWN = 6
_MAX_SUGGESTION_CHARS = 100
"""Longer keys get no suggestion, because the search would take too long."""
_TYPE_NAMES = {
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
_API_DOCUMENTS = {"openapi": "OpenAPI", "swagger": "OpenAPI", "asyncapi": "AsyncAPI"}


def compile_match(schema: Any) -> Match | None:  # noqa: ANN401 - an object or a boolean
    """Return a function that returns whether a value matches a schema; ``None`` if a keyword is not known here.

    Args:
        schema: JSON Schema of the dialect 2020-12 without references.
    """
    try:
        return _compile(schema)
    except LookupError:
        return None


def _compile(schema: Any) -> Match:  # noqa: ANN401 - an object or a boolean
    if isinstance(schema, bool):
        return lambda _: schema
    matches = [_COMPILERS[key](value, schema) for key, value in schema.items() if key not in _ANNOTATIONS]
    if len(matches) == 1:
        return matches[0]

    def match(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        for one in matches:  # noqa: SIM110 - all() with a generator takes twice as long
            if not one(value):
                return False
        return True

    return match


def _type(names: str | Sequence[str], _schema: Mapping[str, Any]) -> Match:
    checks = [_TYPES[name] for name in ([names] if isinstance(names, str) else names)]
    return checks[0] if len(checks) == 1 else lambda value: any(check(value) for check in checks)


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


_TYPES: Mapping[str, Match] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _enum(values: Sequence[Any], _schema: Mapping[str, Any]) -> Match:
    if not all(isinstance(value, _SCALARS) for value in values):
        raise LookupError
    if all(isinstance(value, str) for value in values):
        texts = frozenset(values)
        return lambda value: isinstance(value, str) and value in texts
    return lambda value: any(
        value == one and isinstance(value, bool) is isinstance(one, bool) for one in values
    )  # True is not 1


def _pattern(pattern: str, _schema: Mapping[str, Any]) -> Match:
    search = re.compile(pattern).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _properties(properties: Mapping[str, Any], _schema: Mapping[str, Any]) -> Match:
    matches = [(key, _compile(schema)) for key, schema in properties.items()]

    def match(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        if isinstance(value, dict):
            for key, one in matches:
                if key in value and not one(value[key]):
                    return False
        return True

    return match


def _additional_properties(additional: Any, schema: Mapping[str, Any]) -> Match:  # noqa: ANN401 - an object or a boolean
    known = frozenset(schema.get("properties", ()))
    match = _compile(additional)
    return lambda value: not isinstance(value, dict) or all(match(value[key]) for key in value.keys() - known)


def _required(keys: Sequence[str], _schema: Mapping[str, Any]) -> Match:
    required = frozenset(keys)
    return lambda value: not isinstance(value, dict) or value.keys() >= required


def _items(item_schema: Any, _schema: Mapping[str, Any]) -> Match:  # noqa: ANN401 - an object or a boolean
    match = _compile(item_schema)
    return lambda value: not isinstance(value, list) or all(map(match, value))


def _any_of(schemas: Sequence[Any], _schema: Mapping[str, Any]) -> Match:
    matches = list(map(_compile, schemas))
    return lambda value: any(match(value) for match in matches)


def _all_of(schemas: Sequence[Any], _schema: Mapping[str, Any]) -> Match:
    matches = list(map(_compile, schemas))
    return lambda value: all(match(value) for match in matches)


def _if(condition_schema: Any, schema: Mapping[str, Any]) -> Match:  # noqa: ANN401 - an object or a boolean
    condition, then, otherwise = (
        _compile(part) for part in (condition_schema, schema.get("then", True), schema.get("else", True))
    )
    return lambda value: then(value) if condition(value) else otherwise(value)


_COMPILERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Match]] = {
    "additionalProperties": _additional_properties,
    "allOf": _all_of,
    "anyOf": _any_of,
    "const": lambda value, schema: _enum([value], schema),
    "else": lambda _value, _schema: _anything,
    "enum": _enum,
    "if": _if,
    "items": _items,
    "maxLength": lambda most, _schema: lambda value: not isinstance(value, str) or len(value) <= most,
    "minimum": lambda least, _schema: lambda value: not _is_number(value) or not value < least,
    "minLength": lambda least, _schema: lambda value: not isinstance(value, str) or len(value) >= least,
    "pattern": _pattern,
    "properties": _properties,
    "required": _required,
    "then": lambda _value, _schema: _anything,
    "type": _type,
}


def _anything(_value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return True


class SchemaViolation(NamedTuple):
    """One violation of a schema."""

    path: tuple[str | int, ...]
    """Keys and positions from the root, including a missing or unknown key."""
    message: str
    rule: str
    """Violated keyword of the schema: ``required``, ``type``, ..."""
    description: str
    """Description of the violated schema; for a missing or unknown key, of its table."""


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
    """Return the message about an object without keywords of JSON Schema, which would accept every body."""
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
    """Finds the violations of a schema. For a valid value it takes a thirtieth of the time of ``jsonschema``.

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
        return _TYPE_NAMES["null"]
    json_types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return next(_TYPE_NAMES[name] for python_type, name in json_types.items() if isinstance(value, python_type))


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
    expected = [_TYPE_NAMES[name] for name in ([types] if isinstance(types, str) else types)]
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
