"""Problems of a clause's cases become findings: one for each distinct cause."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.credentials import is_near_miss
from tcop_mock.contract.reproduce import INSECURE, SERVED, Source, curl, our_own, replayed
from tcop_mock.domain.target import MASK, without_keys
from tcop_mock.domain.verdict import Exchange, Finding, Reproduction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.domain.contract import ActTold, Case, Play, StoryTold
    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.target import Target

_MOST_SENT_CHARS = 200
"""The whole body stands in the curl line."""
_MOST_ANSWER_CHARS = 1500
_MOST_TRACE_CHARS = 2000
_MOST_NAMED_CASES = 12
_MOST_CURLS = 4
_MOST_EXCHANGES = 12
_MOST_EFFECTS = 3
_MOST_EFFECT_CHARS = 400


class Problem(NamedTuple):
    """What one attempt did wrong."""

    case: Case
    attempt: Attempt
    text: str
    story: StoryTold | None = None
    """What the case was the last push of."""
    cause: str = ""
    """What it has in common with others, where that is not the text."""

    @property
    def title(self) -> str:
        """By what it is known in its clause."""
        return self.story.story.title if self.story else self.case.title


def problems_of(case: Case, attempt: Attempt, text: str) -> Iterator[Problem]:
    """Yield what is wrong with an attempt: the judge's text, or each of a parser's reasons in its place."""
    if attempt.refusals:
        yield from (Problem(case, attempt, reason.text, cause=reason.cause) for reason in attempt.refusals)
    else:
        yield Problem(case, attempt, text)


def findings(problems: Sequence[Problem], judged: int, source: Source) -> tuple[Finding, ...]:
    """Return one finding per distinct cause, each shown by its first case.

    Args:
        problems: what went wrong, in the order of the cases.
        judged: how many cases were judged in all.
        source: the clause, the target and the run's seed and profile.
    """
    causes: dict[str, list[Problem]] = {}
    for problem in problems:
        causes.setdefault(problem.cause or problem.text, []).append(problem)
    return tuple(_finding(same[0].text, same, judged, source) for same in causes.values())


def _finding(text: str, same: Sequence[Problem], judged: int, source: Source) -> Finding:
    first = same[0]
    more = f" and {len(same) - 1} more" if len(same) > 1 else ""
    names = [problem.title for problem in same[:_MOST_NAMED_CASES]]
    rest = f", and {len(same) - len(names)} more" if len(same) > len(names) else ""
    seen_in = _seen_in(same, judged, source.play)
    return Finding(
        title=f"{first.title}{more}: {text}",
        detail=f"{seen_in}: {text}. {'; '.join(names)}{rest}",
        shape=first.case.shape,
        evidence=_evidence(first, source.target),
        reproduce=Reproduction(
            _curls(first, source.target, insecure=INSECURE in source.flags),
            our_own(source),
            "" if first.story else replayed(first.case, source),
        ),
        cause=text,
        cases=() if any(problem.attempt.status is None for problem in same) else tuple(one.title for one in same),
        exchanges=tuple(itertools.islice(_exchanges(same, source.target), _MOST_EXCHANGES)),
    )


def _seen_in(same: Sequence[Problem], judged: int, play: Play | None) -> str:
    """Say how often it went wrong; of several shapes: ``41 of 60 shapes (41 of 61 cases), first cvm/events``."""
    of_cases = f"{len(same)} of {judged} cases"
    broken = {problem.case.shape for problem in same}
    if play is None or len(broken) == 1:
        return of_cases
    cases = [case for scene in play.scenes for case in scene.cases if case.judged]
    sent = {case.shape for case in cases} | {story.shape for story in play.stories} | broken
    return f"{len(broken)} of {len(sent)} shapes ({of_cases}), first {same[0].case.shape}"


def _exchanges(same: Sequence[Problem], target: Target) -> Iterator[Exchange]:
    for problem in same:
        if problem.story is None:
            yield exchange(problem.case, problem.attempt, target)
            continue
        for told in problem.story.acts:
            for case, attempt in zip(told.act.cases, told.attempts, strict=False):  # a restart: one case, many attempts
                yield exchange(case, attempt, target)


def exchange(case: Case, attempt: Attempt, target: Target) -> Exchange:
    """Return a request and its answer, with no spelling of the credentials that were shown or are right."""
    shown = [pair for pair in (case.push.credentials, target.credentials) if pair]

    def clean(text: str) -> str:
        for pair in shown:
            text = pair.masked_in(text)
        return text

    path = target.path_with(case.push.query)
    address = f"{SERVED if target.app else target.url.removesuffix(target.path)}{path}"
    return Exchange(
        without_keys(address),
        replace(case, push=replace(case.push, credentials=None)),
        replace(
            attempt,
            headers=tuple((clean(name), clean(value)) for name, value in attempt.headers),
            body=clean(attempt.body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
            detail=clean(attempt.detail),
            trace=clean(attempt.trace),
        ),
        authorized=case.push.credentials is not None,
    )


def _curls(problem: Problem, target: Target, *, insecure: bool) -> str:
    """Return curl commands for the case, or for all pushes of its story in order."""
    acts = problem.story.acts if problem.story else ()
    cases = [case for told in acts for case in told.act.cases] or [problem.case]
    return "\n".join(curl(case, target, insecure=insecure) for case in cases[:_MOST_CURLS])


def _evidence(problem: Problem, target: Target) -> str:
    shown = evidence(problem.case, problem.attempt, target)
    if problem.story is None:
        return shown
    lines = [_act_line(told) for told in problem.story.acts]
    effects = problem.story.acts[-1].after.effects[-_MOST_EFFECTS:]
    lines += [
        f"seen{f' at {effect.place}' if effect.place else ''}: {effect.text[:_MOST_EFFECT_CHARS]}" for effect in effects
    ]
    told = "\n".join(lines)
    return f"{shown}\n{target.credentials.masked_in(told) if target.credentials else told}"


def _act_line(told: ActTold) -> str:
    said = ", ".join(str(attempt.status or attempt.outcome) for attempt in told.attempts[:_MOST_NAMED_CASES])
    is_open = "" if told.after.open is None else f", {told.after.open_count} open"
    effects = "1 effect" if told.after.count == 1 else f"{told.after.count} effects"
    return f"{told.act.title}: answered {said}; {effects}{is_open}"


def evidence(case: Case, attempt: Attempt, target: Target) -> str:
    """Show a request (``>``) and its answer (``<``), bounded, without credentials."""
    push = case.push
    if target.parser:
        return "\n".join([*_quoted(">", push.body, _MOST_SENT_CHARS), *_parsed(attempt)])
    lines = [f"> {push.method} {target.path_with(push.query)} HTTP/1.1", f"> Host: {target.authority}"]
    if push.credentials:
        lines.append(f"> Authorization: Basic {MASK} ({case.offer} credentials)")
    lines += [f"> {name}: {value}" for name, value in push.headers]
    lines += ["> " + ": ".join(push.framing), ">", *_quoted(">", push.body, _MOST_SENT_CHARS)]
    answer = "\n".join(_answer(attempt))
    if is_near_miss(case.offer) and push.credentials:
        answer = push.credentials.masked_in(answer)
    return "\n".join([*lines, mask(answer, target)])


def _parsed(attempt: Attempt) -> Iterator[str]:
    yield from (f"< {reason.text}" for reason in attempt.refusals)
    if not attempt.refusals:
        yield "< taken" if attempt.accepted else f"outcome: {attempt.outcome}"
    if attempt.detail:
        yield f"detail: {attempt.detail}"


def mask(text: str, target: Target) -> str:
    """Replace every spelling of the target's credentials."""
    return target.credentials.masked_in(text) if target.credentials else text


def _answer(attempt: Attempt) -> Iterator[str]:
    if attempt.status is None:
        yield "< (no answer)"
    else:
        yield f"< HTTP/1.1 {attempt.status}"
        yield from (f"< {name}: {value}" for name, value in attempt.headers)
        yield "<"
        yield from _quoted("<", attempt.body, _MOST_ANSWER_CHARS)
    yield f"outcome: {attempt.outcome} after {attempt.duration_s:.3f} s"
    if attempt.detail:
        yield f"detail: {attempt.detail}"
    yield from attempt.trace[-_MOST_TRACE_CHARS:].splitlines()


def _quoted(mark: str, body: bytes, limit: int) -> list[str]:
    text = body.decode("utf-8", "backslashreplace")
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(body)} bytes in all)"
    return [f"{mark} {line}" for line in text.split("\n")]
