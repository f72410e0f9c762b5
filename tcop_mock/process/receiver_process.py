"""A receiver as a child process: its command, start, readiness, restart, and end with all its own children."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from tcop_mock.errors import TargetError, UsageError
from tcop_mock.process.output import OutputBuffer
from tcop_mock.process.system import listening_addresses, processes_with, shows_processes, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.process.system import ProcessSize

PORT_PLACEHOLDER = "{port}"
_OPERATORS = frozenset("();<>|&")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_EXAMPLE = f"'uvicorn app:app --port {PORT_PLACEHOLDER}'"
_SHELL_HINT = "CMD runs without a shell; for a shell write sh -c '...'"
DEFAULT_READY_S = 30.0
PORT_VARIABLE = "PORT"
_MARK_VARIABLE = "TCOP_MOCK_RUN_ID"
_GRACE_S = 5.0
_POLL_S = 0.02
_CONNECT_S = 1.0
_CLOSED_S = 2.0
"""Seconds that a process may take to end after it has stopped listening."""
_JOIN_S = 1.0
_MAX_LAST_LINE_CHARS = 200
_WATCHDOG = """
import os, signal, sys
if not os.read(0, 1):
    try:
        os.killpg(int(sys.argv[1]), signal.SIGKILL)
    except OSError:
        pass
"""
"""It reads a pipe that only we can write to. The pipe ends when we do, however that happens."""


@dataclass(frozen=True, slots=True)
class ReceiverCommand:
    """A program with its arguments, as ``--run`` names it."""

    words: tuple[str, ...]
    """The program and its arguments; ``{port}`` in them is the port."""
    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Variables that stand before the program, as in ``DEBUG=1 python app.py``; they may hold secrets."""

    @classmethod
    def parse(cls, text: str, source: str = "--run") -> ReceiverCommand:
        """Split a command line; a shell is not used.

        Raises:
            UsageError: it is empty, has an open quote, or needs a shell.
        """
        try:
            words = shlex.split(text)
            lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
            lexer.whitespace_split, lexer.commenters = True, ""
            operator = next((word for word in lexer if word and set(word) <= _OPERATORS), "")
        except ValueError as problem:
            raise UsageError(f"{source}: the command cannot be split: {problem}") from None
        if operator:
            raise UsageError(f"{source}: {operator!r} is for a shell, but {_SHELL_HINT}")
        count = next((number for number, word in enumerate(words) if not _ASSIGNMENT.match(word)), len(words))
        if count == len(words):
            raise UsageError(f"{source} names no program; write for example {_EXAMPLE}")
        pairs = (word.partition("=") for word in words[:count])
        return cls(tuple(words[count:]), tuple((name, value) for name, _, value in pairs))

    def arguments(self, port: int) -> list[str]:
        """Return the program and its arguments for a port."""
        return [word.replace(PORT_PLACEHOLDER, str(port)) for word in self.words]

    def __str__(self) -> str:
        """The command without its variables, which may hold secrets."""
        return shlex.join(self.words)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port at which nothing listens."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


def connects(host: str, port: int) -> bool:
    """Return whether something listens there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), _CONNECT_S):
        return True
    return False


@dataclass(slots=True, eq=False)
class ReceiverProcess:
    """One receiver in its own process group, which ends even if tcop-mock crashes.

    Args:
        command: command that starts it.
        host: name or address of this machine at which it should listen.
        port: port at which it should listen; passed in ``{port}`` and in the variable ``PORT``.
        variables: further variables of its environment.
        ready_s: maximum time in seconds until it listens.
        grace_s: maximum time in seconds until it ends after SIGTERM.
    """

    command: ReceiverCommand
    host: str
    port: int
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    ready_s: float = DEFAULT_READY_S
    grace_s: float = _GRACE_S
    output: OutputBuffer = field(default_factory=OutputBuffer, repr=False)
    _mark: str = field(default_factory=lambda: secrets.token_hex(8))
    _process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = None
    """Reads the output of a process that we have not ended yet."""
    _watchdog: subprocess.Popen[bytes] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def address(self) -> str:
        """``HOST:PORT``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def end(self) -> str:
        """Exit code or signal that ended the process, in words; empty while it runs."""
        code = self._process.poll() if self._process else None
        if code is None:
            return ""
        if code < 0:
            return f"was ended by {_signal_name(-code)}"
        return f"ended with code {code}"

    def wait_if_closed(self) -> None:
        """Wait for the end of a process that listens no more: the system closes its sockets a moment before it ends."""
        if self._process is not None and not connects(self.host, self.port):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSED_S)

    @property
    def pids(self) -> list[int]:
        """Ids of the process and of all processes that it started; only its own on systems without proc(5)."""
        own = [self._process.pid] if self._process and self._process.poll() is None else []
        return list(dict.fromkeys([*own, *processes_with(_MARK_VARIABLE, self._mark)]))

    def start(self) -> None:
        """Start the receiver and wait until it listens.

        Raises:
            UsageError: the program cannot be run, or the port is taken.
            TargetError: the receiver ended, or did not listen in time.
        """
        if connects(self.host, self.port):
            raise UsageError(
                f"--run: something listens at {self.address} already; end it, or give a path as TARGET for a free port"
            )
        self._wait_until_ready(self._launch())

    def restart(self) -> None:
        """End the receiver with SIGTERM and start it again at the same port.

        Raises:
            TargetError: it ended, or did not listen in time.
        """
        self._end_processes(signal.SIGTERM)
        self._wait_until_ready(self._launch())

    def kill(self) -> None:
        """End the receiver with SIGKILL, as a crash does."""
        self._end_processes(signal.SIGKILL)

    def shut_down(self, limit_s: float) -> float | None:
        """End the receiver with SIGTERM, as a deployment does.

        Returns:
            The time in seconds; ``None`` if it still ran after ``limit_s`` and was killed.
        """
        process, started_s = self._process, time.monotonic()
        if process is not None and process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            while process.poll() is None and time.monotonic() < started_s + limit_s and not self._ended.is_set():
                self._ended.wait(_POLL_S)
        took_s = time.monotonic() - started_s
        is_ended = bool(self.end)
        self.kill()
        return took_s if is_ended else None

    def size(self) -> ProcessSize | None:
        """Return the resource use of the process and of all processes that it started; ``None`` without proc(5)."""
        return size_of(self.pids)

    def stop(self) -> None:
        """End the receiver and its child processes; it does not start again."""
        self._ended.set()
        self._end_processes(signal.SIGTERM)

    def _launch(self) -> threading.Thread:
        """Start the process and return the thread that reads its output."""
        arguments = self.command.arguments(self.port)
        environ = {"PYTHONUNBUFFERED": "1", **os.environ, **dict(self.command.variables), **self.variables}
        environ |= {PORT_VARIABLE: str(self.port), _MARK_VARIABLE: self._mark}
        with self._lock:
            if self._ended.is_set():
                raise TargetError(f"--run: `{self.command}` is not started, because the run is over")
            try:
                process = subprocess.Popen(  # noqa: S603 - the user's own command
                    arguments,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except (OSError, ValueError) as problem:
                raise UsageError(f"--run: {self._launch_problem(arguments[0], problem)}") from None
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            self._process = process
            with contextlib.suppress(OSError):  # the receiver runs without it, too
                self._watchdog = _start_watchdog(process.pid)
            self._reader = _read_in_thread(self.output, process.stdout)
            return self._reader

    @staticmethod
    def _launch_problem(program: str, problem: OSError | ValueError) -> str:
        if isinstance(problem, FileNotFoundError):
            return f"there is no program {program!r} here or on PATH"
        reason = problem.strerror if isinstance(problem, OSError) else problem
        return f"{program!r} cannot be run: {reason}"

    def _wait_until_ready(self, reader: threading.Thread) -> None:
        deadline = time.monotonic() + self.ready_s
        while not connects(self.host, self.port):
            if self.end or self._ended.is_set():
                raise TargetError(self._early_end(reader))
            if time.monotonic() >= deadline:
                raise TargetError(self._not_ready())
            self._ended.wait(_POLL_S)
        if self.end:
            raise TargetError(self._early_end(reader))

    def _early_end(self, reader: threading.Thread) -> str:
        reader.join(_JOIN_S)
        if self.end == "ended with code 0" and processes_with(_MARK_VARIABLE, self._mark):
            return (
                f"--run: `{self.command}` ended and left processes in the background; they are ended now. "
                "Start the receiver in the foreground"
            )
        end = self.end or "was stopped"  # by us, and it is not gone yet
        return f"--run: `{self.command}` {end} before it listened at {self.address}{self._last_line()}"

    def _not_ready(self) -> str:
        elsewhere = " and ".join(listening_addresses(self.pids))
        where = f"; it listens at {elsewhere}" if elsewhere else ""
        return (
            f"--run: `{self.command}` does not listen at {self.address} after {self.ready_s:g} s{where}: put {{port}} "
            f"into CMD, or read the variable {PORT_VARIABLE}; --wait gives it more time{self._last_line()}"
        )

    def _last_line(self) -> str:
        lines = self.output.tail(1)
        if not lines:
            return ""
        text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in lines[0].strip())
        return f"; its last output: {text[:_MAX_LAST_LINE_CHARS]}"

    def _end_processes(self, number: signal.Signals) -> None:
        with self._lock:
            process, reader = self._process, self._reader
            if process is None or reader is None:
                return
            is_group_ours = process.poll() is None or not shows_processes()
            try:
                if process.poll() is None:
                    _signal_group(process.pid, number)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(self.grace_s)
            finally:  # also after another Ctrl-C
                if is_group_ours:  # the id of a process that ended long ago may be that of another group now
                    _signal_group(process.pid, signal.SIGKILL)
                process.wait()
                self._kill_escaped()
                if self._watchdog is not None:
                    self._watchdog.kill()
                    self._watchdog.communicate()
                self._reader = self._watchdog = None
            reader.join(_JOIN_S)

    def _kill_escaped(self) -> None:
        """Kill what left the process group, and wait until it is gone."""
        until_s = time.monotonic() + _JOIN_S
        while (pids := processes_with(_MARK_VARIABLE, self._mark)) and time.monotonic() < until_s:
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_POLL_S)


def _read_in_thread(output: OutputBuffer, stream: IO[bytes]) -> threading.Thread:
    reader = threading.Thread(target=output.copy_from, args=(stream,), daemon=True)
    reader.start()
    return reader


def _start_watchdog(group: int) -> subprocess.Popen[bytes]:
    """Start a process that kills a process group if tcop-mock ends without having done so, as after SIGKILL.

    It is in a session of its own, so a signal to our process group does not end it.

    Raises:
        OSError: no process can be started.
    """
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-I", "-S", "-c", _WATCHDOG, str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _signal_name(number: int) -> str:
    """Return the name of a signal; most real-time signals have none."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM where only a zombie is left
        os.killpg(pid, number)
