"""Seconds that a check takes: of a healthy local receiver, compared with bare httpx, and of slow and broken ones.

usage: python benchmarks/check.py
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tcop_mock import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.check import run_check
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.verdict import Verdict

_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_ACK, _HEAD = b"HTTP/1.1 %d OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", b"POST "
_MUTE_S, _DRIP_S = 600.0, 0.5
_EVERY = 3
_DEAD_AFTER = 50
_CONCURRENT_CHECKS = 3
"""Checks of receivers that mostly wait; together they use less than one core."""
KINDS = {
    "healthy": "answers at once",
    "slow-0.3": "answers after 0.3 s",
    "slow-1": "answers after 1 s",
    "slow-4.9": "answers after 4.9 s",
    "late-events": "answers events after 4.9 s",
    "drips-head": "sends a byte of its head each half a second",
    "drips-body": "sends a byte of its body each half a second",
    "mute-third": "does not answer every third request",
    "mute": "answers nothing after 50 requests",
    "dead": "stops after 50 requests",
    "resets": "resets every third connection",
}
"""How each kind of receiver behaves; the first one is healthy."""
_RECEIVER = Path(__file__).parents[1] / "examples" / "receivers" / "stdlib_receiver.py"


class Recorder:
    """Forwards requests to a transport and records them."""

    def __init__(self, post: HttpTransport) -> None:
        self._post = post
        self.sent_requests: list[OutgoingRequest] = []

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send one request."""
        self.sent_requests.append(request)
        return await self._post(request, deadline_s=deadline_s, intended_s=intended_s)


async def run_clauses(target: Target, *globs: str) -> Recorder:
    """Run the matching clauses and return the requests that were sent."""
    recorder = Recorder(HttpTransport(target))
    plan = CheckPlan(target, Catalog.load(), select_clauses(load_clauses(), (), globs), load_profile(), seed=1)
    async for _ in ContractRun(plan, recorder, time.perf_counter, asyncio.sleep).events():
        pass
    return recorder


def send_bare(url: str, sent_requests: list[OutgoingRequest]) -> None:
    """Send the same requests, one connection each; framed as httpx does, which rejects wrong lengths."""
    for request in sent_requests:
        headers = {name: value for name, value in request.headers if name.lower() not in _FRAMING}
        with httpx.Client(trust_env=False) as client:
            client.request(request.method, url, content=request.body, headers=headers)


async def _answer(kind: str, number: int, body: bytes, is_post: bool, writer: asyncio.StreamWriter) -> None:  # noqa: FBT001 - one caller
    """Answer a request like the given kind of receiver."""
    try:
        status = 200 if is_post and isinstance(json.loads(body), dict) else 400
    except ValueError:
        status = 400
    is_third = number % _EVERY == 0
    name, _, value = kind.partition("-")
    if name == "slow" or (kind == "late-events" and b"eventName" in body):
        await asyncio.sleep(float(value) if name == "slow" else 4.9)
    elif (kind == "mute-third" and is_third) or (kind == "mute" and number > _DEAD_AFTER):
        await asyncio.sleep(_MUTE_S)
    elif kind == "resets" and is_third:
        writer.transport.abort()
        return
    head = _ACK % status
    for part in [head[at : at + 1] for at in range(len(head))] if kind == "drips-head" else [head]:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(_DRIP_S if kind == "drips-head" else 0)
    if kind == "drips-body":
        await asyncio.sleep(_MUTE_S)
    writer.write(b"ok")
    await writer.drain()


async def serve(kind: str) -> None:
    """Run a receiver of a kind; print its port first."""
    numbers = itertools.count(1)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = await reader.readuntil(b"\r\n\r\n")
            number, body = next(numbers), b""
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            if length:
                body = await reader.readexactly(int(length[1]))
            elif b"chunked" in head.lower():
                while size := int((await reader.readline()).partition(b";")[0], 16):
                    body += (await reader.readexactly(size + 2))[:-2]
            if kind == "dead" and number > _DEAD_AFTER:
                server.close()
                return
            await _answer(kind, number, body, head.startswith(_HEAD), writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


def check_kind(kind: str) -> tuple[float, Verdict]:
    """Check a receiver of a kind; return the seconds that it took, and the verdict."""
    with subprocess.Popen(  # noqa: S603 - this file
        [sys.executable, __file__, kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as receiver:
        assert receiver.stdout is not None  # noqa: S101 - PIPE is set
        target = Target.parse(f"http://127.0.0.1:{receiver.stdout.readline().strip()}/")
        plan = CheckPlan(target, Catalog.load(), load_clauses(), load_profile(), seed=1)
        started_s = time.perf_counter()
        try:
            verdict = run_check(plan, HttpTransport(target)).verdict
        finally:
            receiver.kill()
        return time.perf_counter() - started_s, verdict


def compare_kinds() -> None:
    """Print how long a run takes for each kind of receiver, as a ratio to the healthy one, and what it judges."""
    print("\nreceiver                                       seconds  ratio  passed  failed   error")
    (healthy, healthy_text), *others = KINDS.items()
    healthy_s, healthy_verdict = check_kind(healthy)
    _print_row(healthy_text, healthy_s, healthy_s, healthy_verdict)
    with ThreadPoolExecutor(_CONCURRENT_CHECKS) as pool:
        for (_, text), (took_s, verdict) in zip(others, pool.map(check_kind, dict(others)), strict=True):
            _print_row(text, took_s, healthy_s, verdict)


def _print_row(text: str, took_s: float, healthy_s: float, verdict: Verdict) -> None:
    statuses = (ClauseStatus.PASS, ClauseStatus.FAIL, ClauseStatus.ERROR)
    counts = " ".join(f"{verdict.count(status):7}" for status in statuses)
    print(f"{text:45} {took_s:8.1f} {took_s / healthy_s:6.1f} {counts}", flush=True)


def main() -> None:
    """Print both tables. The burst is left out of the comparison, because it takes a second by design."""
    with subprocess.Popen(  # noqa: S603 - our own example
        [sys.executable, str(_RECEIVER), "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as receiver:
        assert receiver.stdout is not None  # noqa: S101 - PIPE is set
        url = receiver.stdout.readline().strip() + "/"
        threading.Thread(target=receiver.stdout.read, daemon=True).start()  # it prints requests; a full pipe blocks
        target = Target.parse(url)
        try:
            started_s = time.perf_counter()
            recorder = asyncio.run(run_clauses(target, "TCM515"))
            ours_s = time.perf_counter() - started_s
            started_s = time.perf_counter()
            send_bare(url, recorder.sent_requests)
            bare_s = time.perf_counter() - started_s
            started_s = time.perf_counter()
            asyncio.run(run_clauses(target))
            whole_s = time.perf_counter() - started_s
        finally:
            receiver.kill()
    requests = len(recorder.sent_requests)
    print(f"contract without the burst: {requests} requests, {ours_s:.2f} s")
    print(f"the same requests, bare httpx: {bare_s:.2f} s; ratio {ours_s / bare_s:.2f}")
    print(f"whole contract: {whole_s:.2f} s")
    compare_kinds()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(serve(sys.argv[1]))
    else:
        main()
