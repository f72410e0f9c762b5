"""Sizes and open files of processes, as Linux reports them."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tcop_mock.process.system import (
    ProcessSize,
    listening_addresses,
    processes_with,
    processor_times,
    size_of,
    thread_times,
)

if TYPE_CHECKING:
    from pathlib import Path


def fake_process(proc: Path, pid: int, environ: bytes, *links: str) -> None:
    """Write the folder of a process into a folder like ``/proc``."""
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "environ").write_bytes(environ)
    for number, link in enumerate(links):
        (folder / "fd" / str(number)).symlink_to(link)


def test_processes_are_found_by_a_variable(tmp_path: Path) -> None:
    """Only by its whole value; our own process is left out, and what cannot be read is not an error."""
    fake_process(tmp_path, 1, b"A=1\0MARK=abc\0")
    fake_process(tmp_path, 2, b"MARK=abcd\0")
    fake_process(tmp_path, os.getpid(), b"MARK=abc\0")
    (tmp_path / "3").mkdir()
    (tmp_path / "self").mkdir()
    assert processes_with("MARK", "abc", tmp_path) == [1]
    assert processes_with("MARK", "abc", tmp_path / "nowhere") == []


def test_listening_addresses_are_those_of_the_processes(tmp_path: Path) -> None:
    """IPv4 and IPv6, sockets that listen only, and none of other processes."""
    fake_process(tmp_path, 1, b"", "socket:[10]", "socket:[11]", "socket:[13]", "/dev/null")
    (tmp_path / "1" / "fd" / "plain").write_text("")
    (tmp_path / "net").mkdir()
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1\n"
    (tmp_path / "net" / "tcp").write_text(
        head
        + row.format("0100007F:1F90", "0A", 10)
        + row.format("0100007F:1F91", "01", 13)
        + row.format("00000000:0016", "0A", 99)
    )
    (tmp_path / "net" / "tcp6").write_text(head + row.format(f"{'0' * 24}01000000:1F92", "0A", 11))
    assert listening_addresses([1, 2], tmp_path) == ["127.0.0.1:8080", "[::1]:8082"]
    assert listening_addresses([1], tmp_path / "nowhere") == []


@pytest.mark.skipif(sys.platform != "linux", reason="proc(5) is Linux's")
def test_our_own_socket_is_found() -> None:
    """The format is that of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        assert f"{host}:{port}" in listening_addresses([os.getpid()])


def fake_size(proc: Path, pid: int, status: str, maps: str = "") -> None:
    """Write the size of a process into a folder like ``/proc``."""
    fake_process(proc, pid, b"", "/dev/null", "socket:[1]")
    folder = proc / str(pid)
    (folder / "status").write_text(f"Name:\tx\nState:\tS (sleeping)\n{status}")
    (folder / "stat").write_text(f"{pid} (a) b) S 1 1 1 0 -1 0 0 0 0 0 {os.sysconf('SC_CLK_TCK')} 0 0 0\n")
    (folder / "maps").write_text(maps)


def test_the_size_of_processes_is_added_up(tmp_path: Path) -> None:
    """Memory of files does not count where the system reports it separately; a process that is gone has no size."""
    fake_size(tmp_path, 1, "VmRSS:\t 9 kB\nRssAnon:\t 2 kB\n")
    fake_size(tmp_path, 2, "VmRSS:\t 3 kB\n", "7f00 r-xp /opt/jdk/lib/server/libjvm.so\n")
    fake_size(tmp_path, 3, "")
    assert size_of([1, 4], tmp_path) == ProcessSize(2048, 2, 1.0, reserves_memory=False)
    assert size_of([1, 2, 3], tmp_path) == ProcessSize(5120, 4, 2.0, reserves_memory=True)
    assert size_of([3], tmp_path) is None


def test_the_times_of_processors_and_of_this_thread_are_read(tmp_path: Path) -> None:
    """Guests are part of others, waiting for disks is idle; without such files there is nothing."""
    ticks = os.sysconf("SC_CLK_TCK")
    columns = " ".join(str(number * ticks) for number in (1, 2, 3, 4, 5, 6, 7, 8, 100, 100))
    (tmp_path / "stat").write_text(f"cpu  {columns}\ncpu0 1 1 1 1\n")
    assert processor_times(tmp_path) == (36.0, 9.0)
    assert thread_times(tmp_path) is None
    (tmp_path / "thread-self").mkdir()
    (tmp_path / "thread-self" / "schedstat").write_text("1500000000 250000000 7\n")
    assert thread_times(tmp_path) == (1.5, 0.25)
    assert processor_times(tmp_path / "nowhere") is None
