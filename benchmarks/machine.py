"""Functions of all benchmarks: cores, installed modules, and the state of the machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def require(*modules: str) -> None:
    """End with one line if a module is missing: ``make bench`` installs all of them."""
    missing = [name for name in modules if not is_installed(name)]
    if missing:
        sys.exit(f"{Path(sys.argv[0]).name} needs {', '.join(missing)}: `make bench` installs what the benchmarks need")


def is_installed(module: str) -> bool:
    """Return whether a module can be imported."""
    return importlib.util.find_spec(module) is not None


def require_linux() -> None:
    """End with one line where processes cannot be bound to cores."""
    if not hasattr(os, "sched_setaffinity"):
        sys.exit(f"{Path(sys.argv[0]).name} binds processes to cores, which needs Linux")


def installed(peers: Iterable[tuple[str, str]]) -> tuple[list[str], str]:
    """Return the peers whose modules are installed, and a line about the others; empty if there are none.

    Args:
        peers: names, and the module that each needs; empty if it needs none.
    """
    found: list[str] = []
    missing: list[str] = []
    for name, module in peers:
        (found if not module or is_installed(module) else missing).append(name)
    return found, f"left out, because not installed: {', '.join(missing)}" if missing else ""


def pin_to(core: int) -> Callable[[], None]:
    """Return a function that binds the process that calls it to one of its cores."""
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[core]})


def describe() -> str:
    """Return one line with the processor, the Python version and the load of the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    loads = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{_processor()}, {cores} cores, CPython {platform.python_version()}; load average {loads}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, "") or platform.machine()


def processor_s(pid: int) -> float:
    """Return the processor time of a process and its children, in seconds."""
    ticks = 0
    for one in (pid, *_children(pid)):
        fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(one) for one in children.read_text(encoding="utf-8").split()]
    except OSError:  # a kernel without this file
        return []
