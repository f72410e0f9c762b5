"""The whole contract against a healthy local receiver, compared with sending the same requests with bare httpx.

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
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.target import Target
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest

_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
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
    for push in sent_requests:
        headers = {name: value for name, value in push.headers if name.lower() not in _FRAMING}
        with httpx.Client(trust_env=False) as client:
            client.request(push.method, url, content=push.body, headers=headers)


def main() -> None:
    """Print wall time and requests of both, and their ratio; the burst, which takes a second by design, is separate."""
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


if __name__ == "__main__":
    main()
