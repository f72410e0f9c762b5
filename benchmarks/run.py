"""Run all benchmarks, one after the other, and print the load of the machine: ``make bench``.

usage: python benchmarks/run.py [NAME...]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from machine import describe

_HERE = Path(__file__).parent
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "listen": ("--seconds", "1.5"),
    "load": ("--rounds", "2", "--seconds", "1"),
    "generate": (),
    "validate": (),
    "check": (),
    "startup": ("7",),
    "soak": (),
}
"""Arguments with which all of them end within five minutes."""


def main() -> int:
    """Run the named benchmarks, or all; return 1 if one of them failed."""
    names = sys.argv[1:] or [name for name in BENCHMARKS if (_HERE / f"{name}.py").exists()]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}; one of {', '.join(BENCHMARKS)}")
    failed = []
    started_s = time.monotonic()
    for name in names:
        benchmark_started_s = time.monotonic()
        print(f"== {name} == {describe()}", flush=True)
        code = subprocess.run([sys.executable, f"{_HERE}/{name}.py", *BENCHMARKS[name]], check=False).returncode  # noqa: S603 - ours
        print(f"{time.monotonic() - benchmark_started_s:.0f} s{f', exit code {code}' if code else ''}\n", flush=True)
        failed += [name] if code else []
    print(f"{len(names)} benchmarks in {time.monotonic() - started_s:.0f} s", end="")
    print(f"; failed: {', '.join(failed)}" if failed else "")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
