"""The whole contract against a healthy local receiver, against sending the same requests one by one with bare httpx.

usage: python benchmarks/check.py
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tcop_mock import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.runner import CheckPlan, ContractRun
from tcop_mock.domain.target import Target
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest

_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_RECEIVER = Path(__file__).parents[1] / "examples" / "receivers" / "stdlib_receiver.py"


class Recorder:
    """Passes pushes on to a port and keeps them."""

    def __init__(self, post: HttpTransport) -> None:
        self._post = post
        self.pushes: list[OutgoingRequest] = []

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once."""
        self.pushes.append(request)
        return await self._post(request, deadline_s=deadline_s, intended_s=intended_s)


async def play(target: Target, *globs: str) -> Recorder:
    """Play the clauses that match and return what was sent."""
    recorder = Recorder(HttpTransport(target))
    plan = CheckPlan(target, Catalog.load(), select_clauses(load_clauses(), (), globs), load_profile(), seed=1)
    async for _ in ContractRun(plan, recorder, time.perf_counter, asyncio.sleep).events():
        pass
    return recorder


def send_bare(url: str, pushes: list[OutgoingRequest]) -> None:
    """Send the same requests, a connection each, with nothing around them; framed as httpx does, which refuses lies."""
    for push in pushes:
        headers = {name: value for name, value in push.headers if name.lower() not in _FRAMING}
        with httpx.Client(trust_env=False) as client:
            client.request(push.method, url, content=push.body, headers=headers)


def main() -> None:
    """Print wall time and requests of both, and their ratio; the burst, which lasts a second by design, apart."""
    with subprocess.Popen(  # noqa: S603 - our own example
        [sys.executable, str(_RECEIVER), "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as receiver:
        assert receiver.stdout is not None  # noqa: S101 - it was asked for
        url = receiver.stdout.readline().strip() + "/"
        threading.Thread(target=receiver.stdout.read, daemon=True).start()  # it prints what it gets; a full pipe blocks
        target = Target.parse(url)
        try:
            started_s = time.perf_counter()
            recorder = asyncio.run(play(target, "TCM515"))
            ours_s = time.perf_counter() - started_s
            started_s = time.perf_counter()
            send_bare(url, recorder.pushes)
            bare_s = time.perf_counter() - started_s
            started_s = time.perf_counter()
            asyncio.run(play(target))
            whole_s = time.perf_counter() - started_s
        finally:
            receiver.kill()
    requests = len(recorder.pushes)
    print(f"contract without the burst: {requests} requests, {ours_s:.2f} s")
    print(f"the same requests, bare httpx: {bare_s:.2f} s; ratio {ours_s / bare_s:.2f}")
    print(f"whole contract: {whole_s:.2f} s")


if __name__ == "__main__":
    main()
