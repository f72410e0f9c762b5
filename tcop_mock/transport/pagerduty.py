"""PagerDuty events (Events API v2), which TCOP sends if the callback URL is PagerDuty's.

The API is documented in PagerDuty's developer documentation, Events API v2 (trigger and resolve events). TCOP sends to
``https://events.pagerduty.com/v2/enqueue`` with an integration key (alarm callback page, 2023-08-07). That page shows
the content of an event only in an image, so it is an assumption here.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.target import MASK
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.domain.callback_view import CallbackView
    from tcop_mock.domain.target import Secret

PAGERDUTY_ASSUMPTION = (
    "texts, severity (critical), dedup_key and custom_details of an event are ours (TCOP's are not published)"
)
"""The assumptions about these events."""
PAGERDUTY_MAX_SUMMARY_CHARS = 1024
PAGERDUTY_MAX_BYTES = 512 * 1024
_PAGERDUTY_STATES = {False: "Triggered", True: "Resolved"}


def pagerduty_event(callback: CallbackView, key: Secret | None) -> bytes:
    """Return the event of a callback: a trigger, also for each repeat, or a resolve.

    Args:
        callback: the callback.
        key: the service's integration key; ``None`` masks it, for display.

    Raises:
        UsageError: the event is larger than PagerDuty accepts.
    """
    masked = _event_bytes(callback, MASK)
    size = len(masked) + len(key.reveal() if key else "") - len(MASK)
    if size > PAGERDUTY_MAX_BYTES:  # no variable holds the key here, which a traceback might show
        raise UsageError(
            f"as a PagerDuty event this callback has {size} bytes; PagerDuty accepts {PAGERDUTY_MAX_BYTES}"
        )
    return _event_bytes(callback, key.reveal()) if key else masked


def _event_bytes(callback: CallbackView, key: str) -> bytes:
    head = {
        "routing_key": key,
        "event_action": "resolve" if callback.is_resolved else "trigger",
        "dedup_key": dedup_key(callback),
    }
    return json.dumps(head | _event_fields(callback), ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def dedup_key(callback: CallbackView) -> str:
    """Return a key that is unique to an alarm: a hash of its policy, metric or event, and object."""
    object_info, policy = callback.object_info, callback.policy
    owner = [object_info.get("appId"), object_info.get("region"), object_info.get("namespace"), policy.get("policyId")]
    key_text = json.dumps(
        [*owner, policy.get("policyName"), callback.metric_name, callback.object_keys], sort_keys=True
    )
    return f"tcop-{hashlib.sha256(key_text.encode()).hexdigest()[:32]}"


def _event_fields(callback: CallbackView) -> dict[str, Any]:
    state = _PAGERDUTY_STATES[callback.is_resolved]
    summary = f"[{state}] {callback.product_name}: {callback.condition_text} on {callback.object_name}"
    payload = {
        "summary": summary[:PAGERDUTY_MAX_SUMMARY_CHARS],
        "source": callback.object_name or callback.product_name or "tcop",
        "severity": "critical",
        "timestamp": callback.sent_at.isoformat() if callback.sent_at else None,
        "component": callback.product_name or None,
        "group": callback.policy.get("policyName"),
        "class": callback.metric_name or None,
        "custom_details": {
            "currentValue": callback.current_value or None,
            "durationTime": callback.duration_s,
            "alarmObjInfo": dict(callback.object_info),
            "alarmPolicyInfo": dict(callback.policy),
        },
    }
    return {
        "client": "Tencent Cloud Observability Platform",
        "payload": {key: value for key, value in payload.items() if value is not None},
    }
