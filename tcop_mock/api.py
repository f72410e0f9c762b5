"""The Python API: check a receiver, send callbacks to it, validate a body.

The public names are those of :mod:`tcop_mock`: ``tcop_mock.check(...)``. Each function imports what it needs when it is
called, so importing this module is cheap.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypedDict, TypeVar, Unpack

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from enum import StrEnum

    from tcop_mock.callbacks.validator import CallbackValidator, ValidationResult
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.contract.observation import ObservationConfig
    from tcop_mock.contract.runner import ContractRun
    from tcop_mock.domain.callback import Callback
    from tcop_mock.domain.contract import Clause, Level
    from tcop_mock.domain.delivery import Delivery, Transport
    from tcop_mock.domain.effects import Observer
    from tcop_mock.domain.profile import DeliveryRules, Profile
    from tcop_mock.domain.target import Credentials
    from tcop_mock.domain.verdict import RunEvent, Verdict
    from tcop_mock.server.catching_proxy import CallLog
    from tcop_mock.transport.open import OpenTarget

    E = TypeVar("E", bound=StrEnum)

    Body: TypeAlias = Callback | Mapping[str, Any] | bytes | str
    """A body to send or validate: a callback, a JSON object, or the bytes or the text of a body."""

    ObserverLike: TypeAlias = Observer | Callable[[str], object]
    """An observer, or a function of an object's ID that returns ``{"effects": [...], "open": [...]}``."""

_SEED_BITS = 32

_VALIDATORS: dict[str | None, CallbackValidator] = {}
"""Validators for the built-in catalogue, by the name of the profile."""


class CheckOptions(TypedDict, total=False):
    """The keyword arguments of a check; :func:`check` documents them."""

    clauses: str | Iterable[str]
    skip: str | Iterable[str]
    profile: str | Profile
    seed: int | None
    catalog: Catalog | None
    observer: ObserverLike | None
    downstream: str | None
    run: str | None
    catch: bool
    catch_hosts: Iterable[str]
    effect_timeout_s: float
    fail_on: str | Level
    wait_s: float
    max_time_s: float | None
    parser: str | None
    insecure: bool


def check(
    target: object, *, on_event: Callable[[RunEvent], object] | None = None, **options: Unpack[CheckOptions]
) -> Verdict:
    """Check a receiver against the contract and return the verdict.

    ::

        verdict = tcop_mock.check("http://user:password@127.0.0.1:8080/alarm")
        assert verdict.passed, [finding.title for finding in verdict.findings]

    The requests have an event loop and a thread of their own, so it works with and without a running loop. An app and a
    function of yours are called in the calling thread, one call after the other. Ctrl-C cancels the run.

    Args:
        target: a URL ``[http://][USER:PASSWORD@]HOST[:PORT][/PATH]``, ``"module:app"``, an ASGI or WSGI app, a client
            of httpx, Starlette, FastAPI, Flask or Django, or a callable that takes the JSON value of a callback. An
            app and a client may have a path: ``(app, "/alarm")``. The credentials of a URL, and Basic credentials of
            a client, are those that the receiver wants. With ``run``: a path or a loopback URL.
        clauses: codes, slugs or globs of the clauses to check, such as ``"TCM302"`` or ``"TCM3*"``; empty: all.
        skip: clauses to leave out, in the same form.
        profile: the generation of the callback contract, by name; by default 2023.
        seed: makes the requests repeatable; ``None``: a random one. The verdict has it.
        catalog: the shapes to send; ``None``: the built-in catalogue.
        observer: returns the effects of the receiver. Without an observer, ``downstream`` and caught calls, the clauses
            about effects are not run.
        downstream: ``"HOST:PORT"`` at which our stub services listen during the run; the receiver must forward there.
        run: command that starts the receiver; the run ends it. ``{port}`` in it, or ``PORT`` in its environment, is a
            free port.
        catch: whether to catch the calls to other machines of an app in this process, and of the receiver of ``run``,
            as effects; by default true. Our stub services answer those to hosts that they know, and all others are
            refused.
        catch_hosts: further hosts to answer for, ``"HOST=KIND"``.
        effect_timeout_s: maximum time in seconds until an effect appears; by default 5.
        fail_on: ``"must"`` (the default), ``"should"`` or ``"may"``: the least binding level whose clauses decide on
            ``passed``.
        wait_s: maximum time in seconds to wait for a receiver that does not answer yet; by default 0.
        max_time_s: time limit of the run, in seconds; ``None``: 30 for a URL, 300 for an app and with effects.
        parser: ``"model"`` or ``"schema"`` if ``target`` names a parser of bodies (``"module:Model"``) or the file of
            a JSON Schema, and not a receiver.
        insecure: do not verify the certificate of an https URL.
        on_event: called with each event of the run, in the thread of the run; by :func:`check_async`, in the
            running loop.

    Raises:
        UsageError: an argument is wrong: target, clause, profile, level, address.
        TargetError: the receiver cannot be used, so no clause has a result: it refuses connections, wants other
            credentials, or has nothing at that path.
    """
    from tcop_mock.transport.caller import run_beside

    with _open_check(target, **options) as opened_run:
        return run_beside(opened_run.verdict(on_event))


async def check_async(
    target: object, *, on_event: Callable[[RunEvent], object] | None = None, **options: Unpack[CheckOptions]
) -> Verdict:
    """Check a receiver against the contract while the running asyncio loop goes on.

    Arguments and errors are those of :func:`check`. An ASGI app runs in the running loop. If the task is cancelled, the
    run ends.
    """
    from tcop_mock.transport.caller import call_and_wait, run_beside_async

    def on_event_in_loop(event: RunEvent) -> None:
        if on_event is not None:
            call_and_wait(on_event, event)

    with _open_check(target, **options) as opened_run:
        try:
            return await run_beside_async(opened_run.verdict(on_event_in_loop))
        finally:
            await opened_run.opened.shut_down()


class _OpenedRun(NamedTuple):
    """A run of the contract against a target that is open."""

    opened: OpenTarget
    run: ContractRun
    level: Level
    calls: CallLog | None
    """The calls of the receiver that were not answered; ``None`` if none are caught."""

    async def verdict(self, on_event: Callable[[RunEvent], object] | None) -> Verdict:
        """Run the contract and return the verdict; its notes name the hosts whose calls were not answered."""
        from tcop_mock.server.caught_hosts import CATCH_HOST

        await self.run.run(on_event)
        verdict = self.run.verdict()
        hints = [hint.replace(CATCH_HOST, "catch_hosts") for hint in self.calls.hints()] if self.calls else []
        return replace(verdict, fail_on=self.level, notes=(*verdict.notes, *hints))


@contextmanager
def _open_check(  # noqa: PLR0913 - each keyword is an option of the run
    target: object,
    *,
    clauses: str | Iterable[str] = (),
    skip: str | Iterable[str] = (),
    profile: str | Profile = "2023",
    seed: int | None = None,
    catalog: Catalog | None = None,
    observer: ObserverLike | None = None,
    downstream: str | None = None,
    run: str | None = None,
    catch: bool = True,
    catch_hosts: Iterable[str] = (),
    effect_timeout_s: float = 5.0,
    fail_on: str | Level = "must",
    wait_s: float = 0.0,
    max_time_s: float | None = None,
    parser: str | None = None,
    insecure: bool = False,
) -> Iterator[_OpenedRun]:
    """Open a target, and yield a run of the contract against it."""
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.contract.managed_receiver import receiver_to_run
    from tcop_mock.contract.plan import CheckPlan
    from tcop_mock.contract.runner import ContractRun
    from tcop_mock.domain.contract import Level
    from tcop_mock.domain.target import Parser, Target
    from tcop_mock.server.app_calls import AppCalls
    from tcop_mock.server.caught_hosts import CaughtHosts
    from tcop_mock.transport.clock import monotonic_s
    from tcop_mock.transport.open import open_target, resolve_target

    value: object = Target.for_parser(_member(Parser, parser, "parser"), str(target)) if parser else target
    plan_profile, level = _profile(profile), _member(Level, fail_on, "fail_on")
    hosts = CaughtHosts.parse(catch_hosts, "catch_hosts") if catch else None
    observation = _observation(observer, downstream, effect_timeout_s)
    with ExitStack() as stack:
        calls: CallLog | None = None
        if run is not None:
            value, receiver = receiver_to_run(run, str(target), hosts, wait_s=wait_s, source="run")
            stack.callback(receiver.process.stop)
            observation, calls = receiver.configure(observation), receiver.calls
        elif hosts is not None and (address := resolve_target(value)).app and not parser:
            app_calls = AppCalls(hosts, exempt=[address.host])
            if app_calls.catches_tls:
                stack.enter_context(app_calls)
                observation, calls = observation.with_app_calls(app_calls), app_calls.log
        opened = stack.enter_context(open_target(value, plan_profile.delivery.answer_cap_bytes, insecure=insecure))
        plan = CheckPlan(
            opened.target,
            catalog or Catalog.load(),
            _clauses(clauses, skip),
            plan_profile,
            secrets.randbits(_SEED_BITS) if seed is None else seed,
            wait_s=wait_s,
            max_time_s=max_time_s,
            observation=observation,
            takes_parsed_body=opened.takes_parsed_body,
            uses_client=opened.uses_client,
        )
        yield _OpenedRun(opened, ContractRun(plan, opened.transport, monotonic_s, asyncio.sleep), level, calls)


class SendOptions(TypedDict, total=False):
    """The keyword arguments of a delivery; :func:`send` documents them."""

    profile: str | Profile
    attempts: int | None
    timeout_s: float | None
    headers: Mapping[str, str] | None
    time_scale: float
    insecure: bool


def send(body: Body, target: object, **options: Unpack[SendOptions]) -> Delivery:
    """Deliver one callback with the retries of a profile and return its attempts.

    ::

        generator = tcop_mock.Generator(7)
        alarm = generator.alarm(tcop_mock.Catalog.load().get("cvm/basic-monitoring"))
        delivery = tcop_mock.send(generator.callback(alarm, tcop_mock.State.FIRING), "http://127.0.0.1:8080/alarm")
        assert delivery.accepted

    Args:
        body: a callback, a JSON object, or the bytes or the text of a body, which are sent unchanged.
        target: a target as for :func:`check`.
        profile: the generation of the callback contract, by name, which has the delivery rules; by default 2023.
        attempts: maximum number of attempts, in place of the profile's number.
        timeout_s: the total time limit of each attempt in seconds, in place of the profile's.
        headers: headers of the request; they replace headers of the profile that have the same name.
        time_scale: real seconds for each second of a pause between attempts; by default 1; 0 does not wait.
        insecure: do not verify the certificate of an https URL.

    Raises:
        UsageError: an argument is wrong. A receiver that fails or is absent raises nothing: its attempts show it.
        TargetError: an app does not start up.
    """
    return send_all([body], target, **options)[0]


async def send_async(body: Body, target: object, **options: Unpack[SendOptions]) -> Delivery:
    """Deliver one callback while the running asyncio loop goes on; an ASGI app runs in that loop.

    Arguments and errors are those of :func:`send`.
    """
    return (await send_all_async([body], target, **options))[0]


def send_all(bodies: Sequence[Body], target: object, **options: Unpack[SendOptions]) -> list[Delivery]:
    """Deliver callbacks in order and return one delivery for each; arguments and errors are those of :func:`send`.

    The callbacks of one alarm keep their order in time; the time between them is not waited for.
    """
    from tcop_mock.transport.caller import run_beside

    with _open_delivery(target, **options) as opened_delivery:
        return run_beside(opened_delivery.deliver(bodies))


async def send_all_async(bodies: Sequence[Body], target: object, **options: Unpack[SendOptions]) -> list[Delivery]:
    """Deliver callbacks while the running asyncio loop goes on; an ASGI app runs in that loop.

    Arguments and errors are those of :func:`send_all`.
    """
    from tcop_mock.transport.caller import run_beside_async

    with _open_delivery(target, **options) as opened_delivery:
        try:
            return await run_beside_async(opened_delivery.deliver(bodies))
        finally:
            await opened_delivery.opened.shut_down()


class _OpenDelivery(NamedTuple):
    """The rules of a delivery, and its target, which is open."""

    opened: OpenTarget
    rules: DeliveryRules
    time_scale: float

    async def deliver(self, bodies: Sequence[Body]) -> list[Delivery]:
        """Deliver callbacks in order."""
        from tcop_mock.transport.clock import monotonic_s

        return await deliver(
            bodies,
            self.opened.transport,
            self.rules,
            self.opened.target.credentials,
            clock=monotonic_s,
            sleep=asyncio.sleep,
            retry_scale=self.time_scale,
        )


@contextmanager
def _open_delivery(  # noqa: PLR0913 - each keyword is an option of the delivery
    target: object,
    *,
    profile: str | Profile = "2023",
    attempts: int | None = None,
    timeout_s: float | None = None,
    headers: Mapping[str, str] | None = None,
    time_scale: float = 1.0,
    insecure: bool = False,
) -> Iterator[_OpenDelivery]:
    from tcop_mock.transport.open import open_target

    rules = _delivery_rules(_profile(profile), attempts, timeout_s, headers or {})
    with open_target(target, rules.answer_cap_bytes, insecure=insecure) as opened:
        yield _OpenDelivery(opened, rules, time_scale)


def validate(body: Body, *, profile: str | Profile | None = None, catalog: Catalog | None = None) -> ValidationResult:
    """Return the classification of a body: its shape, and whether it could have come from TCOP.

    ::

        result = tcop_mock.validate(request.get_data())
        assert result.is_valid, result.problems

    Args:
        body: the bytes or the text of a body, a JSON object, or a callback. Any bytes are accepted: a body that is not
            JSON raises nothing.
        profile: the generation of the callback contract whose documentation the body is compared with, by name;
            ``None``: the one that fits the body best.
        catalog: the known shapes; ``None``: the built-in catalogue.

    Raises:
        UnknownNameError: there is no such profile.
    """
    return _validator(None if profile is None else _profile(profile), catalog).validate(body_bytes(body))


async def deliver(  # noqa: PLR0913 - ports are handed in one by one
    bodies: Sequence[Body],
    transport: Transport,
    rules: DeliveryRules,
    credentials: Credentials | None,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    retry_scale: float = 1.0,
    gap_scale: float = 0.0,
) -> list[Delivery]:
    """Deliver callbacks, each at its time in the life of its alarm, and return one delivery for each.

    Args:
        bodies: what to deliver.
        transport: sends a request.
        rules: attempts, time limit, pauses, headers.
        credentials: of the target.
        clock: returns seconds; the transport has the same clock.
        sleep: waits for pauses.
        retry_scale: real seconds for each second of a pause between attempts.
        gap_scale: real seconds for each second between two callbacks of an alarm.
    """
    from tcop_mock.domain.delivery import OutgoingRequest
    from tcop_mock.transport.delivery import DeliveryScheduler, ScheduledRequest

    requests = [OutgoingRequest(body_bytes(body), headers=rules.headers, credentials=credentials) for body in bodies]
    scheduler = DeliveryScheduler(transport, rules, clock, sleep, retry_scale, gap_scale)
    scheduled = list(map(ScheduledRequest, _send_times_s(bodies), requests))
    deliveries = {number: delivery async for number, delivery in scheduler.deliver_all(scheduled)}
    return [replace(deliveries[number], name=_name(body)) for number, body in enumerate(bodies)]


def _name(body: Body) -> str:
    """Return the name of a body in messages."""
    from tcop_mock.domain.callback import Callback

    return f"{body.alarm.shape_id} {body.state}" if isinstance(body, Callback) else ""


def body_bytes(body: Body) -> bytes:
    """Return the bytes of a body."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, Mapping):
        from tcop_mock.domain.callback import encode_json

        return encode_json(dict(body))
    return body.to_bytes()


def to_observer(value: ObserverLike | None, name: str) -> Observer | None:
    """Return a value as an observer; a function becomes one.

    Args:
        value: an observer or a function of an object's ID.
        name: its name in messages.

    Raises:
        UsageError: it is neither.
    """
    if value is None:
        return None
    from tcop_mock.contract.observers import CallableObserver, UserObserver

    if hasattr(value, "observe"):
        return UserObserver(value)
    if not callable(value):
        raise UsageError(
            f"{name} is of type {type(value).__name__}; give a callable that takes an object's id and returns "
            '{"effects": [...], "open": [...]}, or an observer'
        )
    return CallableObserver(name, value)


def _clauses(wanted: str | Iterable[str], unwanted: str | Iterable[str]) -> tuple[Clause, ...]:
    from tcop_mock.contract.clauses import load_clauses, select_clauses

    clauses = select_clauses(load_clauses(), _names(wanted), _names(unwanted))
    if not clauses:
        raise UsageError("skip leaves no clause to check")
    return clauses


def _names(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _profile(value: str | Profile) -> Profile:
    from tcop_mock.catalog.profiles import load_profile

    return load_profile(value) if isinstance(value, str) else value


def _delivery_rules(
    profile: Profile, attempts: int | None, timeout_s: float | None, headers: Mapping[str, str]
) -> DeliveryRules:
    rules = profile.delivery
    replaced = {name.lower() for name in headers}
    kept_headers = (pair for pair in rules.headers if pair[0].lower() not in replaced)
    return replace(
        rules,
        attempts=rules.attempts if attempts is None else attempts,
        timeout_s=rules.timeout_s if timeout_s is None else timeout_s,
        headers=(*kept_headers, *headers.items()),
    )


def _observation(observer: ObserverLike | None, downstream: str | None, effect_timeout_s: float) -> ObservationConfig:
    from tcop_mock.contract.observation import DownstreamAddress, ObservationConfig
    from tcop_mock.server.downstream import DownstreamRecorder

    address = None if downstream is None else DownstreamAddress.parse(downstream, "downstream")
    return ObservationConfig(
        to_observer(observer, "observer"),
        None if address is None else DownstreamRecorder(),
        effect_timeout_s=effect_timeout_s,
        downstream_address=address,
    )


def _validator(profile: Profile | None, catalog: Catalog | None) -> CallbackValidator:
    from tcop_mock.callbacks.validator import CallbackValidator
    from tcop_mock.catalog.loader import Catalog

    if catalog is not None:
        return CallbackValidator(catalog, profile)
    name = profile.name if profile else None
    if name not in _VALIDATORS:
        _VALIDATORS[name] = CallbackValidator(Catalog.load(), profile)
    return _VALIDATORS[name]


def _send_times_s(bodies: Sequence[Body]) -> list[float]:
    """Return when each body is sent, in seconds of alarm time; a body of no alarm follows the one before it."""
    from tcop_mock.domain.callback import Callback

    times_s: list[float] = []
    first_occur = next((one.alarm.first_occurred_at for one in bodies if isinstance(one, Callback)), None)
    for one in bodies:
        if isinstance(one, Callback) and first_occur is not None:
            sent_at_s = (one.alarm.first_occurred_at - first_occur).total_seconds() + one.duration_s
            times_s.append(max(sent_at_s, times_s[-1] if times_s else sent_at_s))
        else:
            times_s.append(times_s[-1] if times_s else 0.0)
    return times_s


def _member(enum: type[E], value: str, name: str) -> E:
    """Return the member of an enum with a value.

    Raises:
        UsageError: there is none; says which there are.
    """
    try:
        return enum(value)
    except ValueError:
        raise UsageError(f"{name} {value!r}: write {', '.join(map(repr, map(str, enum)))}") from None
