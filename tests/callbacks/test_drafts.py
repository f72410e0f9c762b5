"""Drafts of entries from captured callbacks, and drift."""

from __future__ import annotations

import json
import random
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.draft_values import Capture, DraftValues, Vocabulary
from tcop_mock.callbacks.drafts import DraftBuilder, drift, find_entry, group_bodies
from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import accept_schema
from tcop_mock.callbacks.lint import Severity, lint_table
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog, parse_shape
from tcop_mock.catalog.schema_check import validator
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import without_unpublished
from tcop_mock.reports.shape import entry_toml

if TYPE_CHECKING:
    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
SHAPES = without_unpublished(CATALOG)
VOCABULARY = Vocabulary.from_shapes(CATALOG)
BUILTINS = {"account.app_id": "1250000001", "account.uin": "100000000001", "region": "gz"}


def bodies_of(shape: Shape, count: int = 4, form: Form = Form.DOCUMENTED, state: State = State.FIRING) -> list[Any]:
    """Return bodies of alarms of a shape."""
    generator = Generator(7, form=form)
    alarms = [generator.alarm(shape, serial * 5003, required_state=state) for serial in range(count)]
    return [generator.callback(alarm, state).to_dict() for alarm in alarms]


def learned(*dimensions: dict[str, Any], **builtins: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return templates by key, and generators."""
    captures = [Capture({(key,): value for key, value in one.items()}, BUILTINS | builtins) for one in dimensions]
    values = DraftValues(captures, VOCABULARY)
    return {path[0]: template for path, template in values.learn().items()}, values.values


TEMPLATES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "an id of parts": (
        [
            {"protocol": "tcp", "vip": "10.0.0.7", "vport": 443, "objId": "10.0.0.7#443#tcp"},
            {"protocol": "https", "vip": "10.1.0.8", "vport": 80, "objId": "10.1.0.8#80#https"},
        ],
        {"protocol": "{protocol}", "vip": "{vip}", "vport": {"value": "vport"}, "objId": "{vip}#{vport}#{protocol}"},
    ),
    "the account": (
        [{"appid": 1250000001, "AppId": "1250000001", "where": "gz", "objId": "1250000001#gz"}],
        {
            "appid": {"value": "account.app_id"},
            "AppId": "{account.app_id}",
            "where": "{region}",
            "objId": "{account.app_id}#{region}",
        },
    ),
    "words of shipped entries": (
        [{"id": "cdb-emzu6ysk", "objName": "cdb-emzu6ysk(instance name: my secret,IP:10.66.234.242:3306)"}],
        {"id": "{id}", "objName": "{id}(instance name: {objname},IP:{objname_2}:{objname_3})"},
    ),
    "texts of several forms": (
        [{"objName": "a#b"}, {"objName": "a"}, {"objName": "a|b"}],
        {"objName": "{objname}"},
    ),
    "separators that differ": ([{"objName": "x#y"}, {"objName": "x|y"}], {"objName": "{objname}"}),
    "empty, null and mixed": (
        [{"a": "", "b": None, "c": True, "d": 5}, {"a": "", "b": None, "c": True, "d": "5"}],
        {"a": "", "b": "{b}", "c": "{c}", "d": "{d}"},
    ),
    "names that a template cannot have": (
        [{"region": "x y", "1": "z w", "a-b": "v u", "A_B": "t s"}],
        {"region": "{value_region}", "1": "{value_1}", "a-b": "{a_b}", "A_B": "{a_b_2}"},
    ),
}


@pytest.mark.parametrize("dimensions, templates", TEMPLATES.values(), ids=TEMPLATES)
def test_templates_are_found_between_values(dimensions: list[dict[str, Any]], templates: dict[str, Any]) -> None:
    """A text that has the values of other keys refers to them."""
    assert learned(*dimensions)[0] == templates


def test_no_account_is_needed() -> None:
    """A body without account and region has no text for them."""
    builtins = {"account.app_id": "", "account.uin": "", "region": ""}
    values = DraftValues([Capture({("a",): "one two"}, builtins)], VOCABULARY)
    assert values.learn() == {("a",): "{a}"}


GENERATORS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "ids with a known prefix": (
        ["ins-a1b2c3d4", "ins-zzzzzzzz"],
        {"generator": "resource_id", "prefix": "ins", "length": 8},
    ),
    "ids of another product": (["acme-a1b2c3d4"], {"generator": "resource_id", "prefix": "id", "length": 8}),
    "words with a hyphen": (["order-service"], {"generator": "name", "of": "instance"}),
    "an id and a name": (["ins-a1b2c3d4", "web 1"], {"generator": "name", "of": "instance"}),
    "uuids of time": (["d6bc4b82-3acc-11eb-b11e-4cf95dd88ae6"], {"generator": "uuid", "version": 1}),
    "random uuids": (["94f1133c-46cf-4c61-a4c1-d928183aba47"], {"generator": "uuid", "version": 4}),
    "private addresses": (["172.16.3.4"], {"generator": "ipv4", "network": "10.0.0.0/8"}),
    "public addresses": (["14.12.13.25"], {"generator": "ipv4", "network": "203.0.113.0/24"}),
    "digits": (["20481", "99"], {"generator": "digits", "length": 5}),
    "hexadecimal digits": (["0f2ce0f969c4f43b"], {"generator": "hex", "length": 16}),
    "words of shipped entries": (["udp", "tcp", "udp"], {"generator": "pick", "from": ["tcp", "udp"]}),
}


@pytest.mark.parametrize("texts, spec", GENERATORS.values(), ids=GENERATORS)
def test_a_value_becomes_a_generator_of_its_form(texts: list[str], spec: dict[str, Any]) -> None:
    """Nothing of the value is kept but its form."""
    assert learned(*({"a": text} for text in texts))[1] == {"a": spec}


def _texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for child in node.values() for text in _texts(child)]
    if isinstance(node, list):
        return [text for child in node for text in _texts(child)]
    return [str(node)]


def _with_secrets(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _with_secrets(child) for key, child in node.items()}
    return _secret(node) if isinstance(node, str) else node


def _secret(text: str) -> str:
    """Return a text of the same form that no shipped entry has."""
    draw = random.Random(text)  # noqa: S311 - no secret
    return "".join(draw.choice("qxzjk") if char.isalpha() and char.islower() else char for char in text)


@pytest.mark.parametrize("shape", SHAPES[::3], ids=[shape.id for shape in SHAPES[::3]])
def test_nothing_of_a_capture_is_written(shape: Shape) -> None:
    """Names, ids and accounts that no shipped entry has are in no draft, whole or in part."""
    bodies = bodies_of(shape, 3)
    for body in bodies:
        info = body["alarmObjInfo"]
        info["dimensions"] = _with_secrets(info["dimensions"])
        body["alarmPolicyInfo"] |= {"policyId": "policy-qqqqqqqq", "policyName": "jxzq kxzq"}
    for group in group_bodies(bodies):
        text = json.dumps(DraftBuilder(CATALOG).build(group).table["values"])
        written = [*_texts(json.loads(text)), *_texts(DraftBuilder(CATALOG).build(group).table["dimensions"])]
        words = {word for body in bodies for word in _texts(body["alarmObjInfo"]["dimensions"]) if len(word) > 4}
        words -= VOCABULARY.words
        assert not [word for word in words if any(word in one for one in written)]
        assert not [one for one in written if "xzq" in one or "qqq" in one]


@pytest.mark.proof
@pytest.mark.parametrize(
    "shape, form",
    [(shape, form) for shape in SHAPES[::4] for form in (Form.DOCUMENTED, Form.OBSERVED)],
    ids=lambda one: getattr(one, "id", str(one)),
)
def test_a_draft_passes_the_lint_and_is_recognised(shape: Shape, form: Form) -> None:
    """It has no errors, its bodies are valid, the captures keep its schema, and nothing has drifted."""
    bodies = bodies_of(shape, form=form)
    for group in group_bodies(bodies):
        draft = DraftBuilder(CATALOG).build(group)
        assert [found for found in lint_table(draft.id, draft.table) if found[0] is Severity.ERROR] == []
        entry = parse_shape(draft.id, draft.table)
        assert find_entry(group, [entry]) is entry
        assert drift(group, entry) == []
        accepts = validator(accept_schema(entry))
        assert [body for body in group.bodies if not accepts.is_valid(body)] == []
        [body, *_] = bodies_of(entry, 1)
        result = CallbackValidator([entry]).validate_tree(body)
        assert (result.problems, result.shape, result.deviations) == ((), draft.id, ())


CVM = CATALOG.get("cvm/basic-monitoring")


def test_bodies_are_grouped_by_their_keys() -> None:
    """Two forms of one policy type are two groups; other kinds of bodies are left out."""
    bodies = bodies_of(CVM, 2) + bodies_of(CVM, 3, Form.OBSERVED)
    for body in bodies:
        body["alarmObjInfo"]["namespace"] = "qce/cvm"
    groups = group_bodies([*bodies, {"content": "a template"}, {"content": "two"}])
    assert [len(group.bodies) for group in groups] == [2, 3]
    builder = DraftBuilder(CATALOG, ["cvm/cvm-device"])
    assert [builder.build(group).id for group in groups] == ["cvm/cvm-device-2", "cvm/cvm-device-3"]


def test_a_body_with_little_is_drafted() -> None:
    """Values that the bodies do not have are listed as assumed."""
    body = {
        "alarmStatus": "1",
        "alarmObjInfo": {"dimensions": {"appid": "1250000001", "id": "x-12345", "n": {"k": "v v"}}},
        "alarmPolicyInfo": {"conditions": {"eventName": "Down"}},
    }
    [group] = group_bodies([body])
    table = DraftBuilder(CATALOG).build(group).table
    assert table["assumed"] == ["policy.type", "namespace", "events.0.recoverable"]
    assert (table["namespace"], table["policy"]["type"], table["regional"]) == ("qce/unknown", "unknown", False)
    assert table["dimensions"] == {"appid": "{account.app_id}", "id": "{id}", "n": {"k": "{k}"}}
    assert table["product"] == {"productName": "unknown", "productShowName": "unknown"}


def test_an_event_that_was_resolved_is_recoverable() -> None:
    """A resolved body shows that it can be."""
    shape = CATALOG.get("cvm/events")
    groups = group_bodies(bodies_of(shape, 1, state=State.RESOLVED))
    table = DraftBuilder(CATALOG).build(groups[0]).table
    assert [event["recoverable"] for event in table["events"]] == [True]
    assert "events.0.recoverable" not in table["assumed"]


@pytest.mark.parametrize(
    "conditions, threshold",
    [
        ({"calcType": ">", "calcValue": "90", "currentValue": "95.25", "unit": "%"}, (">", "90", [0, 100], 2)),
        ({"calcType": ">", "calcValue": "100", "currentValue": "140", "unit": "%"}, (">", "100", [0, 1000], None)),
        ({"calcType": "<", "calcValue": "0", "currentValue": "0", "unit": ""}, ("<", "0", [-10, 10], None)),
        ({"calcType": ">", "calcValue": "-5", "currentValue": "3", "unit": ""}, (">", "-5", [-10, 10], None)),
        ({"calcType": ">", "calcValue": "high", "currentValue": "3", "unit": ""}, (None, None, None, None)),
        ({"calcType": "down by", "calcValue": "5", "currentValue": "NaN", "unit": ""}, (None, None, None, None)),
    ],
)
def test_a_threshold_has_values_on_both_sides(conditions: dict[str, str], threshold: tuple[Any, ...]) -> None:
    """The range is ours, and wider than what was seen; a comparison that no entry has leaves the threshold out."""
    [body] = bodies_of(CVM, 1)
    body["alarmPolicyInfo"]["conditions"] = {"metricName": "depth", "metricShowName": "Depth ", **conditions}
    [row] = DraftBuilder(CATALOG).build(group_bodies([body])[0]).table["metrics"]
    assert tuple(row.get(key) for key in ("calcType", "calcValue", "range", "decimals")) == threshold
    assert (row["metricShowName"], row["observedShowName"]) == ("Depth", "Depth ")


def test_a_metric_of_another_namespace_keeps_it() -> None:
    """CVM's network metrics have qce/lb."""
    bodies = bodies_of(CVM, 3)
    for body in bodies:
        body["alarmObjInfo"]["namespace"] = "qce/cvm"
        body["alarmPolicyInfo"]["conditions"]["metricName"] = "cpu_usage"
    other = bodies_of(CVM, 1)[0]
    other["alarmObjInfo"]["namespace"] = "qce/lb"
    other["alarmPolicyInfo"]["conditions"]["metricName"] = "outratio"
    table = DraftBuilder(CATALOG).build(group_bodies([*bodies, other])[0]).table
    assert [row.get("namespace") for row in table["metrics"] if row["metricName"] == "outratio"] == ["qce/lb"]
    assert table["namespace"] == "qce/cvm"


DRIFT: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "nothing": ({}, set()),
    "a new key": ({"dimensions": {"zone": "gz-1"}}, {("dimensions.zone", "is a new key")}),
    "another type": ({"dimensions": {"objId": 5}}, {("dimensions.objId", "is an integer, which the entry has not")}),
    "a captured key": ({"dimensions": {"deviceName": "x"}}, set()),
    "a metric": ({"metric": "brand_new"}, {("metrics", "brand_new is new")}),
    "a policy type": ({"policy": "cvm_new"}, {("policy.type", "is cvm_new, and cvm_device in the entry")}),
}


@pytest.mark.parametrize("change, found", DRIFT.values(), ids=DRIFT)
def test_drift_is_reported_once(change: dict[str, Any], found: set[tuple[str, str]]) -> None:
    """Keys and values that callbacks have and their entry lacks are reported once."""
    bodies = bodies_of(CVM, 2)
    for body in bodies:
        body["alarmObjInfo"]["dimensions"] |= change.get("dimensions", {})
        conditions = body["alarmPolicyInfo"]["conditions"]
        conditions["metricName"] = change.get("metric", conditions["metricName"])
        body["alarmPolicyInfo"]["policyType"] = change.get("policy", "cvm_device")
    [group] = group_bodies(bodies)
    assert set(drift(group, CVM)) == found
    assert find_entry(group, [CVM]) is CVM


def test_a_key_that_is_gone_is_drift() -> None:
    """A key that captures may lack is not."""
    listener = CATALOG.get("clb/public-listener")
    bodies = bodies_of(listener, 1)
    del bodies[0]["alarmObjInfo"]["dimensions"]["vip"], bodies[0]["alarmObjInfo"]["dimensions"]["objName"]
    bodies[0]["alarmObjInfo"]["dimensions"]["vport"] = []
    [group] = group_bodies(bodies)
    assert set(drift(group, listener)) == {
        ("dimensions.vip", "is missing"),
        ("dimensions.vport", "is a list, which the entry has not"),
    }


@pytest.mark.parametrize(
    "shape_id, key, value",
    [
        ("clb/public-listener", "vport", "443"),
        ("vpc/bandwidth-package", "appid", "12345"),
        ("tke/node", "node_role", 1),
    ],
)
def test_another_json_type_is_drift(shape_id: str, key: str, value: object) -> None:
    """Texts for integers, of choices and of the account, and the reverse."""
    [body] = bodies_of(CATALOG.get(shape_id), 1)
    body["alarmObjInfo"]["dimensions"][key] = value
    [group] = group_bodies([body])
    assert [issue.path for issue in drift(group, CATALOG.get(shape_id))] == [f"dimensions.{key}"]


def test_the_type_of_a_draft_is_that_of_the_captures() -> None:
    """An integer of one's own entry, for which a text comes."""
    [body] = bodies_of(CVM, 1)
    body["alarmObjInfo"]["dimensions"] |= {"lane": 7, "where": "gz"}
    [group] = group_bodies([body])
    table = DraftBuilder(CATALOG).build(group).table
    assert table["dimensions"]["where"] in {"{where}", "{region}"}
    table["values"].pop("where", None)
    table["dimensions"]["where"] = {"value": "region"}
    entry = parse_shape("own/lanes", table)
    assert drift(group, entry) == []
    body["alarmObjInfo"]["dimensions"]["lane"] = "7"
    assert drift(group, entry) == [("dimensions.lane", "is a string, which the entry has not")]


def test_drift_of_nested_keys_is_reported_by_their_type() -> None:
    """An object that became a text."""
    shape = CATALOG.get("cvm/events")
    [body] = bodies_of(shape, 1)
    body["alarmObjInfo"]["dimensions"]["objDetail"] = "x"
    [group] = group_bodies([body])
    assert drift(group, shape) == [("dimensions.objDetail", "is a string, which the entry has not")]


def test_another_product_has_no_entry() -> None:
    """Its bodies are drafted."""
    [group] = group_bodies(bodies_of(CVM, 1))
    assert find_entry(group, [CATALOG.get("cos/bucket")]) is None


def test_a_long_list_has_a_line_for_each_item() -> None:
    """An entry's file stays readable, and TOML reads what was written."""
    table = {
        "assumed": [f"metrics.{index}.range" for index in range(9)],
        "text": "\x7f",
        "values": {},
        "a b": {"c": [1]},
    }
    text = entry_toml(table)
    assert tomllib.loads(text) == {key: value for key, value in table.items() if key != "values"}
    assert max(map(len, text.splitlines())) < 40


def renamed(body: Any, old: str, new: str) -> Any:
    """Return a body with another name of a key of its object."""
    return json.loads(json.dumps(body).replace(f'"{old}"', f'"{new}"'))


@pytest.mark.parametrize(
    "shape_id, old, new, path",
    [
        ("apm/application", "operation", "op", "unknown/performance-metric"),
        ("rum/application", "level", "severity", "unknown/unknown"),
        ("prometheus/alerts", "job", "team", "prometheus/alerts-2"),
    ],
)
def test_alarms_without_dimensions_are_learned(shape_id: str, old: str, new: str, path: str) -> None:
    """Their keys in alarmObjInfo, or the labels of Prometheus, are the dimensions of a draft that works."""
    bodies = [renamed(body, old, new) for body in bodies_of(CATALOG.get(shape_id), 6)]
    [group] = group_bodies(bodies)
    draft = DraftBuilder(CATALOG, [shape.id for shape in CATALOG]).build(group)
    assert (draft.id, new in draft.table["dimensions"]) == (path, True)
    assert [found for found in lint_table(draft.id, draft.table) if found[0] is Severity.ERROR] == []
    entry = parse_shape(draft.id, draft.table)
    assert find_entry(group, [entry]) is entry
    assert drift(group, entry) == []
    [body] = bodies_of(entry, 1)
    assert CallbackValidator([entry]).validate_tree(body).problems == ()
    assert ("policy" in draft.table) is (shape_id == "apm/application")


def test_each_rule_of_prometheus_is_an_entry() -> None:
    """Other labels are another rule, and no drift; texts of a capture are not written, and may be absent."""
    bodies = bodies_of(CATALOG.get("prometheus/alerts"), 4)
    for number, body in enumerate(bodies):
        body["alarmObjInfo"] |= {"content": f"jxzq-{number} is down, call 13812345678", "summary": None}
    bodies[0]["alarmObjInfo"]["runbook"] = "only here"
    [group] = group_bodies(bodies)
    table = DraftBuilder(CATALOG).build(group).table
    assert list(table["alert"]) == ["content"]
    assert "jxzq" not in json.dumps(table)
    entry = parse_shape("x/y", table)
    [other] = group_bodies([renamed(body, "job", "team") for body in bodies])
    assert find_entry(other, [entry]) is None
    for body in bodies:
        body["alarmObjInfo"] = {"tags": body["alarmObjInfo"]["tags"]}
    assert "alert" not in DraftBuilder(CATALOG).build(group_bodies(bodies)[0]).table


def test_alarms_of_apm_with_other_keys_have_drifted() -> None:
    """A namespace that comes later, a new key and a missing one; a policy type only where the entry has one."""
    bodies = bodies_of(CATALOG.get("rum/application"), 2)
    for body in bodies:
        body["alarmObjInfo"] |= {"namespace": "qce/rum", "env": "prod"}
        body["alarmPolicyInfo"]["policyType"] = "rum"
        del body["alarmObjInfo"]["level"]
    [group] = group_bodies(bodies)
    assert [issue.path for issue in drift(group, CATALOG.get("rum/application"))] == [
        "dimensions.env",
        "dimensions.level",
    ]
    table = DraftBuilder(CATALOG).build(group).table
    assert (table["namespace"], table["in_object_info"]) == ("qce/rum", True)
