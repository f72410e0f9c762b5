"""Memory of a load: at full speed it stays constant, and a scenario needs as much as its alarms that fire.

usage: python benchmarks/soak.py [--seconds S] [--alarms N]   (600 s for the ten minutes that we promise)

The scenario is ``daily-repeats`` with more alarms: all fire within four hours, and repeat every hour. Its schedule is
made for the first day without the bodies, until all alarms have fired.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from peers.load_clients import run_load

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.load.scenario import ScenarioSchedule, load_scenario

_PEERS = Path(__file__).parent / "peers"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ALL_FIRED_S = 4 * 3600.0
_MILLION = 1_000_000
_SETTLED = 0.3
"""Share of the run before memory settles: pools, buckets and the interpreter's arenas fill up."""


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def load_at_full_speed(seconds: float) -> str:
    """Run a load for a while; return the memory growth after it has settled."""
    receiver = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, str(_PEERS / "load_sink.py")], stdout=subprocess.PIPE, text=True
    )
    sizes: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(min(1.0, seconds / 20)):
            sizes.append(resident_bytes())

    try:
        assert receiver.stdout is not None  # noqa: S101 - PIPE is set
        url = receiver.stdout.readline().strip()
        threading.Thread(target=watch, daemon=True).start()
        started_s = time.perf_counter()
        summary, _ = run_load(url, seconds, loop="asyncio")
        over.set()
    finally:
        receiver.kill()
        receiver.wait()
    settled = sizes[int(len(sizes) * _SETTLED) :]
    return (
        f"load at full speed: {summary.attempts:,} callbacks in {time.perf_counter() - started_s:.0f} s, "
        f"{summary.failed} failed; {settled[0] / 2**20:.1f} MiB, grew by {(settled[-1] - settled[0]) // 1024} KiB"
    )


def scenario(alarms: int) -> str:
    """Make the schedule of a scenario in which so many alarms fire at once; return its memory."""
    shipped = load_scenario("daily-repeats")
    groups = tuple(
        replace(group, alarms=group.alarms * alarms // shipped.alarm_count, within_s=_ALL_FIRED_S)
        for group in shipped.groups
    )
    schedule = ScenarioSchedule(replace(shipped, groups=groups, ends_s=_ALL_FIRED_S), Catalog.load(), Generator(1))
    before, started_s = resident_bytes(), time.perf_counter()
    size = schedule.size()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    each = (after - before) / alarms
    return (
        f"scenario: {alarms:,} alarms that fire, {size.notifications:,} notifications in "
        f"{time.perf_counter() - started_s:.0f} s; {after / 2**20:.0f} MiB, {each:.0f} bytes for each alarm, "
        f"so {(before + each * _MILLION) / 2**20:.0f} MiB for a million (goal: under 300)"
    )


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--alarms", type=int, default=200_000)
    arguments = parser.parse_args()
    if not Path("/proc/self/statm").exists():
        sys.exit("soak.py reads /proc/self/statm, which needs Linux")
    print(scenario(arguments.alarms), flush=True)
    print(load_at_full_speed(arguments.seconds))


if __name__ == "__main__":
    main()
