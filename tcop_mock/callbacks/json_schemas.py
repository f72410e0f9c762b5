"""JSON Schemas of callbacks: ``emit``, what we write, exactly; ``accept``, what a receiver has to take.

``emit`` comes from the writer of bodies itself. ``accept`` is what all bodies of a kind have in common
(``contracts/schemas/callback-*.schema.json``), with the shape's own namespace and dimensions.
"""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.compiler import literal_pattern
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.callbacks.schema_grammar import BodySchemaBuilder, union_schema
from tcop_mock.catalog.data_files import data_root
from tcop_mock.domain.alarm import Form, WireFormat
from tcop_mock.domain.shape import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tcop_mock.domain.shape import Shape

    Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OBJECT_KEY, _POLICY_KEY, _CONDITIONS_KEY = "alarmObjInfo", "alarmPolicyInfo", "conditions"
_ENUMERATED = frozenset(
    {
        *("alarmStatus", "alarmType", "namespace", "policyType", "metricName", "eventName", "productName"),
        *("firstOccurTime", "recoverTime", "specversion", "type"),
    }
)
"""Keys whose values a page counts or gives a form."""
_NUMERIC_PATTERN_CHARS = re.compile(r"\\d|\[[0-9]-[0-9]\]|\{[0-9,]+\}|[0-9|()^$+*?-]")
"""What a pattern of numbers is made of."""


def emit_schema(shape: Shape, form: Form = Form.DOCUMENTED, wire: WireFormat | None = None) -> Schema:
    """Return the schema of what is drawn of a shape: all fields, none beside them, each with its values.

    Beyond single fields it says: what a metric's name decides (its display name, unit, threshold), that the threshold
    fields come all or none, that ``recoverTime`` is told by resolved alarms and by no others.

    Args:
        shape: whose bodies.
        form: one that the shape has.
        wire: of the profile; by itself that of 2023.

    Raises:
        EntryError: the shape's entry cannot be drawn.
    """
    by_subject = BodySchemaBuilder(shape, form, (wire or WireFormat()).envelope(form)).by_subject()
    body_schema = union_schema(by_subject.values())
    rules = list(_state_rules(body_schema))
    if form is not Form.CLOUDEVENTS:
        conditions = _schema_at(body_schema, _POLICY_KEY, _CONDITIONS_KEY)
        conditions |= _all_or_none_rule(conditions)
        conditions["allOf"] = [
            _if_then_rule(
                {_subject_key(shape): {"const": name}},
                _stricter_properties(_schema_at(subject_schema, _POLICY_KEY, _CONDITIONS_KEY), conditions),
            )
            for name, subject_schema in by_subject.items()
        ]
        rules += _subject_rules(shape, body_schema, by_subject)
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:tcop-mock:emit:{form}:{shape.id}",
        "title": f"{shape.title.en}: {form} callback, as tcop-mock writes it",
        "description": f"Exact. Source of the shape: {shape.source}",
    }
    return {**head, **body_schema, **({"allOf": rules} if rules else {})}


def accept_schema(shape: Shape) -> Schema:
    """Return the schema of what may come from TCOP about a shape: every form, generation, state and language.

    It is open: unknown fields are allowed, optional ones may be missing, numbers may be texts and the other way round.

    Raises:
        EntryError: the shape's entry cannot be drawn.
    """
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:tcop-mock:accept:{shape.id}",
        "title": f"{shape.title.en}: callback, as a receiver has to take it",
        "description": f"Open. Source of the shape: {shape.source}",
    }
    callback_schema = copy.deepcopy(open_schema(shape.kind.value))
    object_properties = callback_schema["properties"][_OBJECT_KEY]["properties"]
    object_properties["namespace"] = {
        "type": "string",
        "pattern": f"^({'|'.join(map(_case_insensitive, _namespaces(shape)))})$",
    }
    object_properties["dimensions"] = dimensions_schema(shape)
    if shape.cloud_event is None:
        return {**callback_schema, **head}
    cloud_event_schema = copy.deepcopy(open_schema("cloudevents"))
    cloud_event_schema["properties"]["type"] = {
        "enum": sorted({event.cloud_type for event in shape.events if event.cloud_type})
    }
    defs = {**callback_schema.pop("$defs"), **cloud_event_schema.pop("$defs")}
    for schema in (callback_schema, cloud_event_schema):
        del schema["$schema"], schema["$id"]
    is_cloud = {"required": ["specversion"]}
    return {
        **head,
        "type": "object",
        "if": is_cloud,
        "then": cloud_event_schema,
        "else": callback_schema,
        "$defs": defs,
    }


@cache
def open_schema(kind: str) -> Schema:
    """Return the schema of what all products' bodies of a kind have in common; not to be changed.

    Args:
        kind: ``metric``, ``event`` (EventBridge's imitation, too) or ``cloudevents``.
    """
    file = data_root("contracts") / "schemas" / f"callback-{kind}.schema.json"
    schema: Schema = json.loads(file.read_text(encoding="utf-8"))
    return schema


def inline_refs(schema: Schema) -> Schema:
    """Return a schema of ours with its definitions written where they are used: it is checked several times faster."""
    definitions = schema.get("$defs", {})

    def inline(node: Any) -> Any:  # noqa: ANN401 - a part of a schema
        if isinstance(node, list):
            return [inline(item) for item in node]
        if not isinstance(node, dict):
            return node
        inlined = {key: inline(child) for key, child in node.items() if key not in {"$ref", "$defs"}}
        reference = node.get("$ref")
        return (
            {**inline(definitions[reference.removeprefix("#/$defs/")]), **inlined}
            if isinstance(reference, str)
            else inlined
        )

    result: Schema = inline(schema)
    return result


def _namespaces(shape: Shape) -> list[str]:
    return sorted({shape.namespace, *(metric.namespace for metric in shape.metrics if metric.namespace)})


def _case_insensitive(text: str) -> str:
    """Return the pattern of a text in capitals and small letters: pages print namespaces in both."""
    return "".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else literal_pattern(char) for char in text)


def documented_schema(shape: Shape, form: Form = Form.DOCUMENTED, wire: WireFormat | None = None) -> Schema:
    """Return the schema of what a page prints of a shape: all fields, none beside them, each of its JSON type.

    Values are held to it where the page counts them: names of metrics and events, states, namespace, times.
    Arguments and errors are those of :func:`emit_schema`.
    """
    documented = _document_types(
        union_schema(BodySchemaBuilder(shape, form, (wire or WireFormat()).envelope(form)).by_subject().values())
    )
    if form is not Form.CLOUDEVENTS:
        conditions = _schema_at(documented, _POLICY_KEY, _CONDITIONS_KEY)
        conditions |= _all_or_none_rule(conditions)
    return documented


def dimensions_schema(shape: Shape) -> Schema:
    """Return the open schema of a shape's dimensions in all forms, by whichever spelling of a key.

    Raises:
        EntryError: the shape's entry cannot be drawn.
    """
    wire = WireFormat()
    callback_forms = [form for form in forms_of(shape) if form is not Form.CLOUDEVENTS]
    all_forms = union_schema(
        _schema_at(subject_schema, _OBJECT_KEY, "dimensions")
        for form in callback_forms
        for subject_schema in BodySchemaBuilder(shape, form, wire.envelope(form)).by_subject().values()
    )
    properties = {key: _widen(schema) for key, schema in all_forms["properties"].items()}
    for key, aliases in shape.aliases.items():
        properties |= dict.fromkeys(aliases, properties[key])
    required = [key for key in shape.dimensions if key not in shape.aliases]
    spellings = [
        {"anyOf": [{"required": [key]} for key in (documented_key, *aliases)]}
        for documented_key, aliases in shape.aliases.items()
    ]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        **({"allOf": spellings} if spellings else {}),
    }


def _widen(schema: Schema) -> Schema:
    """Return what any value like these keeps: its JSON type, where a number may be a text and the other way round."""
    if schema.get("type") == "object":
        return {"type": "object", "properties": {key: _widen(child) for key, child in schema["properties"].items()}}
    if all(_is_number(child) for child in _alternatives(schema)):
        return {"type": ["integer", "string"], "pattern": "^-?[0-9]*$"}
    return {"type": "string"} if all(_is_text(child) for child in _alternatives(schema)) else {}


def _document_types(schema: Schema, key: str = "") -> Schema:
    if schema.get("type") == "object":
        return {
            **schema,
            "properties": {
                name: _document_types(alternative, name) for name, alternative in schema["properties"].items()
            },
        }
    if key in _ENUMERATED:
        return schema
    types = {alternative.get("type") or _type_of(alternative["const"]) for alternative in _alternatives(schema)}
    return {"type": sorted(types)}


def _type_of(value: Any) -> str:  # noqa: ANN401 - any JSON scalar
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names[type(value)]


def _alternatives(schema: Schema) -> Iterator[Schema]:
    for alternative in schema.get("anyOf", [schema]):
        yield from ({"const": value} for value in alternative["enum"]) if "enum" in alternative else (alternative,)


def _is_number(schema: Schema) -> bool:
    if "pattern" in schema:
        return not _NUMERIC_PATTERN_CHARS.sub("", schema["pattern"])
    return schema.get("type") == "integer" or str(schema.get("const", "")).isdecimal()


def _is_text(schema: Schema) -> bool:
    return schema.get("type") == "string" or isinstance(schema.get("const"), str)


def _subject_key(shape: Shape) -> str:
    return "metricName" if shape.kind is AlarmKind.METRIC else "eventName"


def _schema_at(schema: Schema, *path: str) -> Schema:
    """Return the schema at a path of keys; an empty one where the schema knows no such key."""
    for key in path:
        schema = schema.get("properties", {}).get(key, {})
    return schema


def _if_then_rule(condition: Schema, then: Schema) -> Schema:
    return {"if": {"properties": condition, "required": list(condition)}, "then": {"properties": then}}


def _stricter_properties(subject_schema: Schema, general: Schema) -> Schema:
    """Return those properties of a table that say more than the whole's."""
    return {key: schema for key, schema in subject_schema["properties"].items() if schema != general["properties"][key]}


def _all_or_none_rule(conditions: Schema) -> Schema:
    """Return the rule that of the fields that may be missing, one brings all others."""
    optional = [key for key in conditions["properties"] if key not in conditions["required"]]
    return (
        {"dependentRequired": {key: [other for other in optional if other != key] for key in optional}}
        if optional
        else {}
    )


def _state_rules(body_schema: Schema) -> Iterator[Schema]:
    """Yield the rule that binds ``recoverTime`` to ``alarmStatus``, where the form keeps it."""
    for path in ((), (_POLICY_KEY,)):
        recover_time, status = _schema_at(body_schema, *path, "recoverTime"), _schema_at(body_schema, "alarmStatus")
        if "anyOf" in recover_time and "enum" in status:
            firing_status, _resolved_status = status["enum"]
            resolved_time, empty_time = recover_time["anyOf"]
            yield {
                **_if_then_rule({"alarmStatus": {"const": firing_status}}, _nest(path, {"recoverTime": empty_time})),
                "else": {"properties": _nest(path, {"recoverTime": resolved_time})},
            }


def _nest(path: Sequence[str], properties: Schema) -> Schema:
    for key in reversed(path):
        properties = {key: {"properties": properties}}
    return properties


def _subject_rules(shape: Shape, body_schema: Schema, by_subject: dict[str, Schema]) -> Iterator[Schema]:
    """Yield what the name of a metric or event decides outside of the conditions: the namespace, the states."""
    for path in ((_OBJECT_KEY, "namespace"), ("alarmStatus",)):
        schema_by_name = {name: _schema_at(subject_schema, *path) for name, subject_schema in by_subject.items()}
        for schema in _unique(schema_by_name.values()):
            if schema != _schema_at(body_schema, *path):
                names = [name for name, subject_schema in schema_by_name.items() if subject_schema == schema]
                condition = _nest((_POLICY_KEY, _CONDITIONS_KEY), {_subject_key(shape): {"enum": names}})
                yield _if_then_rule(condition, _nest(path[:-1], {path[-1]: schema}))


def _unique(schemas: Iterable[Schema]) -> list[Schema]:
    """Return schemas without repeats."""
    unique: list[Schema] = []
    for schema in schemas:
        if schema not in unique:
            unique.append(schema)
    return unique
