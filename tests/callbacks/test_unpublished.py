"""Shapes that are not published alarm callbacks of TCOP: of APM, RUM and Prometheus, and of CLS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tcop_mock.callbacks.generator import Generator, LifecyclePoint, parse_lifecycle
from tcop_mock.callbacks.json_schemas import accept_schema, documented_schema, emit_schema
from tcop_mock.callbacks.notification_template import NotificationTemplate
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, forms_of
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.catalog.schema_check import validator
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.callback_view import CallbackView, key_from_body
from tcop_mock.domain.shape import Lang, Shape, without_unpublished
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.reports.shape import shape_lines

CATALOG = Catalog.load()
UNPUBLISHED = [shape for shape in CATALOG if shape.unpublished]
PROMETHEUS, CLS, APM, RUM = (
    CATALOG.get(shape_id) for shape_id in ("prometheus/alerts", "cls/alarms", "apm/application", "rum/application")
)
FINDER = CallbackValidator(CATALOG)


def body_of(shape: Shape, state: State = State.FIRING, profile: str = "2023", seed: int = 3) -> dict[str, Any]:
    """Return one body."""
    generator = Generator(seed, wire_format=load_profile(profile).wire_format)
    return generator.callback(generator.alarm(shape, required_state=state), state).to_dict()


def test_an_alarm_of_prometheus_has_what_the_receiver_of_tencent_reads() -> None:
    """Texts and labels in alarmObjInfo, ids of the forms that the API has, and neither dimensions nor conditions."""
    body = body_of(PROMETHEUS)
    assert body["alarmType"] == "prometheus"
    assert list(body["alarmObjInfo"]) == ["appId", "uin", "content", "summary", "tags"]
    assert list(body["alarmPolicyInfo"]) == ["policyId", "policyName"]
    assert body["alarmPolicyInfo"]["policyId"].startswith("alert-")
    assert body["sessionId"].startswith("prom-")
    assert body["alarmObjInfo"]["tags"]["instance"] in body["alarmObjInfo"]["content"]
    assert (body["alarmStatus"], body["recoverTime"]) == ("1", "0")
    resolved = body_of(PROMETHEUS, State.RESOLVED, "2025")
    assert (resolved["alarmStatus"], resolved["alarmObjInfo"]["tags"]) == (0, body["alarmObjInfo"]["tags"])
    assert resolved["recoverTime"] > resolved["firstOccurTime"]
    assert list(body_of(PROMETHEUS, profile="2019-ack")["alarmObjInfo"]) == ["content", "summary", "tags"]


@pytest.mark.parametrize("shape", [APM, RUM], ids=["apm", "rum"])
def test_alarms_of_apm_and_rum_have_the_keys_of_the_object_in_its_info(shape: Shape) -> None:
    """No dimensions, no namespace and no region, because no source has them; the rest is a metric alarm."""
    body = body_of(shape)
    assert list(body["alarmObjInfo"]) == ["appId", "uin", *shape.dimensions]
    assert body["alarmPolicyInfo"]["conditions"]["metricName"] in {metric.name for metric in shape.metrics}
    assert body["alarmPolicyInfo"].get("policyType", "") == shape.policy.type


def test_a_callback_of_cls_has_the_content_of_its_page() -> None:
    """The keys of the page's example in its order, with the city in the language of the account."""
    body = body_of(CLS)
    assert " ".join(body) == (
        "UIN User Region AlarmID AlarmName Condition TriggerTime ConsecutiveAlertNums "
        "TopicName TopicID LogsetName LogsetID FireTime Duration Query CustomizeMessage"
    )
    generator = Generator(3, Lang.ZH)
    chinese = generator.callback(generator.alarm(CLS), State.FIRING).to_dict()
    assert not chinese["Region"].isascii()
    assert chinese["AlarmID"] == body["AlarmID"]


@pytest.mark.parametrize("shape", UNPUBLISHED, ids=[shape.id for shape in UNPUBLISHED])
def test_an_unpublished_shape_is_drawn_and_described_like_any_other(shape: Shape) -> None:
    """Bodies of all states and languages keep all schemas of the shape, and the fast renderer writes the same bytes."""
    states = [State.FIRING, *([State.RESOLVED] if shape.can_resolve else [])]
    schemas = [validator(make(shape)) for make in (emit_schema, documented_schema, accept_schema)]
    for lang in Lang:
        generator = Generator(5, lang)
        for state in states:
            callback = generator.callback(generator.alarm(shape, required_state=state), state)
            renderer = BodyRenderer(generator, shape, LifecyclePoint(state), options=AlarmOptions(required_state=state))
            assert renderer.body(0) == callback.to_bytes()
            assert [error.message for schema in schemas for error in schema.iter_errors(callback.to_dict())] == []


@pytest.mark.parametrize(
    "shape, state, reason",
    [
        (PROMETHEUS, State.REPEATED, "no repeated callback: no source shows one of Prometheus"),
        (CLS, State.REPEATED, "no repeated callback: callbacks of CLS have no field for the state"),
        (CLS, State.RESOLVED, "no resolved callback: callbacks of CLS have no field for the state"),
    ],
)
def test_a_state_without_evidence_is_refused(shape: Shape, state: State, reason: str) -> None:
    """The message says why there is no such callback."""
    with pytest.raises(UsageError, match=reason):
        Generator(1).alarm(shape, required_state=state)


def test_an_alarm_of_prometheus_has_neither_metrics_nor_events() -> None:
    """A name is unknown, and there is one form."""
    with pytest.raises(UnknownNameError, match="unknown metric 'cpu'"):
        Generator(1).alarm(PROMETHEUS, metric="cpu")
    assert forms_of(PROMETHEUS) == forms_of(CLS) == (Form.DOCUMENTED,)
    assert Form.OBSERVED in forms_of(APM)


def test_globs_leave_unpublished_shapes_out() -> None:
    """Unless they match no others."""
    assert {shape.id for shape in without_unpublished(CATALOG.match("*"))} == {
        shape.id for shape in CATALOG if not shape.unpublished
    }
    assert without_unpublished(CATALOG.match("apm/*")) == [APM]


def test_a_body_is_named_by_its_kind_whatever_its_labels() -> None:
    """Each rule of Prometheus has labels of its own, so none of them is a deviation; what is deviant is the kind."""
    body: Any = body_of(PROMETHEUS)
    body["alarmObjInfo"]["tags"] = {"severity": "page", "team": "db"}
    result = FINDER.validate_tree(body)
    assert (result.problems, result.kind, result.shape) == ((), "prometheus", PROMETHEUS.id)
    assert [issue.message for issue in result.deviations] == [PROMETHEUS.unpublished]
    unknown = CallbackValidator([APM]).validate_tree(body)
    assert (unknown.kind, unknown.shape, unknown.is_valid) == ("prometheus", None, True)
    assert [issue.message for issue in unknown.deviations] == ["is of a product that is not in the catalogue"]
    del body["alarmStatus"]
    assert [issue.path for issue in FINDER.validate_tree(body).problems] == ["alarmStatus"]


def test_keys_in_the_object_info_identify_the_product() -> None:
    """Half of them are enough; with others, a known policy type names the product, and nothing is invalid."""
    body: Any = body_of(APM)
    del body["alarmObjInfo"]["operation"], body["alarmObjInfo"]["span.kind"], body["alarmPolicyInfo"]["policyType"]
    assert FINDER.validate_tree(body).shape == APM.id
    body["alarmPolicyInfo"]["policyType"] = "performance_metric"
    body["alarmObjInfo"] = {"db.name": "orders", "db.system": "mysql"}
    result = FINDER.validate_tree(body)
    assert (result.is_valid, result.shape) == (True, None)
    assert result.deviations[0].message == f"has the keys of no known shape of this product ({APM.id})"


def test_a_product_with_dimensions_is_not_taken_for_one_without() -> None:
    """Keys beside the namespace are not dimensions of it; without any key the dimensions are missing."""
    body: Any = body_of(CATALOG.get("cvm/basic-monitoring"))
    del body["alarmObjInfo"]["dimensions"]
    result = FINDER.validate_tree(body)
    assert [issue.path for issue in result.problems] == ["alarmObjInfo.dimensions"]
    body["alarmObjInfo"] |= {"unInstanceId": "ins-1", "objId": "x", "objName": "y"}
    result = FINDER.validate_tree(body)
    assert (result.is_valid, result.shape) == (True, None)


def test_the_keys_of_an_object_keep_its_notifications_apart() -> None:
    """Without dimensions, the labels of Prometheus or the other keys of alarmObjInfo are the object."""
    first, second = body_of(APM, seed=3), body_of(APM, seed=4)
    assert CallbackView(first).object_keys.keys() == APM.dimensions.keys()
    assert "service.name=" in CallbackView(first).object_name
    keys = {key_from_body(json.dumps(body).encode()).object_id for body in (first, second, body_of(PROMETHEUS))}
    assert len(keys) == 3


def test_the_level_changes_within_the_life_of_an_alarm() -> None:
    """Each callback has the level of its step or of the last one before it; all else is as without levels."""
    wire, shape = load_profile("2025").wire_format, CATALOG.get("cvm/basic-monitoring")
    generator = Generator(3, form=Form.OBSERVED, wire_format=wire)
    points = parse_lifecycle("fire:Remind,repeat:Serious,repeat:1,resolve")
    options = AlarmOptions(required_state=State.REPEATED)
    bodies = [json.loads(BodyRenderer(generator, shape, point, options=options).body(0)) for point in points]
    assert [body["alarmLevel"] for body in bodies] == ["Remind", "Serious", "Serious", "Serious"]
    assert all(body["alertId"] == f"{body['sessionId']}_{body['alarmLevel']}" for body in bodies)
    alarm = generator.alarm(shape, required_state=State.REPEATED)
    assert [generator.callback(alarm, *point).to_dict() for point in points] == bodies
    assert all(FINDER.validate_tree(body).is_valid for body in bodies)
    documented = Generator(3, wire_format=wire)
    [fired] = parse_lifecycle("fire:Warn")
    assert documented.callback(documented.alarm(shape), *fired).to_dict()["alertId"].endswith("_Warn")


@pytest.mark.parametrize(
    "shape_id, profile, steps, problem",
    [
        ("cvm/basic-monitoring", "2023", "fire:Warn", "only metric alarms of --profile 2025 have a level"),
        ("cvm/events", "2025", "fire:Warn", "only metric alarms of --profile 2025 have a level"),
        ("cvm/basic-monitoring", "2025", "fire:Huge", "'Huge' is not a level; the levels are Remind, Warn, Serious"),
    ],
)
def test_a_level_that_cannot_be_is_refused(shape_id: str, profile: str, steps: str, problem: str) -> None:
    """A level is an error in a profile or kind without levels, and if its name is unknown."""
    generator = Generator(3, wire_format=load_profile(profile).wire_format)
    with pytest.raises(UsageError, match=problem):
        [generator.callback(generator.alarm(CATALOG.get(shape_id)), *point) for point in parse_lifecycle(steps)]


def test_a_page_of_such_a_shape_says_what_is_not_sent() -> None:
    """Keys are shown where they stand, and why it is not published."""
    lines = {shape.id: "\n".join(shape_lines(shape, body_of(shape))) for shape in UNPUBLISHED}
    assert all("unpublished" in text for text in lines.values())
    assert "policy type" not in lines[PROMETHEUS.id]
    assert "policy type" in lines[APM.id]
    titles = {PROMETHEUS: "tags of alarmObjInfo", CLS: "body", APM: "keys of alarmObjInfo"}
    assert all(f"\n{title}, as one alarm has them\n" in lines[shape.id] for shape, title in titles.items())


def test_only_alarms_of_products_go_through_a_template() -> None:
    """Documented: templates are for cloud products. CloudEvents and unpublished bodies are posted as they are."""
    template = NotificationTemplate("{{.policy_name}}", "x")
    factory = CaseFactory(CATALOG, Generator(1), "TCM320", template=template)
    body = body_of(PROMETHEUS)
    assert json.loads(factory.case("x", body, PROMETHEUS).request.body) == body
    events = CATALOG.get("antiddos/events")
    cloud_event = factory.with_form(Form.CLOUDEVENTS)
    tree = cloud_event.tree(cloud_event.alarm(events), State.FIRING)
    assert json.loads(cloud_event.case("x", tree, events).request.body) == tree
    plain = CATALOG.get("cvm/basic-monitoring")
    tree = factory.tree(factory.alarm(plain), State.FIRING)
    assert factory.case("x", tree, plain).request.body.decode() == tree["alarmPolicyInfo"]["policyName"]
