"""Mutants that misread bodies: each has its bug and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mutant_receivers import PAYLOAD_MUTANTS

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_tree import with_value, without_value
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import Form, State, encode_json
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest

CATALOG = Catalog.load()
INFO, DIMENSIONS, CONDITIONS = "alarmObjInfo", "alarmObjInfo.dimensions", "alarmPolicyInfo.conditions"
NAME = f"{DIMENSIONS}.objName"


def tree(
    shape: str = "cvm/basic-monitoring", state: State = State.FIRING, form: Form = Form.DOCUMENTED, seed: int = 7
) -> Any:
    """Return a body as a tree."""
    generator = Generator(seed, form=form)
    return generator.callback(generator.alarm(CATALOG.get(shape), required_state=state), state).to_dict()


def but(path: str, value: object, state: State = State.FIRING) -> bytes:
    """Return a body with another value at a path; ``...`` removes it."""
    body = tree(state=state)
    return encode_json(without_value(body, path) if value is ... else with_value(body, path, value, create=True))


def post(body: bytes) -> ReceivedRequest:
    """Return a request with that body."""
    return ReceivedRequest("POST", "/", (), body, 0.0)


RESOLVED = State.RESOLVED
CAPITALS_SEED = next(
    seed for seed in range(50) if "Key" in str(tree("cvm/events", form=Form.EVENTBRIDGE, seed=seed)["additionalMsg"])
)
"""A seed with which EventBridge's form has its keys in capitals."""
BREAKING: dict[str, bytes] = {
    "TCM101-rejects-CKafka": encode_json(tree("ckafka/consumer-group-partition")),
    "TCM301-status-must-be-text": but("alarmStatus", 1),
    "TCM301-status-must-be-a-number": but("alarmStatus", "1"),
    "TCM301-duration-must-be-a-number": but("durationTime", "500"),
    "TCM301-notify-period-must-be-a-number": but(f"{CONDITIONS}.alarmNotifyPeriod", "300"),
    "TCM301-notify-period-of-an-event-must-be-a-number": encode_json(tree("cvm/events", form=Form.OBSERVED)),
    "TCM301-calc-value-must-be-text": but(f"{CONDITIONS}.calcValue", 90),
    "TCM301-vport-must-be-text": encode_json(tree("clb/public-listener")),
    "TCM302-zero-text-when-resolved": but("recoverTime", "0", RESOLVED),
    "TCM302-empty-text-when-resolved": but("recoverTime", "", RESOLVED),
    "TCM302-zero-number-when-resolved": but("recoverTime", 0, RESOLVED),
    "TCM302-zero-number-when-firing": but("recoverTime", 0),
    "TCM302-empty-text-when-firing": but("recoverTime", ""),
    "TCM303-needs-region": encode_json(tree("cdn/domain")),
    "TCM303-needs-calc-value": but(f"{CONDITIONS}.calcValue", ...),
    "TCM303-needs-policy-id": but("alarmPolicyInfo.policyId", ...),
    "TCM303-needs-uin": but(f"{INFO}.uin", ...),
    "TCM303-needs-app-id": but(f"{INFO}.appId", ...),
    "TCM303-needs-namespace": but(f"{INFO}.namespace", ...),
    "TCM304-rejects-unknown-keys-at-the-top": but("alertId", "a"),
    "TCM304-rejects-unknown-conditions": but(f"{CONDITIONS}.level", "a"),
    "TCM304-rejects-unknown-dimensions": but(f"{DIMENSIONS}.rack", "a"),
    "TCM304-rejects-unknown-keys-with-null-or-booleans": but("silencedUntil", None),
    "TCM304-rejects-unknown-keys-with-numbers": but("alarmLevelCode", 3),
    "TCM305-needs-one-spelling-of-the-instance-id": but(f"{DIMENSIONS}.unInstanceId", ...),
    "TCM306-rejects-unknown-products": but(f"{INFO}.namespace", "qce/new"),
    "TCM306-rejects-unknown-products-of-events": but(f"{CONDITIONS}.productName", "quantum_relay"),
    "TCM307-rejects-events": encode_json(tree("cvm/events")),
    "TCM308-rejects-unknown-alarm-types": but("alarmType", "weather"),
    "TCM320-needs-dimensions": but(DIMENSIONS, ...),
    "TCM320-rejects-callbacks-of-CLS": encode_json(tree("cls/alarms")),
    "TCM304-rejects-alarmLevel": but("alarmLevel", "Serious"),
    "TCM309-decodes-ASCII": but(NAME, "告警"),
    "TCM309-rejects-emoji": but(NAME, "\U0001f525"),
    "TCM310-formats-JSON-by-hand": but(NAME, "a\nb"),
    "TCM310-formats-SQL-by-hand": but("alarmPolicyInfo.policyName", "x'); DROP TABLE alarms; --"),
    "TCM310-formats-a-text-twice": but("alarmPolicyInfo.policyName", "{{ 7*7 }} {x}"),
    "TCM311-rejects-names-over-255-characters": but(NAME, "a" * 256),
    "TCM312-needs-sessionId-as-the-first-key": encode_json(dict(reversed(tree().items()))),
    "TCM312-reads-one-line-only": json.dumps(tree(), indent=2).encode(),
    "TCM313-rejects-duplicate-keys": b'{"durationTime":1,"durationTime":2}',
    "TCM314-rejects-null-dimensions": but(NAME, None),
    "TCM314-parses-all-values-as-numbers": but(f"{CONDITIONS}.currentValue", ""),
    "TCM321-parses-thresholds-as-integers": but(f"{CONDITIONS}.calcValue", "0.5"),
    "TCM321-needs-currentValue": but(f"{CONDITIONS}.currentValue", ""),
    "TCM317-needs-policyTypeCName": encode_json(tree(form=Form.OBSERVED)),
    "TCM317-divides-by-durationTime-of-events": encode_json(tree("cvm/events", form=Form.OBSERVED)),
    "TCM318-needs-policyType": encode_json(tree("cvm/events", form=Form.EVENTBRIDGE)),
    "TCM318-needs-lower-case-keys": encode_json(tree("cvm/events", form=Form.EVENTBRIDGE, seed=CAPITALS_SEED)),
    "TCM319-rejects-CloudEvents": encode_json(tree("antiddos/events", form=Form.CLOUDEVENTS)),
    "TCM401-accepts-malformed-JSON": b'{"a":',
    "TCM401-answers-500-to-malformed-JSON": b'{"a":',
    "TCM402-accepts-an-empty-body": b"",
    "TCM402-answers-500-to-an-empty-body": b" \n",
    "TCM403-answers-500-to-an-array": b"[]",
    "TCM403-accepts-null": b"null",
    "TCM404-ignores-decoding-errors": b'{"a":"\xff"}',
    "TCM404-accepts-a-wrong-encoding": b'{"a":"\xff"}',
    "TCM404-answers-500-to-a-wrong-encoding": b'{"a":"\xff"}',
    "TCM408-answers-with-a-traceback": b"{",
    "TCM410-shows-the-object-in-HTML": but(NAME, "<img src=x>"),
    "TCM410-echoes-a-malformed-body-as-HTML": b"<img src=x>",
}


@pytest.mark.parametrize("name", PAYLOAD_MUTANTS)
def test_a_mutant_has_its_bug(name: str) -> None:
    """A body of its clause gets another response than from the correct receiver."""
    assert PAYLOAD_MUTANTS[name](post(BREAKING[name])) != correct_receiver(post(BREAKING[name]))


@pytest.mark.parametrize("name", sorted(PAYLOAD_MUTANTS.keys() - {"TCM301-status-must-be-a-number"}))
@pytest.mark.parametrize("state", [State.FIRING, State.RESOLVED])
def test_a_mutant_accepts_plain_callbacks(name: str, state: State) -> None:
    """The control body is accepted, firing and resolved, so a clause is conclusive."""
    request = post(encode_json(tree(state=state)))
    assert PAYLOAD_MUTANTS[name](request) == correct_receiver(request)
