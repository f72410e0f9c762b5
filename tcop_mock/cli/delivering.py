"""How to deliver, as ``send`` and ``replay`` are told; and the delivering."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import sys
import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tcop_mock.cli.durations import NO_LIMIT, RateLimit
from tcop_mock.cli.options import INTEGRATION_KEY_VARIABLE, on_command_line, secret_of, target_of, with_headers
from tcop_mock.cli.stdout import reader_may_leave
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.delivery import Delivery, OutgoingRequest
from tcop_mock.domain.profile import Accept, RetryAfter
from tcop_mock.domain.shape import Lang
from tcop_mock.domain.target import MASK, is_secret_header
from tcop_mock.errors import UsageError
from tcop_mock.reports.json import deliveries_document, write_json
from tcop_mock.reports.text import one_line, printable_lines
from tcop_mock.transport import pagerduty, wecom
from tcop_mock.transport.delivery import DeliveryScheduler, RateLimitedTransport, ScheduledRequest
from tcop_mock.transport.open import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tcop_mock.cli.options import Common
    from tcop_mock.domain.delivery import Attempt, Transport
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import Secret, Target

_NOT_ACCEPTED = 1
_MOST_TRACE_CHARS, _MOST_TRACE_LINES = 20_000, 60
_PROBE = "URL verification"
_ACCEPT = {"wecom": Accept.ERRCODE}
_ASSUMED_OF = {"pagerduty": {"pagerduty": pagerduty.PAGERDUTY_ASSUMPTION}, "wecom": {"wecom": wecom.WECOM_ASSUMPTION}}
_PACE = {"wecom": RateLimit(wecom.WECOM_MESSAGES_PER_MINUTE, 60.0)}


class Parcel(NamedTuple):
    """One callback to deliver, and what to call it."""

    name: str
    body: bytes
    at_s: float = 0.0
    """When it is told in the life of its alarm."""
    headers: tuple[tuple[str, str], ...] = ()
    """Which it has instead of the rules' own of the same name."""
    like: OutgoingRequest | None = None
    """What it is sent as, but for body and headers; a POST with the target's credentials, where it is not given."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """Where to and how, with all that options changed in the profile."""

    target: Target
    end: str
    """``webhook``, ``pagerduty`` or ``wecom``."""
    key: Secret | None
    rules: DeliveryRules
    assumed: Mapping[str, str]
    """What of the rules no source says."""
    time_scale: float | None
    pace: RateLimit
    insecure: bool
    dry_run: bool

    def run(self, lives: Sequence[Sequence[Parcel]], common: Common, lang: Lang = Lang.EN) -> int:
        """Deliver alarm by alarm, and tell; return the exit code.

        Args:
            lives: the callbacks of each alarm, which keep their distances.
            common: what every verb is told.
            lang: of texts that are written for people.

        Raises:
            UsageError: a body cannot be told to this end.
        """
        pushes = [[self._push(parcel, lang, self.key) for parcel in life] for life in lives]
        if self.dry_run:
            self._show([parcel for life in lives for parcel in life], common, lang)
            return 0
        if self.insecure:
            common.tell("warning: the receiver's certificate is not verified (--insecure)")
        common.tell(f"profile {common.profile.name}, of which assumed: {', '.join(self.assumed)}; --dry-run tells them")
        told = _Told(self, lives, common)
        try:
            with open_transport(self.target, self.rules.answer_cap_bytes, insecure=self.insecure) as port:
                asyncio.run(self._deliver(port, pushes, told))
        finally:
            told.close()
        return 0 if told.accepted else _NOT_ACCEPTED

    async def _deliver(self, port: Transport, pushes: Sequence[Sequence[OutgoingRequest]], told: _Told) -> None:
        post = self._paced(port, told.common)
        if self.rules.probe is not None and self.end == "webhook":
            once = self._courier(post, replace(self.rules, attempts=1, accept=Accept.EXACTLY_200))
            verification = await once.deliver(replace(pushes[0][0], body=self.rules.probe))
            told.probed(verification)
            if not verification.accepted:
                return
        for life, its_pushes in enumerate(pushes):
            at_s = (parcel.at_s for parcel in told.lives[life])
            courier = self._courier(post, self.rules)
            async for number, delivery in courier.deliver_all(list(map(ScheduledRequest, at_s, its_pushes))):
                told.delivered(life, number, delivery)

    def _courier(self, post: Transport, rules: DeliveryRules) -> DeliveryScheduler:
        pause_scale, gap_scale = (1.0, 0.0) if self.time_scale is None else (self.time_scale, self.time_scale)
        return DeliveryScheduler(post, rules, time.perf_counter, asyncio.sleep, pause_scale, gap_scale)

    def _paced(self, post: Transport, common: Common) -> Transport:
        if self.pace == NO_LIMIT:
            return post
        most, in_s = self.pace

        def tell(wait_s: float) -> None:
            common.tell(f"waiting {wait_s:.0f} s: at most {self.pace} (--pace)")

        return RateLimitedTransport(
            post, most, period_s=in_s, clock=time.perf_counter, sleep=asyncio.sleep, on_wait=tell
        )

    def _push(self, parcel: Parcel, lang: Lang, key: Secret | None) -> OutgoingRequest:
        own = {name.lower() for name, _ in parcel.headers}
        headers = [pair for pair in self.rules.headers if pair[0].lower() not in own]
        like = parcel.like or OutgoingRequest(b"", credentials=self.target.credentials)
        return replace(like, body=self._body(parcel, lang, key), headers=(*headers, *parcel.headers))

    def _body(self, parcel: Parcel, lang: Lang, key: Secret | None) -> bytes:
        if self.end == "webhook":
            return parcel.body
        try:
            tree = json.loads(parcel.body)
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise UsageError(f"{parcel.name} is no JSON object: --target {self.end} tells callbacks only")
        return (
            pagerduty.pagerduty_event(CallbackView(tree), key)
            if self.end == "pagerduty"
            else wecom.wecom_message(CallbackView(tree), lang)
        )

    def _show(self, parcels: Sequence[Parcel], common: Common, lang: Lang) -> None:
        """Say what would be sent; on standard error where standard output is for the document, which is empty."""
        say = common.tell if common.as_json else click.echo
        if self.rules.probe is not None and self.end == "webhook":
            say(f"would first POST {len(self.rules.probe)} bytes ({_PROBE}) to {self.target}, once")
        for parcel in parcels:
            push = self._push(parcel, lang, None)
            shown = ((name, MASK if is_secret_header(name) else value) for name, value in push.headers)
            headers = "; ".join(f"{name}: {value}" for name, value in shown)
            say(f"would {push.method} {len(push.body)} bytes ({parcel.name}) to {self.target}")
            say(f"  {headers}; {self.rules.attempts} attempts at the most, {self.rules.timeout_s:g} s each")
            say(f"  {one_line(push.body.decode('utf-8', 'backslashreplace'), sys.maxsize)}")
        for key, text in self.assumed.items():
            say(f"assumed: {key}: {text}")
        if common.as_json:
            _Told(self, (), common).close()


class _Told:
    """What has been delivered so far, told as it comes or as one document at the end, however that comes."""

    def __init__(self, delivering: Delivering, lives: Sequence[Sequence[Parcel]], common: Common) -> None:
        self.common, self.lives = common, lives
        self._delivering = delivering
        self._probe: Delivery | None = None
        self._ended: dict[tuple[int, int], Delivery] = {}

    @property
    def accepted(self) -> bool:
        """Whether all that there was to deliver has been accepted."""
        all_there = len(self._ended) == sum(map(len, self.lives))
        return all_there and all(delivery.accepted for delivery in self._ended.values())

    def probed(self, delivery: Delivery) -> None:
        self._probe = delivery
        self._tell(_PROBE, delivery)
        if not delivery.accepted:
            self.common.tell(f"{_PROBE} was not answered 200, so TCOP would push nothing: nothing was sent")

    def delivered(self, life: int, number: int, delivery: Delivery) -> None:
        self._ended[life, number] = delivery
        self._tell(self.lives[life][number].name, delivery)

    def close(self) -> None:
        """Write the document, if one is wanted."""
        if self.common.as_json:
            told = self._delivering
            parcels = [self.lives[life][number] for life, number in sorted(self._ended)]
            document = deliveries_document(
                [(one.name, one.at_s, self._ended[at]) for one, at in zip(parcels, sorted(self._ended), strict=True)],
                target=str(told.target),
                profile=self.common.profile.name,
                seed=self.common.seed,
                assumptions=list(told.assumed.values()),
                probe=self._probe,
            )
            with reader_may_leave():
                write_json(document, sys.stdout)

    def _tell(self, name: str, delivery: Delivery) -> None:
        if self.common.as_json:
            return
        told = self._delivering
        with reader_may_leave():
            for number, attempt in enumerate(delivery.attempts, start=1):
                status = f" {attempt.status}" if attempt.status is not None else ""
                detail = f": {one_line(attempt.detail, 200)}" if attempt.detail else ""
                click.echo(f"attempt {number}: {attempt.outcome}{status} after {attempt.duration_s:.3f} s{detail}")
                for line in _trace(attempt):
                    click.echo(f"  {line}")
            verdict = "accepted" if delivery.accepted else "not accepted"
            click.echo(f"{name} to {told.target}: {verdict}")


def _trace(attempt: Attempt) -> list[str]:
    return (
        printable_lines(attempt.traceback.rstrip(), _MOST_TRACE_CHARS, _MOST_TRACE_LINES) if attempt.traceback else []
    )


@dataclass(frozen=True, slots=True)
class _Flags:
    """The flags of ``destination()`` and ``delivering()`` in ``cli/flags.py``, as click hands them in."""

    to: str | None
    end: str
    integration_key: str | None
    pace: RateLimit | None
    insecure: bool
    headers: tuple[str, ...]
    dry_run: bool
    attempts: int | None
    timeout: float | None
    retry_on: tuple[str, ...] | None
    pause: tuple[float, ...] | None
    retry_after: str | None
    accept: str | None
    verify: bool
    time_scale: float | None

    def delivering(self, common: Common) -> Delivering:
        """Put what is given in place of what the profile says."""
        if self.time_scale is not None and math.isnan(self.time_scale):
            raise UsageError("--time-scale nan: write a number, as in 0.01")
        key, changes = _integration_key(self.end, self.integration_key), self._changes()
        rules = replace(with_headers(common.profile.delivery, self.headers), **changes)
        assumed = {name: text for name, text in common.profile.assumed.items() if name not in changes}
        return Delivering(
            target=target_of(self.to, flag="--to URL"),
            end=self.end,
            key=key,
            rules=rules if self.verify else replace(rules, probe=None),
            assumed=assumed | _ASSUMED_OF.get(self.end, {}),
            time_scale=self.time_scale,
            pace=self.pace or _PACE.get(self.end, NO_LIMIT),
            insecure=self.insecure,
            dry_run=self.dry_run,
        )

    def _changes(self) -> dict[str, Any]:
        changes = {
            "attempts": self.attempts,
            "timeout_s": self.timeout,
            "retry_on": None if self.retry_on is None else frozenset(self.retry_on),
            "pauses_s": self.pause,
            "retry_after": RetryAfter(self.retry_after) if self.retry_after else None,
            "accept": Accept(self.accept) if self.accept else _ACCEPT.get(self.end),
        }
        return {name: value for name, value in changes.items() if value is not None}


def with_delivering(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a verb one ``delivering`` in place of the flags that say where to and how to deliver."""
    names = [flag.name for flag in fields(_Flags)]

    @functools.wraps(verb)
    def gathered(*, common: Common, **given: Any) -> Any:  # noqa: ANN401 - click's values
        flags = _Flags(**{name: given.pop(name) for name in names})
        return verb(delivering=flags.delivering(common), common=common, **given)

    return gathered


def _integration_key(end: str, given: str | None) -> Secret | None:
    if end != "pagerduty":
        if given and on_command_line("integration_key"):
            raise UsageError("--integration-key goes with --target pagerduty")
        return None
    key = secret_of(given, INTEGRATION_KEY_VARIABLE, "integration key")
    if key is None:
        raise UsageError(f"--target pagerduty needs --integration-key KEY, @FILE, or {INTEGRATION_KEY_VARIABLE}")
    return key
