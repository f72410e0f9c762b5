"""Assertions about effect scenarios: check the effects of a few alarms for a clause."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.contract.assertions import decodings, describe_response, matches_status
from tcop_mock.contract.builders_effects import unique_tokens_of_body
from tcop_mock.contract.refusals import refusal_text
from tcop_mock.contract.timestamps import find_timestamps, utc_shifts_s
from tcop_mock.domain.contract import SendMode
from tcop_mock.domain.delivery import RETRY_LATER_STATUSES, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from tcop_mock.contract.timestamps import TimestampInText
    from tcop_mock.domain.contract import EffectScenario, EffectScenarioResult, RequestCase, Step, StepResult
    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.effects import Effect, EffectSnapshot

_MONTHS = 12
_REPLACEMENT = "\ufffd"
_HOUR_S = 3600

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
"""So much of a long name identifies an object to people."""

_MAX_KEPT_CHARS = 200


_CHINESE_BETWEEN_ASCII = re.compile(r"([ -~]+)([^ -~].*[^ -~])([ -~]+)")

_GARBLED = re.compile(r"[^\x00-\x7f]|\?{2,}")
"""Remains of Chinese text in a wrong encoding: other characters, or question marks."""

_WORD = re.compile(r"[^\W\d_]+")

_STEPS_OF_TWO_LIVES = 4

_NUMBERS = re.compile(r"\d+(?:[.:,-]\d+)*")

_MENTION_ALL = re.compile(r"<@all>|<!channel>|<!everyone>|<at user_id=\"?all\"?|<at id=\"?all\"?", re.IGNORECASE)

_CLOSING_EXPECTATIONS = frozenset({"=0", "less"})

_PAGERDUTY_PLACES = frozenset({"/pagerduty"})

_MACHINE_PLACES = frozenset({"/json"})
"""Services that no person reads."""

NO_FIRST_EFFECT = "its first push shows no effect (TCM519)"

NOT_CLOSED = "its resolve does not close its incident (TCM505)"


class Inconclusive(NamedTuple):
    """Why a scenario is inconclusive for the clause."""

    reason: str
    not_applicable: bool = False
    """Whether the clause does not apply to this receiver."""


def effects_match(
    result: EffectScenarioResult, *, fail_if_no_effect: bool = False, fail_if_not_closed: bool = False
) -> str | Inconclusive | None:
    """Assert that effects and open incidents match each step.

    Args:
        result: the scenario's result.
        fail_if_no_effect: fail, rather than be inconclusive, if the first push has no effect.
        fail_if_not_closed: fail, rather than be inconclusive, if a resolve closes nothing.
    """
    for number, step_result in enumerate(result.step_results):
        is_open_known = step_result.after.open_incidents is not None
        for noun, expected, before, after in (
            ("effect", step_result.step.expected_effects, step_result.before.count, step_result.after.count),
            (
                "open incident",
                step_result.step.expected_open if is_open_known else "",
                step_result.before.open_count,
                step_result.after.open_count,
            ),
        ):
            if not count_matches(expected, before, after):
                if number == 0 and after == 0 and not fail_if_no_effect:
                    return Inconclusive(NO_FIRST_EFFECT)
                if (
                    noun != "effect"
                    and expected in _CLOSING_EXPECTATIONS
                    and after >= before > 0
                    and not (fail_if_not_closed or _has_closed(result.step_results[:number]))
                ):
                    return Inconclusive(NOT_CLOSED)
                return _describe_mismatch(step_result, noun, expected, before, after)
    return None


def _has_closed(step_results: Sequence[StepResult]) -> bool:
    """Return whether the receiver has closed an incident in one of these steps."""
    return any(step_result.after.open_count < step_result.before.open_count for step_result in step_results)


def count_matches(expected: str, before: int, after: int) -> bool:
    """Return whether a count meets an expectation: ``=1``, ``>=1``, ``more``, ``less``, ``same``; other ones: any."""
    if expected.endswith("?"):
        return True
    if expected.startswith((">=", "=")):
        number = int(expected.lstrip(">="))
        return after >= number if expected.startswith(">") else after == number
    return {"": True, "more": after > before, "less": after < before, "same": after == before}[expected]


def has_expected_effects(step: Step, before: EffectSnapshot, after: EffectSnapshot) -> bool:
    """Return whether the effects meet the expectation of a step."""
    if step.expected_effects == "mentioned":
        return any(effect.mentions(step.tokens) for effect in after.effects)
    return count_matches(step.expected_effects, before.count, after.count)


def status_in(result: EffectScenarioResult, *, allow: Sequence[str] = ("2xx",)) -> str | Inconclusive | None:
    """Assert that each push got one of these statuses."""
    for step_result in result.step_results:
        for attempt in step_result.attempts:
            is_late = attempt.outcome is Outcome.TIMED_OUT and attempt.status is None
            if is_late or attempt.status in RETRY_LATER_STATUSES:
                return Inconclusive(
                    f"{step_result.step.title}: {describe_response(attempt)} ({'TCM102' if is_late else 'TCM515'})"
                )
            if not matches_status(attempt.status, allow):
                return f"{step_result.step.title}: {describe_response(attempt)}"
    return None


def retries_accepted(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that pushes after the first step are not rejected; 409 for a known push passes."""
    retries = result._replace(step_results=result.step_results[1:])
    return status_in(retries, allow=("2xx", "409"))


def answered_in_time(result: EffectScenarioResult) -> str | None:
    """Assert that each push got a response within the deadline, whatever its status."""
    for step_result in result.step_results:
        if any(attempt.outcome is Outcome.TIMED_OUT for attempt in step_result.attempts):
            return f"{step_result.step.title}: no answer inside the deadline"
    return None


def not_acked_if_lost(result: EffectScenarioResult) -> str | None:
    """Assert that an alarm that could not be forwarded was not acknowledged, or was forwarded later."""
    first_step = result.step_results[0]
    if any(attempt.accepted for attempt in first_step.attempts) and not result.step_results[-1].after.count:
        return f"{first_step.step.title}: answered {first_step.attempts[0].status}, and never forwarded afterwards"
    return None


def forwards_despite_fault(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that messages of other alarms are forwarded during a fault, and that of the first one after it."""
    first, *later = result.step_results
    if not first.is_fault_met:
        return Inconclusive("no message about the first alarm came to --downstream", not_applicable=True)
    is_first_accepted = any(attempt.accepted for attempt in first.attempts)
    for step_result in later:
        if not step_result.attempts and not is_first_accepted:
            return None  # TCOP pushes it again
        if has_expected_effects(step_result.step, step_result.before, step_result.after):
            continue
        if any(attempt.status in RETRY_LATER_STATUSES for attempt in step_result.attempts):
            return Inconclusive(f"{step_result.step.title}: {describe_response(step_result.attempts[0])}")
        limit = f"within {step_result.step.wait_s:g} s"
        if step_result.is_cut_short:
            return Inconclusive(f"{step_result.step.title}: undecided, --max-time ends before {limit[7:]}")
        return f"{step_result.step.title}: not forwarded {limit}"
    return None


def nothing_opened(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that requests which are rejected, or which name no alarm, open no incident and send no message."""
    [step_result] = result.step_results
    unjudged = _not_rejected(result)
    if unjudged:
        return unjudged
    opened, messages = _openings(step_result)
    if not (opened or messages):
        return None
    response = describe_response(step_result.attempts[-1])
    seen = " and ".join(
        _format_count(count, noun) for count, noun in ((opened, "incident"), (messages, "message")) if count
    )
    return f"{response}, and {seen} about it"


def nothing_written(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that rejected requests have no effects other than incidents and messages either."""
    [step_result] = result.step_results
    unjudged = _not_rejected(result)
    if unjudged:
        return unjudged
    if any(_openings(step_result)):
        return Inconclusive("what is rejected opens incidents or sends messages (TCM527)", not_applicable=True)
    count = step_result.after.count - step_result.before.count
    response = describe_response(step_result.attempts[-1])
    return f"{response}, and {_format_count(count, 'effect')} of it" if count > 0 else None


def _not_rejected(result: EffectScenarioResult) -> Inconclusive | None:
    """Return why an answer does not count as a rejection; requests that name no alarm need none."""
    if result.scenario.names_no_alarm:
        return None
    [step_result] = result.step_results
    attempt = step_result.attempts[-1]
    if attempt.accepted or attempt.status is None:
        answer = f"{step_result.step.title}: {describe_response(attempt)}"
        return Inconclusive(f"{answer}; a clause about credentials or bodies reports it")
    return None


def _openings(step_result: StepResult) -> tuple[int, int]:
    """Return how many incidents were opened and how many messages were sent in a step."""
    before, after = step_result.before, step_result.after
    messages = sum(effect.location.startswith("/") for effect in after.effects)
    known_messages = sum(effect.location.startswith("/") for effect in before.effects)
    opened = len(after.open_incidents or ()) - len(before.open_incidents or ())
    return max(opened, 0), max(messages - known_messages, 0)


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
        for effect in _new_effects(step_result)
    }
    texts = [(effect.location, _without_values(effect, names)) for effect in _new_effects(resolve)]
    other_texts = [(effect.location, _without_values(effect, names)) for effect in _new_effects(other_resolve)]
    if any(text not in firing_texts for text in texts) and other_texts and firing_texts.issuperset(other_texts):
        return f"{other_resolve.step.title}: the message is worded like the one for its firing"
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
    if any(name.casefold() in text.casefold() for name in names) or _tells_subjects_apart(effect, result):
        return ""
    return "names neither metric nor event"


def _names_object(text: str, result: EffectScenarioResult) -> bool:
    folded_text = text.casefold()
    names = result.scenario.expected_content.object_names
    return any(name[:_MAX_NAME_CHARS].casefold() in folded_text for name in names)


def _tells_subjects_apart(effect: Effect, result: EffectScenarioResult) -> bool:
    """Return whether the receiver renames metrics and events in its messages.

    Then the message differs from that about another metric or event of the same object, which a later step sends.
    """
    names = sorted(result.scenario.unique_tokens, key=len, reverse=True)
    others = [other for step_result in result.step_results[1:] for other in _new_effects(step_result)]
    words = _words(effect, names)
    return any(words != _words(other, names) for other in others if other.location == effect.location)


def _words(effect: Effect, names: Sequence[str]) -> set[str]:
    """Return the words of a message without names and units."""
    return {word for word in _WORD.findall(_without_values(effect, names)) if not re.fullmatch(_UNIT, word)}


def _new_effects(step_result: StepResult) -> tuple[Effect, ...]:
    return step_result.after.effects[len(step_result.before.effects) :]


def states_distinguishable(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that the messages of the last step differ from earlier ones in more than numbers and times."""
    before = result.step_results[-1].before.effects
    if not before:
        return Inconclusive(NO_FIRST_EFFECT)
    new_effects = _new_effects(result.step_results[-1])
    if not new_effects:
        return f"{result.step_results[-1].step.title}: no message about it"
    names = sorted(result.scenario.unique_tokens, key=len, reverse=True)
    known_messages = {(effect.location, _without_values(effect, names)) for effect in before}
    if all((effect.location, _without_values(effect, names)) in known_messages for effect in new_effects):
        return f"{result.step_results[-1].step.title}: the message is worded like the one for its firing"
    return None


def timestamps_match(result: EffectScenarioResult, *, only_with_offset: bool = False) -> str | Inconclusive | None:
    """Assert that times are shown as the instants that were sent.

    Args:
        result: the scenario's result.
        only_with_offset: check only times with an offset from UTC.
    """
    expected_content = result.scenario.expected_content
    texts = [effect.text for effect in result.step_results[-1].after.effects]
    timestamps = [time for text in texts for time in find_timestamps(text) if time.has_offset or not only_with_offset]
    sent_times = [time for time in (expected_content.started_at, expected_content.recovered_at) if time]
    shift_sets = [utc_shifts_s(_without_exact(timestamps, sent_times, sent_at), sent_at) for sent_at in sent_times]
    for name, sent_at, shifts in zip(("firstOccurTime", "recoverTime"), sent_times, shift_sets, strict=False):
        if not shifts and utc_shifts_s(timestamps, _with_day_as_month(sent_at)):
            return f"{name} is shown with month and day in each other's place"
        if not (shifts or only_with_offset) and _shows_start_of(timestamps, sent_at):
            return f"{name} is shown with its day, and zeros as its time of day"
    if not any(shift_sets):
        return Inconclusive(
            f"no time of the alarm is shown{' with its offset from UTC' if only_with_offset else ''}",
            not_applicable=True,
        )
    for name, shifts in zip(("firstOccurTime", "recoverTime"), shift_sets, strict=False):
        exact_shifts = {shift for shift, has_offset in shifts if has_offset}
        if exact_shifts and 0 not in exact_shifts:
            return f"{name} is shown {_format_shift(min(exact_shifts, key=abs))}"
        naive_shifts = {shift for shift, has_offset in shifts if not (has_offset or exact_shifts)}
        if naive_shifts and not any(-20 * _HOUR_S <= shift <= 6 * _HOUR_S for shift in naive_shifts):
            return f"{name} is shown {_format_shift(min(naive_shifts, key=abs))}"
    return None


def _shows_start_of(timestamps: Sequence[TimestampInText], sent_at: datetime) -> bool:
    """Return whether one of the times is the beginning of the day, as it is written or as an instant."""
    midnight = sent_at.replace(hour=0, minute=0, second=0)
    return any((0, time.has_offset) in utc_shifts_s([time], midnight) for time in timestamps)


def _with_day_as_month(time: datetime) -> datetime:
    """Return a time with day and month exchanged; the same time if that is not a valid date."""
    return time.replace(month=time.day, day=time.month) if time.day <= _MONTHS else time


def _without_exact(
    timestamps: Sequence[TimestampInText], sent_times: Sequence[datetime], sent_at: datetime
) -> list[TimestampInText]:
    """Return the times that are not the instant of another one that was sent: that may be some hours before."""
    others = [other for other in sent_times if other != sent_at]
    return [time for time in timestamps if not any((0, True) in utc_shifts_s([time], other) for other in others)]


def downstream_accepts(result: EffectScenarioResult, *, service: str) -> str | Inconclusive | None:
    """Assert that a downstream service accepted all requests of the receiver."""
    refused = [
        effect
        for step_result in result.step_results
        for effect in step_result.after.rejected
        if effect.location == f"/{service}"
    ]
    if refused:
        return refusal_text(service, refused[0].dedup_key)
    is_accepted = any(effect.location == f"/{service}" for effect in result.step_results[-1].after.effects)
    return None if is_accepted else Inconclusive(NO_FIRST_EFFECT)


def no_mass_mention(result: EffectScenarioResult) -> str | None:
    """Assert that no message repeats a mass mention from a text of the alarm."""
    for effect in result.step_results[-1].after.effects:
        if any(_MENTION_ALL.search(leaf) for leaf in _text_leaves(effect.text)):
            return (
                f"a message to {effect.location} mentions everybody, because a text of the alarm contains the mention"
            )
    return None


def acked_implies_effect(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that each acknowledged alarm has an effect."""
    [step_result] = result.step_results
    pairs = zip(step_result.step.cases, step_result.attempts, strict=True)
    acked_tokens = [unique_tokens_of_body(case.request.body) for case, attempt in pairs if attempt.accepted]
    if not acked_tokens:
        return Inconclusive("no push was accepted (TCM515)")
    unseen = [
        tokens for tokens in acked_tokens if not any(effect.mentions(tokens) for effect in step_result.after.effects)
    ]
    return f"{len(unseen)} of {len(acked_tokens)} acknowledged alarms have no effect" if unseen else None


def acked_survives(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that each alarm that was acknowledged in the second step has an effect after the receiver has ended.

    The first step is an alarm before that, a third one is an alarm after it.
    """
    if len(result.step_results) == 1:
        return Inconclusive(NO_FIRST_EFFECT)
    first, last, *later = result.step_results
    if not any(attempt.accepted for attempt in last.attempts) and last.step.send_mode is SendMode.THEN_KILLED:
        return Inconclusive(f"{last.step.title}: {describe_response(last.attempts[0])}")
    lossy = [one for one in (last, *later) if acked_without_effect(result.scenario, one.step, one.attempts, one.after)]
    if not lossy:
        return None
    last = lossy[0]
    if last.is_cut_short:
        return Inconclusive(f"{last.step.title}: undecided, --max-time ends before {last.step.wait_s:g} s")
    if last in later:
        return f"{last.step.title}: acknowledged, and without effect"
    is_first_kept = any(effect.mentions(first.step.tokens) for effect in last.after.effects)
    addition = "" if is_first_kept else ", as is the alarm before it: all is kept in memory"
    return f"acknowledged, and without effect after the restart{addition}"


def acked_without_effect(
    scenario: EffectScenario, step: Step, attempts: Sequence[Attempt], after: EffectSnapshot
) -> list[RequestCase]:
    """Return the requests of a step that were acknowledged and have no effect; each is of an alarm of its own."""
    texts = [case.request.body.decode() for case in step.cases]
    lost = []
    for case, text, attempt in zip(step.cases, texts, attempts, strict=True):
        names = {name for name in scenario.unique_tokens if name in text and sum(name in other for other in texts) == 1}
        tokens = unique_tokens_of_body(case.request.body) | names
        if attempt.accepted and not any(effect.mentions(tokens) for effect in after.effects):
            lost.append(case)
    return lost


def dedup_key_stable(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that all events of the first alarm share a ``dedup_key``, and those of the last step have another."""
    effects_by_step = list(map(_new_effects, result.step_results))
    keys_by_step = list(map(_dedup_keys, effects_by_step))
    if not any(effect.location in _PAGERDUTY_PLACES for effect in effects_by_step[0]):
        return Inconclusive("no event was sent for the trigger (TCM601)")
    if not keys_by_step[0]:
        return "the trigger has no dedup_key, so that nothing can close it"
    other_alarm_keys: set[str] = set()
    if len(result.step_results) == len(result.scenario.steps):
        other_alarm_keys = keys_by_step.pop()
    first_alarm_keys = set().union(*keys_by_step)
    if len(first_alarm_keys) > 1:
        return "trigger, repeat and resolve have different dedup_keys"
    if other_alarm_keys and other_alarm_keys <= first_alarm_keys:  # late events of the first alarm may follow
        return "another instance has the same dedup_key"
    return None


def _dedup_keys(effects: Sequence[Effect]) -> set[str]:
    return {
        effect.dedup_key.partition(" ")[2]
        for effect in effects
        if effect.location in _PAGERDUTY_PLACES and effect.dedup_key
    }


def _describe_mismatch(step_result: StepResult, noun: str, expected: str, before: int, after: int) -> str:
    if expected.startswith((">=", "=")):
        number = expected.lstrip(">=")
        phrase = f"{'at least ' if expected.startswith('>') else ''}{number}"
        return f"{step_result.step.title}: {_format_count(after, noun)} in place of {phrase}"
    relation = {"more": "no more", "less": "no fewer", "same": f"{'more' if after > before else 'fewer'}"}[expected]
    return f"{step_result.step.title}: {_format_count(after, noun)}, {relation} than the {before} before it"


def _format_count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number or 'no'} {noun}s"


def _format_shift(shift_s: float) -> str:
    return f"{abs(shift_s) / _HOUR_S:g} hours too {'late' if shift_s > 0 else 'early'}"


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


EFFECT_ASSERTIONS: dict[str, Callable[..., str | Inconclusive | None]] = {
    assertion.__name__: assertion
    for assertion in (
        effects_match,
        status_in,
        retries_accepted,
        answered_in_time,
        not_acked_if_lost,
        forwards_despite_fault,
        nothing_opened,
        nothing_written,
        resolves_forwarded_alike,
        texts_kept,
        characters_whole,
        message_complete,
        states_distinguishable,
        timestamps_match,
        downstream_accepts,
        no_mass_mention,
        acked_implies_effect,
        acked_survives,
        dedup_key_stable,
    )
}
ABOUT_EVERYTHING = frozenset({nothing_opened.__name__, nothing_written.__name__})
"""Assertions about all that a receiver does: the user's observer and the stub services are both looked at."""
