"""What a shape's bodies may hold: the writer of bodies is handed patterns in place of values.

So there is one truth of what a body looks like, ``model/wire.py``, and a schema cannot tell another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from tcop_mock.callbacks.compiler import Plan, literal
from tcop_mock.callbacks.pieces import Hole, marked
from tcop_mock.callbacks.sampling import Ask, draw_policy
from tcop_mock.catalog.pools import regions
from tcop_mock.catalog.template import text
from tcop_mock.domain.alarm import NOT_RECOVERED, Account, Form, NotifyType, Said, State, to_wire
from tcop_mock.domain.shape import Kind, Lang

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.callbacks.compiler import Slot
    from tcop_mock.domain.alarm import Alarm, Envelope
    from tcop_mock.domain.shape import Event, Metric, Shape

    Schema = dict[str, Any]


def merged(schemas: Iterable[Schema]) -> Schema:
    """Return one schema that all that keeps any of several keeps.

    Tables become one table: keys that all have are required, those of any are known. Constants become one ``enum``;
    other alternatives are counted in ``anyOf``.

    Args:
        schemas: of closed tables, lists, constants and alternatives of these; at least one.
    """
    alternatives: list[Schema] = []
    constants: list[Any] = []
    table: Schema | None = None
    for schema in schemas:
        for one in schema.get("anyOf", [schema]):
            if one.get("type") == "object":
                table = _joined(table, one) if table else one
            elif "const" in one or "enum" in one:
                constants += [value for value in one.get("enum", [one.get("const")]) if not _has(constants, value)]
            elif one not in alternatives:
                alternatives.append(one)
    if len(constants) > 1:
        alternatives.append({"enum": constants})
    elif constants:
        alternatives.append({"const": constants[0]})
    if table:
        alternatives.append(table)
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _joined(first: Schema, second: Schema) -> Schema:
    if first == second:
        return first
    known = {**first["properties"]}
    for key, schema in second["properties"].items():
        known[key] = merged((known[key], schema)) if key in known else schema
    required = [key for key in first["required"] if key in second["required"]]
    return {**first, "properties": known, "required": required}


def _has(values: list[Any], wanted: Any) -> bool:  # noqa: ANN401 - any JSON scalar
    """Tell whether a value is there with its own JSON type: Python's ``True`` equals ``1``."""
    return any(value == wanted and type(value) is type(wanted) for value in values)


TIME = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"

_SESSION = r"[0-9A-Za-z]{24}"

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_NUMBER = r"-?[0-9]+(\.[0-9]+)?"

_ANY = r".+"

_SECONDS = {"type": "integer", "minimum": 0}

_COUNT = {"type": "string", "pattern": "^[1-9][0-9]*$"}


_POLICYS_OWN: dict[str, Schema] = {
    "alarmNotifyType": {"enum": [one.value for one in NotifyType]},
    "alarmNotifyPeriod": _SECONDS,
    "alertId": {"type": "string", "pattern": f"^({_SESSION}|{_UUID})(_.+)?$"},
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

"""Keys of metric alarms whose value is their policy's own business."""


class Grammar:
    """Schemas of one shape's bodies in one form.

    Args:
        shape: whose.
        form: one that it has.
        envelope: what the form holds in a profile.
    """

    def __init__(self, shape: Shape, form: Form, envelope: Envelope) -> None:
        self._shape, self._form, self._envelope = shape, form, envelope
        self._plan = Plan(shape)
        self._marks: list[tuple[Schema, str]] = []

    def of_each(self) -> dict[str, Schema]:
        """Return by the name of each metric or event the schema of the bodies about it."""
        subjects: tuple[Metric | Event, ...] = self._shape.metrics or self._shape.events
        return {subject.name: merged(self._told(subject)) for subject in subjects}

    def _told(self, subject: Metric | Event) -> Iterator[Schema]:
        """Yield a schema for each way in which an alarm about a metric or an event is told."""
        for lang in Lang:
            for threshold in (True, False) if self._shape.kind is Kind.METRIC else (True,):
                ask = Ask(metric=subject.name, threshold=threshold)
                alarm = self._marked(draw_policy(self._shape, lang, ask, "schema"))
                for state in (State.FIRING, State.RESOLVED) if alarm.recovers else (State.FIRING,):
                    for variant in self._variants(alarm):
                        over = state is State.RESOLVED
                        yield self._schema(
                            to_wire(variant, self._said(over=over), self._form, self._envelope, over=over)
                        )

    def _variants(self, alarm: Alarm) -> tuple[Alarm, ...]:
        if self._form is not Form.EVENTBRIDGE:
            return (alarm,)
        return tuple(replace(alarm, extras=replace(alarm.extras, capitals=capitals)) for capitals in (False, True))

    def _marked(self, alarm: Alarm) -> Alarm:
        """Return an alarm with patterns for all that its policy draws."""
        policy_id = self._text("policy-[0-9a-z]{8}")
        account = Account(cast("int", self._text("[0-9]{10}")), self._text("[0-9]{12}"))
        region = self._mark({"enum": [region.code for region in regions()]}, "[a-z0-9]+")
        full = self._text(_ANY)
        extras = replace(alarm.extras, link=self._text("[0-9A-Za-z]+"), region=full, region_code=region)
        values = self._plan.each(self._slot) | {
            "account": {"app_id": self._mark({"type": "integer", "minimum": 1}, "[0-9]{10}"), "uin": account.uin},
            "region": region,
            "region_name": full,
        }
        objects = self._plan.objects(values, alarm.lang)
        return replace(
            alarm,
            account=account,
            policy_id=policy_id,
            policy_name=self._text(_ANY),
            region=region if alarm.region is not None else None,
            dimensions=objects.dimensions,
            extras=objects.extras(extras),
        )

    def _said(self, *, over: bool) -> Said:
        session = _SESSION if self._form is not Form.OBSERVED else f"({_SESSION}|{_UUID})"
        return Said(
            session_id=self._text(session),
            first_occur=self._text(TIME),
            duration_s=self._mark(_SECONDS, "[0-9]+"),
            recover_time=self._text(TIME) if over else NOT_RECOVERED,
            current_value=self._text(_NUMBER),
            history_value=self._text(_NUMBER),
            first_occur_ms=self._mark(_SECONDS, "[0-9]+"),
        )

    def _slot(self, slot: Slot, key: str) -> Hole:
        drawn = slot.drawer
        if drawn.choices:
            found = [choice[key] if key else choice for choice in drawn.choices]
            each = list(dict.fromkeys(map(text, found)))
            return self._mark(merged({"const": value} for value in found), f"({'|'.join(map(literal, each))})")
        if drawn.is_text:
            return self._text(drawn.pattern)
        return self._mark({"type": drawn.json_type}, drawn.pattern)

    def _text(self, pattern: str) -> Hole:
        return self._mark({"type": "string", "pattern": f"^{pattern}$"}, pattern)

    def _mark(self, typed: Schema, pattern: str) -> Hole:
        self._marks.append((typed, pattern))
        return Hole(len(self._marks) - 1)

    def _schema(self, node: Any) -> Schema:  # noqa: ANN401 - a tree of JSON and marks
        if isinstance(node, dict):
            free = _POLICYS_OWN if self._shape.kind is Kind.METRIC else {}
            known = {key: free.get(key) or self._schema(child) for key, child in node.items()}
            return {"type": "object", "properties": known, "required": list(known), "additionalProperties": False}
        if isinstance(node, list):
            items = {"items": merged(map(self._schema, node))} if node else {}
            return {"type": "array", **items, "minItems": len(node), "maxItems": len(node)}
        if not isinstance(node, str):
            return {"const": node}
        if isinstance(node, Hole):
            return self._marks[node.number][0]
        pieces = marked(node)
        if pieces == [node]:
            return {"const": node}
        pattern = "".join(literal(piece) if isinstance(piece, str) else self._marks[piece][1] for piece in pieces)
        return {"type": "string", "pattern": f"^{pattern}$"}
