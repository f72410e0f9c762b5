"""A user's notification content template, whose variables TCOP replaces.

Sources: DescribeNotificationContentTemplateSupports (MT_QCE) for the names of the variables; the page on notification
content templates, 2025-01-22, for the limit of 3,000 characters after rendering. Most values of variables are
undocumented; ``ASSUMED`` lists the assumptions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.pools import regions
from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import CallbackView, format_time
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tcop_mock.domain.shape import Shape

MAX_CHARS = 3000
"""Maximum length of a rendered body."""
ASSUMED = (
    "templates: variables are written {{.name}}; their values are inserted without escaping",
    "templates: the values of content, object, tag_fmt, tooltip_text, all *_fmt variables and the links are ours",
    "templates: times without _fmt are seconds since 1970 UTC, durations are seconds, alarms have no level",
)
"""Assumptions about templates that are not taken from a source."""
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"\.([A-Za-z_]+)")
_STATUS_FMT = {
    State.FIRING: ("Triggered", "触发"),
    State.REPEATED: ("Lasting", "持续"),
    State.RESOLVED: ("Recovered", "恢复"),
}


STATUS_TEXTS = {
    "trigger": State.FIRING,
    "recovery": State.RESOLVED,
    **{
        text.casefold(): State.RESOLVED if state is State.RESOLVED else State.FIRING
        for state, texts in _STATUS_FMT.items()
        for text in texts
    },
    "升级": State.FIRING,
    "降级": State.FIRING,
}
"""Values of the variables ``status``, ``status_fmt`` and ``status_level_fmt``, and the states that they tell."""


class NotificationTemplate:
    """A text with variables.

    Args:
        text: the template.
        name: its file name, for error messages and for reading it again.

    Raises:
        UsageError: invalid braces; names the line.
        UnknownNameError: unknown variable; suggests similar names.
    """

    def __init__(self, text: str, name: str) -> None:
        self._text, self.name = text, name
        for action in _ACTION.finditer(text):
            line = text.count("\n", 0, action.start()) + 1
            match = _VARIABLE.fullmatch(action[1].strip())
            if match is None:
                raise UsageError(f"{name}, line {line}: {action[0]!r} is not a variable like {{{{.content}}}}")
            if match[1] not in _VALUES:
                raise UnknownNameError("variable", match[1], _VALUES, where=f"{name}, line {line}")

    def render(self, shape: Shape, state: State, lang: Lang, body: dict[str, Any]) -> bytes:
        """Return the body of a notification.

        Args:
            shape: shape of the alarm.
            state: state of the alarm.
            lang: language of the account.
            body: the documented callback with the same content.

        Raises:
            UsageError: the result exceeds TCOP's limit.
        """
        context = _TemplateContext(shape, state, lang, body)
        text = _ACTION.sub(lambda action: str(_VALUES[action[1].strip()[1:]](context)), self._text)
        if len(text) > MAX_CHARS:
            raise UsageError(f"{self.name} renders to {len(text)} characters; TCOP allows {MAX_CHARS}")
        return text.encode()


class _TemplateContext:
    """Source of the values of variables."""

    def __init__(self, shape: Shape, state: State, lang: Lang, body: dict[str, Any]) -> None:
        self.shape, self.state, self.is_chinese = shape, state, lang is Lang.ZH
        self.view = CallbackView(body)
        self.region = next((region for region in regions() if region.code == self.view.object_info.get("region")), None)

    def localized(self, english: str, chinese: str) -> str:
        return chinese if self.is_chinese else english

    def status(self) -> str:
        return "Recovery" if self.state is State.RESOLVED else "Trigger"

    def status_fmt(self) -> str:
        return self.localized(*_STATUS_FMT[self.state])

    def duration_fmt(self) -> str:
        minutes = self.view.duration_s // 60
        return self.localized(f"{minutes} min", f"{minutes}分钟")


def _unix_seconds(time: datetime | None) -> str:
    return str(int(time.timestamp())) if time else ""


_VALUES: dict[str, Callable[[_TemplateContext], object]] = {
    "app_id": lambda notice: notice.view.object_info.get("appId", ""),
    "console_link": lambda notice: f"https://console.example/{notice.view.policy.get('policyId', '')}",
    "content": lambda notice: notice.view.condition_text,
    "current_level": lambda _: "",
    "current_level_fmt": lambda _: "",
    "current_value_content": lambda notice: notice.view.current_value,
    "duration": lambda notice: notice.view.duration_s,
    "duration_fmt": _TemplateContext.duration_fmt,
    "first_trigger_time": lambda notice: _unix_seconds(notice.view.first_occurred_at),
    "first_trigger_time_fmt": lambda notice: format_time(notice.view.first_occurred_at),
    "last_level": lambda _: "",
    "last_level_fmt": lambda _: "",
    "miniprogram_link": lambda notice: f"https://mp.example/{notice.view.policy.get('policyId', '')}",
    "object": lambda notice: notice.view.object_name,
    "policy_id": lambda notice: notice.view.policy.get("policyId", ""),
    "policy_name": lambda notice: notice.view.policy.get("policyName", ""),
    "project_name": lambda notice: notice.localized("Default project", "默认项目"),
    "recovery_time": lambda notice: _unix_seconds(notice.view.recovered_at),
    "recovery_time_fmt": lambda notice: format_time(notice.view.recovered_at),
    "region": lambda notice: notice.region.full_name if notice.region else "",
    "region_fmt": lambda notice: notice.localized(notice.region.city, notice.region.city_zh) if notice.region else "",
    "server_name": lambda notice: notice.localized(notice.shape.policy.name.en, notice.shape.policy.name.zh),
    "status": _TemplateContext.status,
    "status_fmt": _TemplateContext.status_fmt,
    "status_level_fmt": _TemplateContext.status_fmt,
    "tag_fmt": lambda _: "",
    "tooltip_text": lambda _: "",
    "trigger_time": lambda notice: _unix_seconds(notice.view.sent_at),
    "trigger_time_fmt": lambda notice: format_time(notice.view.sent_at),
}
VARIABLES = tuple(_VALUES)
"""Names of all variables."""
