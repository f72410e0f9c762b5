"""``tcop-mock send``: deliver callbacks as TCOP does."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tcop_mock.cli.drawing import Drawing, with_drawing
from tcop_mock.cli.options import read_input, target_of, with_common, with_headers
from tcop_mock.cli.stdout import reader_may_leave
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.model.delivery import Push
from tcop_mock.report.document import deliveries_document, write_json
from tcop_mock.report.safe import one_line
from tcop_mock.send.deliver import deliver
from tcop_mock.send.http import HttpPost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.cli.options import Common
    from tcop_mock.model.delivery import Delivery
    from tcop_mock.model.profile import DeliveryRules
    from tcop_mock.model.target import Target

_NOT_ACCEPTED = 1


class Parcel(NamedTuple):
    """One body to deliver, and what to call it."""

    name: str
    body: bytes


@with_drawing
@with_common
def send(  # noqa: PLR0913 - one parameter an option
    source: str,
    *,
    to: str | None,
    attempts: int | None,
    timeout: float | None,
    time_scale: float,
    insecure: bool,
    headers: tuple[str, ...],
    dry_run: bool,
    drawing: Drawing,
    common: Common,
) -> int:
    """Deliver a callback: of the shape ID, from a FILE, or from standard input (-).

    The body goes out as one POST; a failed one is pushed again as the profile says. Exit code 0: accepted, 1: not.
    """
    target = target_of(to, flag="--to URL")
    rules = with_headers(common.profile.delivery, headers)
    rules = replace(rules, attempts=attempts or rules.attempts, timeout_s=timeout or rules.timeout_s)
    if not math.isfinite(time_scale):
        raise UsageError("--time-scale must be a finite number")
    parcels = _parcels(source, drawing, common)
    if dry_run:
        _show(parcels, target, rules, common)
        return 0
    if insecure:
        common.tell("warning: the receiver's certificate is not verified (--insecure)")
    deliveries = asyncio.run(_deliver_all(parcels, target, rules, time_scale, insecure=insecure, common=common))
    if common.as_json:
        with reader_may_leave():
            write_json(deliveries_document(deliveries), sys.stdout)
    return 0 if all(delivery.accepted for delivery in deliveries) else _NOT_ACCEPTED


def _parcels(source: str, drawing: Drawing, common: Common) -> list[Parcel]:
    if source == "-" or Path(source).is_file():
        if drawing != Drawing():
            raise UsageError("a body that is given is sent as it is; options that draw or change one are for an ID")
        body, name = read_input(source), "standard input" if source == "-" else source
        if not body:
            raise UsageError(f"{name} is empty: there is nothing to send")
        return [Parcel(name, body)]
    try:
        shapes = common.catalog().match(source)
    except UnknownNameError as problem:
        raise UsageError(f"{problem} ({source!r} is no file either)") from None
    drawn = drawing.callbacks(shapes, common, count=1)
    parcels = [Parcel(f"{one.shape.id} {one.state}", one.body) for one in drawn]
    drawing.tell_assumed(common)
    common.tell(f"seed {common.seed}")
    return parcels


def _show(parcels: Sequence[Parcel], target: Target, rules: DeliveryRules, common: Common) -> None:
    """Say what would be sent; on standard error where standard output is for the document, which has no delivery."""
    say = common.tell if common.as_json else click.echo
    for parcel in parcels:
        headers = "; ".join(f"{name}: {value}" for name, value in rules.headers)
        say(f"would POST {len(parcel.body)} bytes ({parcel.name}) to {target}")
        say(f"  {headers}; {rules.attempts} attempts at the most, {rules.timeout_s:g} s each")
        say(f"  {one_line(parcel.body.decode('utf-8', 'backslashreplace'), sys.maxsize)}")
    if common.as_json:
        write_json(deliveries_document([]), sys.stdout)


async def _deliver_all(  # noqa: PLR0913 - one parameter an option
    parcels: Sequence[Parcel],
    target: Target,
    rules: DeliveryRules,
    time_scale: float,
    *,
    insecure: bool,
    common: Common,
) -> list[Delivery]:
    post = HttpPost(target, answer_cap_bytes=rules.answer_cap_bytes, insecure=insecure, clock=time.perf_counter)
    deliveries = []
    for parcel in parcels:
        push = Push(parcel.body, headers=rules.headers, credentials=target.credentials)
        delivery = await deliver(
            push, post=post, rules=rules, sleep=asyncio.sleep, clock=time.perf_counter, time_scale=time_scale
        )
        deliveries.append(delivery)
        if not common.as_json:
            with reader_may_leave():
                _tell(parcel, delivery, target)
    return deliveries


def _tell(parcel: Parcel, delivery: Delivery, target: Target) -> None:
    for number, attempt in enumerate(delivery.attempts, start=1):
        status = f" {attempt.status}" if attempt.status is not None else ""
        detail = f": {one_line(attempt.detail, 200)}" if attempt.detail else ""
        click.echo(f"attempt {number}: {attempt.outcome}{status} after {attempt.duration_s:.3f} s{detail}")
    verdict = "accepted" if delivery.accepted else "not accepted"
    click.echo(f"{parcel.name} to {target}: {verdict}")
