"""Memory growth of a load at full speed: memory should stay constant, however long the load runs.

usage: python benchmarks/soak.py [--seconds S]   (600 for the ten minutes that we promise)
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from peers.load_clients import ours

_PEERS = Path(__file__).parent / "peers"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SETTLED = 0.3
"""Share of the run before memory settles: pools, buckets and the interpreter's arenas fill up."""


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def main() -> None:
    """Run a load for a while, and print the memory growth after it has settled."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
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
        began_s = time.perf_counter()
        summary, _ = ours(url, seconds, loop="asyncio")
        over.set()
    finally:
        receiver.kill()
        receiver.wait()
    settled = sizes[int(len(sizes) * _SETTLED) :]
    told = {
        "seconds": round(time.perf_counter() - began_s, 1),
        "attempts": summary.attempts,
        "failed": summary.failed,
        "settled_MiB": round(settled[0] / 2**20, 2),
        "grew_by_KiB": (settled[-1] - settled[0]) // 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
