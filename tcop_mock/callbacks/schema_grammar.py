"""Builder of exact schemas: builds bodies with patterns in place of values and converts them to JSON Schemas.

So ``domain/alarm.py`` alone defines what a body looks like, and a schema cannot contradict it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from tcop_mock.callbacks.compiler import CompiledShape, literal_pattern
from tcop_mock.callbacks.pieces import Marker, has_marker_chars, split_at_markers
from tcop_mock.callbacks.sampling import AlarmOptions, draw_policy
from tcop_mock.catalog.pools import regions
from tcop_mock.catalog.template import format_value
from tcop_mock.domain.alarm import ALARM_LEVELS, Account, NotifyType
from tcop_mock.domain.callback import NOT_RECOVERED, CallbackValues, Form, State, build_body
from tcop_mock.domain.shape import AlarmKind, Lang

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.callbacks.compiler import RenderedDimensions, ValueSlot
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.callback import Envelope
    from tcop_mock.domain.shape import Event, Metric, Shape

    Schema = dict[str, Any]


def union_schema(schemas: Iterable[Schema]) -> Schema:
    """Return one schema that accepts everything that any of several schemas accepts.

    Objects are merged: a key is required if all require it, and known if any knows it. Constants become one ``enum``;
    other alternatives become an ``anyOf``.

    Args:
        schemas: closed objects, arrays, constants and alternatives of these; at least one.
    """
    alternatives: list[Schema] = []
    constants: dict[tuple[type, Any], Any] = {}  # Python's True equals 1
    objects: list[Schema] = []
    for schema in schemas:
        for alternative in schema.get("anyOf", (schema,)):
            if alternative.get("type") == "object":
                objects.append(alternative)
            elif "const" in alternative or "enum" in alternative:
                for value in alternative.get("enum") or (alternative.get("const"),):
                    constants.setdefault((type(value), value), value)
            elif alternative not in alternatives:
                alternatives.append(alternative)
    if len(constants) > 1:
        alternatives.append({"enum": list(constants.values())})
    elif constants:
        alternatives.append({"const": next(iter(constants.values()))})
    if objects:
        alternatives.append(_union_objects(objects))
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _union_objects(objects: list[Schema]) -> Schema:
    first = objects[0]
    if all(one == first for one in objects):
        return first
    children: dict[str, list[Schema]] = {}
    for one in objects:
        for key, child in one["properties"].items():
            children.setdefault(key, []).append(child)
    properties = {key: union_schema(each) for key, each in children.items()}
    required = [key for key in first["required"] if all(key in one["required"] for one in objects)]
    return {**first, "properties": properties, "required": required}


TIME_PATTERN = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"

_SESSION_PATTERN = r"[0-9A-Za-z]{24}"

_PROMETHEUS_SESSION_PATTERN = r"prom-[0-9a-z]{8}_[0-9a-f]{16}"

_UUID_PATTERN = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_NUMBER_PATTERN = r"-?[0-9]+(\.[0-9]+)?"

_ANY_PATTERN = r".+"

_SECONDS = {"type": "integer", "minimum": 0}

_COUNT = {"type": "string", "pattern": "^[1-9][0-9]*$"}


_POLICY_FIELDS: dict[str, Schema] = {
    "alarmNotifyType": {"enum": [one.value for one in NotifyType]},
    "alarmNotifyPeriod": _SECONDS,
    "alertId": {"type": "string", "pattern": f"^({_SESSION_PATTERN}|{_UUID_PATTERN})(_.+)?$"},
    "period": _COUNT,
    "periodNum": _COUNT,
    "policyTags": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
            "required": ["key", "value"],
            "additionalProperties": False,
        },
    },
}

"""Schemas of metric alarms' keys whose value depends only on the policy."""


class BodySchemaBuilder:
    """Builds the schemas of one shape's bodies in one form.

    Args:
        shape: the shape.
        form: body format that the shape supports.
        envelope: fields of the form in a profile.
    """

    def __init__(self, shape: Shape, form: Form, envelope: Envelope) -> None:
        self._shape, self._form, self._envelope = shape, form, envelope
        self._compiled = CompiledShape(shape)
        self._patterns: list[tuple[Schema, str]] = []
        self._any_text = self._text_marker(_ANY_PATTERN)
        self._region = self._marker({"enum": [region.code for region in regions()]}, "[a-z0-9]+")
        self._account = Account(cast("int", self._text_marker("[0-9]{10}")), self._text_marker("[0-9]{12}"))
        self._values = {
            state: self._callback_values(is_resolved=state is State.RESOLVED)
            for state in (State.FIRING, State.RESOLVED)
        }
        self._dimensions = cache(self._render_dimensions)

    def by_subject(self, langs: Iterable[Lang] = tuple(Lang)) -> dict[str, Schema]:
        """Return the schemas of bodies in some languages by the name of their metric or event.

        Bodies that have neither are under an empty name.
        """
        return {
            subject.name if subject else "": union_schema(self._body_schemas(subject, langs))
            for subject in self._subjects
        }

    def of_first_subject(self) -> Schema:
        """Return the schema of bodies about the first metric or event; all have the same dimensions."""
        return union_schema(self._body_schemas(self._subjects[0], Lang))

    @property
    def _subjects(self) -> tuple[Metric | Event | None, ...]:
        return self._shape.metrics or self._shape.events or (None,)

    def _body_schemas(self, subject: Metric | Event | None, langs: Iterable[Lang]) -> Iterator[Schema]:
        """Yield a schema for each variant of a body about a metric or an event."""
        for lang in langs:
            for has_threshold in (True, False) if self._shape.kind is AlarmKind.METRIC else (True,):
                options = AlarmOptions(metric=subject.name if subject else None, has_threshold=has_threshold)
                alarm = self._with_markers(draw_policy(self._shape, lang, options, "schema"))
                for state in (State.FIRING, State.RESOLVED) if alarm.can_resolve else (State.FIRING,):
                    is_resolved = state is State.RESOLVED
                    for variant in self._variants(alarm):
                        yield self._to_schema(
                            build_body(
                                variant, self._values[state], self._form, self._envelope, is_resolved=is_resolved
                            )
                        )

    def _variants(self, alarm: Alarm) -> tuple[Alarm, ...]:
        if "alarmLevel" in self._envelope.fields:
            return tuple(
                replace(alarm, optional_fields=replace(alarm.optional_fields, level=level))
                for level in ("", *ALARM_LEVELS)
            )
        if self._form is not Form.EVENTBRIDGE:
            return (alarm,)
        return tuple(
            replace(alarm, optional_fields=replace(alarm.optional_fields, has_capitalized_keys=capitals))
            for capitals in (False, True)
        )

    def _with_markers(self, alarm: Alarm) -> Alarm:
        """Return an alarm with markers in place of its policy's random values."""
        extras = replace(
            alarm.optional_fields,
            detail_url_suffix=self._text_marker("[0-9A-Za-z]+"),
            region=self._any_text,
            region_code=self._region,
            city=self._any_text,
        )
        dimensions = self._dimensions(alarm.lang)
        return replace(
            alarm,
            account=self._account,
            policy_id=self._text_marker(f"{alarm.policy_id.partition('-')[0]}-[0-9a-z]{{8}}"),
            policy_name=self._any_text,
            region=self._region if alarm.region is not None else None,
            dimensions=dimensions.dimensions,
            optional_fields=dimensions.update_optional_fields(extras),
        )

    def _render_dimensions(self, lang: Lang) -> RenderedDimensions:
        values = self._compiled.map_values(self._slot_marker) | {
            "account": {
                "app_id": self._marker({"type": "integer", "minimum": 1}, "[0-9]{10}"),
                "uin": self._account.uin,
            },
            "region": self._region,
            "region_name": self._any_text,
        }
        return self._compiled.render_dimensions(values, lang)

    def _callback_values(self, *, is_resolved: bool) -> CallbackValues:
        session_pattern = (
            _SESSION_PATTERN if self._form is not Form.OBSERVED else f"({_SESSION_PATTERN}|{_UUID_PATTERN})"
        )
        if self._shape.kind is AlarmKind.PROMETHEUS:
            session_pattern = _PROMETHEUS_SESSION_PATTERN
        return CallbackValues(
            session_id=self._text_marker(session_pattern),
            first_occur_time=self._text_marker(TIME_PATTERN),
            duration_s=self._marker(_SECONDS, "[0-9]+"),
            recover_time=self._text_marker(TIME_PATTERN) if is_resolved else NOT_RECOVERED,
            current_value=self._text_marker(_NUMBER_PATTERN),
            history_value=self._text_marker(_NUMBER_PATTERN),
            first_occur_ms=self._marker(_SECONDS, "[0-9]+"),
        )

    def _slot_marker(self, slot: ValueSlot, key: str) -> Marker:
        generator = slot.generator
        if generator.choices:
            choices = [choice[key] if key else choice for choice in generator.choices]
            distinct_texts = list(dict.fromkeys(map(format_value, choices)))
            return self._marker(
                union_schema({"const": value} for value in choices),
                f"({'|'.join(map(literal_pattern, distinct_texts))})",
            )
        if generator.is_text:
            return self._text_marker(generator.pattern)
        return self._marker({"type": generator.json_type}, generator.pattern)

    def _text_marker(self, pattern: str) -> Marker:
        return self._marker({"type": "string", "pattern": f"^{pattern}$"}, pattern)

    def _marker(self, schema: Schema, pattern: str) -> Marker:
        self._patterns.append((schema, pattern))
        return Marker(len(self._patterns) - 1)

    def _to_schema(self, node: Any) -> Schema:  # noqa: ANN401 - a JSON tree with markers
        if isinstance(node, dict):
            policy_fields = _POLICY_FIELDS if self._shape.kind is AlarmKind.METRIC else {}
            known = {key: policy_fields.get(key) or self._to_schema(child) for key, child in node.items()}
            return {"type": "object", "properties": known, "required": list(known), "additionalProperties": False}
        if isinstance(node, list):
            items = {"items": union_schema(map(self._to_schema, node))} if node else {}
            return {"type": "array", **items, "minItems": len(node), "maxItems": len(node)}
        if not isinstance(node, str):
            return {"const": node}
        if isinstance(node, Marker):
            return self._patterns[node.number][0]
        if not has_marker_chars(node):
            return {"const": node}
        pattern = "".join(
            literal_pattern(piece) if isinstance(piece, str) else self._patterns[piece][1]
            for piece in split_at_markers(node)
        )
        return {"type": "string", "pattern": f"^{pattern}$"}
