"""Callbacks per second on one core, compared with other load generators, and the start delay of an open load.

usage: python benchmarks/load.py [--rounds N] [--seconds S]

A receiver that does nothing runs on one core, the client on another. All clients send bodies of the same size over the
same number of kept connections. Ours generates a new body for each request; the others send one body again and again.
The clients take turns, and the median of the rounds is printed. Compare the ratios. Programs that are not installed are
left out.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from machine import installed, pin_to, require_linux
from peers.load_clients import CONNECTIONS, NEEDED, Measured, body

if TYPE_CHECKING:
    from collections.abc import Iterator

_PEERS = Path(__file__).parent / "peers"
_RATES = (2_000, 20_000, 50_000)
_WRK = (
    'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = io.open("{body}"):read("*a")\n'
)


def programs(url: str, seconds: int, folder: Path) -> dict[str, tuple[list[str], str]]:
    """Return the command of each installed program, and the pattern of the rate in its output."""
    content, script = folder / "body.json", folder / "wrk.lua"
    content.write_bytes(body())
    script.write_text(_WRK.format(body=content), encoding="utf-8")
    lines, kind, file = str(CONNECTIONS), "application/json", str(content)
    commands = {
        "wrk": (f"-t1 -c{lines} -d{seconds}s -s {script} {url}", r"Requests/sec:\s+([\d.]+)"),
        "h2load": (f"--h1 -t1 -c{lines} -D{seconds} -d {file} -H content-type:{kind} {url}", r"([\d.]+) req/s"),
        "hey": (f"-cpus 1 -c {lines} -z {seconds}s -m POST -T {kind} -D {file} {url}", r"Requests/sec:\s+([\d.]+)"),
        "ab": (
            f"-k -q -c {lines} -t {seconds} -n 9999999 -T {kind} -p {file} {url}",
            r"Requests per second:\s+([\d.]+)",
        ),
        "autocannon": (
            f"-j -c {lines} -d {seconds} -m POST -H content-type={kind} -i {file} {url}",
            r'"requests":.*?"average":([\d.]+)',
        ),
    }
    return {
        name: ([where, *arguments.split()], pattern)
        for name, (arguments, pattern) in commands.items()
        if (where := shutil.which(name))
    }


def output_of(command: list[str]) -> str:
    """Run a command on the last core and return its standard output."""
    done = subprocess.run(  # noqa: S603 - the commands of this file
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
        preexec_fn=pin_to(-1),
    )
    return done.stdout


def rates(url: str, rounds: int, seconds: int, folder: Path, clients: list[str]) -> dict[str, Measured]:
    """Return the medians of each client."""
    commands = programs(url, seconds, folder)
    found: dict[str, list[Measured]] = {}
    for _ in range(rounds):
        for name, (command, pattern) in commands.items():
            used_s = processor_s()
            match = re.search(pattern, output_of(command), re.DOTALL)
            rate = float(match[1]) if match else math.nan
            found.setdefault(name, []).append(Measured(rate, 1e6 * (processor_s() - used_s) / (rate * seconds)))
        for name in clients:
            output = output_of([sys.executable, str(_PEERS / "load_clients.py"), name, url, str(seconds)])
            found.setdefault(name, []).append(Measured(**json.loads(output.splitlines()[-1])))
    return {name: Measured(*map(statistics.median, zip(*rows, strict=True))) for name, rows in found.items()}


def processor_s() -> float:
    """Return the processor time of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(found: dict[str, Measured]) -> Iterator[str]:
    """Yield the lines of the ratios."""
    base_name = "wrk" if "wrk" in found else "ours, asyncio"
    base = found[base_name]
    yield f"{'callbacks on one core':<30}{'/s':>10}{'ratio':>10}{'processor, us':>16}   (ratio to {base_name})"
    for name, row in sorted(found.items(), key=lambda item: -item[1].rate):
        yield f"  {name:<28}{row.rate:>10,.0f}{row.rate / base.rate:>10.2f}{row.cost_us:>16.1f}"
    ours = found["ours, asyncio"]
    for name in found.keys() & {"aiohttp", "httpx", "locust FastHttpUser"}:
        by_rate, by_cost = ours.rate / found[name].rate, found[name].cost_us / ours.cost_us
        yield f"  ours, asyncio: {by_rate:.1f} times {name}; by processor time {by_cost:.1f} times"


def lateness(url: str, rounds: int, seconds: int) -> Iterator[str]:
    """Yield the start delays of callbacks in an open load with Poisson arrivals, in ms."""
    yield f"\n{'open load, Poisson, ms late':<30}{'/s':>10}{'p50':>8}{'p99':>8}{'p99.9':>8}{'max':>8}{'ack p99':>9}"
    for rate in _RATES:
        runs = [
            json.loads(
                output_of([sys.executable, str(_PEERS / "load_clients.py"), "asyncio", url, str(seconds), str(rate)])
            )
            for _ in range(rounds)
        ]
        row = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        times = "".join(f"{row[key]:>8.3f}" for key in ("p50", "p99", "p99.9", "max"))
        yield f"  {rate:<28,}{row['rate']:>10,.0f}{times}{row['ack p99']:>9.3f}"


def main() -> None:
    """Print both tables."""
    require_linux()
    clients, missing = installed(NEEDED.items())
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    arguments = parser.parse_args()
    receiver = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, str(_PEERS / "load_sink.py")],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin_to(0),  # noqa: PLW1509 - there are no threads yet
    )
    try:
        assert receiver.stdout is not None  # noqa: S101 - PIPE is set
        url = receiver.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as folder:
            for line in table(rates(url, arguments.rounds, arguments.seconds, Path(folder), clients)):
                print(line, flush=True)
        if missing:
            print(missing)
        for line in lateness(url, arguments.rounds, arguments.seconds):
            print(line, flush=True)
    finally:
        receiver.kill()
        receiver.wait()


if __name__ == "__main__":
    main()
