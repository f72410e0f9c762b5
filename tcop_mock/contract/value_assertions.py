"""Assertions about the values that messages show: units, durations, regions, and texts that are escaped for HTML."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.pools import regions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.catalog.pools import Region
    from tcop_mock.domain.contract import EffectScenarioResult, Inconclusive
    from tcop_mock.domain.effects import Effect

_SCALED_UNIT = r"%|[KMGTkmgt]i?(?:[Bb]ytes?|[Bb]its?|[Bb])(?:/s|/sec|/min|ps)?"
"""Units whose first letter says the scale."""
_NOT_SECONDS = r"ms|毫秒|min(?:ute)?s?|分钟|分|h(?:ou)?rs?|小时"
_REGION = re.compile(r"(?<![a-z])(?:region|location)(?![a-z])|地域|地区|区域", re.IGNORECASE)
_AFTER_LABEL = re.compile(r"(?:</?\w+>|[\s\"'*`_:：=|>(（\[])*([\w-]+(?: [A-Z][\w]*)?)")
_PLAIN_TEXT = {"/dingtalk": "msgtype", "/feishu": "msg_type"}
"""Services whose messages of type text show HTML as it is, and the key of the type."""
_HTML_ESCAPE = re.compile(r"&(?:amp|quot|#39|#x27);")
_ESCAPED_TWICE = re.compile(r"&amp;(?:lt|gt|amp|quot|#39|#x27);")
_MIN_DIGITS = 2


def values_right(result: EffectScenarioResult) -> str | None:
    """Assert that messages show unit, duration and region of an alarm as they were sent, if at all."""
    for step_result in result.step_results:
        body: dict[str, Any] = json.loads(step_result.step.cases[-1].request.body)
        for effect in step_result.new_effects:
            problem = _wrong_unit(effect, body) or _wrong_duration(effect, body) or _wrong_region(effect, body)
            if problem:
                return f"{step_result.step.title}: the message to {effect.location} shows {problem}"
    return None


def _wrong_unit(effect: Effect, body: dict[str, Any]) -> str:
    """Return the value with a unit of another scale, and what was sent; empty if there is none."""
    conditions = body["alarmPolicyInfo"]["conditions"]
    value, unit = str(conditions.get("currentValue", "")), str(conditions.get("unit", ""))
    if len(re.sub(r"\D", "", value)) < _MIN_DIGITS or not re.fullmatch(_SCALED_UNIT, unit):
        return ""
    shown = re.search(rf"(?<![\d.,-]){re.escape(value)} ?({_SCALED_UNIT})(?![A-Za-z])", effect.text)
    return f"{shown[0]}, and {value} {unit} was sent" if shown and shown[1][0].upper() != unit[0].upper() else ""


def _wrong_duration(effect: Effect, body: dict[str, Any]) -> str:
    """Return the seconds of the duration with another unit of time; empty if there are none."""
    duration = str(body.get("durationTime", ""))
    if len(duration) < _MIN_DIGITS:
        return ""
    shown = re.search(rf"(?<![\d.,-]){duration} ?(?:{_NOT_SECONDS})(?![A-Za-z])", effect.text)
    return f"{shown[0]}, and durationTime is {duration} s" if shown else ""


def _wrong_region(effect: Effect, body: dict[str, Any]) -> str:
    """Return the region that a message names as the alarm's, if it is another one; empty if not."""
    sent = body.get("alarmObjInfo", {}).get("region", "")
    text = effect.text.replace("\\n", "\n")
    for label in _REGION.finditer(text):
        value = _AFTER_LABEL.match(text, label.end())
        shown = {region.code for region in regions() if value and value[1] in _names(region)}
        if value and shown and sent not in shown:
            return f"the region {value[1]}, and {sent or 'none'} was sent"
    return ""


def _names(region: Region) -> tuple[str, ...]:
    return (region.code, region.full_name, region.city, region.city_zh)


def escaped_for_its_place(result: EffectScenarioResult) -> str | None:
    """Assert that no message shows escapes of HTML to people: in plain text, or escaped twice."""
    sent_text = result.scenario.expected_content.sent_text
    for effect in (effect for step_result in result.step_results for effect in step_result.new_effects):
        found = _ESCAPED_TWICE.search(effect.text)
        if not found and _is_plain_text(effect):
            found = _HTML_ESCAPE.search(effect.text)
        if found and found[0] not in sent_text:
            return f"the message to {effect.location} shows {found[0]} to people"
    return None


def _is_plain_text(effect: Effect) -> bool:
    try:
        message = json.loads(effect.text)
    except ValueError:
        return False
    key = _PLAIN_TEXT.get(effect.location)
    return key is not None and isinstance(message, dict) and message.get(key) == "text"


VALUE_ASSERTIONS: dict[str, Callable[..., str | Inconclusive | None]] = {
    assertion.__name__: assertion for assertion in (values_right, escaped_for_its_place)
}
