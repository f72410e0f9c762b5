"""WeCom group robot messages, which TCOP sends if the callback URL is a robot's.

The robot's limits: 20 messages a minute (Tencent Cloud, receiving alarm notifications through a WeCom group), 4,096
bytes of markdown in UTF-8 (WeCom's page on group robots). TCOP's texts are published only in images, so they are
assumptions here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tcop_mock.domain.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tcop_mock.domain.callback_view import CallbackView

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
