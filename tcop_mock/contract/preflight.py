"""The check before a run: whether the target answers a plain callback, how fast, and which one it takes.

Where the receiver does not take the usual plain callback, another one is found by trial.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import FAILED_CALL
from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.contract.case_pattern import common_pattern
from tcop_mock.domain.callback import Form
from tcop_mock.domain.delivery import AUTH_REJECTION_STATUSES, RETRY_LATER_STATUSES, Attempt, Outcome
from tcop_mock.errors import TargetError
from tcop_mock.transport.protocol_probe import identify_protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.domain.delivery import OutgoingRequest, Transport
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Target

_POLL_INTERVAL_S = 0.1
_WARM_UP_THRESHOLD_S = 0.25
"""Seconds; a slower answer may have been the receiver's first, so the callback is sent once more."""
MAX_CONCURRENT = 32
"""Number of requests in flight to a receiver that serves them concurrently."""
_CONCURRENT_PROBES = (8, MAX_CONCURRENT)
"""Number of callbacks sent at once to a slow receiver, to find out how many it serves concurrently."""
_CONCURRENT_SLOWDOWN = 1.8
"""Ratio of answer times from which requests were not served concurrently: a receiver that serves two at once takes
twice as long for further ones."""
_MAX_IN_FLIGHT = 4
"""Less than the smallest common listen backlog (5, in Python's socketserver)."""
_MAX_SLOW_SHARE = 0.25
_EXTRA_ANSWERS = 48
_MIN_ROUNDS = 10
"""Minimum number of consecutive rounds of requests in a run."""
_BUSY_SHARE = 0.4
"""Share of the deadline that may pass while the receiver answers other requests."""
_STARTING_STATUSES = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
_DEFAULT_BACKOFF_S, _MAX_BACKOFF_S = 1.0, 5.0
_BUSY_S = 10.0
"""How long a receiver may answer that a callback shall come later: it loads its data, or has a limit."""
_UNAVAILABLE_STATUSES = _STARTING_STATUSES - {HTTPStatus.NOT_FOUND}
"""Statuses of a receiver that cannot work now, because another service is not there."""
_UNREACHABLE = frozenset({Outcome.REFUSED, Outcome.DNS, Outcome.TLS})
_WAIT_HINT = " `--wait 30s` gives a starting receiver time"
_TLS_HINT = "does it speak TLS there? `--insecure` does not verify its certificate"
_CERTIFICATE_HINT = "`--insecure` does not verify its certificate"
_CERTIFICATE_WORDS = ("certificate", "ostname mismatch", "address mismatch")
"""Words of OpenSSL's messages about a certificate, which show that the port uses TLS."""
_WRONG_PATH_STATUSES = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
_USER_AGENT = "Mozilla/5.0 (compatible; tcop-mock)"
_FILTER_HINT = "; where credentials change nothing, it filters by another thing, such as the address"
_FORMS = (Form.DOCUMENTED, Form.OBSERVED)


class CredentialsRejectedError(TargetError):
    """The receiver rejects the credentials of a plain callback.

    Args:
        message: the credentials that it requires, in words.
        attempt: its answer.
    """

    def __init__(self, message: str, attempt: Attempt) -> None:
        super().__init__(message)
        self.attempt = attempt


@dataclass(frozen=True, slots=True)
class Preflight:
    """Properties of the target that follow from its answer to a plain callback."""

    attempt: Attempt
    deadline_s: float
    concurrent_capacity: int = 1
    """Number of concurrent requests that a slow receiver answered as fast as a single one."""
    max_in_flight: int | None = None
    """Maximum number of requests in flight, as set by the user."""

    @property
    def slow(self) -> bool:
        """Whether not even a plain callback is answered inside the deadline."""
        return self.attempt.outcome is Outcome.TIMED_OUT

    @property
    def unresponsive(self) -> bool:
        """Whether a plain callback got no answer."""
        return self.slow and self.attempt.status is None

    @property
    def in_flight(self) -> int:
        """Number of requests in flight at which a receiver without concurrency is not late."""
        limit = self.max_in_flight or _MAX_IN_FLIGHT
        if self.slow or self.attempt.duration_s <= 0:
            return limit
        sequential_capacity = min(limit, int(_BUSY_SHARE * self.deadline_s / self.attempt.duration_s))
        return max(sequential_capacity, self.concurrent_capacity)

    @property
    def expected_s(self) -> float:
        """Expected seconds until an answer with that many requests in flight; 0 if a plain callback is late already."""
        return 0.0 if self.slow else self.attempt.duration_s * self.in_flight / self.concurrent_capacity

    @property
    def extra_time_s(self) -> float:
        """Seconds that a run may take longer because the receiver needs some time for each answer, as TCM103 allows."""
        is_slow = _WARM_UP_THRESHOLD_S < self.attempt.duration_s <= _MAX_SLOW_SHARE * self.deadline_s
        is_slow &= self.concurrent_capacity >= _CONCURRENT_PROBES[0]
        return _EXTRA_ANSWERS * self.attempt.duration_s if is_slow else 0.0

    def is_too_slow(self, time_s: float) -> bool:
        """Return whether a plain callback is answered so late, though in time, that a run does not end in that time."""
        is_slow = self.attempt.duration_s > _MAX_SLOW_SHARE * self.deadline_s
        return is_slow and not self.slow and _MIN_ROUNDS * self.attempt.duration_s > time_s


def backoff_s(attempt: Attempt) -> float:
    """Return how long to wait before a retry: the Retry-After of the response, limited."""
    retry_after = next((value for name, value in attempt.headers if name.lower() == "retry-after"), "")
    return min(float(retry_after), _MAX_BACKOFF_S) if retry_after.isdecimal() else _DEFAULT_BACKOFF_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProbe:
    """Posts a plain callback to a target until it is answered."""

    plain_request: OutgoingRequest
    target: Target
    """For messages."""
    transport: Transport
    deadline_s: float
    """Deadline of one attempt."""
    wait_s: float
    """Maximum time to wait for a target that does not answer yet, or answers 404 or 502 to 504."""
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    max_in_flight: int | None = None
    """Maximum number of requests in flight; ``None``: as many as the receiver serves."""
    identify: Callable[[Target, Attempt], Awaitable[str]] = identify_protocol
    """Returns the reason why a target is not an HTTP receiver."""

    async def run(self) -> Preflight:
        """Return how the target answers.

        Raises:
            TargetError: the target cannot be reached, is not an HTTP server, requires other credentials, or has
                nothing at that path.
        """
        attempt = await self._first_answer()
        if attempt.duration_s > _WARM_UP_THRESHOLD_S and attempt.outcome not in _UNREACHABLE:
            second_attempt = await self._post()
            attempt = min(
                attempt,
                second_attempt,
                key=lambda candidate: (candidate.outcome is Outcome.TIMED_OUT, candidate.duration_s),
            )
        if not self.target.app:
            raise_if_no_http(await self.identify(self.target, attempt), self.target)
        if attempt.status in AUTH_REJECTION_STATUSES:
            await self._raise_if_user_agent_wanted(attempt)
        raise_if_unusable(attempt, self.target, self.wait_s)
        if attempt.status in _UNAVAILABLE_STATUSES:
            raise TargetError(
                f"{self.target} answers {attempt.status} to a plain callback: does all that it needs run, such as its "
                f"database and the service that it forwards to?{'' if self.wait_s else _WAIT_HINT}"
            )
        is_timed = attempt.outcome is not Outcome.TIMED_OUT and attempt.duration_s > _WARM_UP_THRESHOLD_S
        capacity = await self._concurrent_capacity(attempt) if is_timed else 1
        return Preflight(attempt, self.deadline_s, capacity, self.max_in_flight)

    async def _post(self) -> Attempt:
        return await self.transport(self.plain_request, deadline_s=self.deadline_s)

    async def _first_answer(self) -> Attempt:
        """Return the first attempt that a started target answers, or the last one before the wait ends."""
        deadline = self.clock() + self.wait_s
        attempt = await self._post()
        while _is_starting(attempt) and self.clock() < deadline:  # a gateway answers 404 before its routes are there
            await self.sleep(min(_POLL_INTERVAL_S, max(0.0, deadline - self.clock())))
            attempt = await self._post()
        busy_until_s = self.clock() + _BUSY_S
        while attempt.status in RETRY_LATER_STATUSES and self.clock() < busy_until_s:
            await self.sleep(min(backoff_s(attempt), max(0.0, busy_until_s - self.clock())))
            attempt = await self._post()
        return attempt

    async def _raise_if_user_agent_wanted(self, rejected: Attempt) -> None:
        """Send a rejected callback once more, with a User-Agent.

        Raises:
            TargetError: the receiver accepts it then.
        """
        if any(name.lower() == "user-agent" for name, _ in self.plain_request.headers):
            return
        headers = (*self.plain_request.headers, ("User-Agent", _USER_AGENT))
        attempt = await self.transport(replace(self.plain_request, headers=headers), deadline_s=self.deadline_s)
        if attempt.accepted:
            raise TargetError(
                f"{self.target} answers {rejected.status} to a plain callback, and accepts it with a User-Agent: no "
                "page of TCOP says that callbacks have one, so accept them without; `--header 'User-Agent: NAME'` "
                "checks the rest"
            )

    async def _concurrent_capacity(self, alone: Attempt) -> int:
        """Return how many callbacks a slow receiver serves concurrently.

        Args:
            alone: attempt with one callback.
        """
        capacity = 1
        for probes in (min(count, self.max_in_flight or count) for count in _CONCURRENT_PROBES):
            if probes <= capacity:
                break
            served = await self._served_at_once(probes, alone)
            capacity = max(capacity, served)
            if served < probes or alone.duration_s > self.deadline_s / 2:
                break
        return capacity

    async def _served_at_once(self, probes: int, alone: Attempt) -> int:
        """Return how many of some callbacks, sent at once, are served concurrently."""
        attempts = await asyncio.gather(*(self._post() for _ in range(probes)))
        slowdown = max(attempt.duration_s for attempt in attempts) / alone.duration_s
        if any(attempt.outcome is Outcome.TIMED_OUT for attempt in attempts):
            if alone.duration_s <= self.deadline_s / 2:  # unserved requests would delay the next callbacks
                await self.transport(self.plain_request, deadline_s=probes * self.deadline_s)
            return 1
        return probes if slowdown < _CONCURRENT_SLOWDOWN else max(1, int(probes / slowdown))


def _is_starting(attempt: Attempt) -> bool:
    return attempt.status is None or attempt.status in _STARTING_STATUSES


def raise_if_no_http(cause: str, target: Target) -> None:
    """Refuse a target that speaks no HTTP.

    Raises:
        TargetError: there is a cause.
    """
    if cause:
        raise TargetError(f"{target} is not an HTTP receiver: {cause}")


def raise_if_unusable(attempt: Attempt, target: Target, wait_s: float | None = None) -> None:
    """Raise an error for a target that cannot be used, by its answer to a plain callback.

    Args:
        attempt: attempt to send the callback.
        target: the target, for messages.
        wait_s: time of the wait in seconds; ``None`` if the command has no such flag.

    Raises:
        TargetError: it cannot be reached, requires other credentials, or has nothing at that path.
    """
    if attempt.outcome in _UNREACHABLE:
        hint = "" if wait_s else "; is it running?"
        hint += _WAIT_HINT if wait_s == 0 else ""
        detail = (attempt.detail or attempt.outcome).rstrip(".")
        if attempt.outcome is Outcome.DNS:
            hint = "; is the name right?"
        elif attempt.outcome is Outcome.TLS:
            hint = f"; {_CERTIFICATE_HINT if any(word in detail for word in _CERTIFICATE_WORDS) else _TLS_HINT}"
        waited_text = f" after waiting {wait_s:g} s" if wait_s else ""
        raise TargetError(f"{target} cannot be reached{waited_text}: {detail}{hint}")
    if FAILED_CALL in attempt.detail:
        raise TargetError(f"{target}: a plain callback is {attempt.detail}")
    if attempt.status in AUTH_REJECTION_STATUSES:
        wanted_credentials = "other credentials than these" if target.credentials else "credentials"
        raise CredentialsRejectedError(
            f"{target} answers {attempt.status} to a plain callback, so it wants {wanted_credentials}: "
            "put USER:PASSWORD@ before the host (TCOP_MOCK_TARGET or @FILE keep them out of the process list), "
            "with @ : / % and signs beyond ASCII percent-encoded"
            f"{_FILTER_HINT if attempt.status == HTTPStatus.FORBIDDEN else ''}",
            attempt,
        )
    if attempt.status in _WRONG_PATH_STATUSES:
        raise TargetError(f"{target} answers {attempt.status} to a plain callback: is the path right?")


class PlainCallback(NamedTuple):
    """Which callbacks of the catalogue are the plain ones of a run."""

    shape_id: str = PLAIN_SHAPE
    form: Form = Form.DOCUMENTED

    def __str__(self) -> str:
        return self.shape_id if self.form is Form.DOCUMENTED else f"{self.shape_id} ({self.form} form)"


class Trial(NamedTuple):
    """Acceptance of the callbacks of all shapes."""

    plain: PlainCallback | None
    """The first accepted one; ``None`` if none was accepted."""
    pattern: str = ""
    """Common trait of the rejected ones."""


def is_refused(attempt: Attempt) -> bool:
    """Return whether a plain callback was answered and not accepted, so that another one may be."""
    return attempt.outcome is Outcome.REJECTED and attempt.status not in RETRY_LATER_STATUSES


def candidates(catalog: Catalog, form: Form) -> list[PlainCallback]:
    """Return the callbacks that may be plain ones: metrics first, and only what can be resolved."""
    shapes: list[Shape] = sorted(catalog, key=lambda shape: (not shape.metrics, shape.id != PLAIN_SHAPE))
    return [PlainCallback(shape.id, form) for shape in shapes if shape.can_resolve and not shape.unpublished]


async def try_candidates(
    catalog: Catalog,
    make_factory: Callable[[PlainCallback], CaseFactory],
    find_working: Callable[[Sequence[CaseFactory]], Awaitable[list[bool]]],
) -> Trial:
    """Try the callbacks of every shape, as documented, then as observed, until some work.

    Args:
        catalog: the shapes.
        make_factory: returns the factory of a plain callback.
        find_working: returns which of these work: are accepted, or have an effect.
    """
    for form in _FORMS:
        tried = candidates(catalog, form)
        factories = [make_factory(plain) for plain in tried]
        works = await find_working(factories)
        if any(works):
            cases = [factory.plain_case() for factory in factories]
            failed = [case for case, is_working in zip(cases, works, strict=True) if not is_working]
            working = [case for case, is_working in zip(cases, works, strict=True) if is_working]
            return Trial(tried[works.index(True)], common_pattern(failed, working).strip())
    return Trial(None)
