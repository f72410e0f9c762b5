"""A callback as an event of PagerDuty's Events API v2, which TCOP sends where the callback URL is PagerDuty's.

What the API wants: PagerDuty's developer documentation, Events API v2 (trigger and resolve events). That TCOP
sends to ``https://events.pagerduty.com/v2/enqueue`` with an integration key: alarm callback page, 2023-08-07. What TCOP
writes into an event is shown there in an image only: ``ASSUMED``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.target import MASK
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.domain.callback_view import Told
    from tcop_mock.domain.target import Secret

ASSUMED = "texts, severity (critical), dedup_key and custom_details of an event are ours (TCOP's are not published)"
"""What no source says of these events."""
MOST_SUMMARY = 1024
MOST_BYTES = 512 * 1024
_STATES = {False: "Triggered", True: "Resolved"}


def event(told: Told, key: Secret | None) -> bytes:
    """Return the event of a callback: a trigger, again for each repeat, or a resolve.

    Args:
        told: the callback.
        key: the service's integration key; ``None`` masks it, for showing.

    Raises:
        UsageError: it would be larger than PagerDuty takes.
    """
    masked = _bytes(told, MASK)
    size = len(masked) + len(key.reveal() if key else "") - len(MASK)
    if size > MOST_BYTES:  # while no variable holds the key, which a traceback might show
        raise UsageError(f"as a PagerDuty event this callback has {size} bytes; PagerDuty takes {MOST_BYTES}")
    return _bytes(told, key.reveal()) if key else masked


def _bytes(told: Told, key: str) -> bytes:
    head = {"routing_key": key, "event_action": "resolve" if told.resolved else "trigger", "dedup_key": dedup_key(told)}
    return json.dumps(head | _rest(told), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def dedup_key(told: Told) -> str:
    """Return what all callbacks of one alarm share, and no other alarm has: its policy, metric or event, and object."""
    about, policy = told.about, told.policy
    who = [about.get("appId"), about.get("region"), about.get("namespace"), policy.get("policyId")]
    identity = json.dumps([*who, policy.get("policyName"), told.name, told.dimensions], sort_keys=True)
    return f"tcop-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def _rest(told: Told) -> dict[str, Any]:
    summary = f"[{_STATES[told.resolved]}] {told.product}: {told.content} on {told.object}"
    payload = {
        "summary": summary[:MOST_SUMMARY],
        "source": told.object or told.product or "tcop",
        "severity": "critical",
        "timestamp": told.now.isoformat() if told.now else None,
        "component": told.product or None,
        "group": told.policy.get("policyName"),
        "class": told.name or None,
        "custom_details": {
            "currentValue": told.current or None,
            "durationTime": told.duration_s,
            "alarmObjInfo": dict(told.about),
            "alarmPolicyInfo": dict(told.policy),
        },
    }
    return {
        "client": "Tencent Cloud Observability Platform",
        "payload": {key: value for key, value in payload.items() if value is not None},
    }
