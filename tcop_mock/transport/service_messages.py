"""Messages that TCOP sends instead of a callback, if the callback URL is PagerDuty's or a WeCom robot's.

- PagerDuty: events of its Events API v2 (its developer documentation on trigger and resolve events). TCOP sends to
  ``https://events.pagerduty.com/v2/enqueue`` with an integration key (alarm callback page, 2023-08-07). That page shows
  the content of an event only in an image, so it is an assumption here.
- WeCom: group robot messages. The robot's limits are 20 messages a minute (Tencent Cloud, receiving alarm notifications
  through a WeCom group) and 4,096 bytes of markdown in UTF-8 (WeCom's page on group robots). TCOP's texts are published
  only in images, so they are assumptions here.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.shape import Lang
from tcop_mock.domain.target import MASK
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tcop_mock.domain.callback_view import CallbackView
    from tcop_mock.domain.target import Secret

PAGERDUTY_ASSUMPTION = (
    "texts, severity (critical), dedup_key and custom_details of an event are ours (TCOP's are not published)"
)
"""The assumptions about these events."""
PAGERDUTY_MAX_SUMMARY_CHARS = 1024
PAGERDUTY_MAX_BYTES = 512 * 1024
_PAGERDUTY_STATES = {False: "Triggered", True: "Resolved"}
WECOM_ASSUMPTION = "texts and layout of a message are ours (TCOP's own are not published)"
"""The assumptions about these messages."""
WECOM_MAX_BYTES = 4096
WECOM_MESSAGES_PER_MINUTE = 20
_WECOM_LABELS = {
    "policy": ("Alarm policy", "告警策略"),
    "product": ("Policy type", "策略类型"),
    "object": ("Alarm object", "告警对象"),
    "region": ("Region", "地域"),
    "content": ("Alarm content", "告警内容"),
    "current": ("Current value", "当前值"),
    "first": ("First occurred (UTC+8)", "首次触发时间 (UTC+8)"),
    "recovered": ("Recovered (UTC+8)", "恢复时间 (UTC+8)"),
    "duration": ("Duration", "持续时间"),
}
_WECOM_STATES = {False: ("warning", "Alarm triggered", "告警触发"), True: ("info", "Alarm resolved", "告警恢复")}


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


def wecom_message(callback: CallbackView, lang: Lang) -> bytes:
    """Return the message of a callback: markdown of at most 4,096 bytes, cut at a character."""
    text = "\n".join(_message_lines(callback, lang))
    content = text.encode("utf-8", "replace")[:WECOM_MAX_BYTES].decode("utf-8", "ignore")
    return json.dumps({"msgtype": "markdown", "markdown": {"content": content}}, ensure_ascii=False).encode()


def _message_lines(callback: CallbackView, lang: Lang) -> Iterator[str]:
    colour, english, chinese = _WECOM_STATES[callback.is_resolved]
    yield f'**<font color="{colour}">{_in_language(lang, (english, chinese))}</font>**'
    minutes = callback.duration_s // 60
    values = {
        "policy": callback.policy.get("policyName"),
        "product": callback.product_name,
        "object": callback.object_name,
        "region": callback.object_info.get("region"),
        "content": callback.condition_text,
        "current": callback.current_value,
        "first": _format_time(callback.first_occurred_at),
        "recovered": _format_time(callback.recovered_at),
        "duration": _in_language(lang, (f"{minutes} min", f"{minutes}分钟")) if minutes else "",
    }
    for key, value in values.items():
        if value:
            yield f">{_in_language(lang, _WECOM_LABELS[key])}: {_escape(str(value))}"


def _in_language(lang: Lang, texts: tuple[str, str]) -> str:
    return texts[lang is Lang.ZH]


def _format_time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def _escape(text: str) -> str:
    """Escape a name from a callback, so that it contains no mention, line break or tag."""
    return " ".join(text.split()).replace("<", "\uff1c").replace("[", "\uff3b")
