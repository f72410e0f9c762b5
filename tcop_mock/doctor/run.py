"""The visit: look the name up, connect, shake hands, and bring one harmless callback."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tcop_mock.doctor import checks
from tcop_mock.domain.alarm import State, wire_bytes
from tcop_mock.domain.delivery import Outcome, Push
from tcop_mock.domain.diagnosis import Examination, Grade
from tcop_mock.transport.connect import ResolveError, probe_connection, resolved, shake_hands
from tcop_mock.transport.delivery import held_to
from tcop_mock.transport.http1 import HttpPost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.domain.diagnosis import Connected, Remark
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Target

_MOST_ADDRESSES = 8
_TEST = "tcop-mock doctor: a test, nothing to do"
_UNREACHED = frozenset({Outcome.DNS, Outcome.REFUSED, Outcome.TLS})


def harmless(generator: Generator, shape: Shape) -> bytes:
    """Return a resolved alarm whose policy's name says that it is a test; a receiver has nothing open to resolve."""
    alarm = replace(generator.alarm(shape, 0), policy_name=_TEST)
    return wire_bytes(generator.callback(alarm, State.RESOLVED).to_wire())


@dataclass(slots=True)
class Visit:
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
    """

    target: Target
    rules: DeliveryRules
    body: bytes
    environ: Mapping[str, str]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    resolve: Callable[..., Any]
    insecure: bool = False

    async def examine(self) -> Examination:
        """Look at everything that can be looked at; what comes after a step that failed is left out."""
        remarks = [checks.port(self.target), checks.proxy(self.environ)]
        started_s = self.clock()
        try:
            async with asyncio.timeout(self.rules.timeout_s):
                entries = (await resolved(self.target.host, self.target.port, self.resolve))[:_MOST_ADDRESSES]
        except ResolveError as problem:
            return Examination((checks.unresolved(str(problem)), *remarks), reachable=False)
        except TimeoutError:
            problem_s = f"no answer about {self.target.host} inside {self.rules.timeout_s:g} s"
            return Examination((checks.unresolved(problem_s), *remarks), reachable=False)
        looked_up_s = self.clock() - started_s
        found = await self._connected(entries)
        told = [(one.address, one.is_ipv6) for one in found]
        remarks = [checks.resolved(self.target.host, told, looked_up_s), checks.connected(found), *remarks]
        if all(one.problem for one in found):
            return Examination(tuple(remarks), reachable=False)
        if self.target.scheme == "https":
            seen = await shake_hands(self.target, self.rules.timeout_s, self.resolve)
            remarks.append(checks.tls(self.target, seen, self.now()))
            if seen.problem and not (self.insecure and seen.certificate):
                return Examination(tuple(remarks), reachable=False)
        talked, reachable = await self._talk()
        return Examination((*remarks, *talked), reachable=reachable)

    async def _connected(self, entries: Sequence[tuple[Any, ...]]) -> list[Connected]:
        return await asyncio.gather(*(probe_connection(entry, self.rules.timeout_s, self.clock) for entry in entries))

    async def _talk(self) -> tuple[list[Remark], bool]:
        post = HttpPost(
            self.target,
            answer_cap_bytes=self.rules.answer_cap_bytes,
            insecure=self.insecure,
            clock=self.clock,
            resolve=self.resolve,
        )
        push = Push(self.body, headers=self.rules.headers, credentials=self.target.credentials, keeps=True)
        attempt = await post(push, deadline_s=self.rules.timeout_s)
        answered_at, kept = self.now(), post.is_kept
        post.hang_up()
        held = held_to(self.rules.accept, push, attempt)
        remarks = [checks.answer(held), checks.latency(attempt, self.rules)]
        if attempt.status is None:
            return remarks, attempt.outcome not in _UNREACHED
        bare = None
        if self.target.credentials:
            bare = await post(replace(push, credentials=None, keeps=False), deadline_s=self.rules.timeout_s)
        led = checks.redirect(self.target, attempt)
        return [
            *remarks,
            checks.auth(self.target, attempt, bare),
            *([led] if led else []),
            checks.clock(attempt, answered_at),
            checks.keep_alive(kept=kept),
            checks.body(attempt, self.rules),
        ], True


def exit_code(found: Examination) -> int:
    """Return 3 where the receiver cannot be reached, 1 where there are problems, else 0."""
    return 3 if not found.reachable else 1 if found.count(Grade.PROBLEM) else 0


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)
