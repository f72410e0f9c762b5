"""Judges: what one attempt says about a clause. Each returns what is wrong in a few words, or nothing."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from tcop_mock.domain.delivery import Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NO_ANSWER = {
    Outcome.TIMED_OUT: "no answer inside the deadline",
    Outcome.REFUSED: "the connection was refused",
    Outcome.RESET_BEFORE_ANSWER: "the connection was closed without an answer",
    Outcome.RESET_IN_ANSWER: "the connection was closed inside the head of the answer",
    Outcome.BAD_ANSWER: "the answer was no HTTP",
}


TRACE = re.compile(
    rb"Traceback \(most recent call last\)|File [^\n]{1,300}, line \d+, in |"  # Python
    rb"(?:^\s+|&nbsp;)at [^\n]{1,300}(?::\d+|:line \d+|\([\w. ]+\))\)?\s*$|node_modules/|"  # JavaScript, C#, Java
    rb"goroutine \d+ \[|\.go:\d+ \+0x|"  # Go
    rb"#\d+ [^\n]{1,300}\.php\(\d+\)|"  # PHP
    rb"[^\n]{1,300}\.rb:\d+:in [`']",  # Ruby
    re.MULTILINE,
)
"""How traces look."""
_JSON_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
NOT_EVEN_PLAIN = "not even a plain callback is answered inside the deadline (TCM102)"


RATE_LIMITED = "answered 429, also after a pause: it takes fewer callbacks a second than this (TCM515)"


class Context(NamedTuple):
    """What a judge may know beside the attempt."""

    slow: bool = False
    """Not even a plain callback is answered inside the deadline."""
    standing: bool = True
    """A plain callback was taken just before the broken input came."""
    sentinels: tuple[str, ...] = ()
    """Secrets that must not come back."""
    deadline_s: float = 5.0
    sent: bytes = b""
    """The body to which the attempt is the answer."""


def status(  # noqa: PLR0913 - the keys of a clause file
    attempt: Attempt,
    _context: Context,
    *,
    allow: Sequence[str] = (),
    forbid: Sequence[str] = (),
    besides: Sequence[str] = (),
    silence_ok: bool = False,
    closed_ok: bool = False,
) -> str | None:
    """Judge the status by class (``2xx``) or number (``401``).

    Args:
        attempt: what came back.
        _context: not needed.
        allow: the status must be one of these, where any are given.
        forbid: the status must be none of these.
        besides: classes or numbers that are fine, whatever the other lists say.
        silence_ok: a missing answer is another clause's business.
        closed_ok: a connection that is closed before any answer is fine.
    """
    if closed_ok and attempt.outcome is Outcome.RESET_BEFORE_ANSWER:
        return None
    if attempt.status is None:
        return None if silence_ok else no_answer(attempt)
    if is_one_of(attempt.status, besides):
        return None
    if (allow and not is_one_of(attempt.status, allow)) or is_one_of(attempt.status, forbid):
        return f"answered {attempt.status}"
    return None


def is_one_of(status: int | None, spellings: Sequence[str]) -> bool:
    """Say whether a status is one of these numbers (``401``) or of one of these classes (``2xx``)."""
    return status is not None and not {f"{status // 100}xx", str(status)}.isdisjoint(spellings)


def in_time(attempt: Attempt, _context: Context) -> str | None:
    """Judge whether the whole answer, head and body, came inside the deadline."""
    if attempt.outcome is Outcome.TIMED_OUT:
        return "no answer inside the deadline" if attempt.status is None else "the head came in time, the body did not"
    if attempt.outcome is Outcome.RESET_IN_ANSWER and attempt.status is not None:
        return "the connection was closed inside the body of the answer"
    return None


def bounded(attempt: Attempt, _context: Context) -> str | None:
    """Judge whether the answer's body ends, and before the cap."""
    if attempt.body_truncated:
        return "the body of the answer goes on past 64 KiB"
    if attempt.outcome is Outcome.TIMED_OUT and attempt.status is not None:
        return "the body of the answer does not end"
    return None


def acked(attempt: Attempt, _context: Context) -> str | None:
    """Judge whether it was a complete 2xx inside the deadline."""
    if attempt.outcome is Outcome.ACKED:
        return None
    late = in_time(attempt, _context)
    return late or answered(attempt)


def no_echo(attempt: Attempt, context: Context) -> str | None:
    """Judge whether head and body of the answer are free of the credentials that were shown."""
    head = "\n".join(f"{name}: {value}" for name, value in attempt.headers)
    body = attempt.body.decode("utf-8", "replace")
    for place, text in (("head", head), ("body", body)):
        if any(sentinel in spelling for spelling in _spellings(text) for sentinel in context.sentinels):
            return f"the {place} of the answer repeats the credentials"
    return None


def _spellings(text: str) -> Iterator[str]:
    """Yield a text as it is, and read as JSON, as HTML and as a URL: each escapes other signs of a secret."""
    yield text
    plain = text.replace("\\/", "/").replace('\\"', '"').replace("\\\\", "\\")
    yield _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), plain)
    yield html.unescape(text)
    yield unquote(text)


def quick(attempt: Attempt, context: Context, *, share: float) -> str | None:
    """Judge whether a whole answer came inside a share of the deadline; one that never came is another's business."""
    if (
        attempt.outcome is Outcome.TIMED_OUT
        or attempt.status is None
        or attempt.duration_s <= share * context.deadline_s
    ):
        return None
    return f"answered after more than {share * context.deadline_s:g} s"


def ret_code(attempt: Attempt, context: Context) -> str | None:
    """Judge whether the answer is what the pages of 2019 want: the callback's own ``sessionId``, and ``retCode`` 0."""
    if attempt.status is None:
        return no_answer(attempt)
    try:
        answer, sent = json.loads(attempt.body), json.loads(context.sent)
    except (ValueError, RecursionError):
        return f"answered {attempt.status} with a body that is no JSON"
    if not isinstance(answer, dict) or answer.get("sessionId") != sent["sessionId"]:
        return "the answer does not repeat the sessionId"
    code = answer.get("retCode")
    return None if code == 0 and code is not False else "the answer's retCode is not 0"


def no_trace(attempt: Attempt, _context: Context) -> str | None:
    """Judge whether the answer is free of stack traces."""
    return "the answer shows a stack trace" if TRACE.search(attempt.body) else None


def answered(attempt: Attempt) -> str:
    """Say how an attempt was answered, if it was."""
    return no_answer(attempt) if attempt.status is None else f"answered {attempt.status}"


def no_answer(attempt: Attempt) -> str:
    """Say why there is no status."""
    return _NO_ANSWER.get(attempt.outcome, f"no answer ({attempt.outcome})")


class Judge(NamedTuple):
    """A judge and what it has to be shown."""

    check: Callable[..., str | None]
    whole_answer: bool = False
    """It looks at the body; for the others a head will do, and a late body is not waited for."""
    about_time: bool = False
    """A missing answer is its own business also where the receiver is slow with everything."""
    about_life: bool = False
    """A refused connection is its own business."""


JUDGES = {
    "acked": Judge(acked, whole_answer=True),
    "alive": Judge(status, about_life=True),
    "bounded": Judge(bounded, whole_answer=True),
    "in_time": Judge(in_time, whole_answer=True, about_time=True),
    "no_echo": Judge(no_echo, whole_answer=True),
    "no_trace": Judge(no_trace, whole_answer=True),
    "quick": Judge(quick, whole_answer=True),
    "ret_code": Judge(ret_code, whole_answer=True),
    "status": Judge(status),
}

_UNREACHED = frozenset({Outcome.REFUSED, Outcome.DNS, Outcome.TLS, Outcome.CANCELLED})


def unjudgeable(judge: Judge, attempt: Attempt, context: Context) -> str | None:
    """Say why an attempt tells nothing about the clause, where it does not."""
    if judge.about_life and not context.standing:
        return "no plain callback was taken before the broken bodies either (TCM101)"
    if attempt.outcome in _UNREACHED and not (judge.about_life and attempt.outcome is Outcome.REFUSED):
        return f"the receiver could not be reached ({attempt.outcome})"
    if context.slow and not judge.about_time and attempt.status is None and attempt.outcome is Outcome.TIMED_OUT:
        return NOT_EVEN_PLAIN
    return None
