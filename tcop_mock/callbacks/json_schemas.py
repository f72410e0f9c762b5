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

from tcop_mock.callbacks.compiler import literal
from tcop_mock.callbacks.sampling import forms
from tcop_mock.callbacks.schema_grammar import Grammar, merged
from tcop_mock.catalog.data_files import data_root
from tcop_mock.domain.alarm import Form, Wire
from tcop_mock.domain.shape import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tcop_mock.domain.shape import Shape

    Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OBJECT, _POLICY, _CONDITIONS = "alarmObjInfo", "alarmPolicyInfo", "conditions"
_COUNTED = frozenset(
    {
        *("alarmStatus", "alarmType", "namespace", "policyType", "metricName", "eventName", "productName"),
        *("firstOccurTime", "recoverTime", "specversion", "type"),
    }
)
"""Keys whose values a page counts or gives a form."""
_BESIDE_DIGITS = re.compile(r"\\d|\[[0-9]-[0-9]\]|\{[0-9,]+\}|[0-9|()^$+*?-]")
"""What a pattern of numbers is made of."""


def emit_schema(shape: Shape, form: Form = Form.DOCUMENTED, wire: Wire | None = None) -> Schema:
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
    of_each = Grammar(shape, form, (wire or Wire()).envelope(form)).of_each()
    whole = merged(of_each.values())
    rules = list(_state_rules(whole))
    if form is not Form.CLOUDEVENTS:
        conditions = _at(whole, _POLICY, _CONDITIONS)
        conditions |= _all_or_none(conditions)
        conditions["allOf"] = [
            _if_then({_subject_key(shape): {"const": name}}, _narrower(_at(one, _POLICY, _CONDITIONS), conditions))
            for name, one in of_each.items()
        ]
        rules += _subject_rules(shape, whole, of_each)
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:tcop-mock:emit:{form}:{shape.id}",
        "title": f"{shape.title.en}: {form} callback, as tcop-mock writes it",
        "description": f"Exact. Source of the shape: {shape.source}",
    }
    return {**head, **whole, **({"allOf": rules} if rules else {})}


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
    own = copy.deepcopy(open_schema(shape.kind.value))
    about = own["properties"][_OBJECT]["properties"]
    about["namespace"] = {"type": "string", "pattern": f"^({'|'.join(map(_any_case, _namespaces(shape)))})$"}
    about["dimensions"] = dimensions_schema(shape)
    if shape.cloud_event is None:
        return {**own, **head}
    cloud = copy.deepcopy(open_schema("cloudevents"))
    cloud["properties"]["type"] = {"enum": sorted({event.cloud_type for event in shape.events if event.cloud_type})}
    defs = {**own.pop("$defs"), **cloud.pop("$defs")}
    for part in (own, cloud):
        del part["$schema"], part["$id"]
    is_cloud = {"required": ["specversion"]}
    return {**head, "type": "object", "if": is_cloud, "then": cloud, "else": own, "$defs": defs}


@cache
def open_schema(kind: str) -> Schema:
    """Return the schema of what all products' bodies of a kind have in common; not to be changed.

    Args:
        kind: ``metric``, ``event`` (EventBridge's imitation, too) or ``cloudevents``.
    """
    file = data_root("contracts") / "schemas" / f"callback-{kind}.schema.json"
    schema: Schema = json.loads(file.read_text(encoding="utf-8"))
    return schema


def inlined(schema: Schema) -> Schema:
    """Return a schema of ours with its definitions written where they are used: it is checked several times faster."""
    definitions = schema.get("$defs", {})

    def walked(node: Any) -> Any:  # noqa: ANN401 - a part of a schema
        if isinstance(node, list):
            return [walked(item) for item in node]
        if not isinstance(node, dict):
            return node
        rest = {key: walked(child) for key, child in node.items() if key not in {"$ref", "$defs"}}
        named = node.get("$ref")
        return {**walked(definitions[named.removeprefix("#/$defs/")]), **rest} if isinstance(named, str) else rest

    whole: Schema = walked(schema)
    return whole


def _namespaces(shape: Shape) -> list[str]:
    return sorted({shape.namespace, *(metric.namespace for metric in shape.metrics if metric.namespace)})


def _any_case(text: str) -> str:
    """Return the pattern of a text in capitals and small letters: pages print namespaces in both."""
    return "".join(f"[{one.upper()}{one.lower()}]" if one.isalpha() else literal(one) for one in text)


def printed_schema(shape: Shape, form: Form = Form.DOCUMENTED, wire: Wire | None = None) -> Schema:
    """Return the schema of what a page prints of a shape: all fields, none beside them, each of its JSON type.

    Values are held to it where the page counts them: names of metrics and events, states, namespace, times.
    Arguments and errors are those of :func:`emit_schema`.
    """
    printed = _printed(merged(Grammar(shape, form, (wire or Wire()).envelope(form)).of_each().values()))
    if form is not Form.CLOUDEVENTS:
        conditions = _at(printed, _POLICY, _CONDITIONS)
        conditions |= _all_or_none(conditions)
    return printed


def dimensions_schema(shape: Shape) -> Schema:
    """Return the open schema of a shape's dimensions in all forms, by whichever spelling of a key.

    Raises:
        EntryError: the shape's entry cannot be drawn.
    """
    wire = Wire()
    told = [form for form in forms(shape) if form is not Form.CLOUDEVENTS]
    all_forms = merged(
        _at(one, _OBJECT, "dimensions")
        for form in told
        for one in Grammar(shape, form, wire.envelope(form)).of_each().values()
    )
    known = {key: _opened(schema) for key, schema in all_forms["properties"].items()}
    for key, others in shape.aliases.items():
        known |= dict.fromkeys(others, known[key])
    needed = [key for key in shape.dimensions if key not in shape.aliases]
    spelled = [{"anyOf": [{"required": [key]} for key in (name, *others)]} for name, others in shape.aliases.items()]
    return {"type": "object", "properties": known, "required": needed, **({"allOf": spelled} if spelled else {})}


def _opened(schema: Schema) -> Schema:
    """Return what any value like these keeps: its JSON type, where a number may be a text and the other way round."""
    if schema.get("type") == "object":
        return {"type": "object", "properties": {key: _opened(one) for key, one in schema["properties"].items()}}
    if all(_is_number(one) for one in _alternatives(schema)):
        return {"type": ["integer", "string"], "pattern": "^-?[0-9]*$"}
    return {"type": "string"} if all(_is_text(one) for one in _alternatives(schema)) else {}


def _printed(schema: Schema, key: str = "") -> Schema:
    if schema.get("type") == "object":
        return {**schema, "properties": {name: _printed(one, name) for name, one in schema["properties"].items()}}
    if key in _COUNTED:
        return schema
    types = {one.get("type") or _type_of(one["const"]) for one in _alternatives(schema)}
    return {"type": sorted(types)}


def _type_of(value: Any) -> str:  # noqa: ANN401 - any JSON scalar
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names[type(value)]


def _alternatives(schema: Schema) -> Iterator[Schema]:
    for one in schema.get("anyOf", [schema]):
        yield from ({"const": value} for value in one["enum"]) if "enum" in one else (one,)


def _is_number(schema: Schema) -> bool:
    if "pattern" in schema:
        return not _BESIDE_DIGITS.sub("", schema["pattern"])
    return schema.get("type") == "integer" or str(schema.get("const", "")).isdecimal()


def _is_text(schema: Schema) -> bool:
    return schema.get("type") == "string" or isinstance(schema.get("const"), str)


def _subject_key(shape: Shape) -> str:
    return "metricName" if shape.kind is Kind.METRIC else "eventName"


def _at(schema: Schema, *path: str) -> Schema:
    """Return the schema at a path of keys; an empty one where the schema knows no such key."""
    for key in path:
        schema = schema.get("properties", {}).get(key, {})
    return schema


def _if_then(given: Schema, then: Schema) -> Schema:
    return {"if": {"properties": given, "required": list(given)}, "then": {"properties": then}}


def _narrower(one: Schema, whole: Schema) -> Schema:
    """Return those properties of a table that say more than the whole's."""
    return {key: schema for key, schema in one["properties"].items() if schema != whole["properties"][key]}


def _all_or_none(conditions: Schema) -> Schema:
    """Return the rule that of the fields that may be missing, one brings all others."""
    optional = [key for key in conditions["properties"] if key not in conditions["required"]]
    return (
        {"dependentRequired": {key: [other for other in optional if other != key] for key in optional}}
        if optional
        else {}
    )


def _state_rules(whole: Schema) -> Iterator[Schema]:
    """Yield the rule that binds ``recoverTime`` to ``alarmStatus``, where the form keeps it."""
    for path in ((), (_POLICY,)):
        told, status = _at(whole, *path, "recoverTime"), _at(whole, "alarmStatus")
        if "anyOf" in told and "enum" in status:
            fired, _over = status["enum"]
            time, not_over = told["anyOf"]
            yield {
                **_if_then({"alarmStatus": {"const": fired}}, _nested(path, {"recoverTime": not_over})),
                "else": {"properties": _nested(path, {"recoverTime": time})},
            }


def _nested(path: Sequence[str], properties: Schema) -> Schema:
    for key in reversed(path):
        properties = {key: {"properties": properties}}
    return properties


def _subject_rules(shape: Shape, whole: Schema, of_each: dict[str, Schema]) -> Iterator[Schema]:
    """Yield what the name of a metric or event decides outside of the conditions: the namespace, the states."""
    for path in ((_OBJECT, "namespace"), ("alarmStatus",)):
        value_of = {name: _at(one, *path) for name, one in of_each.items()}
        for value in _each_once(value_of.values()):
            if value != _at(whole, *path):
                names = [name for name, one in value_of.items() if one == value]
                given = _nested((_POLICY, _CONDITIONS), {_subject_key(shape): {"enum": names}})
                yield _if_then(given, _nested(path[:-1], {path[-1]: value}))


def _each_once(schemas: Iterable[Schema]) -> list[Schema]:
    """Return schemas without repeats."""
    once: list[Schema] = []
    for schema in schemas:
        if schema not in once:
            once.append(schema)
    return once
