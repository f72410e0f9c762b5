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

_NO_RESPONSE = {
    Outcome.TIMED_OUT: "no answer inside the deadline",
    Outcome.REFUSED: "the connection was refused",
    Outcome.RESET_BEFORE_ANSWER: "the connection was closed without an answer",
    Outcome.RESET_IN_ANSWER: "the connection was closed inside the head of the answer",
    Outcome.BAD_ANSWER: "the answer was no HTTP",
}


STACK_TRACE = re.compile(
    rb"Traceback \(most recent call last\)|File [^\n]{1,300}, line \d+, in |"  # Python
    rb"(?:^\s+|&nbsp;)at [^\n]{1,300}(?::\d+|:line \d+|\([\w. ]+\))\)?\s*$|node_modules/|"  # JavaScript, C#, Java
    rb"goroutine \d+ \[|\.go:\d+ \+0x|"  # Go
    rb"#\d+ [^\n]{1,300}\.php\(\d+\)|"  # PHP
    rb"[^\n]{1,300}\.rb:\d+:in [`']",  # Ruby
    re.MULTILINE,
)
"""How traces look."""
_JSON_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
PLAIN_TIMED_OUT = "not even a plain callback is answered inside the deadline (TCM102)"


RATE_LIMITED = "answered 429, also after a pause: it takes fewer callbacks a second than this (TCM515)"


class AssertionContext(NamedTuple):
    """What a judge may know beside the attempt."""

    slow: bool = False
    """Not even a plain callback is answered inside the deadline."""
    alive_before: bool = True
    """A plain callback was taken just before the broken input came."""
    unique_secrets: tuple[str, ...] = ()
    """Secrets that must not come back."""
    deadline_s: float = 5.0
    request_body: bytes = b""
    """The body to which the attempt is the answer."""


def status(  # noqa: PLR0913 - the keys of a clause file
    attempt: Attempt,
    _context: AssertionContext,
    *,
    allow: Sequence[str] = (),
    forbid: Sequence[str] = (),
    also_accept: Sequence[str] = (),
    no_response_ok: bool = False,
    connection_closed_ok: bool = False,
) -> str | None:
    """Judge the status by class (``2xx``) or number (``401``).

    Args:
        attempt: what came back.
        _context: not needed.
        allow: the status must be one of these, where any are given.
        forbid: the status must be none of these.
        also_accept: classes or numbers that are fine, whatever the other lists say.
        no_response_ok: a missing answer is another clause's business.
        connection_closed_ok: a connection that is closed before any answer is fine.
    """
    if connection_closed_ok and attempt.outcome is Outcome.RESET_BEFORE_ANSWER:
        return None
    if attempt.status is None:
        return None if no_response_ok else describe_no_response(attempt)
    if matches_status(attempt.status, also_accept):
        return None
    if (allow and not matches_status(attempt.status, allow)) or matches_status(attempt.status, forbid):
        return f"answered {attempt.status}"
    return None


def matches_status(status: int | None, patterns: Sequence[str]) -> bool:
    """Say whether a status is one of these numbers (``401``) or of one of these classes (``2xx``)."""
    return status is not None and not {f"{status // 100}xx", str(status)}.isdisjoint(patterns)


def answered_in_time(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Judge whether the whole answer, head and body, came inside the deadline."""
    if attempt.outcome is Outcome.TIMED_OUT:
        return "no answer inside the deadline" if attempt.status is None else "the head came in time, the body did not"
    if attempt.outcome is Outcome.RESET_IN_ANSWER and attempt.status is not None:
        return "the connection was closed inside the body of the answer"
    return None


def body_bounded(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Judge whether the answer's body ends, and before the cap."""
    if attempt.body_truncated:
        return "the body of the answer goes on past 64 KiB"
    if attempt.outcome is Outcome.TIMED_OUT and attempt.status is not None:
        return "the body of the answer does not end"
    return None


def is_acked(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Judge whether it was a complete 2xx inside the deadline."""
    if attempt.outcome is Outcome.ACKED:
        return None
    lateness = answered_in_time(attempt, _context)
    return lateness or describe_response(attempt)


def no_credential_echo(attempt: Attempt, context: AssertionContext) -> str | None:
    """Judge whether head and body of the answer are free of the credentials that were shown."""
    head = "\n".join(f"{name}: {value}" for name, value in attempt.headers)
    body = attempt.body.decode("utf-8", "replace")
    for part, text in (("head", head), ("body", body)):
        if any(secret in decoding for decoding in _decodings(text) for secret in context.unique_secrets):
            return f"the {part} of the answer repeats the credentials"
    return None


def _decodings(text: str) -> Iterator[str]:
    """Yield a text as it is, and read as JSON, as HTML and as a URL: each escapes other signs of a secret."""
    yield text
    unescaped = text.replace("\\/", "/").replace('\\"', '"').replace("\\\\", "\\")
    yield _JSON_ESCAPE.sub(lambda match: chr(int(match[1], 16)), unescaped)
    yield html.unescape(text)
    yield unquote(text)


def within_share_of_deadline(attempt: Attempt, context: AssertionContext, *, share: float) -> str | None:
    """Judge whether a whole answer came inside a share of the deadline; one that never came is another's business."""
    if (
        attempt.outcome is Outcome.TIMED_OUT
        or attempt.status is None
        or attempt.duration_s <= share * context.deadline_s
    ):
        return None
    return f"answered after more than {share * context.deadline_s:g} s"


def retcode_zero(attempt: Attempt, context: AssertionContext) -> str | None:
    """Judge whether the answer is what the pages of 2019 want: the callback's own ``sessionId``, and ``retCode`` 0."""
    if attempt.status is None:
        return describe_no_response(attempt)
    try:
        response, request = json.loads(attempt.body), json.loads(context.request_body)
    except (ValueError, RecursionError):
        return f"answered {attempt.status} with a body that is no JSON"
    if not isinstance(response, dict) or response.get("sessionId") != request["sessionId"]:
        return "the answer does not repeat the sessionId"
    code = response.get("retCode")
    return None if code == 0 and code is not False else "the answer's retCode is not 0"


def no_stack_trace(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Judge whether the answer is free of stack traces."""
    return "the answer shows a stack trace" if STACK_TRACE.search(attempt.body) else None


def describe_response(attempt: Attempt) -> str:
    """Say how an attempt was answered, if it was."""
    return describe_no_response(attempt) if attempt.status is None else f"answered {attempt.status}"


def describe_no_response(attempt: Attempt) -> str:
    """Say why there is no status."""
    return _NO_RESPONSE.get(attempt.outcome, f"no answer ({attempt.outcome})")


class Assertion(NamedTuple):
    """A judge and what it has to be shown."""

    check: Callable[..., str | None]
    needs_full_response: bool = False
    """It looks at the body; for the others a head will do, and a late body is not waited for."""
    is_about_timing: bool = False
    """A missing answer is its own business also where the receiver is slow with everything."""
    is_about_liveness: bool = False
    """A refused connection is its own business."""


ASSERTIONS = {
    "acked": Assertion(is_acked, needs_full_response=True),
    "alive": Assertion(status, is_about_liveness=True),
    "bounded": Assertion(body_bounded, needs_full_response=True),
    "in_time": Assertion(answered_in_time, needs_full_response=True, is_about_timing=True),
    "no_echo": Assertion(no_credential_echo, needs_full_response=True),
    "no_trace": Assertion(no_stack_trace, needs_full_response=True),
    "quick": Assertion(within_share_of_deadline, needs_full_response=True),
    "ret_code": Assertion(retcode_zero, needs_full_response=True),
    "status": Assertion(status),
}

_UNREACHED = frozenset({Outcome.REFUSED, Outcome.DNS, Outcome.TLS, Outcome.CANCELLED})


def inconclusive_reason(assertion: Assertion, attempt: Attempt, context: AssertionContext) -> str | None:
    """Say why an attempt tells nothing about the clause, where it does not."""
    if assertion.is_about_liveness and not context.alive_before:
        return "no plain callback was taken before the broken bodies either (TCM101)"
    if attempt.outcome in _UNREACHED and not (assertion.is_about_liveness and attempt.outcome is Outcome.REFUSED):
        return f"the receiver could not be reached ({attempt.outcome})"
    if (
        context.slow
        and not assertion.is_about_timing
        and attempt.status is None
        and attempt.outcome is Outcome.TIMED_OUT
    ):
        return PLAIN_TIMED_OUT
    return None
