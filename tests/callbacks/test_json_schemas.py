"""The two schemas of each shape: every generated body is valid, and broken ones are not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import jsonschema_rs
import pytest

from tcop_mock.callbacks.generator import Generator, LifecyclePoint
from tcop_mock.callbacks.json_schemas import (
    accept_schema,
    dimensions_schema,
    documented_schema,
    emit_schema,
    open_schema,
)
from tcop_mock.callbacks.json_tree import with_value, without_value
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, forms_of
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import AlarmKind, Lang

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
IDS = [shape.id for shape in CATALOG]
CVM, EVENTS = CATALOG.get("cvm/basic-monitoring"), CATALOG.get("cvm/events")
EMIT, ACCEPT = emit_schema(CVM), accept_schema(CVM)
SAMPLES = tomllib.loads((Path(__file__).parents[1] / "catalog" / "documented.toml").read_text(encoding="utf-8"))
PROFILES = ("2019-ack", "2021-verify", "2023", "2025")
CONDITIONS = "alarmPolicyInfo.conditions"


def states(shape: Shape) -> Iterator[State]:
    """Yield the states that alarms of a shape can have."""
    yield State.FIRING
    if shape.kind is AlarmKind.METRIC:
        yield State.REPEATED
    if shape.can_resolve:
        yield State.RESOLVED


def drawn(shape: Shape, form: Form, profile: str, *, count: int = 2) -> Iterator[Any]:
    """Yield bodies of every state and language, with and without threshold."""
    wire = load_profile(profile).wire_format
    for lang in Lang:
        for at, state in enumerate(states(shape)):
            ask = AlarmOptions(has_threshold=(at + (lang is Lang.EN)) % 2 == 0, required_state=state)
            yield from map(
                json.loads,
                BodyRenderer(
                    Generator(at, lang, form=form, wire_format=wire), shape, LifecyclePoint(state, 2), options=ask
                ).bodies(0, count),
            )


@pytest.mark.proof
@pytest.mark.parametrize("shape", list(CATALOG), ids=IDS)
def test_every_body_keeps_both_schemas(shape: Shape) -> None:
    """Bodies of every form, generation, state and language are valid in two implementations of JSON Schema."""
    accept = accept_schema(shape)
    accepts = jsonschema_rs.validator_for(accept)
    for at, form in enumerate(forms_of(shape)):
        profile = PROFILES[(len(shape.id) + at) % len(PROFILES)]
        schema = emit_schema(shape, form, load_profile(profile).wire_format)
        emits = jsonschema_rs.validator_for(schema)
        bodies = list(drawn(shape, form, profile))
        assert [str(error) for body in bodies for one in (accepts, emits) for error in one.iter_errors(body)] == []
        jsonschema.Draft202012Validator(schema).validate(bodies[0])
        jsonschema.Draft202012Validator(accept).validate(bodies[-1])


def test_a_cloud_event_keeps_its_schema() -> None:
    """CloudEvents have no conditions like other callbacks."""
    shape = next(shape for shape in CATALOG if shape.cloud_event)
    for schema in (emit_schema(shape, Form.CLOUDEVENTS), documented_schema(shape, Form.CLOUDEVENTS)):
        validator = jsonschema_rs.validator_for(schema)
        for body in drawn(shape, Form.CLOUDEVENTS, "2023"):
            validator.validate(body)


@pytest.mark.proof
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("shape", [CVM, EVENTS], ids=lambda shape: shape.id)
def test_every_generation_is_accepted(shape: Shape, profile: str) -> None:
    """The open schema includes every generation's envelope."""
    accepts = jsonschema_rs.validator_for(accept_schema(shape))
    for form in forms_of(shape):
        assert all(map(accepts.is_valid, drawn(shape, form, profile)))


def body_of(shape: Shape, state: State = State.FIRING) -> Any:
    """Return one body with a threshold."""
    return json.loads(BodyRenderer(Generator(3), shape, LifecyclePoint(state)).body(0))


FINE = {
    "status as an integer": ("alarmStatus", 0),
    "a number as a text": ("alarmPolicyInfo.conditions.alarmNotifyPeriod", "300"),
    "a text as a number": ("alarmPolicyInfo.conditions.calcValue", 95.5),
    "an account's number as such": ("alarmObjInfo.appId", 1251316163),
    "not recovered, as an integer": ("recoverTime", 0),
    "not recovered, left empty": ("recoverTime", ""),
    "a namespace in capitals": ("alarmObjInfo.namespace", "QCE/CVM"),
    "another metric of the product": (f"{CONDITIONS}.metricName", "brand_new"),
}
OPTIONAL = (
    *("alarmType", "alarmObjInfo.region", "alarmObjInfo.namespace", "alarmObjInfo.appId", "alarmObjInfo.uin"),
    *("alarmPolicyInfo.policyId", "alarmPolicyInfo.policyTypeCName", f"{CONDITIONS}.calcUnit", "durationTime"),
    *("recoverTime", f"{CONDITIONS}.historyValue", f"{CONDITIONS}.metricShowName"),
)


@pytest.mark.parametrize("path, value", FINE.values(), ids=FINE)
def test_accept_allows_what_a_receiver_must_accept(path: str, value: object) -> None:
    """Differences between pages, captures and products are accepted; some are not what we generate."""
    body: Any = with_value(body_of(CVM), path, value)
    jsonschema.validate(body, ACCEPT)
    assert not jsonschema_rs.is_valid(EMIT, body)


@pytest.mark.parametrize("path", OPTIONAL)
def test_accept_needs_no_optional_field(path: str) -> None:
    """Fields that are missing in real callbacks may be missing; generated bodies have them all."""
    body: Any = without_value(body_of(CVM), path)
    jsonschema.validate(body, ACCEPT)
    assert not jsonschema_rs.is_valid(EMIT, body)


def test_accept_is_open_and_emit_is_closed() -> None:
    """An unknown field is accepted at every level, and never generated."""
    for place in ("", "alarmObjInfo", "alarmObjInfo.dimensions", "alarmPolicyInfo", CONDITIONS):
        body: Any = body_of(CVM)
        node = body
        for key in filter(None, place.split(".")):
            node = node[key]
        node["brandNew"] = {"a": [1]}
        jsonschema.validate(body, ACCEPT)
        assert not jsonschema_rs.is_valid(EMIT, body)


BROKEN: dict[str, tuple[str, object]] = {
    "a status that is none": ("alarmStatus", "7"),
    "a status that is a word": ("alarmStatus", "firing"),
    "a status that is true": ("alarmStatus", True),
    "another type of alarm": ("alarmType", "event"),
    "an object that is a text": ("alarmObjInfo", "ins-1"),
    "dimensions in a list": ("alarmObjInfo.dimensions", []),
    "a dimension that is a table": ("alarmObjInfo.dimensions.unInstanceId", {}),
    "a dimension that is null": ("alarmObjInfo.dimensions.objName", None),
    "another product": ("alarmObjInfo.namespace", "qce/cdb"),
    "an account that is not a number": ("alarmObjInfo.appId", "mine"),
    "a region that is a number": ("alarmObjInfo.region", 4),
    "a policy in a list": ("alarmPolicyInfo", []),
    "conditions that are null": (CONDITIONS, None),
    "a metric without a name": (f"{CONDITIONS}.metricName", ""),
    "a value that is a word": (f"{CONDITIONS}.currentValue", "high"),
    "a period that is a word": (f"{CONDITIONS}.period", "1min"),
    "a threshold in a list": (f"{CONDITIONS}.calcValue", ["95"]),
    "a policy id that is a number": ("alarmPolicyInfo.policyId", 7),
    "a time of another form": ("firstOccurTime", "2024-01-02T03:04:05Z"),
    "a month that is none": ("firstOccurTime", "2024-13-02 03:04:05"),
    "a time that is a number": ("firstOccurTime", 1700000000),
    "a negative duration": ("durationTime", -1),
    "a duration that is a fraction": ("durationTime", 1.5),
    "a recovery that is a word": ("recoverTime", "never"),
    "a recovery that is null": ("recoverTime", None),
    "a session that is empty": ("sessionId", ""),
    "a session that is a number": ("sessionId", 5),
}
NEEDED = (
    *("sessionId", "alarmStatus", "alarmObjInfo", "alarmPolicyInfo", "firstOccurTime", "alarmObjInfo.dimensions"),
    *("alarmObjInfo.dimensions.unInstanceId", CONDITIONS, f"{CONDITIONS}.metricName"),
)


@pytest.mark.parametrize("path, value", BROKEN.values(), ids=BROKEN)
def test_broken_values_are_invalid_in_both(path: str, value: object) -> None:
    """No product, generation or capture has such a value."""
    body = with_value(body_of(CVM), path, value)
    assert not jsonschema_rs.is_valid(ACCEPT, body)
    assert not jsonschema_rs.is_valid(EMIT, body)


@pytest.mark.parametrize("path", NEEDED)
def test_permanent_fields_are_required(path: str) -> None:
    """No product, generation or capture lacks these fields."""
    body = without_value(body_of(CVM), path)
    assert not jsonschema_rs.is_valid(ACCEPT, body)
    assert not jsonschema_rs.is_valid(EMIT, body)


def test_emit_relates_fields() -> None:
    """A metric has its own display name and threshold, threshold fields come all or none, times fit the status."""
    schema = EMIT
    fine: Any = json.loads(BodyRenderer(Generator(3), CVM, options=AlarmOptions(metric="cpu_usage")).body(0))
    jsonschema.validate(fine, schema)
    for broken in (
        with_value(fine, f"{CONDITIONS}.metricShowName", "Memory utilization"),
        with_value(fine, f"{CONDITIONS}.metricName", "mem_usage"),
        with_value(fine, "alarmObjInfo.namespace", "qce/lb"),
        without_value(fine, f"{CONDITIONS}.calcType"),
        with_value(fine, "alarmStatus", "0"),
        with_value(fine, "recoverTime", fine["firstOccurTime"]),
    ):
        assert not jsonschema_rs.is_valid(schema, broken)


def test_emit_rejects_resolves_of_events_without_recovery() -> None:
    """A resolved callback of an event without recovery is invalid."""
    schema = emit_schema(EVENTS)
    body: Any = body_of(EVENTS, State.RESOLVED)
    lasting = next(event for event in EVENTS.events if not event.recoverable)
    changed: Any = with_value(body, f"{CONDITIONS}.eventName", lasting.name)
    changed = with_value(changed, f"{CONDITIONS}.eventShowName", lasting.show_name.en)
    jsonschema.validate(body, schema)
    [error] = jsonschema.Draft202012Validator(schema).iter_errors(changed)
    assert error.absolute_path[0] == "alarmStatus"


@pytest.mark.parametrize("printed", SAMPLES["shape"], ids=lambda row: row["heading"])
def test_documented_dimensions_are_accepted(printed: Any) -> None:
    """Documented dimensions are accepted despite contradictions, except for placeholders."""
    schema = dimensions_schema(CATALOG.get(printed["id"]))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(printed["dimensions"])
    assert [error.message for error in errors if error.instance != "xxx"] == []


@pytest.mark.proof
def test_patterns_are_valid_in_javascript(tmp_path: Path) -> None:
    """JavaScript validators compile patterns with the flag u, which forbids needless escapes."""
    patterns = sorted(
        {
            found
            for shape in CATALOG
            for schema in (emit_schema(shape), accept_schema(shape))
            for found in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema))
        }
    )
    assert len(patterns) > 100
    for pattern in patterns:
        assert re.search(r"\\[^dnrtx\\^$.*+?()[\]{}|/]|\(\?", json.loads(pattern)) is None
    if node := shutil.which("node"):
        script = tmp_path / "patterns.js"
        script.write_text(f"for (const one of [{','.join(patterns)}]) new RegExp(one, 'u')", encoding="utf-8")
        subprocess.run([node, str(script)], check=True, timeout=30)  # noqa: S603 - our own script


@pytest.mark.parametrize("kind", ["metric", "event", "prometheus", "cloudevents"])
def test_the_open_schemas_are_valid(kind: str) -> None:
    """The schemas common to all products are valid by their dialect and cite their source."""
    schema = open_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "Source: " in schema["description"]


def test_dimensions_that_are_neither_texts_nor_integers_may_be_anything() -> None:
    """A boolean says nothing about the type of other values."""
    shape = replace(CVM, dimensions={**CVM.dimensions, "isSpot": True})
    assert dimensions_schema(shape)["properties"]["isSpot"] == {}
