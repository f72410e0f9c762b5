"""Bodies of users' own templates are recognised by TCOP's variables, and nothing else is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.notification_template import VARIABLES, NotificationTemplate, find_template_body
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import Lang

CATALOG = Catalog.load()
FINDER = CallbackValidator(CATALOG)
TIME = "2026-05-07 10:00:00"
BODIES: dict[str, tuple[Any, dict[str, str], State | None]] = {
    "flat, the variables' own names": (
        {"policy_name": "cpu", "object": "web-1", "status": "Trigger", "trigger_time_fmt": TIME},
        {"object": "web-1", "policy": "cpu", "status": "Trigger", "time of the trigger": TIME},
        State.FIRING,
    ),
    "camel case, and a number": (
        {"policyId": "policy-1", "alarmObject": "web-1", "statusFmt": "恢复", "recoveryTime": 1778119200},
        {"object": "web-1", "policy": "policy-1", "status": "恢复", "time of the recovery": "1778119200"},
        State.RESOLVED,
    ),
    "wrapped in content": (
        {"msgtype": "x", "content": {"PolicyName": "cpu", "CurrentValueContent": "97%", "status": True}},
        {"policy": "cpu", "value": "97%"},
        None,
    ),
    "JSON in a text": (
        {"content": json.dumps({"policy_name": "cpu", "current_level": "Warn"})},
        {"policy": "cpu", "level": "Warn"},
        None,
    ),
    "lines in a text of a robot": (
        {"msgtype": "markdown", "markdown": {"content": "**Alarm**\n> Policy name: cpu\n> **Status**: Recovery\n> {"}},
        {"policy": "cpu", "status": "Recovery"},
        State.RESOLVED,
    ),
    "lines in items": (
        {"blocks": [{"text": "{broken\nObject: web-1"}, {"text": "Status：持续"}, 5]},
        {"object": "web-1", "status": "持续"},
        State.FIRING,
    ),
    "words of a user for the variables": (
        {"alert": {"alarmObject": "web-1", "alarmPolicy": "cpu", "alarmState": "Trigger"}},
        {"object": "web-1", "policy": "cpu", "status": "Trigger"},
        State.FIRING,
    ),
    "a text in Chinese": (
        "告警对象：web-1\n策略名称：cpu\n告警状态：恢复\n触发时间：2026\n".encode(),
        {"object": "web-1", "policy": "cpu", "status": "恢复", "time of the trigger": "2026"},
        State.RESOLVED,
    ),
    "a text": (
        b"policy_name = cpu\nfirstTriggerTime: 2026\n",
        {"policy": "cpu", "time of the trigger": "2026"},
        None,
    ),
    "one line of content": (
        {"content": "CPU > 90%", "policy_name": "cpu"},
        {"policy": "cpu", "content": "CPU > 90%"},
        None,
    ),
}


@pytest.mark.parametrize("body, found, state", BODIES.values(), ids=BODIES)
def test_the_body_of_a_template_is_recognised(body: Any, found: dict[str, str], state: State | None) -> None:
    """Bodies of templates are recognised in every usual form, with the values that a receiver gets and lacks."""
    result = FINDER.validate(body) if isinstance(body, bytes) else FINDER.validate_tree(body)
    assert (result.kind, result.is_valid, result.state) == ("template", True, state)
    assert dict(result.found) == found
    [note] = result.deviations
    assert note.message.startswith("a receiver cannot get from it: ")
    assert note.message.endswith("sessionId, dimensions of the object")
    needed = ("object", "policy", "status", "time of the trigger")
    assert [name for name in needed if f" {name}," in note.message] == [name for name in needed if name not in found]


OTHERS: dict[str, Any] = {
    "common words": {"object": "a", "content": "b", "status": "ok"},
    "one name": {"policy_name": "cpu"},
    "a message": {"text": "CPU is high"},
    "a text": b"policy: read it\nstatus: fine\n",
    "nested too deep": {"a": {"b": {"c": {"d": {"e": {"f": {"policy_name": "x", "policy_id": "y"}}}}}}},
    "empty": {},
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_another_body_is_not_taken_for_one(body: Any) -> None:
    """Words that any message has are not variables."""
    assert find_template_body(body) is None
    assert not (FINDER.validate(body) if isinstance(body, bytes) else FINDER.validate_tree(body)).is_valid


def test_variables_that_were_not_replaced_are_reported() -> None:
    """A template that was posted as it is."""
    result = FINDER.validate_tree({"text": "{{.content}} of {{ policy_name }} {{.other}}"})
    assert result.kind == "template"
    assert result.deviations[1].message == "has variables that were not replaced: {{.content}}, {{ policy_name }}"


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_known(name: str) -> None:
    """A rendered template with any variable beside the policy's name is recognised."""
    shape = CATALOG.get("cvm/basic-monitoring")
    generator = Generator(1, Lang.ZH)
    tree = generator.callback(generator.alarm(shape), State.FIRING).to_dict()
    template = NotificationTemplate(f'{{"policy_name": "{{{{.policy_name}}}}", "{name}": "{{{{.{name}}}}}"}}', "t")
    body = json.loads(template.render(shape, State.FIRING, Lang.ZH, tree)) | {"current_level": "Warn"}
    assert FINDER.validate_tree(body).kind == "template"


@pytest.mark.parametrize(
    "wrap, path",
    [
        (lambda text: {"log": text + "\n", "stream": "stdout"}, "log"),
        (lambda text: {"headers": {}, "body": text}, "body"),
        (lambda text: {"Records": [{"n": 1}, {"data": json.loads(text)}]}, "Records.1.data"),
        (lambda text: text, ""),
        (lambda text: {"isBase64Encoded": True, "body": base64.b64encode(text.encode()).decode()}, "body"),
    ],
    ids=["a line of a log", "a gateway", "a queue", "a text", "a gateway in base64"],
)
def test_a_callback_inside_of_another_document_is_no_template(wrap: Any, path: str) -> None:
    """It is named with its place: TCOP posts a callback alone."""
    generator = Generator(3)
    text = generator.callback(generator.alarm(CATALOG.get("cvm/basic-monitoring")), State.FIRING).to_bytes().decode()
    result = FINDER.validate_tree(wrap(text))
    assert (result.kind, result.is_valid) == ("unknown", False)
    assert [issue.path for issue in result.problems] == [path]
    assert "holds an alarm callback, which TCOP posts alone" in result.problems[0].message
    for broken in ('{"alarmObjInfo": broken', "eyJhbGFybU9iakluZm8", "eyJ\u4e2d"):
        assert "holds" not in str(FINDER.validate_tree({"log": broken}).problems)
