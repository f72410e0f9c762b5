"""Recogniser of bodies of users' own notification content templates.

Such a body can be anything. It is recognised by the names of TCOP's variables, as keys of JSON objects or before a
colon in a text: ``policy_name``, ``policyName``, ``PolicyName`` and ``Policy name`` are one name, and
``alarmObject`` and ``告警对象`` are ``object``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.notification_template import STATUS_TEXTS, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.callback import State

_SUFFIX = "fmt"
_NOT_LETTERS = re.compile(r"[^a-z0-9\u4e00-\u9fff]")
_LINE = re.compile(
    r"^[\s>*#|_\-\"'`•·\[\]]*([A-Za-z\u4e00-\u9fff][\w .-]{1,40}?)[*_`\"'\]]*\s*[:：=]\s*(.+?)\s*$", re.MULTILINE
)
_VARIABLE = re.compile(r"\{\{\s*\.?([A-Za-z_]+)\s*\}\}")
_NAMES = {
    _NOT_LETTERS.sub("", name.removesuffix(f"_{_SUFFIX}")): name.removesuffix(f"_{_SUFFIX}") for name in VARIABLES
}
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
"""Variables under whose names, or words for them, other senders write, too."""
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
"""What a receiver needs to keep incidents apart, and to close them."""
_ALWAYS_MISSING = ("sessionId", "dimensions of the object")
"""What no variable of a template holds."""
_MIN_NAMES = 2
_MAX_DEPTH = 6
_MAX_TEXT_CHARS = 100_000


class TemplateBody(NamedTuple):
    """What the body of a template contains."""

    found: tuple[tuple[str, str], ...]
    """Facts with their values: ``object``, ``policy``, ``status`` ..."""
    missing: tuple[str, ...]
    """Facts that a receiver cannot get from it."""
    state: State | None
    unrendered: tuple[str, ...] = ()
    """Variables that stand in it unreplaced."""


def find_template_body(body: Any) -> TemplateBody | None:  # noqa: ANN401 - any JSON value, or bytes that are not JSON
    """Return what the body of a template contains; ``None`` if nothing shows that it is one.

    Args:
        body: a JSON value, or the bytes of a text.
    """
    if isinstance(body, bytes):
        body = body[: _MAX_TEXT_CHARS * 4].decode("utf-8", "replace")
    values: dict[str, str] = {}
    variables: dict[str, None] = {}
    for name, value in _named_values(body, _MAX_DEPTH):
        variables |= dict.fromkeys(variable[0] for variable in _VARIABLE.finditer(value) if variable[1] in VARIABLES)
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
