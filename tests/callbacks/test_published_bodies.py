"""The validator accepts and names the samples of every edition of the callback page, and bodies that others report."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.validator import CallbackValidator, ValidationResult
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import Form, State

HERE = Path(__file__).parent
CATALOG = Catalog.load()
FINDER = CallbackValidator(CATALOG)
SAMPLES = tomllib.loads((HERE.parent / "catalog" / "documented.toml").read_text(encoding="utf-8"))["shape"]
PRINTED = [printed for printed in SAMPLES if CATALOG.get(printed["id"]).metrics]
PRINTED_EVENTS = [printed for printed in SAMPLES if CATALOG.get(printed["id"]).events]
TIMES = {"firstOccurTime": "2017-03-09 07:00:00", "durationTime": 500, "recoverTime": "0"}
ENDED = TIMES | {"recoverTime": "2017-03-09 07:50:00"}
ACCOUNT = {"appId": "1250000001", "uin": "100000000001"}
# What the pages print around the dimensions: status, fields of the root, of the object, of the conditions, and times.
EDITIONS: dict[str, tuple[Any, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "2018-06, English": (1, {}, {}, {}, {}),
    "2018-06, Chinese": (1, {"alarmType": "metric"}, {}, {}, TIMES),
    "2020-09": (1, {"alarmType": "metric"}, {}, {}, TIMES),
    "2021-05": ("1", {"alarmType": "metric"}, {}, {}, TIMES),
    "2022, Chinese": ("1", {"alarmType": "metric"}, {}, {"historyValue": "5"}, TIMES),
    "2022-10": ("1", {"alarmType": "metric"}, ACCOUNT, {"calcUnit": "%", "historyValue": "5"}, ENDED),
    "2023-08": ("1", {"alarmType": "metric"}, ACCOUNT, {"calcUnit": "%", "historyValue": "5"}, ENDED),
    "2025-09": (
        1,
        {"alertId": "xxxxxxxx_Remind", "alarmType": "metric"},
        ACCOUNT,
        {"calcUnit": "%", "historyValue": "5"},
        TIMES,
    ),
}
PROFILES = {"2018-06, English": "2019-ack", "2020-09": "2021-verify", "2023-08": "2023", "2025-09": "2025"}
CVM = {"unInstanceId": "ins-o9p3rg3m", "objId": "94f1133c-46cf-4c61-a4c1-d928183aba47"}


def sample(edition: str, shape_id: str, dimensions: dict[str, Any]) -> dict[str, Any]:
    """Return the whole sample of an edition, with the dimensions of a shape."""
    status, root, account, conditions, times = EDITIONS[edition]
    shape = CATALOG.get(shape_id)
    return {
        "sessionId": "xxxxxxxx",
        **root,
        "alarmStatus": status,
        "alarmObjInfo": {"region": "gz", "namespace": shape.namespace, **account, "dimensions": dimensions},
        "alarmPolicyInfo": {
            "policyId": "policy-n4exeh88",
            "policyType": shape.policy.type,
            "policyName": "test",
            "policyTypeCName": shape.policy.name.en,
            "conditions": {
                "metricName": shape.metrics[0].name,
                "metricShowName": shape.metrics[0].show_name.en,
                "calcType": ">",
                "calcValue": "90",
                "currentValue": "100",
                "unit": "%",
                "period": "60",
                "periodNum": "1",
                "alarmNotifyType": "continuousAlarm",
                "alarmNotifyPeriod": 300,
                **conditions,
            },
            **({} if times else TIMES),
        },
        **times,
    }


def named(result: ValidationResult) -> tuple[str | None, ...]:
    """Return the ids of the shapes that a body is of, when nothing in it is impossible."""
    assert result.problems == ()
    return result.shape, *result.also_fits


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_sample_of_every_edition_is_named(edition: str) -> None:
    """The page's own sample, which has no objName, is of cvm/basic-monitoring, and of the profile of its year."""
    result = FINDER.validate_tree(sample(edition, "cvm/basic-monitoring", CVM))
    assert named(result) == ("cvm/basic-monitoring",)
    assert result.profile == PROFILES.get(edition, result.profile)
    assert ("alarmObjInfo.dimensions.objName", "is missing") in result.deviations


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize(
    "printed", PRINTED[::5], ids=[f"{at}-{printed['id']}" for at, printed in enumerate(PRINTED[::5])]
)
def test_the_samples_of_dimensions_are_named_in_every_edition(edition: str, printed: dict[str, Any]) -> None:
    """Each printed sample of dimensions is of its shape, whatever the page around it prints."""
    assert printed["id"] in named(FINDER.validate_tree(sample(edition, printed["id"], printed["dimensions"])))


@pytest.mark.proof
@pytest.mark.parametrize("printed", PRINTED, ids=[f"{at}-{printed['id']}" for at, printed in enumerate(PRINTED)])
def test_every_sample_of_dimensions_is_named(printed: dict[str, Any]) -> None:
    """Each printed sample of dimensions is of its shape."""
    for edition in EDITIONS:
        assert printed["id"] in named(FINDER.validate_tree(sample(edition, printed["id"], printed["dimensions"])))


OTHER_EDITIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "2019: an integer vpcId, an empty vport": (
        "clb/private-listener",
        {"protocol": "tcp", "vip": "10.0.0.1", "vpcId": 123, "vport": "", "objId": "x", "objName": "x"},
    ),
    "2019: an integer appid": ("vpc/vpn-gateway", {"appid": 12345, "vip": "10.0.0.0", "objId": "x", "objName": "x"}),
    "a binding without a project": (
        "cdn/domain",
        {"appid": "1257137149", "domain": "a.example", "objId": "a.example", "objName": "a.example"},
    ),
    "a binding with an integer and the resource": (
        "postgresql/instance",
        {"uid": 2123, "resourceId": "postgres-1292ja01", "objId": "2123", "objName": "x"},
    ),
}


@pytest.mark.parametrize("shape_id, dimensions", OTHER_EDITIONS.values(), ids=OTHER_EDITIONS)
def test_dimensions_of_other_pages_are_named(shape_id: str, dimensions: dict[str, Any]) -> None:
    """Types and keys of other years, and of the bindings of policies, are not a problem."""
    assert named(FINDER.validate_tree(sample("2023-08", shape_id, dimensions))) == (shape_id,)


EVENT = {
    "sessionId": "vuRH4ZlxBJSMNJHvNZhls9HY",
    "alarmStatus": "1",
    "alarmType": "event",
    "alarmObjInfo": {
        "region": "gz",
        "dimensions": {
            "unInstanceId": "ins-pftdvqa2",
            "objDetail": {
                "deviceLanIp": "172.21.0.17",
                "deviceWanIp": "118.89.233.99",
                "uniqVpcId": "vpc-ilrwkcbw",
            },
        },
    },
    "alarmPolicyInfo": {
        "policyType": "cvm_device",
        "policyName": "teset",
        "conditions": {
            "productName": "cvm",
            "productShowName": "云服务器",
            "eventName": "ping_unreachable",
            "eventShowName": "ping不可达",
            "alarmNotifyType": "singleAlarm",
            "alarmNotifyPeriod": "0",
        },
        "policyTypeCName": "云服务器-基础监控",
    },
    "firstOccurTime": "2018-06-15 16:32:06",
    "recoverTime": "0",
}


def test_the_samples_of_events_are_named() -> None:
    """Samples of events are recognised: of 2018 with a policyId, of 2022 without one, and captured ones of 2021."""
    for policy in ({"policyId": "policy-n4exeh88"}, {}):
        event: dict[str, Any] = {**EVENT, "alarmPolicyInfo": cast("dict[str, Any]", EVENT["alarmPolicyInfo"]) | policy}
        result = FINDER.validate_tree(event)
        assert (named(result), result.form) == (("cvm/events",), Form.DOCUMENTED)
    body = EVENT | {"additionalMsg": [], "durationTime": 0}
    result = FINDER.validate_tree(body)
    assert (named(result), result.form, result.profile) == (("cvm/events",), Form.OBSERVED, None)


@pytest.mark.parametrize("printed", PRINTED_EVENTS, ids=[printed["id"] for printed in PRINTED_EVENTS])
def test_the_samples_of_dimensions_of_events_are_named(printed: dict[str, Any]) -> None:
    """Each printed sample of dimensions of an event alarm is of its shape."""
    shape = CATALOG.get(printed["id"])
    assert shape.product is not None
    names = {"productName": shape.product.name, "eventName": shape.events[0].name}
    policy: Any = EVENT["alarmPolicyInfo"]
    body = EVENT | {
        "alarmObjInfo": {"region": "gz", "dimensions": printed["dimensions"]},
        "alarmPolicyInfo": policy | {"policyType": shape.policy.type, "conditions": policy["conditions"] | names},
    }
    assert printed["id"] in named(FINDER.validate_tree(body))


# file: valid, kind, shape, profile, paths of problems, paths of some deviations
BODIES: dict[str, tuple[bool, str, str | None, set[str], set[str]]] = {
    "prometheus": (True, "prometheus", "prometheus/alerts", set(), set()),
    "prometheus-minimal": (True, "prometheus", "prometheus/alerts", set(), set()),
    "apm": (True, "metric", "apm/application", set(), {""}),
    "apm-minimal": (True, "metric", "apm/application", set(), {""}),
    "level-serious": (True, "metric", "cvm/basic-monitoring", set(), set()),
    "level-only": (True, "metric", "cvm/basic-monitoring", set(), {"alarmLevel"}),
    "alert-id-of-other": (True, "metric", "cvm/basic-monitoring", set(), {"alertId"}),
    "collector-envelope": (
        False,
        "metric",
        "cvm/basic-monitoring",
        {"alarmObjInfo.appId", "alarmObjInfo.uin"},
        {"alarmObjInfo.dimensions.objName", "bk_data_id"},
    ),
    "eventbridge-event": (True, "eventbridge", "cvm/events", set(), set()),
    "eventbridge-minimal": (True, "eventbridge", "cvm/events", set(), set()),
    "cls": (False, "cls", "cls/alarms", {""}, set()),
    "redis-proxy": (True, "metric", "redis/proxy-5s", set(), set()),
    "tke-pod-alert-id": (True, "metric", "tke/pod", set(), set()),
    "no-object-name": (True, "metric", "cvm/basic-monitoring", set(), {"alarmObjInfo.dimensions.objName"}),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_others_report_are_named(name: str) -> None:
    """Bodies made after the reports of other projects: what each is, and what is wrong with it."""
    is_valid, kind, shape, problems, deviations = BODIES[name]
    result = FINDER.validate((HERE / "bodies" / f"{name}.json").read_bytes())
    assert (result.is_valid, result.kind, result.shape) == (is_valid, kind, shape)
    assert {issue.path for issue in result.problems} == problems
    assert deviations <= {issue.path for issue in result.deviations}
    assert not [issue for issue in result.deviations if "did you mean" in issue.message]


def test_every_body_of_the_folder_has_its_answer() -> None:
    """No file is left out."""
    assert {file.stem for file in (HERE / "bodies").iterdir()} == set(BODIES)


def old_body() -> Any:
    """Return a body of profile 2019-ack."""
    generator = Generator(3, wire_format=load_profile("2019-ack").wire_format)
    alarm = generator.alarm(CATALOG.get("cvm/basic-monitoring"), metric="cpu_usage")
    return generator.callback(alarm, State.FIRING).to_dict()


def test_an_old_body_is_reported_to_be_one() -> None:
    """It has no deviation from its own generation; from another one, each missing key has one line."""
    result = FINDER.validate_tree(old_body())
    assert (result.profile, result.form, result.deviations) == ("2019-ack", Form.DOCUMENTED, ())
    deviations = CallbackValidator(CATALOG, load_profile("2023")).validate_tree(old_body()).deviations
    assert len({issue.path for issue in deviations}) == len(deviations) == 9
    assert ("alarmPolicyInfo.recoverTime", "is not a field of profile 2023, but one of 2019-ack") in deviations


def test_a_field_of_a_later_generation_names_it() -> None:
    """A forced profile says which profile has the field."""
    body = old_body() | {"alertId": old_body()["sessionId"]}
    deviations = CallbackValidator(CATALOG, load_profile("2019-ack")).validate_tree(body).deviations
    assert deviations == (("alertId", "is not a field of profile 2019-ack, but one of 2025"),)


@pytest.mark.parametrize(
    "alert_id, level, message",
    [
        ("x", "Warn", "is neither the sessionId nor the sessionId followed by _ and a level"),
        ("{}_", None, "is neither the sessionId nor the sessionId followed by _ and a level"),
        ("{}_Warn", "Serious", 'ends with the level "Warn", and alarmLevel is "Serious"'),
    ],
)
def test_an_alert_id_that_does_not_fit_is_a_deviation(alert_id: str, level: str | None, message: str) -> None:
    """It is the session id, alone or with the level of the alarm."""
    body = json.loads((HERE / "bodies" / "tke-pod-alert-id.json").read_bytes())
    body["alertId"] = alert_id.format(body["sessionId"])
    body |= {"alarmLevel": level} if level else {}
    assert ("alertId", message) in FINDER.validate_tree(body).deviations
    body["alertId"] = f"{body['sessionId']}_{level or 'Warn'}"
    assert "alertId" not in {issue.path for issue in FINDER.validate_tree(body).deviations}


def test_an_unknown_level_is_a_deviation() -> None:
    """Three levels are known."""
    body = json.loads((HERE / "bodies" / "level-serious.json").read_bytes()) | {"alarmLevel": "Panic"}
    assert ("alarmLevel", 'is "Panic", not Remind, Warn or Serious') in FINDER.validate_tree(body).deviations


def test_a_metric_alarm_needs_an_object() -> None:
    """Without dimensions the object has other keys; with neither, there is no object."""
    body = sample("2023-08", "cvm/basic-monitoring", CVM)
    del body["alarmObjInfo"]["dimensions"]
    body["alarmObjInfo"]["namespace"] = body["alarmPolicyInfo"]["policyType"] = "unknown"
    assert FINDER.validate_tree(body).problems[0].path == "alarmObjInfo.dimensions"
    body["alarmObjInfo"] |= {"level": "1", "id": "7", "instanceId": "rum-1"}
    assert FINDER.validate_tree(body).is_valid


def test_a_captured_field_in_a_documented_event_is_a_deviation() -> None:
    """One field alone makes no captured form."""
    policy: Any = EVENT["alarmPolicyInfo"]
    body = EVENT | {"alarmPolicyInfo": policy | {"policyId": "policy-n4exeh88"}, "durationTime": 0}
    result = FINDER.validate_tree(body)
    assert (result.form, result.deviations) == (
        Form.DOCUMENTED,
        (("durationTime", "is undocumented, but captured callbacks contain it"),),
    )


def test_a_list_is_no_callback() -> None:
    """A list of callbacks is not a callback: TCOP never posts one."""
    result = FINDER.validate_tree([EVENT])
    assert (result.kind, len(result.problems)) == ("unknown", 1)
    assert result.problems[0].message.startswith("is a list; TCOP never posts a list")
