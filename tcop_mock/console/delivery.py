"""Delivers callbacks to the target that the user named, and adds each attempt to the conversation as it ends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.console.exchange import MAX_CHARS, Direction, Subject, attempt_document, unsent_document
from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.profile import Accept
from tcop_mock.domain.target import DEFAULTS, ConnectionOptions, Target
from tcop_mock.errors import UsageError
from tcop_mock.reports.recording import Record
from tcop_mock.reports.text import one_line
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.delivery import DeliveryScheduler
from tcop_mock.transport.open import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    from tcop_mock.callbacks.validator import CallbackValidator, ValidationResult
    from tcop_mock.console.conversation import Conversation
    from tcop_mock.console.exchange import Exchange
    from tcop_mock.contract.reproduce import Flag
    from tcop_mock.domain.delivery import Attempt, Transport
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Credentials

    T = TypeVar("T")

_UNVERIFIED = "not sent, because the receiver does not answer the URL verification of this profile with 200"
MAX_DELIVERIES = 20
"""Deliveries that can be under way at the same time."""


class BusyError(UsageError):
    """Too much is under way already."""


@dataclass(slots=True)
class TargetSetting:
    """The receiver under test. A page can name another one on this machine, or on a host that the user allowed.

    Args:
        target: the target of the command line.
        allowed_hosts: hosts of ``--allow-host``.
        insecure: do not verify the certificate of an https URL.
        connection: authorities, client certificate, addresses of host names.
        headers: are added to each request that has no header of that name.
        flags: the flags of the command line that say so.
    """

    target: Target | None
    allowed_hosts: frozenset[str] = frozenset()
    insecure: bool = False
    connection: ConnectionOptions = DEFAULTS
    headers: tuple[tuple[str, str], ...] = ()
    flags: tuple[Flag, ...] = ()

    def __post_init__(self) -> None:
        if self.target is not None:
            self.allowed_hosts |= {self.target.host}

    def open_transport(self, target: Target, max_body_bytes: int) -> AbstractContextManager[Transport]:
        """Open a transport to a target as the command line says.

        Raises:
            UsageError: a file of a certificate cannot be used.
        """
        return open_transport(
            target, max_body_bytes, insecure=self.insecure, connection=self.connection, headers=self.headers
        )

    def set(self, text: str) -> None:
        """Set the target as a user typed it.

        Raises:
            UsageError: it is not a URL, or its host is not allowed. The message holds no userinfo.
        """
        target = Target.parse(text)
        if target.app:
            raise UsageError("an app in this process cannot be the target of the page: start it, and write its URL")
        if not target.is_on_this_machine and target.host not in self.allowed_hosts:
            raise UsageError(
                f"{target.host} is not this machine: if its receiver is yours, start the command with "
                f"--allow-host {target.host}"
            )
        self.target = target

    def require(self) -> Target:
        """Return the target.

        Raises:
            UsageError: there is none yet.
        """
        if self.target is None:
            raise UsageError("there is no target: write the URL of your receiver into the field Target")
        return self.target


@dataclass(frozen=True, slots=True)
class _Sent:
    """The request as a recording has it."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(slots=True)
class CallbackSender:
    """Delivers callbacks in tasks of their own.

    Args:
        setting: the target.
        conversation: gets each delivery.
        validator: validates each body.
        sleep: waits for pauses.
    """

    setting: TargetSetting
    conversation: Conversation
    validator: CallbackValidator
    sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _verifications: dict[str, tuple[Target, asyncio.Task[bool]]] = field(default_factory=dict)
    """The last verification of the URL, by the name of the profile."""

    def send(
        self, body: bytes, *, profile: str, attempts: int | None = None, time_scale: float = 1.0, origin: str = ""
    ) -> Exchange:
        """Start to deliver a body with the retries of a profile.

        A profile may verify the URL first; this is done once for each setting of the target, until it succeeds.

        Args:
            body: the body.
            profile: name of the profile.
            attempts: maximum number of attempts, in place of the profile's.
            time_scale: real seconds for each second of a pause between attempts.
            origin: command that prints the body.

        Raises:
            UsageError: there is no target or no such profile, or too many deliveries are under way.
        """
        rules = load_profile(profile).delivery
        if attempts is not None:
            rules = replace(rules, attempts=attempts)
        target = self.setting.require()
        self._require_idle()
        request = OutgoingRequest(body, headers=rules.headers, credentials=target.credentials)
        verification = None if rules.probe is None else self._verification(profile, rules, rules.probe, target)
        exchange = self._add(request, target, self.validator.validate(body), origin)
        exchange.profile = profile
        self._start(self._deliver_verified(verification, (exchange, request), rules, target, time_scale))
        return exchange

    def send_requests(self, requests: Sequence[OutgoingRequest], rules: DeliveryRules) -> list[Exchange]:
        """Start to deliver requests one after the other.

        Raises:
            UsageError: there is no target, or too many deliveries are under way.
        """
        target = self.setting.require()
        self._require_idle()
        exchanges = [self._add(request, target, self.validator.validate(request.body)) for request in requests]
        self._start(self._deliver(list(zip(exchanges, requests, strict=True)), rules, target, 1.0))
        return exchanges

    def _require_idle(self) -> None:
        if len(self.tasks) >= MAX_DELIVERIES:
            raise BusyError(f"{MAX_DELIVERIES} deliveries are under way; wait until one has ended")

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _verification(self, profile: str, rules: DeliveryRules, probe: bytes, target: Target) -> asyncio.Task[bool]:
        """Return the verification of the URL: the last one, unless it failed or the target was set since."""
        last = self._verifications.get(profile)
        if last is not None and last[0] is target and (not last[1].done() or last[1].result()):
            return last[1]
        once = replace(rules, attempts=1, accept=Accept.EXACTLY_200)
        request = OutgoingRequest(probe, headers=rules.headers, credentials=target.credentials)
        exchange = self._add(request, target, None, subject=Subject.of_verification(str(target)))

        async def verify() -> bool:
            await self._deliver([(exchange, request)], once, target, 1.0)
            return exchange.outcome == Outcome.ACKED

        task = self._start(verify())
        self._verifications[profile] = target, task
        return task

    async def _deliver_verified(
        self,
        verification: asyncio.Task[bool] | None,
        delivery: tuple[Exchange, OutgoingRequest],
        rules: DeliveryRules,
        target: Target,
        time_scale: float,
    ) -> None:
        if verification is None or await verification:
            await self._deliver([delivery], rules, target, time_scale)
            return
        exchange, _ = delivery
        exchange.attempts.append(unsent_document(_UNVERIFIED, at_s=exchange.at_s))
        exchange.is_pending = False
        self.conversation.changed(exchange)

    def _add(
        self,
        request: OutgoingRequest,
        target: Target,
        result: ValidationResult | None,
        origin: str = "",
        subject: Subject | None = None,
    ) -> Exchange:
        line = Record(
            request=_Sent(request.method, target.path_with(request.query), request.headers, request.body),
            received_at=datetime.fromtimestamp(self.conversation.now_s(), UTC).isoformat(timespec="milliseconds"),
            auth="right" if request.credentials else "none",
            service="webhook",
            status=None,
            fault=None,
            note="",
            result=result,
        ).to_json()
        exchange = self.conversation.add(
            Direction.OUT, json.loads(line), result, origin=origin, subject=subject, is_pending=True
        )
        self.conversation.changed(exchange)
        return exchange

    async def close(self) -> None:
        """Cancel running deliveries."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _deliver(
        self,
        deliveries: Sequence[tuple[Exchange, OutgoingRequest]],
        rules: DeliveryRules,
        target: Target,
        time_scale: float,
    ) -> None:
        try:
            with self.setting.open_transport(target, rules.answer_cap_bytes) as transport:
                for exchange, request in deliveries:
                    await self._deliver_one(exchange, request, _Watched(transport, exchange, self), rules, time_scale)
        finally:
            for exchange, _ in deliveries:
                exchange.is_pending = False
                self.conversation.changed(exchange)

    async def _deliver_one(
        self,
        exchange: Exchange,
        request: OutgoingRequest,
        transport: Transport,
        rules: DeliveryRules,
        time_scale: float,
    ) -> None:
        scheduler = DeliveryScheduler(transport, rules, monotonic_s, self.sleep, retry_scale=time_scale)
        delivery = await scheduler.deliver(request)
        last = delivery.attempts[-1]
        exchange.attempts[-1] |= {"outcome": last.outcome.value, "detail": one_line(last.detail, MAX_CHARS)}
        exchange.record = {**exchange.record, "status": last.status}


@dataclass(frozen=True, slots=True)
class _Watched:
    """A transport that adds each attempt to an exchange."""

    transport: Transport
    exchange: Exchange
    sender: CallbackSender

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        conversation = self.sender.conversation
        started_at_s = conversation.now_s()
        attempt = await self.transport(request, deadline_s=deadline_s, intended_s=intended_s)
        attempt = _without_credentials(attempt, request.credentials)
        self.exchange.attempts.append(attempt_document(attempt, started_at_s))
        conversation.changed(self.exchange)
        return attempt


def _without_credentials(attempt: Attempt, credentials: Credentials | None) -> Attempt:
    """Return an attempt whose texts do not hold the credentials of its request, which receivers may echo."""
    if credentials is None:
        return attempt
    body = credentials.mask(attempt.body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return replace(
        attempt,
        body=body,
        headers=tuple((name, credentials.mask(value)) for name, value in attempt.headers),
        detail=credentials.mask(attempt.detail),
    )
