"""``load --engine locust``: the start of the processes, and one real run."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import branch_coverage
import pytest

from tcop_mock.load.locust import LocustSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand

_LOCUST = ("--engine", "locust")
_BOUND_S = 60


class _Process:
    """A process of Locust that records its command and settings, and does not run."""

    started: list[tuple[list[str], LocustSettings]]
    code = 0
    interrupted = terminated = False

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        _Process.started.append((command, LocustSettings.from_environ(env)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def wait(self, timeout: float | None = None) -> int:
        if _Process.interrupted:
            _Process.interrupted = False
            raise KeyboardInterrupt
        if timeout is not None and not _Process.terminated:
            raise subprocess.TimeoutExpired("locust", timeout)
        return _Process.code

    def terminate(self) -> None:
        _Process.terminated = True


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> type[_Process]:
    """Give what stands in for the processes of Locust."""
    _Process.started, _Process.code, _Process.interrupted, _Process.terminated = [], 0, False, False
    monkeypatch.setattr(subprocess, "Popen", _Process)
    return _Process


def _flags(command: list[str]) -> dict[str, str]:
    return dict(pairwise(command))


def test_a_rate_is_shared_by_users(tcop: RunCommand, stage: type[_Process]) -> None:
    """Up to 200 users share the rate; the password is in the environment only."""
    target = "http://u:swordfish@127.0.0.1:9/hook"
    flags = ("--rate", "400", "--duration", "7s", "--workers", "2", "--seed", "5", "--mix", "cvm/*")
    assert tcop("load", target, *_LOCUST, *flags).exit_code == 0
    [(command, orders)] = stage.started
    assert command[:3] == [sys.executable, "-m", "locust"]
    given = _flags(command)
    assert (given["--users"], given["--run-time"], given["--processes"]) == ("200", "7s", "2")
    assert given["--master-port"] == given["--master-bind-port"]
    assert (orders.rate, orders.processes, orders.seed, orders.mix, orders.scenario) == (2.0, 2, 5, "cvm/*", "")
    assert orders.target.credentials is not None
    assert orders.target.credentials.password.reveal() == "swordfish"
    assert "swordfish" not in " ".join(command)


def test_a_closed_load_has_its_users(tcop: RunCommand, stage: type[_Process]) -> None:
    """A closed load becomes as many users without pauses."""
    assert tcop("load", "http://127.0.0.1:9/", *_LOCUST, "--concurrency", "7", "--seed", "5").exit_code == 0
    [(command, orders)] = stage.started
    assert (_flags(command)["--users"], orders.rate, orders.target.credentials) == ("7", 0.0, None)


@pytest.mark.parametrize("own", [False, True])
def test_a_storm_is_played_to_its_end(tcop: RunCommand, stage: type[_Process], tmp_path: Path, *, own: bool) -> None:
    """The time is that of the storm and of the longest that its last notification can take."""
    file = tmp_path / "mine.toml"
    file.write_text(
        'title = "mine"\nsource = "ours"\n[[groups]]\ntitle = "some"\nshapes = ["cvm/basic-monitoring"]\n'
        "alarms = 3\nwithin_s = 0\n",
        encoding="utf-8",
    )
    scenario = str(file) if own else "flapping"
    flags = ("--scenario", scenario, "--time-scale", "0.1", "--workers", "3", "--max-inflight", "2")
    assert tcop("load", "http://127.0.0.1:9/", *_LOCUST, *flags, "--catalog", str(_catalog(tmp_path))).exit_code == 0
    [(command, orders)] = stage.started
    assert (orders.scenario, orders.time_scale, orders.processes) == (str(file.resolve()) if own else scenario, 0.1, 3)
    assert orders.catalogs == (str(tmp_path / "own"),)
    seconds = int(_flags(command)["--run-time"].rstrip("s"))
    assert seconds == 23 if own else seconds > 150
    assert _flags(command)["--users"] == "3"


def _catalog(folder: Path) -> Path:
    own = folder / "own" / "acme"
    own.mkdir(parents=True)
    (own / "queue.toml").write_text(
        'title = "Acme"\ntitle_zh = "Acme"\nkind = "metric"\nnamespace = "qce/acme"\nregional = true\n'
        'source = "ours"\nassumed = []\n[policy]\ntype = "acme"\nname = "Acme"\nname_zh = "Acme"\n'
        '[values]\nqueue = { generator = "resource_id", prefix = "queue" }\n[dimensions]\nqueueId = "{queue}"\n'
        '[[metrics]]\nmetricName = "depth"\nmetricShowName = "Depth"\nmetricShowName_zh = "Depth"\nunit = ""\n'
        'unit_zh = ""\ncalcType = ">"\ncalcValue = "1"\nrange = [0, 9]\nsource = "ours"\n',
        encoding="utf-8",
    )
    return folder / "own"


def test_how_locust_ended_is_our_code(tcop: RunCommand, stage: type[_Process]) -> None:
    """Anything but 0 is 1: Locust has failures; an interrupt is 130, and ends Locust even if it does not hear it."""
    stage.code = 2
    assert tcop("load", "http://127.0.0.1:9/", *_LOCUST).exit_code == 1
    stage.interrupted = True
    assert tcop("load", "http://127.0.0.1:9/", *_LOCUST).exit_code == 130
    assert stage.terminated


@pytest.mark.parametrize(
    "flags",
    [
        ["--json"],
        ["--slo", "p99<1s"],
        ["--ledger", "x"],
        ["--report", "csv=x"],
        ["--count", "5"],
        ["--stages", "5s:5"],
        ["--ramp", "5s"],
        ["--warm-up", "5s"],
        ["--timeout", "5s"],
        ["--header", "X: y"],
        ["--insecure"],
    ],
    ids=lambda flags: flags[0],
)
def test_what_only_our_engine_has_is_refused(
    tcop: RunCommand, stage: type[_Process], flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line and code 2; nothing is started."""
    monkeypatch.chdir(tmp_path)
    done = tcop("load", "http://127.0.0.1:9/", *_LOCUST, *flags)
    wanted = f"--engine locust has its own report and follows the profile: leave {flags[0]} out"
    assert (done.exit_code, done.error_message, stage.started) == (2, wanted, [])


def test_without_locust_it_is_reported_how_to_get_it(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line and code 2."""
    found: Callable[[str], Any] = importlib.util.find_spec
    monkeypatch.setattr("tcop_mock.cli.load_locust.find_spec", lambda name: None if name == "locust" else found(name))
    done = tcop("load", "http://127.0.0.1:9/", *_LOCUST)
    assert (done.exit_code, done.error_message) == (2, '--engine locust needs Locust: pip install "tcop-mock[locust]"')


@pytest.mark.proof
def test_a_swarm_on_this_machine(start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes of Locust itself tell notifications to a receiver of ours, and report them."""
    monkeypatch.setattr(branch_coverage, "FOLDER", "")  # gevent must be imported first
    listening = start("listen", "--auth", "u:swordfish", "--json", "--max-time", f"{_BOUND_S}s")
    assert listening.stdout is not None
    url = json.loads(listening.stdout.readline())["url"].replace("://", "://u:swordfish@")
    flags = ("--rate", "4", "--duration", "12s", "--workers", "2", "--mix", "cvm/basic-monitoring", "--seed", "5")
    swarm = start("load", url, *_LOCUST, *flags)
    out, err = swarm.communicate(timeout=_BOUND_S)
    assert swarm.returncode == 0, err
    assert "notification" in out + err
    assert "swordfish" not in out + err
    listening.terminate()
    recorded = [json.loads(line) for line in listening.communicate(timeout=_BOUND_S)[0].splitlines()]
    bodies = [record["body"] for record in recorded]
    assert len(bodies) == len(set(bodies)) > 1
    assert {(record["auth"], record["valid"]) for record in recorded} == {("right", True)}
