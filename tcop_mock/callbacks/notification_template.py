"""A user's notification content template, whose variables TCOP replaces, and the bodies rendered from it.

Sources: DescribeNotificationContentTemplateSupports (MT_QCE) for the names of the variables; the page on notification
content templates, 2025-01-22, for the limit of 3,000 characters after rendering. Most values of variables are
undocumented; ``ASSUMED`` lists the assumptions.

A body of a template can be anything. It is recognised by the names of TCOP's variables, as keys of JSON objects or
before a colon in a text: ``policy_name``, ``policyName``, ``PolicyName`` and ``Policy name`` are one name, and
``alarmObject`` and ``告警对象`` are ``object``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.catalog.pools import regions
from tcop_mock.domain.callback import State
from tcop_mock.domain.callback_view import CallbackView, format_time
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
"""Values of the variables ``status``, ``status_fmt`` and ``status_level_fmt``, and their states."""
_SUFFIX = "fmt"
_NOT_LETTERS = re.compile(r"[^a-z0-9\u4e00-\u9fff]")
_LINE = re.compile(
    r"^[\s>*#|_\-\"'`•·\[\]]*([A-Za-z\u4e00-\u9fff][\w .-]{1,40}?)[*_`\"'\]]*\s*[:：=]\s*(.+?)\s*$", re.MULTILINE
)
_PLACEHOLDER = re.compile(r"\{\{\s*\.?([A-Za-z_]+)\s*\}\}")
_OTHER_NAMES = {
    "policy": "policy",
    "state": "status",
    "级别": "current_level",
    "内容": "content",
    "地域": "region",
    "对象": "object",
    "持续时间": "duration",
    "持续时长": "duration",
    "首次触发时间": "first_trigger_time",
    "恢复时间": "recovery_time",
    "触发时间": "trigger_time",
    "等级": "current_level",
    "策略": "policy",
    "策略名称": "policy_name",
    "状态": "status",
}
"""Names that users give to variables in their own words."""
_COMMON_NAMES = frozenset({"content", "object", "status", "region", "duration", "app_id", "policy"})
"""Variables whose names other senders use, too."""
_FACTS = {
    "object": ("object",),
    "policy": ("policy_name", "policy_id", "policy"),
    "status": ("status", "status_level"),
    "level": ("current_level", "last_level"),
    "value": ("current_value_content",),
    "content": ("content",),
    "time of the trigger": ("trigger_time", "first_trigger_time"),
    "time of the recovery": ("recovery_time",),
}
_NEEDED = ("object", "policy", "status", "time of the trigger")
"""Variables that a receiver needs to distinguish incidents, and to close them."""
_ALWAYS_MISSING = ("sessionId", "dimensions of the object")
"""Fields of a callback for which templates have no variable."""
_MIN_NAMES = 2
_MAX_DEPTH = 6
_MAX_TEXT_CHARS = 100_000


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


_NAMES = {
    _NOT_LETTERS.sub("", name.removesuffix(f"_{_SUFFIX}")): name.removesuffix(f"_{_SUFFIX}") for name in VARIABLES
}


class TemplateBody(NamedTuple):
    """Values of a body that was rendered from a template."""

    found: tuple[tuple[str, str], ...]
    """Facts with their values: ``object``, ``policy``, ``status`` ..."""
    missing: tuple[str, ...]
    """Facts that a receiver cannot get from it."""
    state: State | None
    unrendered: tuple[str, ...] = ()
    """Variables that stand in it unreplaced."""


def find_template_body(body: Any) -> TemplateBody | None:  # noqa: ANN401 - any JSON value, or bytes that are not JSON
    """Return the values of a body that was rendered from a template; ``None`` for other bodies.

    Args:
        body: a JSON value, or the bytes of a text.
    """
    if isinstance(body, bytes):
        body = body[: _MAX_TEXT_CHARS * 4].decode("utf-8", "replace")
    values: dict[str, str] = {}
    variables: dict[str, None] = {}
    for name, value in _named_values(body, _MAX_DEPTH):
        variables |= dict.fromkeys(variable[0] for variable in _PLACEHOLDER.finditer(value) if variable[1] in VARIABLES)
        is_wrapper = name == "content" and (value.startswith("{") or "\n" in value)  # it holds the other values
        if name and not is_wrapper:
            values.setdefault(name, value)
    if not variables and not _is_template(values):
        return None
    facts = {fact: next((values[name] for name in names if values.get(name)), "") for fact, names in _FACTS.items()}
    return TemplateBody(
        tuple((fact, value) for fact, value in facts.items() if value),
        (*(fact for fact in _NEEDED if not facts[fact]), *_ALWAYS_MISSING),
        STATUS_TEXTS.get(facts["status"].strip().casefold()),
        tuple(variables),
    )


def _is_template(values: dict[str, str]) -> bool:
    """Return whether the names are those of TCOP's variables, and not of any message."""
    if len(values) < _MIN_NAMES:
        return False
    return bool(values.keys() - _COMMON_NAMES) or values.get("status", "").strip().casefold() in STATUS_TEXTS


def _named_values(node: Any, depth: int) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Yield the texts and numbers of a body with the variable that each is named after, or with an empty name."""
    if isinstance(node, dict) and depth:
        for key, child in node.items():
            if isinstance(child, str | int | float) and not isinstance(child, bool):
                yield _variable_of(key), str(child)
            yield from _named_values(child, depth - 1)
    elif isinstance(node, list) and depth:
        for child in node:
            yield from _named_values(child, depth - 1)
    elif isinstance(node, str) and depth:
        yield from _values_in_text(node[:_MAX_TEXT_CHARS], depth)


def _values_in_text(text: str, depth: int) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        try:
            yield from _named_values(json.loads(text), depth - 1)
        except (ValueError, RecursionError):
            yield "", text
        else:
            return
    yield "", text
    for line in _LINE.finditer(text):
        yield _variable_of(line[1]), line[2]


def _variable_of(name: str) -> str:
    """Return the variable that a key or label is named after, or an empty string."""
    plain = _NOT_LETTERS.sub("", name.casefold()).removeprefix("alarm").removeprefix("告警").removesuffix(_SUFFIX)
    return _NAMES.get(plain) or _OTHER_NAMES.get(plain, "")
