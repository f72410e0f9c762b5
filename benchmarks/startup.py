"""Startup cost of the commands and the pytest plugin, compared with a bare interpreter.

usage: python benchmarks/startup.py [ROUNDS]

Measures processor time, not wall time, so other load on the machine does not count. All commands of a round are
started one after the other.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_ROUNDS = 15
_SUITE = "def test_nothing():\n    pass\n"
_OTHERS = ("asyncio", "locust", "randomly", "xdist", "faker", "hypothesispytest", "anyio", "pytest_httpserver")
_QUIET = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *(part for name in _OTHERS for part in ("-p", f"no:{name}"))]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "tcop-mock --version": ["-m", "tcop_mock", "--version"],
    "tcop-mock --help": ["-m", "tcop_mock", "--help"],
    "tcop-mock list": ["-m", "tcop_mock", "list", "--quiet"],
    "import click": ["-c", "import click"],
}
SUITES = {"pytest with the plugin": [], "pytest -p no:tcop_mock": ["-p", "no:tcop_mock"]}
GOALS = {"tcop-mock --version": 2.5, "tcop-mock --help": 5.0}


def seconds(arguments: list[str], folder: Path) -> float:
    """Return the processor time of Python with these arguments."""
    process = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments  # noqa: S101 - a failed run would cost less
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    times_s: dict[str, list[float]] = {name: [] for name in (*COMMANDS, *SUITES)}
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        (folder / "test_nothing.py").write_text(_SUITE, encoding="utf-8")
        every = COMMANDS | {suite: [*_QUIET, *arguments] for suite, arguments in SUITES.items()}
        for _ in range(rounds + 1):
            for name, arguments in every.items():
                times_s[name].append(seconds(arguments, folder))
    medians = {name: statistics.median(times[1:]) for name, times in times_s.items()}  # the first run filled the caches
    bare_s = medians["python -c pass"]
    for name in COMMANDS:
        goal = f" (goal: under {GOALS[name]})" if name in GOALS else ""
        print(f"{name}: {medians[name] * 1000:.0f} ms, {medians[name] / bare_s:.2f} times a bare interpreter{goal}")
    with_it, without = (medians[name] for name in SUITES)
    pairs = zip(*(times_s[name][1:] for name in SUITES), strict=True)
    cost_s = statistics.median(one - other for one, other in pairs)
    print(f"pytest: {with_it * 1000:.0f} ms with the plugin, {without * 1000:.0f} ms with -p no:tcop_mock")
    print(f"the plugin costs {cost_s * 1000:.1f} ms (median of the differences; goal: under 5)")


if __name__ == "__main__":
    main()
