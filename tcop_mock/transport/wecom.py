"""A callback as a message of a WeCom group robot, which TCOP sends where the callback URL is a robot's.

The robot's limits: 20 messages a minute (Tencent Cloud, receiving alarm notifications through a WeCom group), 4,096
bytes of markdown in UTF-8 (WeCom's page on group robots). What TCOP writes is published in images only: ``ASSUMED``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tcop_mock.domain.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tcop_mock.domain.callback_view import Told

ASSUMED = "texts and layout of a message are ours (TCOP's own are not published)"
"""What no source says of these messages."""
MOST_BYTES = 4096
PER_MINUTE = 20
_LABELS = {
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
_STATES = {False: ("warning", "Alarm triggered", "告警触发"), True: ("info", "Alarm resolved", "告警恢复")}


def message(told: Told, lang: Lang) -> bytes:
    """Return the message of a callback: markdown of at the most 4,096 bytes, cut at a character."""
    text = "\n".join(_lines(told, lang))
    content = text.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")
    return json.dumps({"msgtype": "markdown", "markdown": {"content": content}}, ensure_ascii=False).encode()


def _lines(told: Told, lang: Lang) -> Iterator[str]:
    colour, english, chinese = _STATES[told.resolved]
    yield f'**<font color="{colour}">{_of(lang, (english, chinese))}</font>**'
    minutes = told.duration_s // 60
    values = {
        "policy": told.policy.get("policyName"),
        "product": told.product,
        "object": told.object,
        "region": told.about.get("region"),
        "content": told.content,
        "current": told.current,
        "first": _written(told.first),
        "recovered": _written(told.recovered),
        "duration": _of(lang, (f"{minutes} min", f"{minutes}分钟")) if minutes else "",
    }
    for key, value in values.items():
        if value:
            yield f">{_of(lang, _LABELS[key])}: {_inert(str(value))}"


def _of(lang: Lang, texts: tuple[str, str]) -> str:
    return texts[lang is Lang.ZH]


def _written(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def _inert(text: str) -> str:
    """Return a name from a callback so that it mentions nobody and begins no line or tag of its own."""
    return " ".join(text.split()).replace("<", "\uff1c").replace("[", "\uff3b")
