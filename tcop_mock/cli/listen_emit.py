"""Callbacks that the control API of listen emits: generated from a shape, and delivered to a URL as ``send`` does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tcop_mock.api import deliver
from tcop_mock.callbacks.generator import Generator, parse_lifecycle
from tcop_mock.cli.arguments import warn_of_other_machine
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import Lang
from tcop_mock.domain.target import Target
from tcop_mock.errors import UnknownNameError, UsageError, enum_member
from tcop_mock.reports.json import VERSION, deliveries_document
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.callback import Callback

EMIT_KEYS: dict[str, tuple[str, str]] = {
    "shape": ("string", "Shape of the alarm; by default cvm/basic-monitoring."),
    "lifecycle": ("string", "Its callbacks, such as fire,repeat:2,resolve; by default fire."),
    "metric": ("string", "Name of the metric."),
    "event": ("string", "Name of the event."),
    "form": ("string", "documented, observed, eventbridge or cloudevents."),
    "lang": ("string", "en or zh."),
    "seed": ("integer", "Makes the callbacks repeatable; by default that of listen."),
    "serial": ("integer", "Number of the alarm: other numbers are other alarms."),
    "to": ("string", "URL that gets the callbacks; without one they are returned only."),
    "attempts": ("integer", "Attempts for each callback, in place of the profile's number."),
    "timeout_s": ("number", "Time limit of each attempt in seconds, in place of the profile's."),
    "time_scale": ("number", "Real seconds for each second of a pause between attempts; by default 1."),
}
"""Keys of a request to emit, with their JSON type and text."""
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}


async def emit_callbacks(options: Mapping[str, Any], common: CommonOptions, catalog: Catalog) -> dict[str, Any]:
    """Make the callbacks of one alarm, deliver them, and return a document about it.

    Args:
        options: values by the keys of ``EMIT_KEYS``.
        common: profile and seed.
        catalog: the shapes.

    Raises:
        UsageError: a key or a value is wrong.
    """
    _check(options)
    seed = options.get("seed", common.seed)
    callbacks = _callbacks(options, common, catalog, seed)
    document: dict[str, Any] = {
        "version": VERSION,
        "seed": seed,
        "callbacks": [{"state": one.state.value, "body": one.to_bytes().decode()} for one in callbacks],
    }
    if "to" not in options:
        return document
    target = Target.parse(options["to"])
    if target.app:
        raise UsageError(f"to: {target} is an app; write a URL")
    warn_of_other_machine(target, common)
    delivery = common.profile.delivery
    rules = replace(
        delivery,
        attempts=max(1, options.get("attempts", delivery.attempts)),
        timeout_s=options.get("timeout_s", delivery.timeout_s),
    )
    deliveries = await deliver(
        callbacks,
        HttpTransport(target, max_body_bytes=rules.answer_cap_bytes, clock=monotonic_s),
        rules,
        target.credentials,
        clock=monotonic_s,
        sleep=asyncio.sleep,
        retry_scale=options.get("time_scale", 1.0),
    )
    named = [(done.name, float(one.duration_s), done) for one, done in zip(callbacks, deliveries, strict=True)]
    report = deliveries_document(
        named,
        target=str(target),
        profile=common.profile.name,
        seed=seed,
        assumptions=list(common.profile.assumed.values()),
        probe=None,
    )
    return {**report, **document, "accepted": all(one.accepted for one in deliveries)}


def _check(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if name not in EMIT_KEYS:
            raise UnknownNameError("key", name, EMIT_KEYS)
        kind = EMIT_KEYS[name][0]
        if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
            raise UsageError(f"{name}: write a JSON {kind}")
        if isinstance(value, int | float) and not value >= 0:
            raise UsageError(f"{name}: write a number from 0")


def _callbacks(options: Mapping[str, Any], common: CommonOptions, catalog: Catalog, seed: int) -> list[Callback]:
    form = enum_member(Form, "form", options.get("form", Form.DOCUMENTED))
    lang = enum_member(Lang, "language", options.get("lang", Lang.EN))
    generator = Generator(seed, lang, form=form, wire_format=common.profile.wire_format)
    points = parse_lifecycle(options.get("lifecycle", "fire"))
    states = {point.state for point in points}
    order = (State.FIRING, State.RESOLVED, State.REPEATED)
    alarm = generator.alarm(
        catalog.get(options.get("shape", "cvm/basic-monitoring")),
        options.get("serial", 0),
        metric=options.get("metric"),
        event=options.get("event"),
        required_state=max(states, key=order.index),
    )
    return [generator.callback(alarm, *point) for point in points]
