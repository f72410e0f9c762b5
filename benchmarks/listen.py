"""Callbacks per second that ``listen`` answers on one core, compared with other receivers.

usage: python benchmarks/listen.py [--rounds N] [--seconds S]

The receiver has one core. The client, ``load`` with prepared bodies and 64 kept connections, has another. The receivers
take turns, and the best of the rounds is printed. Compare the ratios. Only ``listen --record`` keeps the requests.
Receivers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from machine import installed, pin_to, processor_s, require_linux

_PEERS = Path(__file__).parent / "peers"
_URL = re.compile(r"https?://[\d.]+:\d+")
_BASE = "FastAPI on uvicorn"
_START_S = 20.0
_NGINX = """
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 '{{}}'; }} }}
}}
"""


class Row(NamedTuple):
    """The figures of a receiver."""

    rate: float
    """Callbacks a second."""
    cost_us: float
    """Processor time of the receiver for one callback. Other work of the machine hardly changes it."""


def receivers(folder: Path) -> tuple[dict[str, list[str]], str]:
    """Return the command of each receiver that is installed, and a line about the others."""
    ours = [sys.executable, "-m", "tcop_mock", "listen"]
    record = ["--record", f"{folder}/received.jsonl"]
    peer = [sys.executable, str(_PEERS / "listen_servers.py")]
    commands = {
        "asyncio alone (floor)": [sys.executable, str(_PEERS / "load_sink.py")],
        "nginx, return 200": ["nginx", "-c", f"{folder}/nginx.conf"],
        "listen --record": [*ours, *record],
        "listen --record --fsync": [*ours, *record, "--fsync"],
        "listen --record --json": [*ours, *record, "--json"],
        "listen": ours,
        _BASE: [*peer, "fastapi"],
        "aiohttp": [*peer, "aiohttp"],
        "pytest-httpserver": [*peer, "pytest_httpserver"],
    }
    modules = {_BASE: "fastapi", "aiohttp": "aiohttp", "pytest-httpserver": "pytest_httpserver"}
    found, missing = installed((name, modules.get(name, "")) for name in commands)
    if not shutil.which("nginx"):
        found.remove("nginx, return 200")
        missing = f"{missing}, nginx" if missing else "left out, because not installed: nginx"
    return {name: commands[name] for name in found}, missing


def measure(command: list[str], folder: Path, seconds: float) -> Row:
    """Start a receiver, load it after a short warm-up, and return its figures."""
    port = _free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port), encoding="utf-8")
    out = folder / "out.txt"
    with out.open("w", encoding="utf-8") as stream:
        receiver = subprocess.Popen(  # noqa: S603 - the commands of this file
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=pin_to(0),  # noqa: PLW1509 - there are no threads
        )
    try:
        url = f"http://127.0.0.1:{port}" if command[0] == "nginx" else _url_in(out)
        _wait_for(url)
        _load(url, 1.0)
        used_s = processor_s(receiver.pid)
        rate = _load(url, seconds)
        return Row(rate, 1e6 * (processor_s(receiver.pid) - used_s) / max(1.0, rate * seconds))
    finally:
        receiver.terminate()
        receiver.wait()
        (folder / "received.jsonl").unlink(missing_ok=True)


def _load(url: str, seconds: float) -> float:
    client = [sys.executable, str(_PEERS / "load_clients.py"), "ours, asyncio, prepared", f"{url}/", str(seconds)]
    done = subprocess.run(client, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=pin_to(-1))  # noqa: S603 - ours
    return float(json.loads(done.stdout)["rate"])


def _url_in(out: Path) -> str:
    until_s = time.monotonic() + _START_S
    while not (match := _URL.search(out.read_text(encoding="utf-8"))):
        if time.monotonic() > until_s:
            sys.exit(f"a receiver did not start: {out.read_text(encoding='utf-8').strip().splitlines()[-1:]}")
        time.sleep(0.05)
    return match[0]


def _wait_for(url: str) -> None:
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    until_s = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(address).close()
        except OSError:
            if time.monotonic() > until_s:
                sys.exit(f"a receiver did not start: nothing listens on {url}")
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def main() -> None:
    """Print the table."""
    require_linux()
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    rows: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands, missing = receivers(folder)
        for _ in range(arguments.rounds):
            for receiver, command in commands.items():
                rows.setdefault(receiver, []).append(measure(command, folder, arguments.seconds))
    best = {name: Row(max(one.rate for one in some), min(one.cost_us for one in some)) for name, some in rows.items()}
    base = best.get(_BASE) or best["listen"]
    print(f"{'callbacks on one core':<28}{'/s':>10}{'of FastAPI':>12}{'processor, us':>15}{'of FastAPI':>12}")
    for receiver, row in sorted(best.items(), key=lambda item: item[1].cost_us):
        by_rate, by_cost = row.rate / base.rate, base.cost_us / row.cost_us
        print(f"  {receiver:<26}{row.rate:>10,.0f}{by_rate:>12.2f}{row.cost_us:>15.1f}{by_cost:>12.2f}")
    print("processor: time of the receiver for one callback; for its ratio, too, higher is better")
    if missing:
        print(missing)


if __name__ == "__main__":
    main()
