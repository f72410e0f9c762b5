"""What is to be said of a receiver's answers: status, time, credentials, redirects, clock, connection, size."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tcop_mock.model.delivery import UNAUTHORIZED, Outcome
from tcop_mock.model.examination import Grade, Remark

if TYPE_CHECKING:
    from tcop_mock.model.delivery import Attempt
    from tcop_mock.model.profile import DeliveryRules
    from tcop_mock.model.target import Target

_PAGE = "alarm callback page, 2023-08-07"
_MUCH = 0.5
_WRONG_S, _NEAR_S, _HALF_HOUR_S = 60, 90, 1800


def answer(held: Attempt) -> Remark:
    """Say how the callback was answered."""
    status = "" if held.status is None else f" with {held.status}"
    saw = f"a resolved alarm, marked as a test, was {held.outcome}{status}"
    if held.outcome is Outcome.ACKED:
        return Remark("callback", Grade.FINE, saw)
    saw = f"{saw}: {held.detail}" if held.detail else saw
    means = "TCOP would push it again, and then give up"
    if held.outcome is Outcome.REDIRECTED:
        return Remark("callback", Grade.PROBLEM, saw, means, "see redirect")
    if held.status in UNAUTHORIZED:
        return Remark("callback", Grade.PROBLEM, saw, means, "see auth")
    return Remark(
        "callback", Grade.PROBLEM, saw, means, "see the receiver's log; tcop-mock check says which bodies break it"
    )


def latency(attempt: Attempt, rules: DeliveryRules) -> Remark:
    """Hold the time to the deadline."""
    saw = f"{attempt.duration_s:.3f} s of {rules.timeout_s:g} s, with connecting"
    if attempt.outcome is Outcome.TIMED_OUT:
        means = f"each push has {rules.timeout_s:g} s ({_PAGE}); this one would be given up"
        return Remark("latency", Grade.PROBLEM, saw, means, "answer first, and work after that: queue the callback")
    if attempt.duration_s > _MUCH * rules.timeout_s:
        means = "an alarm storm, or a longer way than from here, takes the rest"
        return Remark("latency", Grade.NOTE, saw, means, "answer first, and work after that: queue the callback")
    return Remark("latency", Grade.FINE, saw)


def auth(target: Target, given: Attempt, bare: Attempt | None) -> Remark:
    """Say whether credentials are asked for, and whether these are taken.

    Args:
        target: which may have credentials.
        given: the answer to them, or to none where the target has none.
        bare: the answer to none, where the target has some.
    """
    fix = "put USER:PASSWORD@ before the host, percent-encoded (TCOP_MOCK_TARGET or @FILE keep them to yourself)"
    if given.status in UNAUTHORIZED:
        kind = "these credentials are refused" if target.credentials else "credentials are wanted"
        means = "TCOP's console takes them in the URL"
        return Remark("auth", Grade.PROBLEM, f"{given.status}: {kind}", f"{means} ({_PAGE}, authentication)", fix)
    if bare is None:
        means = (
            "whoever knows the URL can raise and resolve alarms; TCOP's addresses are random, so no list keeps them out"
        )
        return Remark("auth", Grade.NOTE, "none was asked for", means, f"ask for HTTP Basic ({_PAGE}, authentication)")
    if bare.accepted:
        means = "credentials are sent, and not asked for: whoever knows the URL can raise and resolve alarms"
        return Remark("auth", Grade.PROBLEM, f"{bare.status} without credentials", means, "answer 401 without them")
    saw = f"{given.status or given.outcome} with credentials, {bare.status or bare.outcome} without"
    if bare.status != HTTPStatus.UNAUTHORIZED:
        return Remark(
            "auth", Grade.NOTE, saw, "without credentials the answer should be 401", "answer 401 (RFC 9110, 15.5.2)"
        )
    scheme = _header(bare, "www-authenticate").partition(" ")[0]
    if scheme.lower() != "basic":
        means = f"a 401 names the scheme that is wanted, and TCOP has Basic only ({_PAGE}, authentication)"
        return Remark("auth", Grade.NOTE, saw, means, "send WWW-Authenticate: Basic with it (RFC 9110, 11.6.1)")
    return Remark("auth", Grade.FINE, saw)


def redirect(target: Target, attempt: Attempt) -> Remark | None:
    """Say where a redirect leads; ``None`` where there is none."""
    if attempt.outcome is not Outcome.REDIRECTED:
        return None
    place = _header(attempt, "location")
    means = "no page says that TCOP follows one, and a POST that is followed often becomes a GET (RFC 9110, 15.4)"
    host, slash = _led(target, place)
    fix = "register the URL that it leads to"
    if place.startswith("https://") and target.scheme == "http":
        fix = "register the https URL"
    elif not host and slash:
        fix = f"the last slash is what is missing or too much: register the path {slash}"
    shown = place.rpartition("@")[2] or "nowhere: no Location"
    shown = target.credentials.masked_in(shown) if target.credentials else shown
    return Remark("redirect", Grade.PROBLEM, f"{attempt.status} to {shown}", means, fix)


def clock(attempt: Attempt, now: datetime) -> Remark:
    """Hold the receiver's clock to ours."""
    zone = "times in callbacks are of Beijing (UTC+8) and say so nowhere: read them in that zone, not in the machine's"
    text = _header(attempt, "date")
    try:
        told = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        saw = "the answer's Date is no date" if text else "the answer has no Date"
        return Remark("clock", Grade.NOTE, saw, f"its clock cannot be seen from here; {zone}")
    ahead_s = round((told.replace(tzinfo=told.tzinfo or UTC) - now).total_seconds())
    saw = f"its Date is {abs(ahead_s)} s {'ahead of' if ahead_s >= 0 else 'behind'} our clock"
    if abs(ahead_s) <= _WRONG_S:
        return Remark("clock", Grade.FINE, saw, zone)
    off_s = abs(ahead_s - _HALF_HOUR_S * round(ahead_s / _HALF_HOUR_S))
    if off_s <= _NEAR_S:
        hours = timedelta(seconds=_HALF_HOUR_S * round(ahead_s / _HALF_HOUR_S)) / timedelta(hours=1)
        means = f"that is {hours:+g} h: local time told as GMT (RFC 9110, 5.6.7). {zone}"
        return Remark(
            "clock", Grade.NOTE, saw, means, "tell Date in GMT, and see how the receiver reads firstOccurTime"
        )
    means = f"durations, and what is found by time, are wrong by as much. {zone}"
    return Remark("clock", Grade.NOTE, saw, means, "set the clocks of both machines (NTP)")


def keep_alive(*, kept: bool) -> Remark:
    """Say whether a connection may be used again."""
    if kept:
        return Remark("keep-alive", Grade.FINE, "the connection may be used again")
    means = "each callback needs a new connection; whether TCOP keeps any no page says"
    return Remark("keep-alive", Grade.FINE, "the receiver closes after each answer", means)


def body(attempt: Attempt, rules: DeliveryRules) -> Remark:
    """Hold the size of the answer to what is read of it."""
    saw = f"{len(attempt.body)} bytes"
    if attempt.body_truncated:
        means = f"no more than {rules.answer_cap_bytes} bytes are read, and then the connection is closed (assumed)"
        return Remark("answer", Grade.NOTE, f"more than {saw}", means, "answer in a few bytes: nobody reads them")
    return Remark("answer", Grade.FINE, saw)


def _led(target: Target, place: str) -> tuple[str, str]:
    """Return the other host of a Location, and its path where that differs from the target's by the last slash."""
    try:
        parts = urlsplit(place)
        host = parts.hostname or ""
    except ValueError:
        return place, ""
    ours = target.path.partition("?")[0]
    same = parts.path != ours and parts.path.rstrip("/") == ours.rstrip("/")
    return "" if host == target.host else host, parts.path if same else ""


def _header(attempt: Attempt, name: str) -> str:
    return next((value for key, value in attempt.headers if key.lower() == name), "").strip()
