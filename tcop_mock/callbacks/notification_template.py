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
from tcop_mock.domain.callback_view import Told
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tcop_mock.domain.shape import Shape

MOST_CHARS = 3000
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


class Template:
    """A text with variables.

    Args:
        text: the template.
        where: its name, for complaints and for who wants to take it again.

    Raises:
        UsageError: braces that are no variable; says which line.
        UnknownNameError: a variable that TCOP does not have; names near misses.
    """

    def __init__(self, text: str, where: str) -> None:
        self._text, self.where = text, where
        for action in _ACTION.finditer(text):
            line = text.count("\n", 0, action.start()) + 1
            found = _VARIABLE.fullmatch(action[1].strip())
            if found is None:
                raise UsageError(
                    f"{where}, line {line}: {action[0]!r} is no variable as {{{{.content}}}}; more is not known"
                )
            if found[1] not in _VALUES:
                raise UnknownNameError("variable", found[1], _VALUES, where=f"{where}, line {line}")

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
        notice = _Notice(shape, state, lang, body)
        text = _ACTION.sub(lambda action: str(_VALUES[action[1].strip()[1:]](notice)), self._text)
        if len(text) > MOST_CHARS:
            raise UsageError(f"{self.where} renders to {len(text)} characters; TCOP allows {MOST_CHARS}")
        return text.encode()


class _Notice:
    """What the variables are taken from."""

    def __init__(self, shape: Shape, state: State, lang: Lang, body: dict[str, Any]) -> None:
        self.shape, self.state, self.zh = shape, state, lang is Lang.ZH
        self.told = Told(body)
        self.region = next((one for one in regions() if one.code == self.told.about.get("region")), None)

    def either(self, english: str, chinese: str) -> str:
        return chinese if self.zh else english

    def status(self) -> str:
        return "Recovery" if self.state is State.RESOLVED else "Trigger"

    def status_fmt(self) -> str:
        return self.either(*_STATUS_FMT[self.state])

    def duration_fmt(self) -> str:
        minutes = self.told.duration_s // 60
        return self.either(f"{minutes} min", f"{minutes}分钟")


def _seconds(moment: datetime | None) -> str:
    return str(int(moment.timestamp())) if moment else ""


def _written(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


_VALUES: dict[str, Callable[[_Notice], object]] = {
    "app_id": lambda notice: notice.told.about.get("appId", ""),
    "console_link": lambda notice: f"https://console.example/{notice.told.policy.get('policyId', '')}",
    "content": lambda notice: notice.told.content,
    "current_level": lambda _: "",
    "current_level_fmt": lambda _: "",
    "current_value_content": lambda notice: notice.told.current,
    "duration": lambda notice: notice.told.duration_s,
    "duration_fmt": _Notice.duration_fmt,
    "first_trigger_time": lambda notice: _seconds(notice.told.first),
    "first_trigger_time_fmt": lambda notice: _written(notice.told.first),
    "last_level": lambda _: "",
    "last_level_fmt": lambda _: "",
    "miniprogram_link": lambda notice: f"https://mp.example/{notice.told.policy.get('policyId', '')}",
    "object": lambda notice: notice.told.object,
    "policy_id": lambda notice: notice.told.policy.get("policyId", ""),
    "policy_name": lambda notice: notice.told.policy.get("policyName", ""),
    "project_name": lambda notice: notice.either("Default project", "默认项目"),
    "recovery_time": lambda notice: _seconds(notice.told.recovered),
    "recovery_time_fmt": lambda notice: _written(notice.told.recovered),
    "region": lambda notice: notice.region.full if notice.region else "",
    "region_fmt": lambda notice: notice.either(notice.region.city, notice.region.city_zh) if notice.region else "",
    "server_name": lambda notice: notice.either(notice.shape.policy.name.en, notice.shape.policy.name.zh),
    "status": _Notice.status,
    "status_fmt": _Notice.status_fmt,
    "status_level_fmt": _Notice.status_fmt,
    "tag_fmt": lambda _: "",
    "tooltip_text": lambda _: "",
    "trigger_time": lambda notice: _seconds(notice.told.now),
    "trigger_time_fmt": lambda notice: _written(notice.told.now),
}
VARIABLES = tuple(_VALUES)
"""Names of all variables."""
