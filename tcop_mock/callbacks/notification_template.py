"""A user's own notification content template: TCOP's variables put into a text of theirs.

Names of the variables: DescribeNotificationContentTemplateSupports (MT_QCE); that a body has at most 3,000 characters
after rendering: page on notification content templates, 2025-01-22. What the variables hold is documented of few;
``ASSUMED`` says of which it is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.pools import regions
from tcop_mock.domain.alarm import State
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tcop_mock.domain.shape import Shape

MAX_CHARS = 3000
"""Of a body, after rendering."""
ASSUMED = (
    "templates: variables stand as {{.name}}, and their values are put in as they are, not escaped",
    "templates: texts of content, object, tag_fmt, tooltip_text and all that end in _fmt, and the links, are ours",
    "templates: times without _fmt are seconds since 1970 UTC, durations seconds; levels are those of no hierarchy",
)
"""What no source says of templates."""
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"\.([A-Za-z_]+)")
_STATUS_FMT = {
    State.FIRING: ("Triggered", "触发"),
    State.REPEATED: ("Lasting", "持续"),
    State.RESOLVED: ("Recovered", "恢复"),
}


class NotificationTemplate:
    """A text with variables.

    Args:
        text: the template.
        name: its name, for complaints and for who wants to take it again.

    Raises:
        UsageError: braces that are no variable; says which line.
        UnknownNameError: a variable that TCOP does not have; names near misses.
    """

    def __init__(self, text: str, name: str) -> None:
        self._text, self.name = text, name
        for action in _ACTION.finditer(text):
            line = text.count("\n", 0, action.start()) + 1
            match = _VARIABLE.fullmatch(action[1].strip())
            if match is None:
                raise UsageError(
                    f"{name}, line {line}: {action[0]!r} is no variable as {{{{.content}}}}; more is not known"
                )
            if match[1] not in _VALUES:
                raise UnknownNameError("variable", match[1], _VALUES, where=f"{name}, line {line}")

    def render(self, shape: Shape, state: State, lang: Lang, body: dict[str, Any]) -> bytes:
        """Return the body of a notice.

        Args:
            shape: what the alarm is about.
            state: of the alarm.
            lang: of the notice.
            body: the documented callback that it stands for.

        Raises:
            UsageError: it is longer than TCOP lets it be.
        """
        context = _TemplateContext(shape, state, lang, body)
        text = _ACTION.sub(lambda action: str(_VALUES[action[1].strip()[1:]](context)), self._text)
        if len(text) > MAX_CHARS:
            raise UsageError(f"{self.name} renders to {len(text)} characters; TCOP allows {MAX_CHARS}")
        return text.encode()


class _TemplateContext:
    """What the variables are taken from."""

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


def _format_time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


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
    "first_trigger_time_fmt": lambda notice: _format_time(notice.view.first_occurred_at),
    "last_level": lambda _: "",
    "last_level_fmt": lambda _: "",
    "miniprogram_link": lambda notice: f"https://mp.example/{notice.view.policy.get('policyId', '')}",
    "object": lambda notice: notice.view.object_name,
    "policy_id": lambda notice: notice.view.policy.get("policyId", ""),
    "policy_name": lambda notice: notice.view.policy.get("policyName", ""),
    "project_name": lambda notice: notice.localized("Default project", "默认项目"),
    "recovery_time": lambda notice: _unix_seconds(notice.view.recovered_at),
    "recovery_time_fmt": lambda notice: _format_time(notice.view.recovered_at),
    "region": lambda notice: notice.region.full_name if notice.region else "",
    "region_fmt": lambda notice: notice.localized(notice.region.city, notice.region.city_zh) if notice.region else "",
    "server_name": lambda notice: notice.localized(notice.shape.policy.name.en, notice.shape.policy.name.zh),
    "status": _TemplateContext.status,
    "status_fmt": _TemplateContext.status_fmt,
    "status_level_fmt": _TemplateContext.status_fmt,
    "tag_fmt": lambda _: "",
    "tooltip_text": lambda _: "",
    "trigger_time": lambda notice: _unix_seconds(notice.view.sent_at),
    "trigger_time_fmt": lambda notice: _format_time(notice.view.sent_at),
}
VARIABLES = tuple(_VALUES)
"""Names of all variables."""
