"""What is to be said of addresses, connections, TLS, port and proxies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tcop_mock.domain.delivery import AUTH_REJECTION_STATUSES, Outcome
from tcop_mock.domain.diagnosis import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.diagnosis import Certificate, ConnectionProbe, TlsProbe
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Target


_PAGE = "alarm callback page, 2023-08-07"

_HTTP_PORT = 80

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

_EXPIRY_WARNING_DAYS = 14

_MAX_NAMES = 10

_SELF_SIGNED_CODES, _NO_ISSUER_CODES, _OTHER_NAME_CODES, _EXPIRED_CODE = {18, 19}, {2, 20, 21}, {62, 64}, 10

"""OpenSSL's numbers, from its x509_vfy.h."""


def dns_failure(problem: str) -> Diagnostic:
    """Say that the name has no address."""
    return Diagnostic("dns", Severity.PROBLEM, problem, "nobody finds the receiver", "mend the DNS record, or the name")


def check_dns(host: str, addresses: Sequence[tuple[str, bool]], seconds: float) -> Diagnostic:
    """Say which addresses a name has."""
    address_list = ", ".join(f"{address} ({'IPv6' if is_ipv6 else 'IPv4'})" for address, is_ipv6 in addresses)
    observation = f"{host} is {address_list}; looked up in {seconds:.3f} s"
    private = [address for address, _ in addresses if not ip_address(address.partition("%")[0]).is_global]
    if private:
        meaning = (
            f"the URL must be accessible over the public network ({_PAGE}, directions, step 3); {private[0]} is not"
        )
        return Diagnostic(
            "dns", Severity.NOTE, observation, meaning, "right for a test; register a public address with TCOP"
        )
    if all(is_ipv6 for _, is_ipv6 in addresses):
        meaning = "whether TCOP pushes over IPv6 no page says"
        return Diagnostic("dns", Severity.NOTE, observation, meaning, "give the name an IPv4 address (A record), too")
    return Diagnostic("dns", Severity.FINE, observation)


def check_tcp(connections: Sequence[ConnectionProbe]) -> Diagnostic:
    """Say how connecting to each address went."""
    results = [
        f"{connection.address} {connection.error or f'in {connection.duration_s:.3f} s'}" for connection in connections
    ]
    observation, failed = "; ".join(results), [connection for connection in connections if connection.error]
    if len(failed) == len(connections):
        return Diagnostic(
            "tcp", Severity.PROBLEM, observation, "no callback can be brought", "start the receiver, open its port"
        )
    if failed:
        meaning = "a sender that takes this address loses its callback, or the time for it"
        return Diagnostic(
            "tcp", Severity.PROBLEM, observation, meaning, f"take {failed[0].address} out of DNS, or listen there"
        )
    return Diagnostic("tcp", Severity.FINE, observation)


def check_port(target: Target) -> Diagnostic:
    """Say what the page says about ports."""
    advice = f"the page says that the port is fixed at 80 and the sender's IP random ({_PAGE}, note on the outbound IP)"
    if target.port == _HTTP_PORT:
        fix = "let port 80 in from anywhere in the security group, and ask for credentials: no address tells TCOP apart"
        return Diagnostic("port", Severity.FINE, "80", advice, fix)
    meaning = f"{advice}, and prints URLs with a port of their own ({_PAGE}, directions, step 3)"
    fix = f"let port {target.port} in from anywhere; if real callbacks stay out, try port 80"
    return Diagnostic("port", Severity.NOTE, str(target.port), meaning, fix)


def check_proxy(environ: Mapping[str, str]) -> Diagnostic:
    """Say whether a proxy is configured, which nothing here uses."""
    names = [name for name in _PROXIES if environ.get(name)]
    if not names:
        return Diagnostic("proxy", Severity.FINE, "no variable names one")
    meaning = "it is ignored: TCOP does not come through it. All that is told here is without it"
    fix = "if only the proxy leads out of this network, ask from another machine"
    return Diagnostic("proxy", Severity.NOTE, f"{', '.join(names)} set", meaning, fix)


def check_tls(target: Target, handshake: TlsProbe, now: datetime) -> Diagnostic:
    """Say how a handshake went, and what the certificate says."""
    certificate = handshake.certificate
    parts = [handshake.error, handshake.protocol, _describe_certificate(certificate) if certificate else ""]
    observation = "; ".join(filter(None, parts))
    if handshake.error:
        meaning = "no session: no page says that TCOP takes a certificate that does not verify, and tcop-mock does not"
        return Diagnostic(
            "tls", Severity.PROBLEM, observation, meaning, _tls_advice(handshake.verify_code, certificate, target.host)
        )
    days = (certificate.expires_at - now).days if certificate else 0
    if days < _EXPIRY_WARNING_DAYS:
        meaning = f"in {days} days no sender that verifies will connect"
        return Diagnostic(
            "tls", Severity.PROBLEM, observation, meaning, "renew it, and see why that is not done by itself"
        )
    return Diagnostic("tls", Severity.FINE, f"{observation}, in {days} days")


def _describe_certificate(certificate: Certificate) -> str:
    more_names = f" and {len(certificate.names) - _MAX_NAMES} more" if len(certificate.names) > _MAX_NAMES else ""
    names = ", ".join(certificate.names[:_MAX_NAMES]) or "no name"
    return f"for {names}{more_names}; issued by {certificate.issuer or 'nobody'}; ends {certificate.expires_at:%Y-%m-%d %H:%M} UTC"


def _tls_advice(code: int, certificate: Certificate | None, host: str) -> str:
    issuer = f"{certificate.issuer!r}" if certificate else "its issuer"
    if code == _EXPIRED_CODE:
        return "renew the certificate"
    if code in _SELF_SIGNED_CODES:
        return "get one from a public authority; --insecure looks further without verifying"
    if code in _NO_ISSUER_CODES:
        return (
            f"the certificate of {issuer} is missing: send it with your own (the full chain, leaf first); "
            "if that is an authority of your own, get one from a public authority"
        )
    if code in _OTHER_NAME_CODES:
        return f"get one that names {host}, or register a URL with a name that it has"
    return "see that the port speaks TLS 1.2 or 1.3, and does not ask for a client's certificate"


_SLOW_SHARE = 0.5

_CLOCK_TOLERANCE_S, _ZONE_TOLERANCE_S, _HALF_HOUR_S = 60, 90, 1800


def check_status(attempt: Attempt) -> Diagnostic:
    """Say how the callback was answered."""
    status = "" if attempt.status is None else f" with {attempt.status}"
    observation = f"a resolved alarm, marked as a test, was {attempt.outcome}{status}"
    if attempt.outcome is Outcome.ACKED:
        return Diagnostic("callback", Severity.FINE, observation)
    observation = f"{observation}: {attempt.detail}" if attempt.detail else observation
    meaning = "TCOP would push it again, and then give up"
    if attempt.outcome is Outcome.REDIRECTED:
        return Diagnostic("callback", Severity.PROBLEM, observation, meaning, "see redirect")
    if attempt.status in AUTH_REJECTION_STATUSES:
        return Diagnostic("callback", Severity.PROBLEM, observation, meaning, "see auth")
    return Diagnostic(
        "callback",
        Severity.PROBLEM,
        observation,
        meaning,
        "see the receiver's log; tcop-mock check says which bodies break it",
    )


def check_latency(attempt: Attempt, rules: DeliveryRules) -> Diagnostic:
    """Hold the time to the deadline."""
    observation = f"{attempt.duration_s:.3f} s of {rules.timeout_s:g} s, with connecting"
    if attempt.outcome is Outcome.TIMED_OUT:
        meaning = f"each push has {rules.timeout_s:g} s ({_PAGE}); this one would be given up"
        return Diagnostic(
            "latency", Severity.PROBLEM, observation, meaning, "answer first, and work after that: queue the callback"
        )
    if attempt.duration_s > _SLOW_SHARE * rules.timeout_s:
        meaning = "an alarm storm, or a longer way than from here, takes the rest"
        return Diagnostic(
            "latency", Severity.NOTE, observation, meaning, "answer first, and work after that: queue the callback"
        )
    return Diagnostic("latency", Severity.FINE, observation)


def check_auth(target: Target, attempt: Attempt, unauthenticated: Attempt | None) -> Diagnostic:
    """Say whether credentials are asked for, and whether these are taken.

    Args:
        target: which may have credentials.
        attempt: the answer to them, or to none where the target has none.
        unauthenticated: the answer to none, where the target has some.
    """
    fix = "put USER:PASSWORD@ before the host, percent-encoded (TCOP_MOCK_TARGET or @FILE keep them to yourself)"
    if attempt.status in AUTH_REJECTION_STATUSES:
        complaint = "these credentials are refused" if target.credentials else "credentials are wanted"
        meaning = "TCOP's console takes them in the URL"
        return Diagnostic(
            "auth", Severity.PROBLEM, f"{attempt.status}: {complaint}", f"{meaning} ({_PAGE}, authentication)", fix
        )
    if unauthenticated is None:
        meaning = (
            "whoever knows the URL can raise and resolve alarms; TCOP's addresses are random, so no list keeps them out"
        )
        return Diagnostic(
            "auth", Severity.NOTE, "none was asked for", meaning, f"ask for HTTP Basic ({_PAGE}, authentication)"
        )
    if unauthenticated.accepted:
        meaning = "credentials are sent, and not asked for: whoever knows the URL can raise and resolve alarms"
        return Diagnostic(
            "auth",
            Severity.PROBLEM,
            f"{unauthenticated.status} without credentials",
            meaning,
            "answer 401 without them",
        )
    observation = f"{attempt.status or attempt.outcome} with credentials, {unauthenticated.status or unauthenticated.outcome} without"
    if unauthenticated.status != HTTPStatus.UNAUTHORIZED:
        return Diagnostic(
            "auth",
            Severity.NOTE,
            observation,
            "without credentials the answer should be 401",
            "answer 401 (RFC 9110, 15.5.2)",
        )
    scheme = _header(unauthenticated, "www-authenticate").partition(" ")[0]
    if scheme.lower() != "basic":
        meaning = f"a 401 names the scheme that is wanted, and TCOP has Basic only ({_PAGE}, authentication)"
        return Diagnostic(
            "auth", Severity.NOTE, observation, meaning, "send WWW-Authenticate: Basic with it (RFC 9110, 11.6.1)"
        )
    return Diagnostic("auth", Severity.FINE, observation)


def check_redirect(target: Target, attempt: Attempt) -> Diagnostic | None:
    """Say where a redirect leads; ``None`` where there is none."""
    if attempt.outcome is not Outcome.REDIRECTED:
        return None
    location = _header(attempt, "location")
    meaning = "no page says that TCOP follows one, and a POST that is followed often becomes a GET (RFC 9110, 15.4)"
    host, corrected_path = _redirect_change(target, location)
    fix = "register the URL that it leads to"
    if location.startswith("https://") and target.scheme == "http":
        fix = "register the https URL"
    elif not host and corrected_path:
        fix = f"the last slash is what is missing or too much: register the path {corrected_path}"
    shown_location = location.rpartition("@")[2] or "nowhere: no Location"
    shown_location = target.credentials.mask(shown_location) if target.credentials else shown_location
    return Diagnostic("redirect", Severity.PROBLEM, f"{attempt.status} to {shown_location}", meaning, fix)


def check_clock(attempt: Attempt, now: datetime) -> Diagnostic:
    """Hold the receiver's clock to ours."""
    zone_note = (
        "times in callbacks are of Beijing (UTC+8) and say so nowhere: read them in that zone, not in the machine's"
    )
    text = _header(attempt, "date")
    try:
        receiver_time = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        observation = "the answer's Date is no date" if text else "the answer has no Date"
        return Diagnostic("clock", Severity.NOTE, observation, f"its clock cannot be seen from here; {zone_note}")
    ahead_s = round((receiver_time.replace(tzinfo=receiver_time.tzinfo or UTC) - now).total_seconds())
    observation = f"its Date is {abs(ahead_s)} s {'ahead of' if ahead_s >= 0 else 'behind'} our clock"
    if abs(ahead_s) <= _CLOCK_TOLERANCE_S:
        return Diagnostic("clock", Severity.FINE, observation, zone_note)
    zone_error_s = abs(ahead_s - _HALF_HOUR_S * round(ahead_s / _HALF_HOUR_S))
    if zone_error_s <= _ZONE_TOLERANCE_S:
        hours = timedelta(seconds=_HALF_HOUR_S * round(ahead_s / _HALF_HOUR_S)) / timedelta(hours=1)
        meaning = f"that is {hours:+g} h: local time told as GMT (RFC 9110, 5.6.7). {zone_note}"
        return Diagnostic(
            "clock",
            Severity.NOTE,
            observation,
            meaning,
            "tell Date in GMT, and see how the receiver reads firstOccurTime",
        )
    meaning = f"durations, and what is found by time, are wrong by as much. {zone_note}"
    return Diagnostic("clock", Severity.NOTE, observation, meaning, "set the clocks of both machines (NTP)")


def check_keep_alive(*, can_reuse: bool) -> Diagnostic:
    """Say whether a connection may be used again."""
    if can_reuse:
        return Diagnostic("keep-alive", Severity.FINE, "the connection may be used again")
    meaning = "each callback needs a new connection; whether TCOP keeps any no page says"
    return Diagnostic("keep-alive", Severity.FINE, "the receiver closes after each answer", meaning)


def check_body_size(attempt: Attempt, rules: DeliveryRules) -> Diagnostic:
    """Hold the size of the answer to what is read of it."""
    observation = f"{len(attempt.body)} bytes"
    if attempt.body_truncated:
        meaning = f"no more than {rules.answer_cap_bytes} bytes are read, and then the connection is closed (assumed)"
        return Diagnostic(
            "answer", Severity.NOTE, f"more than {observation}", meaning, "answer in a few bytes: nobody reads them"
        )
    return Diagnostic("answer", Severity.FINE, observation)


def _redirect_change(target: Target, location: str) -> tuple[str, str]:
    """Return the other host of a Location, and its path where that differs from the target's by the last slash."""
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
    except ValueError:
        return location, ""
    own_path = target.path.partition("?")[0]
    differs_by_slash = parts.path != own_path and parts.path.rstrip("/") == own_path.rstrip("/")
    return "" if host == target.host else host, parts.path if differs_by_slash else ""


def _header(attempt: Attempt, name: str) -> str:
    return next((value for key, value in attempt.headers if key.lower() == name), "").strip()
