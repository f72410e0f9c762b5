"""``load --engine locust``: Locust on this machine; docs/locust.md describes distributed runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tcop_mock.cli.load_plan import time_scale
from tcop_mock.cli.signals import INTERRUPTED
from tcop_mock.domain.load import LoadModel
from tcop_mock.errors import UsageError
from tcop_mock.load.locust import TARGET_VARIABLE, LocustSettings

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions, LoadOptions, ScenarioOptions
    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.target import Target
    from tcop_mock.load.scenario import ScenarioSchedule

_USERS = 200
"""Maximum for a storm or a rate: each user sends one notification at a time."""
_BROKEN = 1
_LOCUST_END_S = 5.0
"""Seconds that Locust has to end after Ctrl-C."""
_MARGIN_S = 2.0


@dataclass(frozen=True, slots=True)
class LocustRun:
    """Number of users, their orders, and the duration."""

    users: int
    orders: LocustSettings
    seconds: float

    def command(self, port: int) -> list[str]:
        """Return the command line of Locust: a master and workers that connect to a port."""
        ours = find_spec("tcop_mock.locust_user")
        assert ours is not None  # noqa: S101 - it is part of this package
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
    """Require Locust.

    Raises:
        UsageError: it is not installed; the message has the command that installs it.
    """
    if find_spec("locust") is None:
        raise UsageError('--engine locust needs Locust: pip install "tcop-mock[locust]"')


def build_locust_run(
    plan: LoadPlan, storm: ScenarioSchedule | None, scenario: ScenarioOptions, load: LoadOptions, common: CommonOptions
) -> LocustRun:
    """Return the Locust run of a plan.

    Raises:
        UsageError: an option that only the built-in engine has.
    """
    given: dict[str, object] = {
        "--json": common.as_json,
        "--slo": scenario.slo,
        "--ledger": scenario.ledger,
        "--report": scenario.reports,
        "--count": load.count,
        "--stages": load.stages,
        "--ramp": load.ramp,
        "--warm-up": load.warm_up,
        "--timeout": load.timeout,
        "--header": load.reach.headers,
        "--insecure": load.reach.insecure,
        "--cacert": load.reach.cacert,
        "--cert": load.reach.cert,
        "--key": load.reach.key,
        "--resolve": load.reach.resolve,
    }
    for flag, value in given.items():
        if value:
            raise UsageError(f"--engine locust has its own report and follows the profile: leave {flag} out")
    scale = time_scale(scenario)
    if storm is not None:
        rules = plan.rules
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
        mix=",".join(load.mixes) or "*",
        scenario=_named(storm),
        time_scale=scale,
        processes=plan.workers,
        rate=rate,
        catalogs=tuple(str(Path(folder).resolve()) for folder in common.catalog_folders),
    )
    return LocustRun(max(users, plan.workers), orders, seconds)


def run_locust(run: LocustRun) -> int:
    """Run Locust, which prints its own report; return our exit code."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    environ = os.environ | run.orders.to_environ() | {TARGET_VARIABLE: _with_userinfo(run.orders.target)}
    with subprocess.Popen(run.command(port), env=environ) as process:  # noqa: S603 - it is Locust, with our file
        try:
            code = process.wait()
        except KeyboardInterrupt:  # Locust handles Ctrl-C, too, and reports; it does not handle our SIGTERM
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOCUST_END_S)
            process.terminate()
            process.wait()
            return INTERRUPTED
    return _BROKEN if code else 0


def _named(storm: ScenarioSchedule | None) -> str:
    if storm is None:
        return ""
    file = storm.scenario.file
    return str(Path(file).resolve()) if file else storm.scenario.name


def _with_userinfo(target: Target) -> str:
    """Return the address with credentials, for the environment, which is not in the process list."""
    credentials = target.credentials
    if credentials is None:
        return target.url
    userinfo = ":".join(quote(part.reveal(), safe="") for part in (credentials.user, credentials.password))
    return target.url.replace("://", f"://{userinfo}@", 1)
