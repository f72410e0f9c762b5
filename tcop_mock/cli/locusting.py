"""``load --engine locust``: a swarm of Locust's on this machine, for trial; docs/locust.md tells of real ones."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tcop_mock.domain.load import LoadModel
from tcop_mock.errors import UsageError
from tcop_mock.load.locust import TARGET_VARIABLE, LocustSettings

if TYPE_CHECKING:
    from tcop_mock.cli.loading import Asked
    from tcop_mock.cli.options import Common
    from tcop_mock.cli.storming import Storming
    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.target import Target
    from tcop_mock.load.scenario import ScenarioSchedule

_USERS = 200
"""Of a storm or a rate at the most: each is a notification that is under way or waits to be due."""
_INTERRUPTED, _BROKEN = 130, 1
_MARGIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Pack:
    """How many users there are, what they are told, and for how long."""

    users: int
    orders: LocustSettings
    seconds: float

    def command(self, port: int) -> list[str]:
        """Return what starts the swarm: a master and its workers, which find each other at a port."""
        ours = find_spec("tcop_mock.locust_user")
        assert ours is not None  # noqa: S101 - it lies beside us
        assert ours.origin is not None  # noqa: S101 - in a file
        return [
            sys.executable,
            "-m",
            "locust",
            *("--locustfile", ours.origin),
            "--headless",
            "--only-summary",
            *("--users", f"{self.users}"),
            *("--spawn-rate", f"{self.users}"),
            *("--run-time", f"{max(1, round(self.seconds))}s"),
            *("--processes", f"{self.orders.processes}"),
            *("--master-bind-host", "127.0.0.1"),
            *("--master-bind-port", f"{port}"),
            *("--master-port", f"{port}"),
        ]


def require_locust() -> None:
    """Make sure that Locust is there.

    Raises:
        UsageError: it is not; says how to get it.
    """
    if find_spec("locust") is None:
        raise UsageError('--engine locust needs Locust: pip install "tcop-mock[locust]"')


def packed(plan: LoadPlan, storm: ScenarioSchedule | None, storming: Storming, asked: Asked, common: Common) -> Pack:
    """Return a plan of our own engine as a swarm carries it out.

    Raises:
        UsageError: a flag that only our own engine has.
    """
    given: dict[str, object] = {
        "--json": common.as_json,
        "--slo": storming.slo,
        "--ledger": storming.ledger,
        "--report": storming.reports,
        "--count": asked.count,
        "--stages": asked.stages,
        "--ramp": asked.ramp,
        "--warm-up": asked.warm_up,
        "--timeout": asked.timeout,
        "--header": asked.headers,
        "--insecure": asked.insecure,
    }
    for flag, value in given.items():
        if value:
            raise UsageError(f"--engine locust reports by itself and follows the profile: leave {flag} out")
    if storm is not None:
        rules, scale = plan.rules, storming.scale
        longest_s = rules.attempts * rules.timeout_s + scale * sum(rules.pauses_s[: rules.attempts - 1])
        users, rate = min(_USERS, plan.max_inflight), 0.0
        seconds = storm.size(scale).last_s + longest_s + _MARGIN_S
    else:
        whole = plan.stages[0].to_rate if plan.stages else 0.0
        users = (
            plan.concurrency if plan.model is LoadModel.CLOSED else max(1, min(_USERS, plan.max_inflight, round(whole)))
        )
        rate, seconds = whole / users, plan.duration_s or 1.0
    orders = LocustSettings(
        plan.target,
        seed=common.seed,
        profile=common.profile.name,
        mix=",".join(asked.mixes) or "*",
        scenario=_named(storm),
        time_scale=storming.scale,
        processes=plan.workers,
        rate=rate,
        catalogs=tuple(str(Path(folder).resolve()) for folder in common.catalog_folders),
    )
    return Pack(max(users, plan.workers), orders, seconds)


def unleash(pack: Pack) -> int:
    """Run a swarm, which tells by itself how it goes; return our exit code."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    environ = os.environ | pack.orders.to_environ() | {TARGET_VARIABLE: _with_userinfo(pack.orders.target)}
    with subprocess.Popen(pack.command(port), env=environ) as process:  # noqa: S603 - it is Locust, with our file
        try:
            code = process.wait()
        except KeyboardInterrupt:  # it has heard it, too, and reports
            process.wait()
            return _INTERRUPTED
    return _BROKEN if code else 0


def _named(storm: ScenarioSchedule | None) -> str:
    if storm is None:
        return ""
    scenario = storm.scenario
    return str(Path(scenario.file).resolve()) if scenario.file else scenario.name


def _with_userinfo(target: Target) -> str:
    """Return the address as the environment has it, which no list of processes shows."""
    credentials = target.credentials
    if credentials is None:
        return target.url
    userinfo = ":".join(quote(part.reveal(), safe="") for part in (credentials.user, credentials.password))
    return target.url.replace("://", f"://{userinfo}@", 1)
