"""JSON Schemas of callbacks: ``emit`` (exactly our bodies) and ``accept`` (everything a receiver must accept).

``emit`` is derived from the code that builds bodies. ``accept`` is the schema of all bodies of a kind
(``contracts/schemas/callback-*.schema.json``) with the shape's own namespace and dimensions.
"""

from __future__ import annotations

import copy
import json
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.compiler import literal_pattern
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.callbacks.schema_grammar import BodySchemaBuilder, union_schema
from tcop_mock.catalog.data_files import data_root
from tcop_mock.domain.callback import Form, WireFormat
from tcop_mock.domain.shape import AlarmKind, Lang

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tcop_mock.callbacks.schema_grammar import Schema
    from tcop_mock.domain.callback import Envelope
    from tcop_mock.domain.shape import Shape


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OBJECT_KEY, _POLICY_KEY, _CONDITIONS_KEY = "alarmObjInfo", "alarmPolicyInfo", "conditions"
_ENUMERATED = frozenset(
    {
        *("alarmStatus", "alarmType", "namespace", "policyType", "metricName", "eventName", "productName"),
        *("firstOccurTime", "recoverTime", "specversion", "type"),
    }
)
"""Keys whose values are enumerated or formatted in the documentation."""
_OPTIONAL_DIMENSIONS = ("objName",)
"""Dimensions that a callback of any shape may lack: the sample of the whole body, on every page, has no objName."""


@lru_cache(maxsize=16)
def _schemas_by_subject(shape: Shape, form: Form, envelope: Envelope) -> dict[str, Schema]:
    """Return the exact schemas of bodies by their metric or event. Callers must not modify them.

    The schemas of one shape share these objects, so a validator that needs several builds them once.
    """
    return BodySchemaBuilder(shape, form, envelope).by_subject()


@lru_cache(maxsize=16)
def _union_in_english(shape: Shape, form: Form, envelope: Envelope) -> Schema:
    """Return the schema of bodies about any metric or event; the JSON types are those of all languages."""
    return union_schema(BodySchemaBuilder(shape, form, envelope).by_subject((Lang.EN,)).values())


def emit_schema(shape: Shape, form: Form = Form.DOCUMENTED, wire: WireFormat | None = None) -> Schema:
    """Return the exact schema of generated bodies: all fields, no others, each with its possible values.

    It also relates fields: a metric's name decides its display name, unit and threshold; the threshold fields are
    present all or none; only resolved alarms have a ``recoverTime``.

    Args:
        shape: shape of the bodies.
        form: body format that the shape supports.
        wire: format of the profile; the default is profile 2023.

    Raises:
        EntryError: the shape's entry is invalid.
    """
    by_subject = _schemas_by_subject(shape, form, (wire or WireFormat()).envelope(form))
    body_schema = copy.deepcopy(union_schema(by_subject.values()))
    rules = list(_state_rules(body_schema))
    if _has_conditions(shape, form):
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
    """Return the schema of all bodies that TCOP may send about a shape, in every form, generation, state and language.

    It is open: unknown fields are allowed, optional ones may be missing, numbers may be strings and vice versa.

    Raises:
        EntryError: the shape's entry is invalid.
    """
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:tcop-mock:accept:{shape.id}",
        "title": f"{shape.title.en}: callback, as a receiver has to take it",
        "description": f"Open. Source of the shape: {shape.source}",
    }
    callback_schema = copy.deepcopy(open_schema(shape.kind.value))
    if shape.kind in {AlarmKind.PROMETHEUS, AlarmKind.CLS}:
        return {**callback_schema, **head}  # each rule has labels of its own; users write the content of CLS
    _restrict_object(callback_schema["properties"][_OBJECT_KEY], shape)
    if shape.cloud_event is None:
        return {**callback_schema, **head}
    cloud_event_schema = copy.deepcopy(open_schema("cloudevents"))
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


def _restrict_object(object_schema: Schema, shape: Shape) -> None:
    """Restrict the schema of any product's ``alarmObjInfo`` to that of a shape."""
    properties, namespaces = object_schema["properties"], _namespaces(shape)
    if namespaces:
        pattern = f"^({'|'.join(map(_case_insensitive, namespaces))})$"
        properties["namespace"] = {"type": "string", "pattern": pattern}
    for key in ("if", "then"):
        object_schema.pop(key, None)
    if shape.in_object_info:
        properties |= dimensions_schema(shape)["properties"]
    else:
        properties["dimensions"] = dimensions_schema(shape)
        object_schema["required"] = ["dimensions"]


@cache
def open_schema(kind: str) -> Schema:
    """Return the schema of all bodies of a kind, for any product. Callers must not modify it.

    Args:
        kind: ``metric``, ``event`` (also for EventBridge bodies), ``prometheus``, ``cls`` or ``cloudevents``.
    """
    file = data_root("contracts") / "schemas" / f"callback-{kind}.schema.json"
    schema: Schema = json.loads(file.read_text(encoding="utf-8"))
    return schema


def inline_refs(schema: Schema) -> Schema:
    """Return a generated schema with its definitions inlined, which makes validation several times faster."""
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
    return sorted({*filter(None, (shape.namespace, *(metric.namespace for metric in shape.metrics)))})


def _case_insensitive(text: str) -> str:
    """Return the pattern of a text in any case, because pages print namespaces in both."""
    return "".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else literal_pattern(char) for char in text)


def documented_schema(shape: Shape, form: Form = Form.DOCUMENTED, wire: WireFormat | None = None) -> Schema:
    """Return the schema of bodies as the page prints them: all fields, no others, each of its JSON type.

    Values are restricted only if the page enumerates them: names of metrics and events, states, namespace, times.
    Arguments and errors are those of :func:`emit_schema`.
    """
    documented = _document_types(_union_in_english(shape, form, (wire or WireFormat()).envelope(form)))
    if _has_conditions(shape, form):
        conditions = _schema_at(documented, _POLICY_KEY, _CONDITIONS_KEY)
        optional = _optional_keys(conditions)
        if optional:
            conditions["if"] = {"anyOf": [{"required": [key]} for key in optional]}
            conditions["then"] = {"required": optional}
    return documented


def dimensions_schema(shape: Shape) -> Schema:
    """Return the open schema of a shape's dimensions in all forms, with all spellings of a key.

    Raises:
        EntryError: the shape's entry is invalid.
    """
    wire = WireFormat()
    callback_forms = [form for form in forms_of(shape) if form is not Form.CLOUDEVENTS]
    all_forms = union_schema(
        _schema_at(subject_schema, _OBJECT_KEY, *(() if shape.in_object_info else ("dimensions",)))
        for form in callback_forms
        for subject_schema in (BodySchemaBuilder(shape, form, wire.envelope(form)).of_first_subject(),)
    )
    known = {*shape.dimensions, *shape.observed.dimensions} if shape.in_object_info else all_forms["properties"].keys()
    properties = {key: _widen(schema) for key, schema in all_forms["properties"].items() if key in known}
    for key, aliases in shape.aliases.items():
        properties |= dict.fromkeys(aliases, properties[key])
    required = [key for key in shape.dimensions if key not in (*shape.aliases, *shape.optional, *_OPTIONAL_DIMENSIONS)]
    spellings = [
        {"anyOf": [{"required": [key]} for key in (documented_key, *aliases)]}
        for documented_key, aliases in shape.aliases.items()
        if documented_key not in (*shape.optional, *_OPTIONAL_DIMENSIONS)
    ]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        **({"allOf": spellings} if spellings else {}),
    }


def _widen(schema: Schema) -> Schema:
    """Return the widened schema of a value: only its JSON type, where integers may be strings and vice versa.

    Pages print both for one key: vpcId 123 in 2019, vpc-1ywqac83 later; a placeholder stands for any number.
    """
    if schema.get("type") == "object":
        return {"type": "object", "properties": {key: _widen(child) for key, child in schema["properties"].items()}}
    if all(map(_is_text_or_integer, _alternatives(schema))):
        return {"type": ["string", "integer"]}
    return {}


def _document_types(schema: Schema, key: str = "") -> Schema:
    if schema.get("type") == "object":
        if not schema["properties"]:
            return {"type": "object"}  # such as tags of a CloudEvent, which users choose
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


def _is_text_or_integer(schema: Schema) -> bool:
    if "const" in schema:
        return isinstance(schema["const"], str | int) and not isinstance(schema["const"], bool)
    return schema.get("type") in {"string", "integer"}


def _has_conditions(shape: Shape, form: Form) -> bool:
    return bool(shape.metrics or shape.events) and form is not Form.CLOUDEVENTS


def _subject_key(shape: Shape) -> str:
    return "metricName" if shape.kind is AlarmKind.METRIC else "eventName"


def _schema_at(schema: Schema, *path: str) -> Schema:
    """Return the schema at a path of keys, or an empty one if the path is unknown."""
    for key in path:
        schema = schema.get("properties", {}).get(key, {})
    return schema


def _if_then_rule(condition: Schema, then: Schema) -> Schema:
    return {"if": {"properties": condition, "required": list(condition)}, "then": {"properties": then}}


def _stricter_properties(subject_schema: Schema, general: Schema) -> Schema:
    """Return the properties of a subject's schema that differ from the general ones."""
    return {key: schema for key, schema in subject_schema["properties"].items() if schema != general["properties"][key]}


def _all_or_none_rule(conditions: Schema) -> Schema:
    """Return the rule that the optional fields are present all or none."""
    optional = _optional_keys(conditions)
    return (
        {"dependentRequired": {key: [other for other in optional if other != key] for key in optional}}
        if optional
        else {}
    )


def _optional_keys(conditions: Schema) -> list[str]:
    return [key for key in conditions["properties"] if key not in conditions["required"]]


def _state_rules(body_schema: Schema) -> Iterator[Schema]:
    """Yield the rule that relates ``recoverTime`` to ``alarmStatus``, if the form has one."""
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
    """Yield rules for what depends on the name of a metric or event outside of the conditions: namespace, states."""
    for path in ((_OBJECT_KEY, "namespace"), ("alarmStatus",)):
        schema_by_name = {name: _schema_at(subject_schema, *path) for name, subject_schema in by_subject.items()}
        for schema in _unique(schema_by_name.values()):
            if schema != _schema_at(body_schema, *path):
                names = [name for name, subject_schema in schema_by_name.items() if subject_schema == schema]
                condition = _nest((_POLICY_KEY, _CONDITIONS_KEY), {_subject_key(shape): {"enum": names}})
                yield _if_then_rule(condition, _nest(path[:-1], {path[-1]: schema}))


def _unique(schemas: Iterable[Schema]) -> list[Schema]:
    """Return the schemas without duplicates."""
    unique: list[Schema] = []
    for schema in schemas:
        if schema not in unique:
            unique.append(schema)
    return unique
