"""What is to be said of addresses, connections, TLS, port and proxies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tcop_mock.domain.delivery import UNAUTHORIZED, Outcome
from tcop_mock.domain.diagnosis import Grade, Remark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.diagnosis import Certificate, Connected, TlsSeen
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Target


_PAGE = "alarm callback page, 2023-08-07"

_HTTP_PORT = 80

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

_SOON_DAYS = 14

_MOST_NAMES = 10

_SELF_SIGNED, _NO_ISSUER, _OTHER_NAME, _EXPIRED = {18, 19}, {2, 20, 21}, {62, 64}, 10

"""OpenSSL's numbers, from its x509_vfy.h."""


def unresolved(problem: str) -> Remark:
    """Say that the name has no address."""
    return Remark("dns", Grade.PROBLEM, problem, "nobody finds the receiver", "mend the DNS record, or the name")


def resolved(host: str, found: Sequence[tuple[str, bool]], seconds: float) -> Remark:
    """Say which addresses a name has."""
    told = ", ".join(f"{address} ({'IPv6' if is_ipv6 else 'IPv4'})" for address, is_ipv6 in found)
    saw = f"{host} is {told}; looked up in {seconds:.3f} s"
    inside = [address for address, _ in found if not ip_address(address.partition("%")[0]).is_global]
    if inside:
        means = f"the URL must be accessible over the public network ({_PAGE}, directions, step 3); {inside[0]} is not"
        return Remark("dns", Grade.NOTE, saw, means, "right for a test; register a public address with TCOP")
    if all(is_ipv6 for _, is_ipv6 in found):
        means = "whether TCOP pushes over IPv6 no page says"
        return Remark("dns", Grade.NOTE, saw, means, "give the name an IPv4 address (A record), too")
    return Remark("dns", Grade.FINE, saw)


def connected(found: Sequence[Connected]) -> Remark:
    """Say how connecting to each address went."""
    told = [f"{one.address} {one.problem or f'in {one.seconds:.3f} s'}" for one in found]
    saw, dead = "; ".join(told), [one for one in found if one.problem]
    if len(dead) == len(found):
        return Remark("tcp", Grade.PROBLEM, saw, "no callback can be brought", "start the receiver, open its port")
    if dead:
        means = "a sender that takes this address loses its callback, or the time for it"
        return Remark("tcp", Grade.PROBLEM, saw, means, f"take {dead[0].address} out of DNS, or listen there")
    return Remark("tcp", Grade.FINE, saw)


def port(target: Target) -> Remark:
    """Say what the page says about ports."""
    advice = f"the page says that the port is fixed at 80 and the sender's IP random ({_PAGE}, note on the outbound IP)"
    if target.port == _HTTP_PORT:
        fix = "let port 80 in from anywhere in the security group, and ask for credentials: no address tells TCOP apart"
        return Remark("port", Grade.FINE, "80", advice, fix)
    means = f"{advice}, and prints URLs with a port of their own ({_PAGE}, directions, step 3)"
    fix = f"let port {target.port} in from anywhere; if real callbacks stay out, try port 80"
    return Remark("port", Grade.NOTE, str(target.port), means, fix)


def proxy(environ: Mapping[str, str]) -> Remark:
    """Say whether a proxy is configured, which nothing here uses."""
    names = [name for name in _PROXIES if environ.get(name)]
    if not names:
        return Remark("proxy", Grade.FINE, "no variable names one")
    means = "it is ignored: TCOP does not come through it. All that is told here is without it"
    fix = "if only the proxy leads out of this network, ask from another machine"
    return Remark("proxy", Grade.NOTE, f"{', '.join(names)} set", means, fix)


def tls(target: Target, seen: TlsSeen, now: datetime) -> Remark:
    """Say how a handshake went, and what the certificate says."""
    found = seen.certificate
    told = [seen.problem, seen.protocol, _told(found) if found else ""]
    saw = "; ".join(filter(None, told))
    if seen.problem:
        means = "no session: no page says that TCOP takes a certificate that does not verify, and tcop-mock does not"
        return Remark("tls", Grade.PROBLEM, saw, means, _cure(seen.code, found, target.host))
    days = (found.ends - now).days if found else 0
    if days < _SOON_DAYS:
        means = f"in {days} days no sender that verifies will connect"
        return Remark("tls", Grade.PROBLEM, saw, means, "renew it, and see why that is not done by itself")
    return Remark("tls", Grade.FINE, f"{saw}, in {days} days")


def _told(found: Certificate) -> str:
    more = f" and {len(found.names) - _MOST_NAMES} more" if len(found.names) > _MOST_NAMES else ""
    names = ", ".join(found.names[:_MOST_NAMES]) or "no name"
    return f"for {names}{more}; issued by {found.issuer or 'nobody'}; ends {found.ends:%Y-%m-%d %H:%M} UTC"


def _cure(code: int, found: Certificate | None, host: str) -> str:
    issuer = f"{found.issuer!r}" if found else "its issuer"
    if code == _EXPIRED:
        return "renew the certificate"
    if code in _SELF_SIGNED:
        return "get one from a public authority; --insecure looks further without verifying"
    if code in _NO_ISSUER:
        return (
            f"the certificate of {issuer} is missing: send it with your own (the full chain, leaf first); "
            "if that is an authority of your own, get one from a public authority"
        )
    if code in _OTHER_NAME:
        return f"get one that names {host}, or register a URL with a name that it has"
    return "see that the port speaks TLS 1.2 or 1.3, and does not ask for a client's certificate"


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
