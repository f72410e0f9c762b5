"""The plan of a load: rates, stages, concurrency, scenario and limits, and the probe that is sent before it.

The probe is one callback, which checks that the receiver answers.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tcop_mock.cli.arguments import add_headers
from tcop_mock.cli.connections import read_connection
from tcop_mock.cli.value_types import positive_duration
from tcop_mock.contract.preflight import raise_if_no_http, raise_if_unusable
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, LoadModel, LoadPlan, ScheduledCallback, Stage
from tcop_mock.errors import UsageError
from tcop_mock.load.scenario import ScenarioSchedule, load_scenario
from tcop_mock.load.schedule import expected_count
from tcop_mock.load.timer import max_connections
from tcop_mock.reports.text import pluralize
from tcop_mock.transport.http1 import HttpTransport
from tcop_mock.transport.protocol_probe import identify_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.options import CommonOptions, LoadOptions, ScenarioOptions
    from tcop_mock.domain.load import Schedule
    from tcop_mock.domain.target import Target
    from tcop_mock.load.scenario import ScenarioSize

_DEFAULT_RATE, _DEFAULT_S = 50.0, 10.0
_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(?:/?(s|m|min|h))?")
_PER_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_RELEVANT = frozenset({"accept", "timeout_s", "answer_cap_bytes", "redirects"})
_KEPT_ALIVE = (
    "Content-Type is application/json, no User-Agent is sent, and connections are kept from callback to callback "
    "(no page says whether TCOP's are)"
)
_WEIGHT = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_MAX_INFLIGHT = 1000
_IDLE_S = 1.0
"""A longer period without requests is skipped."""
_PREPARED = 20_000
"""Number of notifications generated before a storm starts: generating one takes some 0.2 ms."""


def build_plan(options: LoadOptions, target: Target, common: CommonOptions) -> LoadPlan:
    """Return the plan of an open or a closed load.

    Raises:
        UsageError: options contradict each other, the target is not allowed, or a ceiling is exceeded.
    """
    plan = _base_plan(options, target, common)
    plan = replace(plan, assumptions=_assumptions(options, common.profile.assumed, _RELEVANT))
    return _closed_plan(options, plan, options.concurrency) if options.concurrency else _open_plan(options, plan)


def _base_plan(options: LoadOptions, target: Target, common: CommonOptions) -> LoadPlan:
    """Return the settings that all kinds of load share; the assumptions are those of a load with retries.

    Raises:
        UsageError: the target is not allowed, or a header or a mix is invalid.
    """
    require_allowed(target, options.allow_host)
    rules = add_headers(common.profile.delivery, options.reach.headers)
    assumed = common.profile.assumed
    return LoadPlan(
        target=target,
        rules=rules if options.timeout is None else replace(rules, timeout_s=options.timeout),
        profile=common.profile.name,
        seed=common.seed,
        count=options.count,
        max_inflight=options.max_inflight or _MAX_INFLIGHT,
        warm_up_s=options.warm_up,
        workers=options.workers,
        insecure=options.reach.insecure,
        connection=read_connection(options.reach),
        mix=parse_mix(options.mixes),
        assumptions=_assumptions(options, assumed, frozenset(assumed) - {"headers"}),
    )


def _assumptions(options: LoadOptions, assumed: Mapping[str, str], relevant: frozenset[str]) -> tuple[str, ...]:
    """Return the assumptions of the profile that matter for a load, and its own."""
    own = {"timeout_s"} if options.timeout is not None else set()
    return (*(text for name, text in assumed.items() if name in relevant - own), _KEPT_ALIVE)


def _closed_plan(options: LoadOptions, plan: LoadPlan, concurrency: int) -> LoadPlan:
    given = {"--rate": options.rate, "--ramp": options.ramp, "--stages": options.stages}
    wrong = [flag for flag, value in given.items() if value is not None]
    if wrong or options.arrivals != "constant":
        raise UsageError(
            f"--concurrency is a closed load, in which responses decide when the next callback starts: leave "
            f"{wrong[0] if wrong else '--arrivals'} out"
        )
    count = min(options.count or options.max_count, options.max_count)
    if options.count and options.count > count:
        raise UsageError(
            f"--count {options.count} exceeds the ceiling of {options.max_count}; raise it with --max-count"
        )
    duration_s = options.duration if options.duration or options.count else _DEFAULT_S
    title = f"{concurrency} at a time{_for(duration_s)}"
    return replace(
        plan,
        model=LoadModel.CLOSED,
        concurrency=concurrency,
        duration_s=duration_s,
        count=count,
        max_inflight=concurrency,
        title=title,
    )


def _open_plan(options: LoadOptions, plan: LoadPlan) -> LoadPlan:
    stages = _stages(options)
    poisson = options.arrivals == "poisson"
    most, ceiling = max(max(stage.from_rate, stage.to_rate) for stage in stages), parse_rate(options.max_rate)
    if most > ceiling:
        raise UsageError(f"{most:g}/s exceeds the ceiling of {ceiling:g}/s; raise it with --max-rate {most:g}/s")
    count = min(expected_count(stages), math.inf if options.count is None else options.count)
    if count > options.max_count:
        raise UsageError(
            f"{count:.0f} callbacks exceed the ceiling of {options.max_count}; raise it with --max-count {count:.0f}"
        )
    kind = "Poisson" if poisson else "evenly spaced"
    return replace(
        plan, stages=stages, is_poisson=poisson, title=f"{_describe(stages)}, {kind}", duration_s=_length_s(stages)
    )


def _stages(options: LoadOptions) -> tuple[Stage, ...]:
    rate = None if options.rate is None else parse_rate(options.rate)
    if options.stages is not None:
        for flag, value in (("--duration", options.duration), ("--ramp", options.ramp)):
            if value is not None:
                raise UsageError(f"--stages sets the duration of each stage: leave {flag} out")
        return _parse_stages(options.stages, rate or 0.0)
    rate = _DEFAULT_RATE if rate is None else rate
    if rate == 0:
        raise UsageError("--rate must be more than 0")
    whole_s = options.duration or (options.count / rate + (options.ramp or 0.0) / 2 if options.count else _DEFAULT_S)
    ramp_s = options.ramp or 0.0
    if ramp_s > whole_s:
        raise UsageError(f"--ramp {ramp_s:g}s is longer than the load, which lasts {whole_s:g}s")
    ramp = [Stage(ramp_s, 0.0, rate)] if ramp_s else []
    level = [Stage(whole_s - ramp_s, rate, rate)] if whole_s > ramp_s else []
    return (*ramp, *level)


def load_storm(options: ScenarioOptions, catalog: Catalog, generator: Generator) -> ScenarioSchedule | None:
    """Return the storm of ``--scenario``, if there is one.

    Raises:
        UsageError: the scenario does not exist, or does not fit the catalogue.
    """
    if options.scenario is None:
        if options.time_scale is not None:
            raise UsageError("--time-scale goes with --scenario: a rate is a speed already")
        return None
    return ScenarioSchedule(load_scenario(options.scenario), catalog, generator)


def time_scale(options: ScenarioOptions) -> float:
    """Return the seconds that a second of the storm takes."""
    return 1.0 if options.time_scale is None else options.time_scale


def build_storm_plan(
    storm: ScenarioSchedule, scale: float, options: LoadOptions, target: Target, common: CommonOptions
) -> LoadPlan:
    """Return the plan of a storm.

    Raises:
        UsageError: an option contradicts the scenario, or a ceiling is exceeded.
    """
    base = _base_plan(options, target, common)
    for flag, given in (
        ("--rate", options.rate),
        ("--stages", options.stages),
        ("--ramp", options.ramp),
        ("--concurrency", options.concurrency),
        ("--mix", options.mixes),
    ):
        if given:
            raise UsageError(f"--scenario sets the schedule: leave {flag} out")
    extent, scenario = storm.size(scale), storm.scenario
    ceiling = parse_rate(options.max_rate)
    if extent.peak_per_second > ceiling:
        raise UsageError(
            f"{extent.peak_per_second} notifications in a second exceed the ceiling of {ceiling:g}/s; raise it with "
            f"--max-rate {extent.peak_per_second}/s, or --time-scale"
        )
    if extent.notifications > options.max_count:
        raise UsageError(
            f"{extent.notifications} notifications exceed the ceiling of {options.max_count}; raise it with "
            f"--max-count {extent.notifications}"
        )
    much = f"{pluralize(scenario.alarm_count, 'alarm')}, {pluralize(extent.notifications, 'notification')}"
    scaled = "" if scale == 1 else f", a second of it in {scale:g} s"
    return replace(
        base,
        model=LoadModel.SCRIPT,
        duration_s=options.duration,
        time_scale=scale,
        max_idle_s=_IDLE_S,
        max_inflight=options.max_inflight or _storm_inflight(extent, base.rules.timeout_s),
        title=f"{scenario.name}, {much}{scaled}",
        assumptions=(*base.assumptions, *scenario.assumptions),
    )


def _storm_inflight(extent: ScenarioSize, timeout_s: float) -> int:
    """Return the number of requests under way that a storm can need, as far as this machine allows.

    A notification has one request under way at a time, and each request ends within its deadline.
    """
    due_in_deadline = extent.peak_per_second * (math.ceil(timeout_s) + 1)
    return max(_MAX_INFLIGHT, min(extent.notifications, due_in_deadline, max_connections()))


def prepare_script(storm: ScenarioSchedule, scale: float, count: int | None) -> Schedule:
    """Return at most ``count`` notifications; the first ones are generated before the load starts."""
    script = itertools.islice(storm.schedule(scale), count)
    return itertools.chain(list(itertools.islice(script, _PREPARED)), script)


def require_allowed(target: Target, hosts: tuple[str, ...]) -> None:
    """Require that a target is on this machine or was allowed.

    Raises:
        UsageError: it is neither.
    """
    if target.app:
        raise UsageError("load needs a URL: an in-process app would share CPU with the load generator")
    if not target.is_on_this_machine and target.host not in {host.lower().strip("[]") for host in hosts}:
        raise UsageError(
            f"{target.host} is not this machine, and a load can take a service down: if it is yours and prepared, "
            f"add --allow-host {target.host}"
        )


def parse_rate(text: str) -> float:
    """Return callbacks a second of ``200/s``, ``12000/m``, ``1000/h`` or a bare number.

    Raises:
        UsageError: it is not a rate.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a rate; write 200/s, 12000/m or a bare number a second")
    return float(match[1]) / _PER_S[match[2] or "s"]


def parse_mix(texts: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Return globs of shapes with their weights, of ``cvm/*=3,cdb/*=1``.

    Raises:
        UsageError: a weight is not a number above 0.
    """
    mix = []
    for part in (part.strip() for text in texts for part in text.split(",") if part.strip()):
        pattern, equals, weight = part.partition("=")
        if equals and (not _WEIGHT.fullmatch(weight) or not float(weight)):
            raise UsageError(f"--mix {part!r}: write GLOB=WEIGHT with a weight above 0, as in cvm/*=3")
        mix.append((pattern, float(weight or 1)))
    return tuple(mix)


def _parse_stages(text: str, before: float) -> tuple[Stage, ...]:
    stages = []
    for part in text.split(","):
        time, colon, rate = part.strip().partition(":")
        if not colon:
            raise UsageError(f"--stages {part!r}: write TIME:RATE, as in 10s:500")
        stages.append(Stage(positive_duration(time), before, parse_rate(rate)))
        before = stages[-1].to_rate
    if not expected_count(stages):
        raise UsageError(f"--stages {text!r}: nothing would ever be sent; write rates above 0")
    return tuple(stages)


def _length_s(stages: tuple[Stage, ...]) -> float:
    return sum(stage.duration_s for stage in stages)


def _describe(stages: tuple[Stage, ...]) -> str:
    rates = " to ".join(f"{rate:g}" for rate in dict.fromkeys((stages[0].from_rate, *(one.to_rate for one in stages))))
    return f"{rates}/s{_for(_length_s(stages))}"


def _for(duration_s: float | None) -> str:
    return "" if duration_s is None else f" for {duration_s:g} s"


def preflight(plan: LoadPlan, body: bytes) -> DeliveryRecord:
    """Send one callback, and return its notification; it is in no statistic, but the receiver has it.

    Raises:
        TargetError: the target cannot be reached, requires other credentials, or does not have that path.
    """
    post = HttpTransport(
        plan.target, max_body_bytes=plan.rules.answer_cap_bytes, insecure=plan.insecure, connection=plan.connection
    )
    push = OutgoingRequest(body, headers=plan.rules.headers, credentials=plan.target.credentials)
    attempt = asyncio.run(post(push, deadline_s=plan.rules.timeout_s))
    raise_if_no_http(asyncio.run(identify_protocol(plan.target, attempt)), plan.target)
    raise_if_unusable(attempt, plan.target)
    spent_s = attempt.duration_s
    return DeliveryRecord(
        ScheduledCallback(-spent_s, body), (AttemptRecord(-spent_s, -spent_s, 0.0, attempt.outcome, attempt.status),)
    )
