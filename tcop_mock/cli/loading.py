"""What a load is told on the command line, made a plan; and what it is held to."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tcop_mock.cli.durations import positive_duration
from tcop_mock.cli.options import with_headers
from tcop_mock.domain.load import LoadModel, LoadPlan, Stage
from tcop_mock.errors import UsageError
from tcop_mock.load.schedule import expected_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.cli.options import Common
    from tcop_mock.domain.target import Target

_USUAL_RATE, _USUAL_S = 50.0, 10.0
_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(?:/?(s|m|min|h))?")
_PER_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_RESTS_ON = frozenset({"accept", "timeout_s", "answer_cap_bytes", "redirects"})
_KEPT = (
    "Content-Type is application/json, no User-Agent is sent, and connections are kept from callback to callback "
    "(no page says whether TCOP's are)"
)
_WEIGHT = re.compile(r"\d+(?:\.\d+)?|\.\d+")


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of a load, as click hands them in."""

    rate: str | None
    arrivals: str
    ramp: float | None
    stages: str | None
    concurrency: int | None
    duration: float | None
    count: int | None
    warm_up: float
    max_inflight: int
    mixes: tuple[str, ...]
    headers: tuple[str, ...]
    timeout: float | None
    insecure: bool
    allow_host: tuple[str, ...]
    max_rate: str
    max_count: int
    workers: int

    def plan(self, target: Target, common: Common) -> LoadPlan:
        """Return the plan.

        Raises:
            UsageError: flags that do not go together, a target that was not allowed, more than the ceilings.
        """
        plan = self.base(target, common)
        plan = replace(plan, assumptions=self._assumed(common.profile.assumed, _RESTS_ON))
        return self._closed(plan, self.concurrency) if self.concurrency else self._open(plan)

    def base(self, target: Target, common: Common) -> LoadPlan:
        """Return what all kinds of load have in common; its assumptions are those of a load with retries.

        Raises:
            UsageError: a target that was not allowed, a header or a mix that is none.
        """
        require_allowed(target, self.allow_host)
        rules = with_headers(common.profile.delivery, self.headers)
        assumed = common.profile.assumed
        return LoadPlan(
            target=target,
            rules=rules if self.timeout is None else replace(rules, timeout_s=self.timeout),
            profile=common.profile.name,
            seed=common.seed,
            count=self.count,
            max_inflight=self.max_inflight,
            warm_up_s=self.warm_up,
            workers=self.workers,
            insecure=self.insecure,
            mix=parse_mix(self.mixes),
            assumptions=self._assumed(assumed, frozenset(assumed) - {"headers"}),
        )

    def _assumed(self, assumed: Mapping[str, str], rests_on: frozenset[str]) -> tuple[str, ...]:
        """Return what of a profile's assumptions a load rests on, and its own."""
        own = {"timeout_s"} if self.timeout is not None else set()
        return (*(text for name, text in assumed.items() if name in rests_on - own), _KEPT)

    def _closed(self, plan: LoadPlan, concurrency: int) -> LoadPlan:
        given = {"--rate": self.rate, "--ramp": self.ramp, "--stages": self.stages}
        wrong = [flag for flag, value in given.items() if value is not None]
        if wrong or self.arrivals != "constant":
            raise UsageError(
                f"--concurrency asks for a closed load, in which answers decide when the next callback begins: leave "
                f"{wrong[0] if wrong else '--arrivals'} out"
            )
        count = min(self.count or self.max_count, self.max_count)
        if self.count and self.count > count:
            raise UsageError(f"--count {self.count} is over the ceiling of {self.max_count}; raise it with --max-count")
        duration_s = self.duration if self.duration or self.count else _USUAL_S
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

    def _open(self, plan: LoadPlan) -> LoadPlan:
        stages = self._stages()
        poisson = self.arrivals == "poisson"
        most, ceiling = max(max(stage.from_rate, stage.to_rate) for stage in stages), parse_rate(self.max_rate)
        if most > ceiling:
            raise UsageError(f"{most:g}/s is over the ceiling of {ceiling:g}/s; raise it with --max-rate {most:g}/s")
        count = min(expected_count(stages), math.inf if self.count is None else self.count)
        if count > self.max_count:
            raise UsageError(
                f"{count:.0f} callbacks are over the ceiling of {self.max_count}; raise it with --max-count {count:.0f}"
            )
        kind = "Poisson" if poisson else "evenly spaced"
        return replace(
            plan, stages=stages, is_poisson=poisson, title=f"{_told(stages)}, {kind}", duration_s=_length_s(stages)
        )

    def _stages(self) -> tuple[Stage, ...]:
        rate = None if self.rate is None else parse_rate(self.rate)
        if self.stages is not None:
            for flag, value in (("--duration", self.duration), ("--ramp", self.ramp)):
                if value is not None:
                    raise UsageError(f"--stages says how long each lasts: leave {flag} out")
            return _parse_stages(self.stages, rate or 0.0)
        rate = _USUAL_RATE if rate is None else rate
        if rate == 0:
            raise UsageError("--rate must be more than 0")
        whole_s = self.duration or (self.count / rate + (self.ramp or 0.0) / 2 if self.count else _USUAL_S)
        ramp_s = self.ramp or 0.0
        if ramp_s > whole_s:
            raise UsageError(f"--ramp {ramp_s:g}s is longer than the load, which lasts {whole_s:g}s")
        ramp = [Stage(ramp_s, 0.0, rate)] if ramp_s else []
        level = [Stage(whole_s - ramp_s, rate, rate)] if whole_s > ramp_s else []
        return (*ramp, *level)


def require_allowed(target: Target, hosts: tuple[str, ...]) -> None:
    """Make sure that a target is on this machine, or was named.

    Raises:
        UsageError: it is neither.
    """
    if target.app:
        raise UsageError("load needs a URL: an app in this process would be measured together with who measures it")
    if not _is_here(target.host) and target.host not in {host.lower().strip("[]") for host in hosts}:
        raise UsageError(
            f"{target.host} is not this machine, and a load can take a service down: if it is yours, and expects it, "
            f"say --allow-host {target.host}"
        )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def parse_rate(text: str) -> float:
    """Return callbacks a second of ``200/s``, ``12000/m``, ``1000/h`` or a bare number.

    Raises:
        UsageError: it is no rate.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no rate; write 200/s, 12000/m or a bare number a second")
    return float(match[1]) / _PER_S[match[2] or "s"]


def parse_mix(texts: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Return globs of shapes with their weights, of ``cvm/*=3,cdb/*=1``.

    Raises:
        UsageError: a weight is no number over 0.
    """
    mix = []
    for part in (part.strip() for text in texts for part in text.split(",") if part.strip()):
        pattern, equals, weight = part.partition("=")
        if equals and (not _WEIGHT.fullmatch(weight) or not float(weight)):
            raise UsageError(f"--mix {part!r}: write GLOB=WEIGHT with a weight over 0, as in cvm/*=3")
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
        raise UsageError(f"--stages {text!r}: at no time is anything due; write rates over 0")
    return tuple(stages)


def _length_s(stages: tuple[Stage, ...]) -> float:
    return sum(stage.duration_s for stage in stages)


def _told(stages: tuple[Stage, ...]) -> str:
    rates = " to ".join(f"{rate:g}" for rate in dict.fromkeys((stages[0].from_rate, *(one.to_rate for one in stages))))
    return f"{rates}/s{_for(_length_s(stages))}"


def _for(duration_s: float | None) -> str:
    return "" if duration_s is None else f" for {duration_s:g} s"
