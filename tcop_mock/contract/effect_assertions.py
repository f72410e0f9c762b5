"""Judges of stories: what the effects of a few alarms say about a clause."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.contract.assertions import answered, is_one_of
from tcop_mock.contract.builders_effects import tokens_of_body
from tcop_mock.domain.delivery import NOT_NOW, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tcop_mock.domain.contract import ActTold, StoryTold
    from tcop_mock.domain.effects import Effect


_BEIJING = timezone(timedelta(hours=8))

_TIME = re.compile(
    r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(\d{1,2}):(\d{2}):(\d{2})(?:[.,]\d{1,9})?"
    r" ?(Z\b|UTC\b(?![+-])|GMT\b(?![+-])|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|(?:UTC|GMT)[+-]\d{1,2}\b)?"
)

_EPOCH = re.compile(r"(?<![\d.])(1[5-9]\d{8})(\d{3})?(?![\d])")

"""Seconds or milliseconds of the years 2017 to 2033."""

_QUARTER_S = 900

_DAY_S = 86_400


class Shown(NamedTuple):
    """A time as it is shown."""

    wall: datetime
    """Naive: as a clock in UTC shows it where the offset is known, else as it is written."""
    offset_known: bool


def shown_times(text: str) -> Iterator[Shown]:
    """Yield the times in a text: with an offset from UTC, without one, and seconds or milliseconds since 1970."""
    for match in _TIME.finditer(text):
        try:
            wall = datetime.strptime(" ".join(match.groups()[:6]), "%Y %m %d %H %M %S")  # noqa: DTZ007 - see below
        except ValueError:
            continue
        offset = _offset(match[7])
        yield Shown(wall if offset is None else wall - offset, offset is not None)
    for match in _EPOCH.finditer(text):
        yield Shown(datetime.fromtimestamp(int(match[1]), UTC).replace(tzinfo=None), offset_known=True)


def shifts_s(shown: Iterable[Shown], sent: datetime) -> set[tuple[float, bool]]:
    """Return by how much the times that can only be meant as this one are off.

    Args:
        shown: times as they are shown.
        sent: as TCOP writes it: Beijing time without offset.

    Returns:
        Seconds (late is positive), each a whole number of quarters of an hour of at most a day, as time zones are; and
        whether the time has an offset.
    """
    utc = sent.replace(tzinfo=_BEIJING).astimezone(UTC).replace(tzinfo=None)
    found = set()
    for time in shown:
        shift_s = (time.wall - (utc if time.offset_known else sent)).total_seconds()
        if abs(shift_s) <= _DAY_S and shift_s % _QUARTER_S == 0:
            found.add((shift_s, time.offset_known))
    return found


def _offset(text: str | None) -> timedelta | None:
    if not text:
        return None
    digits = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", text)
    if digits is None:
        return timedelta()
    sign = -1 if digits[1] == "-" else 1
    return sign * timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))


_HOUR_S = 3600

_EMPTY_WORDS = re.compile(r"\b(?:null|undefined|None|NaN|nil|\[object Object\])(?!\w)|<no value>|\[object Object\]")

_UNFILLED = re.compile(r"\{\{[^{}]{0,80}\}\}|\$\{[^{}]{1,80}\}|%\([a-zA-Z_]+\)s")

_RAW_DICT = re.compile(r"\{'[A-Za-z_]+': |map\[[a-zA-Z]+:")

_VALUES = re.compile(r"\d+(?:[.:,-]\d+)*")

_MENTION_ALL = re.compile(r"<@all>|<!channel>|<!everyone>|<at user_id=\"?all\"?|<at id=\"?all\"?", re.IGNORECASE)

_CLOSING = frozenset({"=0", "less"})

_EVENT_ENDS = frozenset({"/pagerduty"})

UNTOLD = "no effect of its first push is to be seen (TCM519)"

UNCLOSED = "its resolve does not close its incident (TCM505)"


class Unclear(NamedTuple):
    """Why a story tells nothing about the clause."""

    reason: str
    absent: bool = False
    """Whether the receiver just does not do what the clause is about."""


def as_told(told: StoryTold, *, dropped: bool = False, unclosed: bool = False) -> str | Unclear | None:
    """Judge whether effects and open incidents are what each act says.

    Args:
        told: the story.
        dropped: whether it is this clause's business that there is no effect at all.
        unclosed: whether it is its business that a resolve closes nothing.
    """
    for number, act in enumerate(told.acts):
        tells_open = act.after.open is not None
        for what, wanted, before, after in (
            ("effect", act.act.effects, act.before.count, act.after.count),
            ("open incident", act.act.open if tells_open else "", act.before.open_count, act.after.open_count),
        ):
            if not holds(wanted, before, after):
                if number == 0 and after == 0 and not dropped:
                    return Unclear(UNTOLD)
                if what != "effect" and wanted in _CLOSING and after >= before > 0 and not unclosed:
                    return Unclear(UNCLOSED)
                return _off(act, what, wanted, before, after)
    return None


def holds(wanted: str, before: int, after: int) -> bool:
    """Say whether a count is what an act wants: ``=1``, ``>=1``, ``more``, ``less``, ``same``; empty: whatever."""
    if wanted.startswith((">=", "=")):
        number = int(wanted.lstrip(">="))
        return after >= number if wanted.startswith(">") else after == number
    return {"": True, "more": after > before, "less": after < before, "same": after == before}[wanted]


def answers(told: StoryTold, *, allow: Sequence[str] = ("2xx",)) -> str | Unclear | None:
    """Judge whether each push was answered with one of these statuses."""
    for act in told.acts:
        for attempt in act.attempts:
            late = attempt.outcome is Outcome.TIMED_OUT and attempt.status is None
            if late or attempt.status in NOT_NOW:
                return Unclear(f"{act.act.title}: {answered(attempt)} ({'TCM102' if late else 'TCM515'})")
            if not is_one_of(attempt.status, allow):
                return f"{act.act.title}: {answered(attempt)}"
    return None


def not_refused(told: StoryTold) -> str | Unclear | None:
    """Judge whether no push after one that was taken is refused; 409 to what is known already is no refusal."""
    later = told._replace(acts=told.acts[1:])
    return answers(later, allow=("2xx", "409"))


def in_time(told: StoryTold) -> str | None:
    """Judge whether each push was answered inside the deadline, whatever its status."""
    for act in told.acts:
        if any(attempt.outcome is Outcome.TIMED_OUT for attempt in act.attempts):
            return f"{act.act.title}: no answer inside the deadline"
    return None


def not_lost(told: StoryTold) -> str | None:
    """Judge whether what could not be passed on was not acknowledged, or has been passed on later."""
    first = told.acts[0]
    if any(attempt.accepted for attempt in first.attempts) and not told.acts[-1].after.count:
        return f"{first.act.title}: answered {first.attempts[0].status}, and never told afterwards"
    return None


def whole(told: StoryTold) -> str | Unclear | None:
    """Judge whether each message names object and metric or event, and nothing in it is empty or unfilled."""
    effects = told.acts[-1].after.effects
    if not effects:
        return Unclear(UNTOLD)
    facts = told.story.facts
    for effect in effects:
        leaves = list(_leaves(effect.text))
        text = "\n".join(leaves)
        low = text.casefold()
        if not any(name.casefold() in low for name in facts.objects):
            return f"the message to {effect.place} names no object"
        if not any(name.casefold() in low for name in facts.whats):
            return f"the message to {effect.place} names neither metric nor event"
        for leaf in leaves:
            for pattern, what in (
                (_EMPTY_WORDS, "an empty value"),
                (_UNFILLED, "a placeholder"),
                (_RAW_DICT, "a dict"),
            ):
                found = pattern.search(leaf)
                if found and found[0] not in facts.sent:
                    return f"the message to {effect.place} shows {what}: {found[0]}"
    return None


def told_apart(told: StoryTold) -> str | Unclear | None:
    """Judge whether the messages of the last act say something else than those before it, numbers and times aside."""
    before, after = told.acts[-1].before.effects, told.acts[-1].after.effects
    if not before:
        return Unclear(UNTOLD)
    new = after[len(before) :]
    if not new:
        return f"{told.acts[-1].act.title}: nothing is told of it"
    names = sorted(told.story.tokens, key=len, reverse=True)
    known = {(effect.place, _bare(effect, names)) for effect in before}
    if all((effect.place, _bare(effect, names)) in known for effect in new):
        return f"{told.acts[-1].act.title}: told in the words that told its firing"
    return None


def same_instants(told: StoryTold, *, with_offset: bool = False) -> str | Unclear | None:
    """Judge whether times are shown as the instants that were sent.

    Args:
        told: the story.
        with_offset: whether only times with an offset from UTC are judged.
    """
    facts = told.story.facts
    texts = [effect.text for effect in told.acts[-1].after.effects]
    shown = [time for text in texts for time in shown_times(text) if time.offset_known or not with_offset]
    spans = [shifts_s(shown, instant) for instant in (facts.started, facts.recovered) if instant]
    if not any(spans):
        return Unclear(
            f"no time of the alarm is shown{' with its offset from UTC' if with_offset else ''}", absent=True
        )
    for name, span in zip(("firstOccurTime", "recoverTime"), spans, strict=False):
        known = {shift for shift, offset_known in span if offset_known}
        if known and 0 not in known:
            return f"{name} is shown {_hours(min(known, key=abs))}"
        loose = {shift for shift, offset_known in span if not (offset_known or known)}
        if loose and not any(-20 * _HOUR_S <= shift <= 6 * _HOUR_S for shift in loose):
            return f"{name} is shown {_hours(min(loose, key=abs))}"
    return None


def nothing_refused(told: StoryTold, *, end: str) -> str | Unclear | None:
    """Judge whether an end took all that came."""
    refused = [effect for act in told.acts for effect in act.after.refused if effect.place == f"/{end}"]
    if refused:
        return f"/{end} refuses what the receiver sends: {refused[0].key}"
    taken = any(effect.place == f"/{end}" for effect in told.acts[-1].after.effects)
    return None if taken else Unclear(UNTOLD)


def no_mention(told: StoryTold) -> str | None:
    """Judge whether no message repeats a mention of everybody that stands in a text of the alarm."""
    for effect in told.acts[-1].after.effects:
        if any(_MENTION_ALL.search(leaf) for leaf in _leaves(effect.text)):
            return f"a message to {effect.place} mentions everybody, because a text of the alarm says so"
    return None


def each_told(told: StoryTold) -> str | Unclear | None:
    """Judge whether each alarm that was acknowledged has an effect."""
    [act] = told.acts
    pairs = zip(act.act.cases, act.attempts, strict=True)
    acked = [tokens_of_body(case.push.body) for case, attempt in pairs if attempt.accepted]
    if not acked:
        return Unclear("no push was taken (TCM515)")
    lost = [tokens for tokens in acked if not any(effect.mentions(tokens) for effect in act.after.effects)]
    return f"{len(lost)} of {len(acked)} acknowledged alarms have no effect" if lost else None


def one_key(told: StoryTold) -> str | Unclear | None:
    """Judge whether all events of the first alarm share a ``dedup_key``, and those of the last act have another."""
    keys = [_dedup_keys(act.after.effects[len(act.before.effects) :]) for act in told.acts]
    if not keys[0]:
        return "the trigger has no dedup_key, so that nothing can close it"
    of_one, of_other = set().union(*keys[:-1]), keys[-1]
    if len(of_one) > 1:
        return "trigger, repeat and resolve have different dedup_keys"
    if of_other and of_other <= of_one:  # beside a key of its own there may be late events of the first alarm
        return "another instance has the same dedup_key"
    return None


def _dedup_keys(effects: Sequence[Effect]) -> set[str]:
    return {effect.key.partition(" ")[2] for effect in effects if effect.place in _EVENT_ENDS and effect.key}


def _off(act: ActTold, what: str, wanted: str, before: int, after: int) -> str:
    if wanted.startswith((">=", "=")):
        number = wanted.lstrip(">=")
        phrase = f"{'at least ' if wanted.startswith('>') else ''}{number}"
        return f"{act.act.title}: {_counted(after, what)} in place of {phrase}"
    relation = {"more": "no more", "less": "no fewer", "same": f"{'more' if after > before else 'fewer'}"}[wanted]
    return f"{act.act.title}: {_counted(after, what)}, {relation} than the {before} before it"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number or 'no'} {what}s"


def _hours(shift_s: float) -> str:
    return f"{abs(shift_s) / _HOUR_S:g} hours too {'late' if shift_s > 0 else 'early'}"


def _bare(effect: Effect, names: Sequence[str]) -> str:
    """Return what a message says, without the names, numbers and times that differ from one to the next anyway."""
    text = effect.text
    for name in names:
        text = text.replace(name, "")
    return _VALUES.sub("", text)


def _leaves(text: str) -> Iterator[str]:
    """Yield the texts in a JSON text, or the text itself."""
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
            yield from _leaves(value)
        elif isinstance(value, str):
            yield value


STORY_JUDGES: dict[str, Callable[..., str | Unclear | None]] = {
    judge.__name__: judge
    for judge in (
        as_told,
        answers,
        not_refused,
        in_time,
        not_lost,
        whole,
        told_apart,
        same_instants,
        nothing_refused,
        no_mention,
        each_told,
        one_key,
    )
}
