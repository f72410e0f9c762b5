"""The visit: look the name up, connect, shake hands, and bring one harmless callback."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tcop_mock.doctor import checks
from tcop_mock.domain.callback import State, encode_json
from tcop_mock.domain.connection import DEFAULTS, ConnectionOptions
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.diagnosis import Diagnosis, Severity
from tcop_mock.transport.connect import probe_connection, probe_tls, resolve_host
from tcop_mock.transport.delivery import apply_acceptance
from tcop_mock.transport.http1 import HttpTransport
from tcop_mock.transport.outcomes import ResolveError, missing_detail
from tcop_mock.transport.protocol_probe import identify_protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.domain.diagnosis import ConnectionProbe, Diagnostic
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Target

_MAX_ADDRESSES = 8
_TEST_POLICY_NAME = "tcop-mock doctor: a test, nothing to do"
_UNREACHABLE = frozenset({Outcome.DNS, Outcome.REFUSED, Outcome.TLS})


def harmless_callback(generator: Generator, shape: Shape) -> bytes:
    """Return a resolved alarm whose policy's name says that it is a test; a receiver has nothing open to resolve."""
    alarm = replace(generator.alarm(shape, 0), policy_name=_TEST_POLICY_NAME)
    return encode_json(generator.callback(alarm, State.RESOLVED).to_dict())


@dataclass(slots=True)
class DoctorRun:
    """One visit to a target.

    Args:
        target: a URL, no app.
        rules: how TCOP delivers; each step has the deadline of one push.
        body: what is brought, at the most twice: with the target's credentials, and without.
        environ: the environment, for proxies.
        clock: seconds, monotonic.
        now: the time of day.
        resolve: looks a host name up; may block.
        insecure: go on where the certificate does not verify.
        connection: authorities and client certificate; ``resolve`` knows its addresses.
        identify: says why a target is no HTTP receiver.
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
        """Look at everything that can be looked at; what comes after a step that failed is left out."""
        diagnostics = [checks.check_port(self.target), checks.check_proxy(self.environ)]
        started_s = self.clock()
        try:
            async with asyncio.timeout(self.rules.timeout_s):
                address_infos = (await resolve_host(self.target.host, self.target.port, self.resolve))[:_MAX_ADDRESSES]
        except ResolveError as problem:
            return Diagnosis((checks.dns_failure(str(problem)), *diagnostics), is_reachable=False)
        except TimeoutError:
            timeout_problem = missing_detail(f"answer about {self.target.host}", self.rules.timeout_s)
            return Diagnosis((checks.dns_failure(timeout_problem), *diagnostics), is_reachable=False)
        lookup_s = self.clock() - started_s
        connections = await self._probe_addresses(address_infos)
        addresses = [(connection.address, connection.is_ipv6) for connection in connections]
        diagnostics = [
            checks.check_dns(self.target.host, addresses, lookup_s),
            checks.check_tcp(connections),
            *diagnostics,
        ]
        if all(connection.error for connection in connections):
            return Diagnosis(tuple(diagnostics), is_reachable=False)
        if self.target.scheme == "https":
            tls = await probe_tls(self.target, self.rules.timeout_s, self.resolve, self.connection)
            is_usable = not tls.error or bool(self.insecure and tls.certificate)
            failed = Attempt(Outcome.TLS, 0.0, 0.0, 0.0)
            cause = "" if is_usable or tls.certificate else await self.identify(self.target, failed)
            diagnostics.append(checks.check_tls(self.target, tls, self.now(), cause))
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
        diagnostics = [checks.check_status(checked, cause), checks.check_latency(attempt, self.rules)]
        if cause:
            return diagnostics, False
        if attempt.status is None:
            return diagnostics, attempt.outcome not in _UNREACHABLE
        unauthenticated = None
        if self.target.credentials:
            unauthenticated = await transport(
                replace(request, credentials=None, keep_alive=False), deadline_s=self.rules.timeout_s
            )
        redirect = checks.check_redirect(self.target, attempt)
        return [
            *diagnostics,
            checks.check_auth(self.target, attempt, unauthenticated),
            *([redirect] if redirect else []),
            checks.check_clock(attempt, responded_at),
            checks.check_keep_alive(can_reuse=can_reuse),
            checks.check_body_size(attempt, self.rules),
        ], True


def exit_code(diagnosis: Diagnosis) -> int:
    """Return 3 where the receiver cannot be reached, 1 where there are problems, else 0."""
    return 3 if not diagnosis.is_reachable else 1 if diagnosis.count(Severity.PROBLEM) else 0


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)
