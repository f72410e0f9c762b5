"""Resource use of processes on Linux (proc(5)); other systems return nothing here."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PROC = Path("/proc")
_LISTEN = "0A"  # include/net/tcp_states.h: TCP_LISTEN
_INODE_COLUMN = 9
_USER_TIME_COLUMN = 11
"""Index of the user time in ``/proc/PID/stat``, after the name of the program; the system time follows."""
_TIME_COLUMNS = 8
"""Number of columns of the times of processors in ``/proc/stat``; those of guests are part of others."""
_IDLE_COLUMNS = slice(3, 5)
"""Idle, and waiting for disks."""
_RESERVING_RUNTIMES = ("libjvm.so", "libcoreclr.so")
"""Libraries of runtimes that take memory for garbage as long as there is some: of Java and of .NET."""


class ProcessSize(NamedTuple):
    """Total resource use of some processes."""

    memory_bytes: int
    """Resident memory that belongs to no file."""
    open_files: int
    cpu_s: float
    """CPU time in seconds since they started."""
    reserves_memory: bool = False
    """Whether a runtime with late garbage collection holds the memory, so that its size is not a sign of a leak."""


class ProcessorTimes(NamedTuple):
    """Time of all processors since the start of the system."""

    total_s: float
    idle_s: float


class ThreadTimes(NamedTuple):
    """Time of a thread."""

    ran_s: float
    waited_s: float
    """How long it was ready to run and had no processor."""


def processor_times(proc: Path = _PROC) -> ProcessorTimes | None:
    """Return the time of all processors; ``None`` without proc(5)."""
    with suppress(OSError, ValueError):
        ticks = list(map(int, (proc / "stat").read_text().splitlines()[0].split()[1 : 1 + _TIME_COLUMNS]))
        per_second = os.sysconf("SC_CLK_TCK")
        return ProcessorTimes(sum(ticks) / per_second, sum(ticks[_IDLE_COLUMNS]) / per_second)
    return None


def thread_times(proc: Path = _PROC) -> ThreadTimes | None:
    """Return the time of the calling thread; ``None`` if the system does not measure it."""
    with suppress(OSError, ValueError):
        ran_ns, waited_ns, _ = map(int, (proc / "thread-self" / "schedstat").read_text().split())
        return ThreadTimes(ran_ns / 1e9, waited_ns / 1e9)
    return None


def size_of(pids: Iterable[int], proc: Path = _PROC) -> ProcessSize | None:
    """Return the resource use of some processes; ``None`` without proc(5)."""
    sizes = [size for pid in pids if (size := _size(proc / str(pid)))]
    if not sizes:
        return None
    return ProcessSize(
        sum(size.memory_bytes for size in sizes),
        sum(size.open_files for size in sizes),
        sum(size.cpu_s for size in sizes),
        any(size.reserves_memory for size in sizes),
    )


def _size(folder: Path) -> ProcessSize | None:
    with suppress(OSError, KeyError):  # it is gone, or belongs to somebody else
        status = dict(line.split(":", 1) for line in (folder / "status").read_text(errors="replace").splitlines())
        kib = status.get("RssAnon") or status["VmRSS"]
        times = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        cpu_s = sum(map(int, times[_USER_TIME_COLUMN : _USER_TIME_COLUMN + 2])) / os.sysconf("SC_CLK_TCK")
        maps = (folder / "maps").read_text(errors="replace")
        return ProcessSize(
            int(kib.split()[0]) * 1024,
            sum(1 for _ in (folder / "fd").iterdir()),
            cpu_s,
            any(library in maps for library in _RESERVING_RUNTIMES),
        )
    return None


def shows_processes(proc: Path = _PROC) -> bool:
    """Return whether the system shows anything about processes."""
    return (proc / str(os.getpid()) / "environ").exists()


def processes_with(variable: str, value: str, proc: Path = _PROC) -> list[int]:
    """Return the ids of the processes that were started with a variable of the environment."""
    wanted, found = f"{variable}={value}".encode(), []
    for folder in _process_folders(proc):
        with suppress(OSError):  # it is gone, or belongs to somebody else
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def listening_addresses(pids: Iterable[int], proc: Path = _PROC) -> list[str]:
    """Return where some processes listen, as ``HOST:PORT``."""
    inodes = {inode for pid in pids for inode in _sockets(proc / str(pid) / "fd")}
    return sorted({address for address, inode in _listeners(proc) if inode in inodes})


def _process_folders(proc: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (folder for folder in proc.iterdir() if folder.name.isdecimal())


def _sockets(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        for link in folder.iterdir():
            with suppress(OSError):
                kind, _, inode = str(link.readlink()).partition(":[")
                if kind == "socket":
                    yield inode.rstrip("]")


def _listeners(proc: Path) -> Iterator[tuple[str, str]]:
    for name in ("tcp", "tcp6"):
        lines: list[str] = []
        with suppress(OSError):
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        for line in lines:
            columns = line.split()
            if columns[3] == _LISTEN:
                yield _address(columns[1]), columns[_INODE_COLUMN]


def _address(text: str) -> str:
    """Return an address of ``/proc/net/tcp``: 32-bit words in the byte order of the machine, and the port."""
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    name = socket.inet_ntop(family, b"".join(words))
    return f"{name}:{int(port, 16)}" if family is socket.AF_INET else f"[{name}]:{int(port, 16)}"
