"""Assertions about the texts of effects: names, states and characters that a message shows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.assertions import NO_FIRST_EFFECT, decodings
from tcop_mock.contract.time_assertions import TIME_ASSERTIONS
from tcop_mock.contract.value_assertions import VALUE_ASSERTIONS
from tcop_mock.domain.contract import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.domain.contract import EffectScenarioResult
    from tcop_mock.domain.effects import Effect

_REPLACEMENT = "\ufffd"

_UNIT = r"%|(?:[KMGTkmgt]i?)?(?:[Bb]it|[Bb]yte|B|b)(?:s|ps|/s)?|ms|us|Count|Times"

_EMPTY_VALUE = re.compile(
    rf"(?<![A-Za-z0-9_])(?:null|undefined|None|NaN|nil)(?:{_UNIT})?(?![A-Za-z0-9_])"
    r"|<no value>|\[object Object\]"
)
"""Words of programs for a missing value, also between Chinese characters and before a unit."""

_PLACEHOLDER = re.compile(r"\{\{[^{}]{0,80}\}\}|\$\{[^{}]{1,80}\}|%\([a-zA-Z_]+\)s")

_RAW_DICT = re.compile(r"\{'[A-Za-z_]+': |map\[[a-zA-Z]+:")

_RAW_BODY = re.compile(r"\{.*\\*\"alarm(?:Obj|Policy)Info\\*\" ?:.*", re.DOTALL)
"""A callback as TCOP posts it, inside a text."""

_MAX_NAME_CHARS = 60
"""Length of the part of a long name that identifies an object to people."""

_MAX_KEPT_CHARS = 200


_CHINESE_BETWEEN_ASCII = re.compile(r"([ -~]+)([^ -~].*[^ -~])([ -~]+)")

_GARBLED = re.compile(r"[^\x00-\x7f]|\?{2,}")
"""Remains of Chinese text in a wrong encoding: other characters, or question marks."""

_WORD = re.compile(r"[^\W\d_]+")

_STEPS_OF_TWO_LIVES = 4

_NUMBERS = re.compile(r"\d+(?:[.:,-]\d+)*")

_FIRING_WORD = re.compile(r"\b(?:firing|fired|triggered|alerting|alarming)\b|告警中|触发|未恢复", re.IGNORECASE)
_OVER_WORD = re.compile(
    r"\b(?:resolved?|recovered|recovery|ok|closed|over)\b(?!\W{0,3}(?:at|on|time)\b)|(?<!未)(?:恢复|解除)(?!时间|时刻|于)",
    re.IGNORECASE,
)
"""Words for the two states; the name of a time is none."""

_MENTIONS = {
    "/wecom": r"<@all>",
    "/slack": r"<!(?:channel|here|everyone)(?:\|[^>]*)?>",
    "/feishu": r"<at (?:user_id|id)=\"?all\"?",
}
"""The mention that notifies everybody, by service. Texts of other services have none."""
_DISCORD_MENTION = re.compile(r"@(?:everyone|here)\b")
_MACHINE_PLACES = frozenset({"/json"})
"""Services that no person reads."""


def resolves_forwarded_alike(result: EffectScenarioResult) -> str | None:
    """Assert that the last resolve differs from firing messages if the first resolve, in step 2, does.

    The steps are: one alarm fires, is resolved, another fires, is resolved.
    """
    if len(result.step_results) < _STEPS_OF_TWO_LIVES:
        return None
    firing, resolve, other_firing, other_resolve = result.step_results
    names = sorted(result.scenario.unique_tokens, key=len, reverse=True)
    firing_texts = {
        (effect.location, _without_values(effect, names))
        for step_result in (firing, other_firing)
        for effect in step_result.new_effects
    }
    texts = [(effect.location, _without_values(effect, names)) for effect in resolve.new_effects]
    other_texts = [(effect.location, _without_values(effect, names)) for effect in other_resolve.new_effects]
    if any(text not in firing_texts for text in texts) and other_texts and firing_texts.issuperset(other_texts):
        return f"{other_resolve.step.title}: the message is worded like the one for its firing"
    return None


def not_forwarded_as_resolve(result: EffectScenarioResult) -> str | None:
    """Assert that the messages of the last step are not worded like those of the resolve in step 2.

    The steps are: one alarm fires, is resolved, another fires, a callback comes that is no resolve.
    """
    if len(result.step_results) < _STEPS_OF_TWO_LIVES:
        return None
    names = sorted(result.scenario.unique_tokens, key=len, reverse=True)
    firing, resolve, other_firing, other = (
        {(effect.location, _without_values(effect, names)) for effect in step_result.new_effects}
        for step_result in result.step_results
    )
    if other & (resolve - firing - other_firing):
        return f"{result.step_results[-1].step.title}: the message is worded like the one for a resolve"
    return None


def texts_kept(result: EffectScenarioResult, *, texts: Sequence[str]) -> str | Inconclusive | None:
    """Assert that texts in Chinese are shown as they were sent, wherever they are shown whole.

    Args:
        result: the scenario's result.
        texts: texts, each of an ASCII beginning, Chinese, and an ASCII end.
    """
    effects = result.step_results[-1].after.effects
    patterns = [
        (match[2], re.compile(rf"{re.escape(match[1])}(.{{0,{_MAX_KEPT_CHARS}}}?){re.escape(match[3])}", re.DOTALL))
        for match in map(_CHINESE_BETWEEN_ASCII.fullmatch, texts)
        if match
    ]
    is_shown = False
    for effect in effects:
        for chinese, pattern in patterns:
            for found in pattern.finditer(effect.text):
                is_shown = True
                if not found[1].strip():
                    return f"{chinese!r} is left out"
                if not any(chinese in spelling for spelling in decodings(found[1])) and _GARBLED.search(found[1]):
                    return f"{chinese!r} is shown as {found[1]!r}"
    if not effects:
        return Inconclusive(NO_FIRST_EFFECT)
    return None if is_shown else Inconclusive("no Chinese text of the alarm is shown whole", not_applicable=True)


def characters_whole(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that no message shows the mark of a character that could not be decoded."""
    effects = result.step_results[-1].after.effects
    broken = next((effect for effect in effects if _REPLACEMENT in effect.text), None)
    if broken is not None:
        return f"the message to {broken.location} has half a character"
    return None if effects else Inconclusive("no message about long Chinese names is shown", not_applicable=True)


def message_complete(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that each message names object and metric or event, and has no empty, raw or unfilled values."""
    first_step = result.step_results[0]
    if not first_step.after.effects:
        return Inconclusive(NO_FIRST_EFFECT)
    for effect in first_step.after.effects:
        if effect.is_follow_up:
            continue
        problem = _unreadable_part(effect, result) or _missing_name(effect, result)
        if problem:
            return f"the message to {effect.location} {problem}"
    for step_result in result.step_results[1:]:
        if step_result.step.cases[-1].title.endswith(" resolves"):
            problems = ((effect, _unreadable_part(effect, result)) for effect in step_result.new_effects)
            found = next(((effect, problem) for effect, problem in problems if problem), None)
            if found:
                return f"the message to {found[0].location} about the resolve {found[1]}"
    return None


def _unreadable_part(effect: Effect, result: EffectScenarioResult) -> str:
    """Return what in a message people cannot read, as a verb and its object; empty if nothing."""
    for leaf in _text_leaves(effect.text):
        for pattern, noun in ((_EMPTY_VALUE, "an empty value"), (_PLACEHOLDER, "a placeholder"), (_RAW_DICT, "a dict")):
            match = pattern.search(leaf)
            if match and match[0] not in result.scenario.expected_content.sent_text:
                return f"shows {noun}: {match[0]}"
    if effect.location in _MACHINE_PLACES:
        return ""
    texts = list(_text_leaves(effect.text, is_nested_read=False))
    readable_text = "\n".join(_RAW_BODY.sub("", text) for text in texts)
    is_raw = readable_text != "\n".join(texts) and not _names_object(readable_text, result)
    return "is the callback as it was received" if is_raw else ""


def _missing_name(effect: Effect, result: EffectScenarioResult) -> str:
    """Return the name that a message lacks, as a verb and its object; empty if it lacks none."""
    text = "\n".join(_text_leaves(effect.text))
    if not _names_object(text, result):
        return "names no object"
    names = result.scenario.expected_content.metric_names
    if any(name.casefold() in text.casefold() for name in names) or _distinguishes_subjects(effect, result):
        return ""
    return "names neither metric nor event"


def _names_object(text: str, result: EffectScenarioResult) -> bool:
    folded_text = text.casefold()
    names = result.scenario.expected_content.object_names
    return any(name[:_MAX_NAME_CHARS].casefold() in folded_text for name in names)


def _distinguishes_subjects(effect: Effect, result: EffectScenarioResult) -> bool:
    """Return whether the receiver renames metrics and events in its messages.

    Then the message differs from that about another metric or event of the same object, which a later step sends.
    """
    names = sorted(result.scenario.unique_tokens, key=len, reverse=True)
    others = [other for step_result in result.step_results[1:] for other in step_result.new_effects]
    words = _words(effect, names)
    return any(words != _words(other, names) for other in others if other.location == effect.location)


def _words(effect: Effect, names: Sequence[str]) -> set[str]:
    """Return the words of a message without names and units."""
    return {word for word in _WORD.findall(_without_values(effect, names)) if not re.fullmatch(_UNIT, word)}


def states_distinguishable(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that the messages of the last step differ from earlier ones in more than numbers and times."""
    before = result.step_results[-1].before.effects
    if not before:
        return Inconclusive(NO_FIRST_EFFECT)
    new_effects = result.step_results[-1].new_effects
    if not new_effects:
        return f"{result.step_results[-1].step.title}: no message about it"
    names = sorted(result.scenario.unique_tokens, key=len, reverse=True)
    known_messages = {(effect.location, _without_values(effect, names)) for effect in before}
    if all((effect.location, _without_values(effect, names)) in known_messages for effect in new_effects):
        return f"{result.step_results[-1].step.title}: the message is worded like the one for its firing"
    return None


def states_not_exchanged(result: EffectScenarioResult) -> str | None:
    """Assert that messages do not call the firing of the first step over, and the resolve of the last step firing."""
    names = sorted(result.scenario.unique_tokens, key=len, reverse=True)
    firing_texts, resolve_texts = (
        [_without_values(effect, names) for effect in result.step_results[number].new_effects] for number in (0, -1)
    )
    is_exchanged = (
        len(result.step_results) > 1
        and any(map(_says_over_only, firing_texts))
        and any(_FIRING_WORD.search(text) and not _OVER_WORD.search(text) for text in resolve_texts)
    )
    return "firing is shown as resolved, and resolved as firing" if is_exchanged else None


def _says_over_only(text: str) -> bool:
    return bool(_OVER_WORD.search(text)) and not _FIRING_WORD.search(text)


def no_mass_mention(result: EffectScenarioResult) -> str | None:
    """Assert that no message repeats a mass mention from a text of the alarm."""
    for effect in result.step_results[-1].after.effects:
        if any(_mentions_all(effect, leaf) for leaf in _text_leaves(effect.text)):
            return (
                f"a message to {effect.location} mentions everybody, because a text of the alarm contains the mention"
            )
    return None


def _mentions_all(effect: Effect, text: str) -> bool:
    if effect.location == "/discord":
        return bool(_DISCORD_MENTION.search(text)) and "allowed_mentions" not in effect.text
    pattern = _MENTIONS.get(effect.location)
    return pattern is not None and bool(re.search(pattern, text, re.IGNORECASE))


def _without_values(effect: Effect, names: Sequence[str]) -> str:
    """Return a message without the names, numbers and times that differ between messages anyway."""
    text = effect.text
    for name in names:
        text = text.replace(name, "")
    return _NUMBERS.sub("", text)


def _text_leaves(text: str, *, is_nested_read: bool = True) -> Iterator[str]:
    """Yield the strings inside a JSON text, or the text itself.

    Args:
        text: the text.
        is_nested_read: whether to read JSON inside strings, too.
    """
    try:
        values: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        yield text
        return
    for value in values:
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value
        elif is_nested_read and isinstance(value, str) and value.startswith(("{", "[")):
            yield from _text_leaves(value)
        elif isinstance(value, str):
            yield value


MESSAGE_ASSERTIONS: dict[str, Callable[..., str | Inconclusive | None]] = (
    TIME_ASSERTIONS
    | VALUE_ASSERTIONS
    | {
        assertion.__name__: assertion
        for assertion in (
            resolves_forwarded_alike,
            not_forwarded_as_resolve,
            texts_kept,
            characters_whole,
            message_complete,
            states_distinguishable,
            states_not_exchanged,
            no_mass_mention,
        )
    }
)
