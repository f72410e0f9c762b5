"""The work of send: deliver callbacks, and print the outcome of each attempt; replay delivers by it, too."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tcop_mock.cli.arguments import (
    STDIN,
    add_headers,
    is_from_command_line,
    read_input,
    resolve_secret,
    resolve_target,
    warn_of_other_machine,
)
from tcop_mock.cli.connections import read_connection
from tcop_mock.cli.emit import CallbackSource
from tcop_mock.cli.options import GenerationOptions
from tcop_mock.cli.stdout import ignore_broken_pipe
from tcop_mock.cli.value_types import NO_LIMIT, RateLimit
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.delivery import Delivery, OutgoingRequest
from tcop_mock.domain.profile import Accept, RetryAfter
from tcop_mock.domain.shape import Lang, without_unpublished
from tcop_mock.domain.target import MASK, is_secret_header
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.reports.json import deliveries_document, write_json
from tcop_mock.reports.text import one_line, printable_lines
from tcop_mock.transport import service_messages
from tcop_mock.transport.delivery import DeliveryScheduler, RateLimitedTransport, ScheduledRequest
from tcop_mock.transport.open import open_transport, runner_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.cli.target_options import DeliveryOptions
    from tcop_mock.domain.delivery import Attempt, Transport
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.domain.target import ConnectionOptions, Secret, Target

INTEGRATION_KEY_VARIABLE = "TCOP_MOCK_INTEGRATION_KEY"
_NOT_ACCEPTED = 1
_MAX_TRACE_CHARS, _MAX_TRACE_LINES = 20_000, 60
_PROBE = "URL verification"
_MAX_SEGMENT_GAP_S = 0.05
_MAX_SEGMENTED_S = 1.0
"""All gaps between the segments of a request together take this time at most."""
_ACCEPT = {"wecom": Accept.ERRCODE}
_ASSUMED = {
    "pagerduty": {"pagerduty": service_messages.PAGERDUTY_ASSUMPTION},
    "wecom": {"wecom": service_messages.WECOM_ASSUMPTION},
}
_PACE = {"wecom": RateLimit(service_messages.WECOM_MESSAGES_PER_MINUTE, 60.0)}


class DeliveryItem(NamedTuple):
    """One callback to deliver, and its name in the output."""

    name: str
    body: bytes
    at_s: float = 0.0
    """Time in the lifecycle of its alarm."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers that replace those of the rules with the same name."""
    request: OutgoingRequest | None = None
    """Method and credentials of the request; a POST with the credentials of the target by default."""
    is_asserted: bool = True
    """``False`` if it only prepares the next request, whatever the answer is."""


def send(source: str, options: DeliveryOptions, generation: GenerationOptions, common: CommonOptions) -> int:
    """Deliver the callback of a file, or a generated one; return the exit code."""
    callbacks = CallbackSource.build(generation, common)
    deliverer = Deliverer.build(options, common)
    if source == STDIN or Path(source).is_file():
        lifecycles = _read_body(source, generation, deliverer)
    else:
        lifecycles = _generate(source, callbacks, common)
    return deliverer.run(lifecycles, Lang(generation.lang))


def _read_body(source: str, generation: GenerationOptions, deliverer: Deliverer) -> list[list[DeliveryItem]]:
    used = {"lang"} if deliverer.service == "wecom" else set()
    default = GenerationOptions(lang=generation.lang) if used else GenerationOptions()
    names = {one.name for one in fields(GenerationOptions)} - used
    if generation != default and any(map(is_from_command_line, names)):  # settings are meant for other calls
        raise UsageError("a given body is sent as it is; options that generate or change a body need an ID")
    body, name = read_input(source), "standard input" if source == STDIN else source
    if not body:
        raise UsageError(f"{name} is empty: there is nothing to send")
    return [[DeliveryItem(name, body)]]


def _generate(source: str, callbacks: CallbackSource, common: CommonOptions) -> list[list[DeliveryItem]]:
    try:
        shapes = without_unpublished(common.catalog().match(source))
    except UnknownNameError as problem:
        raise UsageError(f"{problem} (and {source!r} is not a file)") from None
    lifecycles = [
        [DeliveryItem(f"{one.shape.id} {one.state}", one.body, at_s) for one, at_s in lifecycle]
        for lifecycle in callbacks.lifecycles(shapes)
    ]
    callbacks.print_assumptions()
    common.info(f"seed {common.seed}")
    return lifecycles


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Delivers callbacks to a target, by the rules of the profile and the options."""

    target: Target
    service: str
    """``webhook``, ``pagerduty`` or ``wecom``."""
    key: Secret | None
    rules: DeliveryRules
    assumed: Mapping[str, str]
    """Rules that no source documents."""
    time_scale: float | None
    pace: RateLimit
    insecure: bool
    connection: ConnectionOptions
    dry_run: bool
    common: CommonOptions

    @classmethod
    def build(cls, options: DeliveryOptions, common: CommonOptions) -> Deliverer:
        """Replace rules of the profile by the options.

        Raises:
            UsageError: an option is invalid, or there is no target or key.
        """
        if options.time_scale is not None and math.isnan(options.time_scale):
            raise UsageError("--time-scale nan: write a number, as in 0.01")
        key, changes = _integration_key(options), _rule_changes(options)
        rules = replace(add_headers(common.profile.delivery, options.reach.headers), **changes)
        assumed = {name: text for name, text in common.profile.assumed.items() if name not in changes}
        return cls(
            target=resolve_target(options.to, flag="--to URL"),
            service=options.service,
            key=key,
            rules=rules if options.verify else replace(rules, probe=None),
            assumed=assumed | _ASSUMED.get(options.service, {}),
            time_scale=options.time_scale,
            pace=options.pace or _PACE.get(options.service, NO_LIMIT),
            insecure=options.reach.insecure,
            connection=read_connection(options.reach),
            dry_run=options.dry_run,
            common=common,
        )

    def sending_as_check(self, attempts: int) -> Deliverer:
        """Return the same without the URL verification, which a clause sends only if it is about it."""
        assumed = {name: text for name, text in self.assumed.items() if name != "probe"}
        return replace(self, rules=replace(self.rules, attempts=attempts, probe=None), assumed=assumed)

    def run(self, lifecycles: Sequence[Sequence[DeliveryItem]], lang: Lang = Lang.EN) -> int:
        """Deliver alarm by alarm, print each outcome, and return the exit code.

        Args:
            lifecycles: the callbacks of each alarm, which keep their distances in time.
            lang: language of messages for people.

        Raises:
            UsageError: a body cannot be a message to this service.
        """
        requests = [[self._request(item, lang, self.key) for item in lifecycle] for lifecycle in lifecycles]
        if self.dry_run:
            self._print_plan([item for lifecycle in lifecycles for item in lifecycle], lang)
            return 0
        warn_of_other_machine(self.target, self.common)
        if self.insecure:
            self.common.info("warning: the receiver's certificate is not verified (--insecure)")
        assumed = ", ".join(self.assumed)
        self.common.info(f"profile {self.common.profile.name}; assumed: {assumed} (--dry-run prints the texts)")
        printer = DeliveryPrinter(self, lifecycles)
        try:
            cap = self.rules.answer_cap_bytes
            with open_transport(self.target, cap, insecure=self.insecure, connection=self.connection) as port:
                runner_for(self.target)(self._deliver(port, requests, printer))
        finally:
            printer.close()
        return 0 if printer.accepted else _NOT_ACCEPTED

    async def _deliver(
        self, port: Transport, requests: Sequence[Sequence[OutgoingRequest]], printer: DeliveryPrinter
    ) -> None:
        post = self._rate_limited(port)
        if self.rules.probe is not None and self.service == "webhook":
            once = self._scheduler(post, replace(self.rules, attempts=1, accept=Accept.EXACTLY_200))
            verification = await once.deliver(replace(requests[0][0], body=self.rules.probe))
            printer.verified(verification)
            if not verification.accepted:
                return
        for index, its_requests in enumerate(requests):
            times = (item.at_s for item in printer.lifecycles[index])
            scheduler = self._scheduler(post, self.rules)
            async for number, delivery in scheduler.deliver_all(list(map(ScheduledRequest, times, its_requests))):
                printer.delivered(index, number, delivery)

    def _scheduler(self, post: Transport, rules: DeliveryRules) -> DeliveryScheduler:
        pause_scale, gap_scale = (1.0, 0.0) if self.time_scale is None else (self.time_scale, self.time_scale)
        return DeliveryScheduler(post, rules, time.perf_counter, asyncio.sleep, pause_scale, gap_scale)

    def _rate_limited(self, post: Transport) -> Transport:
        if self.pace == NO_LIMIT:
            return post

        def print_wait(wait_s: float) -> None:
            self.common.info(f"waiting {wait_s:.0f} s: at most {self.pace} (--pace)")

        most, in_s = self.pace
        return RateLimitedTransport(
            post, most, period_s=in_s, clock=time.perf_counter, sleep=asyncio.sleep, on_wait=print_wait
        )

    def _request(self, item: DeliveryItem, lang: Lang, key: Secret | None) -> OutgoingRequest:
        own = {name.lower() for name, _ in item.headers}
        headers = [pair for pair in self.rules.headers if pair[0].lower() not in own]
        request = item.request or OutgoingRequest(b"", credentials=self.target.credentials)
        return replace(
            request,
            body=self._body(item, lang, key),
            headers=(*headers, *item.headers),
            segment_gap_s=_segment_gap_s(request),
        )

    def _body(self, item: DeliveryItem, lang: Lang, key: Secret | None) -> bytes:
        if self.service == "webhook":
            return item.body
        try:
            tree = json.loads(item.body)
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise UsageError(f"{item.name} is not a JSON object: --target {self.service} sends callbacks only")
        return (
            service_messages.pagerduty_event(CallbackView(tree), key)
            if self.service == "pagerduty"
            else service_messages.wecom_message(CallbackView(tree), lang)
        )

    def _print_plan(self, items: Sequence[DeliveryItem], lang: Lang) -> None:
        """Print what would be sent; on standard error with ``--json``, whose document is empty."""
        show = self.common.info if self.common.as_json else click.echo
        if self.rules.probe is not None and self.service == "webhook":
            show(f"would first POST {len(self.rules.probe)} bytes ({_PROBE}) to {self.target}, once")
        for item in items:
            request = self._request(item, lang, None)
            masked = ((name, MASK if is_secret_header(name) else value) for name, value in request.headers)
            headers = "; ".join(f"{name}: {value}" for name, value in masked)
            show(f"would {request.method} {len(request.body)} bytes ({item.name}) to {self.target}")
            show(f"  {headers}; at most {self.rules.attempts} attempts, {self.rules.timeout_s:g} s each")
            show(f"  {one_line(request.body.decode('utf-8', 'backslashreplace'), sys.maxsize)}")
        for key, text in self.assumed.items():
            show(f"assumed: {key}: {text}")
        if self.common.as_json:
            DeliveryPrinter(self, ()).close()


@dataclass(slots=True)
class DeliveryPrinter:
    """Prints deliveries as they end, or all in one document at the end, even if the run is cut short."""

    deliverer: Deliverer
    lifecycles: Sequence[Sequence[DeliveryItem]]
    _verification: Delivery | None = None
    _ended: dict[tuple[int, int], Delivery] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether every callback has been accepted."""
        all_there = len(self._ended) == sum(map(len, self.lifecycles))
        return all_there and all(
            delivery.accepted
            for (index, number), delivery in self._ended.items()
            if self.lifecycles[index][number].is_asserted
        )

    def verified(self, delivery: Delivery) -> None:
        """Record the verification of the URL."""
        self._verification = delivery
        self._print(_PROBE, delivery)
        if not delivery.accepted:
            self.deliverer.common.info(f"the response to the {_PROBE} is not 200, so TCOP would send nothing: stopped")

    def delivered(self, index: int, number: int, delivery: Delivery) -> None:
        """Record the delivery of a callback, by its lifecycle and its number there."""
        self._ended[index, number] = delivery
        self._print(self.lifecycles[index][number].name, delivery)

    def close(self) -> None:
        """Print the document with ``--json``."""
        deliverer, common = self.deliverer, self.deliverer.common
        if common.as_json:
            ended = [(self.lifecycles[at[0]][at[1]], delivery) for at, delivery in sorted(self._ended.items())]
            document = deliveries_document(
                [(item.name, item.at_s, delivery) for item, delivery in ended],
                target=str(deliverer.target),
                profile=common.profile.name,
                seed=common.seed,
                assumptions=list(deliverer.assumed.values()),
                probe=self._verification,
            )
            with ignore_broken_pipe():
                write_json(document, sys.stdout)

    def _print(self, name: str, delivery: Delivery) -> None:
        if self.deliverer.common.as_json:
            return
        with ignore_broken_pipe():
            for number, attempt in enumerate(delivery.attempts, start=1):
                status = f" {attempt.status}" if attempt.status is not None else ""
                detail = f": {one_line(attempt.detail, 200)}" if attempt.detail else ""
                click.echo(f"attempt {number}: {attempt.outcome}{status} after {attempt.duration_s:.3f} s{detail}")
                for line in _trace(attempt):
                    click.echo(f"  {line}")
            verdict = "accepted" if delivery.accepted else "not accepted"
            click.echo(f"{name} to {self.deliverer.target}: {verdict}")


def _segment_gap_s(request: OutgoingRequest) -> float:
    """Return the time between segments: longer than in a check, because no second attempt confirms the result."""
    count = sum(1 for _ in request.body_segments())
    return max(request.segment_gap_s, min(_MAX_SEGMENT_GAP_S, _MAX_SEGMENTED_S / max(1, count)))


def _trace(attempt: Attempt) -> list[str]:
    last_lines = attempt.traceback.rstrip().split("\n")[-_MAX_TRACE_LINES:]
    return printable_lines("\n".join(last_lines), _MAX_TRACE_CHARS, _MAX_TRACE_LINES) if attempt.traceback else []


def _rule_changes(options: DeliveryOptions) -> dict[str, Any]:
    changes = {
        "attempts": options.attempts,
        "timeout_s": options.timeout,
        "retry_on": None if options.retry_on is None else frozenset(options.retry_on),
        "pauses_s": options.pause,
        "retry_after": RetryAfter(options.retry_after) if options.retry_after else None,
        "accept": Accept(options.accept) if options.accept else _ACCEPT.get(options.service),
    }
    return {name: value for name, value in changes.items() if value is not None}


def _integration_key(options: DeliveryOptions) -> Secret | None:
    if options.service != "pagerduty":
        if options.integration_key and is_from_command_line("integration_key"):
            raise UsageError("--integration-key goes with --target pagerduty")
        return None
    key = resolve_secret(options.integration_key, INTEGRATION_KEY_VARIABLE, "integration key")
    if key is None:
        raise UsageError(f"--target pagerduty needs --integration-key KEY, @FILE, or {INTEGRATION_KEY_VARIABLE}")
    return key
