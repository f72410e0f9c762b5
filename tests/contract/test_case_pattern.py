"""Common traits of failed cases, and the values of a body that a finding shows."""

from __future__ import annotations

import json
from typing import Any

from tcop_mock.contract.case_pattern import common_pattern, matching_values
from tcop_mock.domain.contract import RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest


def _case(**values: Any) -> RequestCase:
    tree = {"sessionId": "s", "alarmStatus": "1", "alarmType": "metric", **values}
    return RequestCase("x", OutgoingRequest(json.dumps(tree).encode()))


def _attempt(body: bytes = b"") -> Attempt:
    return Attempt(Outcome.REJECTED, 0.0, 0.0, 0.1, status=500, body=body)


def test_the_state_in_which_all_fail_is_reported() -> None:
    """All resolved, of several types, and no firing."""
    resolved = [_case(alarmStatus="0"), _case(alarmStatus=0, alarmType="event")]
    assert common_pattern(resolved, [_case()] * 3) == "All 2 resolved failed, no firing (3 passed). "
    assert common_pattern([_case()] * 2, resolved) == "All 2 firing failed, no resolved (2 passed). "
    mixed = [_case(), _case(alarmStatus="0")]
    assert common_pattern(resolved, mixed) == "All are resolved; 1 more of these passed. "


def test_the_type_or_product_of_all_is_reported() -> None:
    """A type of alarm, a policy type, a namespace."""
    assert common_pattern([_case(alarmType="event")] * 2, [_case()]) == (
        "All 2 event alarms failed, no other (1 passed). "
    )
    policy = {"alarmPolicyInfo": {"policyType": "k8s_pod2"}}
    assert common_pattern([_case(**policy)] * 2, [_case()]) == (
        "All 2 of policy type k8s_pod2 failed, no other (1 passed). "
    )
    info = {"alarmObjInfo": {"namespace": "qce/clb"}}
    assert common_pattern([_case(**info)] * 2, [_case()]) == "All 2 in qce/clb failed, no other (1 passed). "


def test_a_key_that_makes_the_difference_is_reported() -> None:
    """The shortest path that all failed bodies lack, or have."""
    named = _case(alarmObjInfo={"dimensions": {"deviceName": "x", "objName": "x"}})
    bare = _case(alarmObjInfo={"dimensions": {"objName": "x"}})
    lacking = "All lack alarmObjInfo.dimensions.deviceName, which every passed one has. "
    assert common_pattern([bare, bare], [named]) == lacking
    having = "All have alarmObjInfo.dimensions.deviceName, which no passed one has. "
    assert common_pattern([named, named], [bare]) == having


def test_the_only_product_that_passes_is_reported() -> None:
    """Several products fail, and all that passes is of one."""
    failed = [_case(alarmObjInfo={"namespace": namespace}) for namespace in ("qce/cvm", "qce/clb")]
    passed = [_case(alarmObjInfo={"namespace": "qce/tke2"})] * 2
    assert common_pattern(failed, passed) == "Only namespace qce/tke2 passed. "
    mixed = [_case(alarmType="event"), _case(alarmType="other")]
    assert common_pattern(mixed, [_case()] * 2) == "Only metric alarms passed. "


def test_nothing_is_reported_of_what_cannot_be_compared() -> None:
    """One case, bodies that are not objects, or no passed case."""
    broken = RequestCase("x", OutgoingRequest(b"{"))
    assert common_pattern([_case()], [_case()]) == ""
    assert common_pattern([_case()] * 2, []) == ""
    assert common_pattern([broken, RequestCase("x", OutgoingRequest(b"[]"))], [_case()]) == ""
    assert common_pattern([_case()] * 2, [_case()]) == ""


def test_values_that_matter_are_shown() -> None:
    """Values that differ from the control, that the answer names, and times of a resolve are shown."""
    case = _case(alarmStatus="0", recoverTime="0", policyName="a", uin="1")
    control = _case(alarmStatus="0", recoverTime="2023-01-01 00:00:00", policyName="b", uin="1", appId="2")
    assert matching_values(case, _attempt(), control) == [
        'recoverTime: "0"',
        'alarmStatus: "0"',
        "appId is not there",
    ]
    assert matching_values(_case(deviceName="x"), _attempt(b"KeyError: deviceName of it")) == ['deviceName: "x"']
    assert matching_values(RequestCase("x", OutgoingRequest(b"")), _attempt()) == []
