"""Checks of the path from this machine to a receiver, with diagnostics: observation, meaning for callbacks, advice.

A run resolves the name, connects, does the TLS handshake, and sends one harmless callback. Each check turns an
observation into a diagnostic.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tcop_mock.domain.callback import State, encode_json
from tcop_mock.domain.delivery import AUTH_REJECTION_STATUSES, Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.diagnosis import Diagnosis, Diagnostic, Severity
from tcop_mock.domain.target import DEFAULTS, ConnectionOptions
from tcop_mock.transport.connect import probe_connection, probe_tls, resolve_host
from tcop_mock.transport.delivery import apply_acceptance
from tcop_mock.transport.http1 import HttpTransport
from tcop_mock.transport.outcomes import ResolveError, missing_detail
from tcop_mock.transport.protocol_probe import identify_protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.domain.diagnosis import Certificate, ConnectionProbe, TlsProbe
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Target

_PAGE = "alarm callback page, 2023-08-07"

_WRONG_PATH_STATUSES = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})

_HTTP_PORT = 80

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

_EXPIRY_WARNING_DAYS = 14

_MAX_NAMES = 10

_SELF_SIGNED_CODES, _NO_ISSUER_CODES, _OTHER_NAME_CODES, _EXPIRED_CODE = {18, 19}, {2, 20, 21}, {62, 64}, 10

"""OpenSSL error numbers, from its x509_vfy.h."""
_SLOW_SHARE = 0.5
_CLOCK_TOLERANCE_S, _ZONE_TOLERANCE_S, _HALF_HOUR_S = 60, 90, 1800
_MAX_ADDRESSES = 8
_TEST_POLICY_NAME = "tcop-mock doctor: a test, nothing to do"
_UNREACHABLE = frozenset({Outcome.DNS, Outcome.REFUSED, Outcome.TLS})


def dns_failure(problem: str) -> Diagnostic:
    """Report that the name has no address."""
    return Diagnostic("dns", Severity.PROBLEM, problem, "the receiver cannot be found", "fix the DNS record")


def check_dns(host: str, addresses: Sequence[tuple[str, bool]], seconds: float) -> Diagnostic:
    """Check the addresses of a name."""
    address_list = ", ".join(f"{address} ({'IPv6' if is_ipv6 else 'IPv4'})" for address, is_ipv6 in addresses)
    observation = f"{host} is {address_list}; looked up in {seconds:.3f} s"
    private = [address for address, _ in addresses if not ip_address(address.partition("%")[0]).is_global]
    if private:
        meaning = (
            f"the URL must be accessible over the public network ({_PAGE}, directions, step 3); {private[0]} is not"
        )
        return Diagnostic(
            "dns", Severity.NOTE, observation, meaning, "fine for a test; register a public address with TCOP"
        )
    if all(is_ipv6 for _, is_ipv6 in addresses):
        meaning = "it is undocumented whether TCOP sends over IPv6"
        return Diagnostic("dns", Severity.NOTE, observation, meaning, "add an IPv4 address (A record)")
    return Diagnostic("dns", Severity.FINE, observation)


def check_tcp(connections: Sequence[ConnectionProbe]) -> Diagnostic:
    """Check the connections to each address."""
    results = [
        f"{connection.address} {connection.error or f'in {connection.duration_s:.3f} s'}" for connection in connections
    ]
    observation, failed = "; ".join(results), [connection for connection in connections if connection.error]
    if len(failed) == len(connections):
        return Diagnostic(
            "tcp", Severity.PROBLEM, observation, "no callback can be delivered", "start the receiver or open its port"
        )
    if failed:
        meaning = "a sender that uses this address loses its callback or time"
        return Diagnostic(
            "tcp", Severity.PROBLEM, observation, meaning, f"remove {failed[0].address} from DNS, or listen on it"
        )
    return Diagnostic("tcp", Severity.FINE, observation)


def check_port(target: Target) -> Diagnostic:
    """Report the documentation's rule about the port."""
    advice = f"documented: the port is fixed at 80, and the sender's IP is random ({_PAGE}, note on the outbound IP)"
    if target.port == _HTTP_PORT:
        fix = "allow port 80 from any address in the security group, and require credentials"
        return Diagnostic("port", Severity.FINE, "80", advice, fix)
    meaning = f"{advice}; but URLs with other ports are printed, too ({_PAGE}, directions, step 3)"
    fix = f"allow port {target.port} from any address; if no real callbacks arrive, try port 80"
    return Diagnostic("port", Severity.NOTE, str(target.port), meaning, fix)


def check_proxy(environ: Mapping[str, str]) -> Diagnostic:
    """Report whether a proxy is configured, which nothing here uses."""
    names = [name for name in _PROXIES if environ.get(name)]
    if not names:
        return Diagnostic("proxy", Severity.FINE, "no proxy variable is set")
    meaning = "it is ignored, because TCOP does not use it; all results are without it"
    fix = "if this network has no other way out, run doctor on another machine"
    return Diagnostic("proxy", Severity.NOTE, f"{', '.join(names)} set", meaning, fix)


def check_tls(target: Target, handshake: TlsProbe, now: datetime, protocol_cause: str = "") -> Diagnostic:
    """Check the handshake and the certificate; ``protocol_cause`` is the reason why the port has no TLS."""
    certificate = handshake.certificate
    parts = [handshake.error, handshake.protocol, _describe_certificate(certificate) if certificate else ""]
    observation = "; ".join(filter(None, parts))
    if protocol_cause:
        cause, _, advice = protocol_cause.rpartition(": ")
        return Diagnostic("tls", Severity.PROBLEM, observation, cause, advice)
    if handshake.error:
        meaning = "no session: it is undocumented whether TCOP accepts unverified certificates; tcop-mock does not"
        return Diagnostic(
            "tls", Severity.PROBLEM, observation, meaning, _tls_advice(handshake.verify_code, certificate, target.host)
        )
    days = (certificate.expires_at - now).days if certificate else 0
    if days < _EXPIRY_WARNING_DAYS:
        meaning = f"in {days} days senders that verify certificates will no longer connect"
        return Diagnostic(
            "tls", Severity.PROBLEM, observation, meaning, "renew it, and check why automatic renewal failed"
        )
    return Diagnostic("tls", Severity.FINE, f"{observation}, in {days} days")


def _describe_certificate(certificate: Certificate) -> str:
    more_names = f" and {len(certificate.names) - _MAX_NAMES} more" if len(certificate.names) > _MAX_NAMES else ""
    names = ", ".join(certificate.names[:_MAX_NAMES]) or "no name"
    issuer = certificate.issuer or "nobody"
    return f"for {names}{more_names}; issued by {issuer}; ends {certificate.expires_at:%Y-%m-%d %H:%M} UTC"


def _tls_advice(code: int, certificate: Certificate | None, host: str) -> str:
    issuer = f"{certificate.issuer!r}" if certificate else "its issuer"
    if code == _EXPIRED_CODE:
        return "renew the certificate"
    if code in _SELF_SIGNED_CODES:
        return "get one from a public authority; --insecure continues without verification"
    if code in _NO_ISSUER_CODES:
        return (
            f"the certificate of {issuer} is missing: send it with your own (the full chain, leaf first); "
            "if that is your own authority, get one from a public authority"
        )
    if code in _OTHER_NAME_CODES:
        return f"get one for {host}, or register a URL with a name in the certificate"
    return "the port must support TLS 1.2 or 1.3 and must not request a client certificate"


def check_status(attempt: Attempt, protocol_cause: str = "") -> Diagnostic:
    """Check the response to the callback; ``protocol_cause`` is the reason why the target is not an HTTP receiver."""
    status = "" if attempt.status is None else f" with {attempt.status}"
    observation = f"a resolved alarm, marked as a test, was {attempt.outcome}{status}"
    if attempt.outcome is Outcome.ACKED:
        return Diagnostic("callback", Severity.FINE, observation)
    observation = f"{observation}: {attempt.detail}" if attempt.detail else observation
    if protocol_cause:
        cause, _, advice = protocol_cause.rpartition(": ")
        return Diagnostic("callback", Severity.PROBLEM, observation, cause, advice)
    meaning = "TCOP would retry, and then give up"
    if attempt.outcome is Outcome.REDIRECTED:
        return Diagnostic("callback", Severity.PROBLEM, observation, meaning, "see redirect")
    if attempt.status in AUTH_REJECTION_STATUSES:
        return Diagnostic("callback", Severity.PROBLEM, observation, meaning, "see auth")
    if attempt.status in _WRONG_PATH_STATUSES:
        fix = "check the path of the URL: the receiver accepts no POST there"
        return Diagnostic("callback", Severity.PROBLEM, observation, meaning, fix)
    return Diagnostic(
        "callback",
        Severity.PROBLEM,
        observation,
        meaning,
        "see the receiver's log; tcop-mock check reports which bodies fail",
    )


def check_latency(attempt: Attempt, rules: DeliveryRules) -> Diagnostic:
    """Compare the time with the deadline."""
    observation = f"{attempt.duration_s:.3f} s of {rules.timeout_s:g} s, including the connection"
    if attempt.outcome is Outcome.TIMED_OUT:
        meaning = f"the timeout is {rules.timeout_s:g} s ({_PAGE}); this attempt would fail"
        return Diagnostic(
            "latency", Severity.PROBLEM, observation, meaning, "respond first and work afterwards: queue the callback"
        )
    if attempt.duration_s > _SLOW_SHARE * rules.timeout_s:
        meaning = "an alarm storm or a slower network can use up the rest"
        return Diagnostic(
            "latency", Severity.NOTE, observation, meaning, "respond first and work afterwards: queue the callback"
        )
    return Diagnostic("latency", Severity.FINE, observation)


def check_auth(target: Target, attempt: Attempt, unauthenticated: Attempt | None) -> Diagnostic:
    """Check whether credentials are required, and whether the target's are accepted.

    Args:
        target: target with or without credentials.
        attempt: response to the target's credentials, or to none if it has none.
        unauthenticated: response without credentials, if the target has some.
    """
    fix = "put USER:PASSWORD@ before the host, percent-encoded (use TCOP_MOCK_TARGET or @FILE to keep them private)"
    if target.credentials:
        fix = "check user and password, and that @ : / % and characters beyond ASCII in them are percent-encoded"
    if attempt.status in AUTH_REJECTION_STATUSES:
        complaint = "these credentials were rejected" if target.credentials else "credentials are required"
        meaning = "TCOP's console accepts them in the URL"
        return Diagnostic(
            "auth", Severity.PROBLEM, f"{attempt.status}: {complaint}", f"{meaning} ({_PAGE}, authentication)", fix
        )
    if unauthenticated is None:
        meaning = "anyone who knows the URL can raise and resolve alarms; TCOP's addresses are random, so no list helps"
        return Diagnostic(
            "auth", Severity.NOTE, "none are required", meaning, f"require HTTP Basic ({_PAGE}, authentication)"
        )
    if unauthenticated.accepted:
        meaning = "credentials are sent but not required: anyone who knows the URL can raise and resolve alarms"
        return Diagnostic(
            "auth",
            Severity.PROBLEM,
            f"{unauthenticated.status} without credentials",
            meaning,
            "answer 401 without them",
        )
    without = unauthenticated.status or unauthenticated.outcome
    observation = f"{attempt.status or attempt.outcome} with credentials, {without} without"
    if unauthenticated.status != HTTPStatus.UNAUTHORIZED:
        return Diagnostic(
            "auth",
            Severity.NOTE,
            observation,
            "without credentials the response should be 401",
            "answer 401 (RFC 9110, 15.5.2)",
        )
    scheme = _header(unauthenticated, "www-authenticate").partition(" ")[0]
    if scheme.lower() != "basic":
        meaning = f"a 401 names the required scheme, and TCOP supports only Basic ({_PAGE}, authentication)"
        return Diagnostic(
            "auth", Severity.NOTE, observation, meaning, "send WWW-Authenticate: Basic with it (RFC 9110, 11.6.1)"
        )
    return Diagnostic("auth", Severity.FINE, observation)


def check_redirect(target: Target, attempt: Attempt) -> Diagnostic | None:
    """Check where a redirect leads; ``None`` if there is no redirect."""
    if attempt.outcome is not Outcome.REDIRECTED:
        return None
    location = _header(attempt, "location")
    meaning = "it is undocumented whether TCOP follows it, and a redirected POST often becomes a GET (RFC 9110, 15.4)"
    host, corrected_path = _redirect_change(target, location)
    fix = "register the URL that it leads to"
    if location.startswith("https://") and target.scheme == "http":
        fix = "register the https URL"
    elif not host and corrected_path:
        fix = f"a trailing slash is missing or superfluous: register the path {corrected_path}"
    shown_location = location.rpartition("@")[2] or "nowhere: no Location"
    shown_location = target.credentials.mask(shown_location) if target.credentials else shown_location
    return Diagnostic("redirect", Severity.PROBLEM, f"{attempt.status} to {shown_location}", meaning, fix)


def check_clock(attempt: Attempt, now: datetime) -> Diagnostic:
    """Compare the receiver's clock with ours."""
    zone_note = (
        "times in callbacks are Beijing time (UTC+8) without offset; do not read them as the machine's local time"
    )
    text = _header(attempt, "date")
    try:
        receiver_time = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        observation = "the response's Date is not a date" if text else "the response has no Date"
        return Diagnostic("clock", Severity.NOTE, observation, f"its clock cannot be checked; {zone_note}")
    ahead_s = round((receiver_time.replace(tzinfo=receiver_time.tzinfo or UTC) - now).total_seconds())
    observation = f"its Date is {abs(ahead_s)} s {'ahead of' if ahead_s >= 0 else 'behind'} our clock"
    if abs(ahead_s) <= _CLOCK_TOLERANCE_S:
        return Diagnostic("clock", Severity.FINE, observation, zone_note)
    zone_error_s = abs(ahead_s - _HALF_HOUR_S * round(ahead_s / _HALF_HOUR_S))
    if zone_error_s <= _ZONE_TOLERANCE_S:
        hours = timedelta(seconds=_HALF_HOUR_S * round(ahead_s / _HALF_HOUR_S)) / timedelta(hours=1)
        meaning = f"that is {hours:+g} h: local time sent as GMT (RFC 9110, 5.6.7). {zone_note}"
        return Diagnostic(
            "clock",
            Severity.NOTE,
            observation,
            meaning,
            "send Date in GMT, and check how the receiver reads firstOccurTime",
        )
    meaning = f"durations and searches by time are wrong by this much. {zone_note}"
    return Diagnostic("clock", Severity.NOTE, observation, meaning, "set the clocks of both machines (NTP)")


def check_keep_alive(*, can_reuse: bool) -> Diagnostic:
    """Check whether the connection can be reused."""
    if can_reuse:
        return Diagnostic("keep-alive", Severity.FINE, "the connection can be reused")
    meaning = "each callback needs a new connection; it is undocumented whether TCOP keeps connections"
    return Diagnostic("keep-alive", Severity.FINE, "the receiver closes the connection after each response", meaning)


def check_body_size(attempt: Attempt, rules: DeliveryRules) -> Diagnostic:
    """Compare the size of the response with the limit."""
    observation = f"{len(attempt.body)} bytes"
    if attempt.body_truncated:
        meaning = f"at most {rules.answer_cap_bytes} bytes are read before the connection is closed (assumed)"
        return Diagnostic(
            "answer", Severity.NOTE, f"more than {observation}", meaning, "send short responses, which nothing reads"
        )
    return Diagnostic("answer", Severity.FINE, observation)


def _redirect_change(target: Target, location: str) -> tuple[str, str]:
    """Return another host of a Location, and its path if it differs from the target's only by the trailing slash."""
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


def harmless_callback(generator: Generator, shape: Shape) -> bytes:
    """Return a resolved alarm with a policy name that marks it as a test. The receiver has no open incident for it."""
    alarm = replace(generator.alarm(shape, 0), policy_name=_TEST_POLICY_NAME)
    return encode_json(generator.callback(alarm, State.RESOLVED).to_dict())


@dataclass(slots=True)
class DoctorRun:
    """One diagnosis of a target.

    Args:
        target: a URL, not an app.
        rules: TCOP's delivery rules; each step has the deadline of one attempt.
        body: the callback to send, at most twice: with the target's credentials, and without.
        environ: the environment, for proxies.
        clock: seconds, monotonic.
        now: the time of day.
        resolve: resolves a host name; may block.
        insecure: continue if the certificate does not verify.
        connection: authorities and client certificate; ``resolve`` uses its addresses.
        identify: returns the reason why a target is not an HTTP receiver.
    """

    target: Target
    rules: DeliveryRules
    body: bytes
    environ: Mapping[str, str]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    resolve: Callable[..., Any]
    insecure: bool = False
    connection: ConnectionOptions = DEFAULTS
    identify: Callable[[Target, Attempt], Awaitable[str]] = identify_protocol

    async def run(self) -> Diagnosis:
        """Run all checks; the checks after a failed step are skipped."""
        diagnostics = [check_port(self.target), check_proxy(self.environ)]
        started_s = self.clock()
        try:
            async with asyncio.timeout(self.rules.timeout_s):
                address_infos = (await resolve_host(self.target.host, self.target.port, self.resolve))[:_MAX_ADDRESSES]
        except ResolveError as problem:
            return Diagnosis((dns_failure(str(problem)), *diagnostics), is_reachable=False)
        except TimeoutError:
            timeout_problem = missing_detail(f"answer about {self.target.host}", self.rules.timeout_s)
            return Diagnosis((dns_failure(timeout_problem), *diagnostics), is_reachable=False)
        lookup_s = self.clock() - started_s
        connections = await self._probe_addresses(address_infos)
        addresses = [(connection.address, connection.is_ipv6) for connection in connections]
        diagnostics = [
            check_dns(self.target.host, addresses, lookup_s),
            check_tcp(connections),
            *diagnostics,
        ]
        if all(connection.error for connection in connections):
            return Diagnosis(tuple(diagnostics), is_reachable=False)
        if self.target.scheme == "https":
            tls = await probe_tls(self.target, self.rules.timeout_s, self.resolve, self.connection)
            is_usable = not tls.error or bool(self.insecure and tls.certificate)
            failed = Attempt(Outcome.TLS, 0.0, 0.0, 0.0)
            cause = "" if is_usable or tls.certificate else await self.identify(self.target, failed)
            diagnostics.append(check_tls(self.target, tls, self.now(), cause))
            if not is_usable:
                return Diagnosis(tuple(diagnostics), is_reachable=False)
        response_diagnostics, reachable = await self._check_response()
        return Diagnosis((*diagnostics, *response_diagnostics), is_reachable=reachable)

    async def _probe_addresses(self, address_infos: Sequence[tuple[Any, ...]]) -> list[ConnectionProbe]:
        return await asyncio.gather(
            *(probe_connection(address_info, self.rules.timeout_s, self.clock) for address_info in address_infos)
        )

    async def _check_response(self) -> tuple[list[Diagnostic], bool]:
        transport = HttpTransport(
            self.target,
            max_body_bytes=self.rules.answer_cap_bytes,
            insecure=self.insecure,
            connection=self.connection,
            clock=self.clock,
            resolve=self.resolve,
        )
        request = OutgoingRequest(
            self.body, headers=self.rules.headers, credentials=self.target.credentials, keep_alive=True
        )
        attempt = await transport(request, deadline_s=self.rules.timeout_s)
        responded_at, can_reuse = self.now(), transport.has_idle_connection
        transport.close_idle_connections()
        checked = apply_acceptance(self.rules.accept, request.body, attempt)
        cause = await self.identify(self.target, attempt)
        diagnostics = [check_status(checked, cause), check_latency(attempt, self.rules)]
        if cause:
            return diagnostics, False
        if attempt.status is None:
            return diagnostics, attempt.outcome not in _UNREACHABLE
        unauthenticated = None
        if self.target.credentials:
            unauthenticated = await transport(
                replace(request, credentials=None, keep_alive=False), deadline_s=self.rules.timeout_s
            )
        redirect = check_redirect(self.target, attempt)
        return [
            *diagnostics,
            check_auth(self.target, attempt, unauthenticated),
            *([redirect] if redirect else []),
            check_clock(attempt, responded_at),
            check_keep_alive(can_reuse=can_reuse),
            check_body_size(attempt, self.rules),
        ], True


def exit_code(diagnosis: Diagnosis) -> int:
    """Return 3 where the receiver cannot be reached, 1 where there are problems, else 0."""
    return 3 if not diagnosis.is_reachable else 1 if diagnosis.count(Severity.PROBLEM) else 0


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)
