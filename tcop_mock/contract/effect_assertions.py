"""Assertions about effect scenarios: check the effects of a few alarms for a clause."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.contract.assertions import describe_response, matches_status
from tcop_mock.contract.builders_effects import unique_tokens_of_body
from tcop_mock.domain.alarm import BEIJING
from tcop_mock.domain.delivery import RETRY_LATER_STATUSES, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tcop_mock.domain.contract import EffectScenarioResult, StepResult
    from tcop_mock.domain.effects import Effect


_TIMESTAMP = re.compile(
    r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(\d{1,2}):(\d{2}):(\d{2})(?:[.,]\d{1,9})?"
    r" ?(Z\b|UTC\b(?![+-])|GMT\b(?![+-])|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|(?:UTC|GMT)[+-]\d{1,2}\b)?"
)

_EPOCH = re.compile(r"(?<![\d.])(1[5-9]\d{8})(\d{3})?(?![\d])")
"""Unix time in seconds or milliseconds, for the years 2017 to 2033."""

_QUARTER_HOUR_S = 900

_DAY_S = 86_400


class TimestampInText(NamedTuple):
    """A time found in a text."""

    time: datetime
    """Naive: in UTC if the offset is known, otherwise as written."""
    has_offset: bool


def find_timestamps(text: str) -> Iterator[TimestampInText]:
    """Yield the times in a text: with an offset from UTC, without one, and as Unix time."""
    for match in _TIMESTAMP.finditer(text):
        try:
            time = datetime.strptime(" ".join(match.groups()[:6]), "%Y %m %d %H %M %S")  # noqa: DTZ007 - see below
        except ValueError:
            continue
        offset = _offset(match[7])
        yield TimestampInText(time if offset is None else time - offset, offset is not None)
    for match in _EPOCH.finditer(text):
        yield TimestampInText(datetime.fromtimestamp(int(match[1]), UTC).replace(tzinfo=None), has_offset=True)


def utc_shifts_s(timestamps: Iterable[TimestampInText], sent_at: datetime) -> set[tuple[float, bool]]:
    """Return the time zone shifts of the times that can only mean ``sent_at``.

    Args:
        timestamps: times found in texts.
        sent_at: the time as TCOP sends it: Beijing time without offset.

    Returns:
        Pairs of a shift in seconds (positive: late) and whether the time has an offset. Shifts are multiples of a
        quarter of an hour and at most a day, as for time zones.
    """
    utc = sent_at.replace(tzinfo=BEIJING).astimezone(UTC).replace(tzinfo=None)
    shifts = set()
    for timestamp in timestamps:
        shift_s = (timestamp.time - (utc if timestamp.has_offset else sent_at)).total_seconds()
        if abs(shift_s) <= _DAY_S and shift_s % _QUARTER_HOUR_S == 0:
            shifts.add((shift_s, timestamp.has_offset))
    return shifts


def _offset(text: str | None) -> timedelta | None:
    if not text:
        return None
    digits = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", text)
    if digits is None:
        return timedelta()
    sign = -1 if digits[1] == "-" else 1
    return sign * timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))


_HOUR_S = 3600

_EMPTY_VALUE = re.compile(r"\b(?:null|undefined|None|NaN|nil|\[object Object\])(?!\w)|<no value>|\[object Object\]")

_PLACEHOLDER = re.compile(r"\{\{[^{}]{0,80}\}\}|\$\{[^{}]{1,80}\}|%\([a-zA-Z_]+\)s")

_RAW_DICT = re.compile(r"\{'[A-Za-z_]+': |map\[[a-zA-Z]+:")

_NUMBERS = re.compile(r"\d+(?:[.:,-]\d+)*")

_MENTION_ALL = re.compile(r"<@all>|<!channel>|<!everyone>|<at user_id=\"?all\"?|<at id=\"?all\"?", re.IGNORECASE)

_CLOSING_EXPECTATIONS = frozenset({"=0", "less"})

_PAGERDUTY_PLACES = frozenset({"/pagerduty"})

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
                    and not fail_if_not_closed
                ):
                    return Inconclusive(NOT_CLOSED)
                return _describe_mismatch(step_result, noun, expected, before, after)
    return None


def count_matches(expected: str, before: int, after: int) -> bool:
    """Return whether a count meets an expectation: ``=1``, ``>=1``, ``more``, ``less``, ``same``; empty: any."""
    if expected.startswith((">=", "=")):
        number = int(expected.lstrip(">="))
        return after >= number if expected.startswith(">") else after == number
    return {"": True, "more": after > before, "less": after < before, "same": after == before}[expected]


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


def message_complete(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that each message names object and metric or event, and has no empty or unfilled values."""
    effects = result.step_results[-1].after.effects
    if not effects:
        return Inconclusive(NO_FIRST_EFFECT)
    expected_content = result.scenario.expected_content
    for effect in effects:
        leaves = list(_text_leaves(effect.text))
        text = "\n".join(leaves)
        folded_text = text.casefold()
        if not any(name.casefold() in folded_text for name in expected_content.object_names):
            return f"the message to {effect.location} names no object"
        if not any(name.casefold() in folded_text for name in expected_content.metric_names):
            return f"the message to {effect.location} names neither metric nor event"
        for leaf in leaves:
            for pattern, noun in (
                (_EMPTY_VALUE, "an empty value"),
                (_PLACEHOLDER, "a placeholder"),
                (_RAW_DICT, "a dict"),
            ):
                match = pattern.search(leaf)
                if match and match[0] not in expected_content.sent_text:
                    return f"the message to {effect.location} shows {noun}: {match[0]}"
    return None


def states_distinguishable(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that the messages of the last step differ from earlier ones in more than numbers and times."""
    before, after = result.step_results[-1].before.effects, result.step_results[-1].after.effects
    if not before:
        return Inconclusive(NO_FIRST_EFFECT)
    new_effects = after[len(before) :]
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
    shift_sets = [
        utc_shifts_s(timestamps, sent_at)
        for sent_at in (expected_content.started_at, expected_content.recovered_at)
        if sent_at
    ]
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


def downstream_accepts(result: EffectScenarioResult, *, service: str) -> str | Inconclusive | None:
    """Assert that a downstream service accepted all requests of the receiver."""
    refused = [
        effect
        for step_result in result.step_results
        for effect in step_result.after.rejected
        if effect.location == f"/{service}"
    ]
    if refused:
        return f"/{service} rejects a request of the receiver: {refused[0].dedup_key}"
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


def dedup_key_stable(result: EffectScenarioResult) -> str | Inconclusive | None:
    """Assert that all events of the first alarm share a ``dedup_key``, and those of the last step have another."""
    effects_by_step = [
        step_result.after.effects[len(step_result.before.effects) :] for step_result in result.step_results
    ]
    keys_by_step = list(map(_dedup_keys, effects_by_step))
    if not any(effect.location in _PAGERDUTY_PLACES for effect in effects_by_step[0]):
        return Inconclusive("no event was sent for the trigger (TCM601)")
    if not keys_by_step[0]:
        return "the trigger has no dedup_key, so that nothing can close it"
    first_alarm_keys, other_alarm_keys = set().union(*keys_by_step[:-1]), keys_by_step[-1]
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


def _text_leaves(text: str) -> Iterator[str]:
    """Yield the strings inside a JSON text, or the text itself."""
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
        elif isinstance(value, str) and value.startswith(("{", "[")):
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
        message_complete,
        states_distinguishable,
        timestamps_match,
        downstream_accepts,
        no_mass_mention,
        acked_implies_effect,
        dedup_key_stable,
    )
}
