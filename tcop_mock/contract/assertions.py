"""Assertions: check one attempt for a clause. Each returns a short failure text, or None."""

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
    Outcome.BAD_ANSWER: "the answer was not HTTP",
}


STACK_TRACE = re.compile(
    rb"Traceback \(most recent call last\)|File [^\n]{1,300}, line \d+, in |"  # Python
    rb"(?:^\s+|&nbsp;)at [^\n]{1,300}(?::\d+|:line \d+|\([\w. ]+\))\)?\s*$|node_modules/|"  # JavaScript, C#, Java
    rb"goroutine \d+ \[|\.go:\d+ \+0x|"  # Go
    rb"#\d+ [^\n]{1,300}\.php\(\d+\)|"  # PHP
    rb"[^\n]{1,300}\.rb:\d+:in [`']",  # Ruby
    re.MULTILINE,
)
"""Stack traces of common languages."""
_RENDERED_TYPES = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"})
"""Media types in which a browser runs scripts."""
_JSON_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
PLAIN_TIMED_OUT = "not even a plain callback is answered inside the deadline (TCM102)"
NO_FIRST_EFFECT = "its first push shows no effect (TCM519)"
TOO_SLOW = "too slow: the run waited too long for answers that came late or not at all (TCM102)"
"""Why an attempt was given up, or not made."""
FAILED_CALL = " after a call that failed: "
"""Part of the detail of an attempt whose rejection may follow from a call that failed because of the check."""
BUSY_MACHINE = "no answer inside the deadline, while other programs took "
"""The beginning of the detail of an attempt that was late because the machine had too much to do."""
RATE_LIMITED = (
    "answered 429, even after a pause: it accepts fewer callbacks per second than this (TCM515); "
    "`--pace 10/s` sends them slower"
)


class AssertionContext(NamedTuple):
    """Data that an assertion may need in addition to the attempt."""

    slow: bool = False
    """Even a plain callback gets no response within the deadline."""
    alive_before: bool = True
    """A plain callback was accepted just before the malformed input."""
    unique_secrets: tuple[str, ...] = ()
    """Secrets that no response may contain."""
    deadline_s: float = 5.0
    request_body: bytes = b""
    """Body of the request."""
    previous_request_body: bytes = b""
    """Body of the previous request on the same connection; empty if there is none."""
    previous_response_body: bytes = b""


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
    """Assert the status by class (``2xx``) or number (``401``).

    Args:
        attempt: the attempt to check.
        _context: unused.
        allow: the status must be one of these; empty: any.
        forbid: the status must not be one of these.
        also_accept: statuses that pass regardless of the other lists.
        no_response_ok: whether a missing response passes.
        connection_closed_ok: whether a connection closed without a response passes.
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
    """Return whether a status matches one of these numbers (``401``) or classes (``2xx``)."""
    return status is not None and not {f"{status // 100}xx", str(status)}.isdisjoint(patterns)


def answered_in_time(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Assert that the whole response, head and body, arrived within the deadline."""
    if attempt.outcome is Outcome.TIMED_OUT:
        return "no answer inside the deadline" if attempt.status is None else "the head came in time, the body did not"
    if attempt.outcome is Outcome.RESET_IN_ANSWER and attempt.status is not None:
        return "the connection was closed inside the body of the answer"
    return None


def body_bounded(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Assert that the response body ends before the size limit."""
    if attempt.body_truncated:
        return "the body of the answer goes on past 64 KiB"
    if attempt.outcome is Outcome.TIMED_OUT and attempt.status is not None:
        return "the body of the answer does not end"
    return None


def has_header(attempt: Attempt, _context: AssertionContext, *, name: str, pattern: str = "") -> str | None:
    """Assert that the response has a header.

    Args:
        attempt: the attempt to check.
        _context: unused.
        name: name of the header.
        pattern: regular expression that the whole value must match; empty: any value.
    """
    if attempt.status is None:
        return describe_no_response(attempt)
    values = [value for key, value in attempt.headers if key.lower() == name.lower()]
    if not values:
        return f"the answer has no header {name}"
    if pattern and not any(re.fullmatch(pattern, value) for value in values):
        return f"no header {name} of the answer matches {pattern}"
    return None


def is_acked(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Assert a complete 2xx response within the deadline."""
    if attempt.outcome is Outcome.ACKED:
        return None
    lateness = answered_in_time(attempt, _context)
    return lateness or describe_response(attempt)


def no_credential_echo(attempt: Attempt, context: AssertionContext) -> str | None:
    """Assert that head and body of the response do not contain the credentials sent."""
    head = "\n".join(f"{name}: {value}" for name, value in attempt.headers)
    body = attempt.body.decode("utf-8", "replace")
    for part, text in (("head", head), ("body", body)):
        if any(secret in decoding for decoding in decodings(text) for secret in context.unique_secrets):
            return f"the {part} of the answer repeats the credentials"
    return None


def decodings(text: str) -> Iterator[str]:
    """Yield a text as is, and decoded as JSON, as HTML and as a URL: each escapes other characters."""
    yield text
    unescaped = text.replace("\\/", "/").replace('\\"', '"').replace("\\\\", "\\")
    yield _JSON_ESCAPE.sub(lambda match: chr(int(match[1], 16)), unescaped)
    yield html.unescape(text)
    yield unquote(text)


def within_share_of_deadline(attempt: Attempt, context: AssertionContext, *, share: float) -> str | None:
    """Assert a whole response within a share of the deadline; TCM102 reports missing responses."""
    if (
        attempt.outcome is Outcome.TIMED_OUT
        or attempt.status is None
        or attempt.duration_s <= share * context.deadline_s
    ):
        return None
    return f"answered after more than {share * context.deadline_s:g} s"


def answers_separate(attempt: Attempt, context: AssertionContext) -> str | None:
    """Assert that a connection carries one response for each request, and no session of the request before."""
    if attempt.stale_bytes:
        return "bytes follow the end of the previous answer on the connection"
    previous, own = (_session_of(body) for body in (context.previous_request_body, context.request_body))
    if previous and previous in context.previous_response_body and previous in attempt.body and own not in attempt.body:
        return "the answer carries the sessionId of the callback before it"
    return None


def _session_of(body: bytes) -> bytes:
    """Return the ``sessionId`` of a callback; empty if it has none."""
    try:
        callback = json.loads(body)
    except ValueError:
        return b""
    return str(callback.get("sessionId", "")).encode() if isinstance(callback, dict) else b""


def retcode_zero(attempt: Attempt, context: AssertionContext, *, connection_closed_ok: bool = False) -> str | None:
    """Assert the response that the pages of 2019 require: the callback's ``sessionId``, and ``retCode`` 0.

    Args:
        attempt: the attempt to check.
        context: has the body of the request.
        connection_closed_ok: whether a connection closed without a response passes.
    """
    if connection_closed_ok and attempt.outcome is Outcome.RESET_BEFORE_ANSWER:
        return None
    if attempt.status is None:
        return describe_no_response(attempt)
    try:
        response, request = json.loads(attempt.body), json.loads(context.request_body)
    except (ValueError, RecursionError):
        return f"answered {attempt.status} with a body that is not JSON"
    if not isinstance(response, dict) or response.get("sessionId") != request["sessionId"]:
        return "the answer does not repeat the sessionId"
    code = response.get("retCode")
    return None if code == 0 and code is not False else "the answer's retCode is not 0"


def no_stack_trace(attempt: Attempt, _context: AssertionContext) -> str | None:
    """Assert that the response contains no stack trace."""
    return "the answer shows a stack trace" if STACK_TRACE.search(attempt.body) else None


def no_html_echo(attempt: Attempt, _context: AssertionContext, *, text: str) -> str | None:
    """Assert that the response does not contain this HTML in a body that a browser renders.

    Args:
        attempt: the attempt to check.
        _context: unused.
        text: the HTML that was sent.
    """
    headers = {name.lower(): value.strip().lower() for name, value in attempt.headers}
    media_type = headers.get("content-type", "").partition(";")[0].strip()
    is_sniffed = not media_type and headers.get("x-content-type-options") != "nosniff"
    starts_as_html = attempt.body.lstrip().startswith(b"<")  # where a browser takes unlabelled text for HTML
    is_rendered = media_type in _RENDERED_TYPES or (is_sniffed and starts_as_html)
    return "the answer repeats HTML of the body unescaped" if is_rendered and text.encode() in attempt.body else None


def describe_response(attempt: Attempt) -> str:
    """Return the status of an attempt in words, or why it has no status."""
    return describe_no_response(attempt) if attempt.status is None else f"answered {attempt.status}"


def describe_no_response(attempt: Attempt) -> str:
    """Return why an attempt has no status."""
    return _NO_RESPONSE.get(attempt.outcome, f"no answer ({attempt.outcome})")


class Assertion(NamedTuple):
    """An assertion and its requirements."""

    check: Callable[..., str | None]
    needs_full_response: bool = False
    """Whether it needs the body; without it, the runner does not wait for a late body."""
    is_about_timing: bool = False
    """Whether it reports missing responses even if the receiver is slow with every request."""
    is_about_liveness: bool = False
    """Whether it reports refused connections."""


ASSERTIONS = {
    "is_acked": Assertion(is_acked, needs_full_response=True),
    "is_alive": Assertion(status, is_about_liveness=True),
    "answers_separate": Assertion(answers_separate, needs_full_response=True),
    "body_bounded": Assertion(body_bounded, needs_full_response=True),
    "answered_in_time": Assertion(answered_in_time, needs_full_response=True, is_about_timing=True),
    "has_header": Assertion(has_header),
    "no_credential_echo": Assertion(no_credential_echo, needs_full_response=True),
    "no_html_echo": Assertion(no_html_echo, needs_full_response=True),
    "no_stack_trace": Assertion(no_stack_trace, needs_full_response=True),
    "within_share_of_deadline": Assertion(within_share_of_deadline, needs_full_response=True),
    "retcode_zero": Assertion(retcode_zero, needs_full_response=True),
    "status": Assertion(status),
}

_UNREACHED = frozenset({Outcome.REFUSED, Outcome.DNS, Outcome.TLS})


def cancelled_reason(attempt: Attempt) -> str:
    """Return why an attempt with the outcome ``cancelled`` has no result."""
    is_ours = FAILED_CALL in attempt.detail or attempt.detail.startswith(BUSY_MACHINE)
    return attempt.detail if is_ours else TOO_SLOW


def inconclusive_reason(assertion: Assertion, attempt: Attempt, context: AssertionContext) -> str | None:
    """Return why an attempt is inconclusive for the clause; ``None`` if it is conclusive."""
    if attempt.outcome is Outcome.CANCELLED:
        return cancelled_reason(attempt)
    if assertion.is_about_liveness and not context.alive_before:
        return "no plain callback was accepted before the malformed bodies either (TCM101)"
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
