"""A receiver as a child process: start, readiness, restart, and end with its own children."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tcop_mock.errors import TargetError, UsageError
from tcop_mock.process import receiver_process
from tcop_mock.process.receiver_process import ReceiverCommand, ReceiverProcess, connects, free_port
from tcop_mock.process.system import processes_with, shows_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def test_words_variables_and_the_port() -> None:
    """Variables before the program are set, ``{port}`` is replaced everywhere, and quotes hold words together."""
    command = ReceiverCommand.parse("DEBUG=1 TOKEN='a b' python -m 'my app' --bind=127.0.0.1:{port} x=y")
    assert command.variables == (("DEBUG", "1"), ("TOKEN", "a b"))
    assert command.arguments(8123) == ["python", "-m", "my app", "--bind=127.0.0.1:8123", "x=y"]


def test_variables_are_never_shown() -> None:
    """They may hold a password."""
    command = ReceiverCommand.parse("PASSWORD=hunter2 python app.py")
    assert str(command) == "python app.py"
    assert "hunter2" not in repr(command)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "--run names no program; write for example 'uvicorn app:app --port {port}'"),
        ("A=1 B=2", "--run names no program"),
        ("python 'app.py", "--run: the command cannot be split: No closing quotation"),
        (
            "cd app && npm start",
            "--run: '&&' is for a shell, but CMD runs without a shell; for a shell write sh -c '...'",
        ),
        ("python app.py > log.txt", "--run: '>' is for a shell"),
        ("python app.py &", "--run: '&' is for a shell"),
        ("a|b", "--run: '|' is for a shell"),
    ],
)
def test_what_cannot_be_run_is_reported(text: str, message: str) -> None:
    """The error is one line with what to write instead."""
    with pytest.raises(UsageError) as problem:
        ReceiverCommand.parse(text)
    assert str(problem.value).startswith(message)


def test_quoted_operators_are_arguments() -> None:
    """A shell of one's own, and a URL with a query."""
    command = ReceiverCommand.parse("""sh -c 'a && b' 'http://h/?a=1&b=2'""")
    assert command.words == ("sh", "-c", "a && b", "http://h/?a=1&b=2")


LISTEN = """\
import os, socket, sys
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
print("listens", os.getpid(), *sys.argv[1:], flush=True)
while True:
    server.accept()[0].close()
"""
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="proc(5) is Linux's")


def python(code: str, *arguments: str) -> str:
    """Return a command that runs Python code, started as fast as can be."""
    return shlex.join([sys.executable, "-S", "-E", "-c", code, *arguments])


@pytest.fixture
def make() -> Iterator[Callable[..., ReceiverProcess]]:
    """Give a function that returns a receiver, which is ended after the test."""
    made: list[ReceiverProcess] = []

    def create(text: str, **options: float) -> ReceiverProcess:
        port = int(options.pop("port", 0)) or free_port()
        made.append(ReceiverProcess(ReceiverCommand.parse(text), "127.0.0.1", port, **options))  # type: ignore[arg-type]  # seconds
        return made[-1]

    yield create
    for process in made:
        process.stop()


def is_running(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    return False


def test_it_is_ready_when_it_listens_and_gone_when_stopped(make: Callable[..., ReceiverProcess]) -> None:
    """It gets the port in its command and in its environment; stopping twice is not an error."""
    process = make(python(LISTEN, "{port}"))
    process.start()
    assert connects("127.0.0.1", process.port)
    [pid] = process.pids
    assert process.output.lines() == [f"listens {pid} {process.port}"]
    assert process.end == ""
    process.stop()
    process.stop()
    assert not connects("127.0.0.1", process.port)
    assert process.end == "was ended by SIGTERM"
    with pytest.raises(TargetError, match="is not started, because the run is over"):
        process.start()


def test_it_restarts_at_its_port(make: Callable[..., ReceiverProcess]) -> None:
    """A new process listens at the same port after SIGTERM or a crash."""
    process = make(python(LISTEN))
    process.start()
    [first] = process.pids
    process.restart()
    [second] = process.pids
    process.kill()
    assert process.end == "was ended by SIGKILL"
    process.restart()
    assert len({first, second, *process.pids}) == 3


def test_what_ignores_sigterm_is_killed(make: Callable[..., ReceiverProcess]) -> None:
    """After its grace."""
    process = make(python("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTEN), grace_s=0.05)
    process.start()
    process.stop()
    assert process.end == "was ended by SIGKILL"


def test_a_shutdown_reports_how_long_it_took(make: Callable[..., ReceiverProcess]) -> None:
    """Nothing if it had to be killed; afterwards the receiver can start again."""
    process = make(python(LISTEN))
    assert process.shut_down(1.0) is None
    process.start()
    took_s = process.shut_down(20.0)
    assert took_s is not None
    assert took_s < 20.0
    assert process.end == "was ended by SIGTERM"
    process.command = ReceiverCommand.parse(
        python("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTEN)
    )
    process.restart()
    assert process.shut_down(0.05) is None
    assert process.end == "was ended by SIGKILL"


@ON_LINUX
def test_its_size_is_known_while_it_runs(make: Callable[..., ReceiverProcess]) -> None:
    """Its output comes at once, also without flush."""
    process = make(shlex.join([sys.executable, "-S", "-c", LISTEN.replace(", flush=True", "")]))
    process.start()
    size = process.size()
    assert size is not None
    assert size.memory_bytes > 1_000_000
    assert size.open_files >= 4
    while not process.output.lines():
        time.sleep(0.005)
    process.stop()
    assert process.size() is None


@ON_LINUX
def test_nothing_that_it_started_is_left(make: Callable[..., ReceiverProcess]) -> None:
    """Neither children in its process group nor a daemon in a session of its own."""
    daemon = (
        "import subprocess, sys; [subprocess.Popen(['sleep', '60'], start_new_session=new) for new in (False, True)]\n"
    )
    process = make(python(daemon + LISTEN))
    process.start()
    pids = process.pids
    assert len(pids) == 3
    process.stop()
    assert [pid for pid in pids if is_running(pid)] == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("no-such-program-at-all --port {port}", "--run: there is no program 'no-such-program-at-all' here or on PATH"),
        ("/etc/passwd", "--run: '/etc/passwd' cannot be run: Permission denied"),
        ("python\0", "--run: 'python\\x00' cannot be run: embedded null byte"),
    ],
)
def test_a_program_that_cannot_be_run_is_reported(
    text: str, message: str, make: Callable[..., ReceiverProcess]
) -> None:
    """A program that cannot be run is a usage error."""
    with pytest.raises(UsageError) as problem:
        make(text).start()
    assert str(problem.value) == message


def test_a_port_that_is_taken_is_reported(make: Callable[..., ReceiverProcess]) -> None:
    """Before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = make("no-such-program", port=server.getsockname()[1])
        with pytest.raises(UsageError, match=r"something listens at 127\.0\.0\.1:\d+ already; end it"):
            process.start()


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "sh -c 'echo no module flask; exit 3'",
            "ended with code 3 before it listened at {}; its last output: no module flask",
        ),
        ("sh -c 'kill -SEGV $$'", "was ended by SIGSEGV before it listened at {}"),
        ("sh -c 'kill -40 $$'", "was ended by signal 40 before it listened at {}"),
        ("true", "ended with code 0 before it listened at {}"),
        (r"sh -c 'printf \\377\\000; exit 1'", "ended with code 1 before it listened at {}; its last output: ��"),
    ],
)
def test_a_receiver_that_ends_at_once_is_reported(
    text: str, message: str, make: Callable[..., ReceiverProcess]
) -> None:
    """The error has the last lines of its output."""
    process = make(text)
    with pytest.raises(TargetError) as problem:
        process.start()
    assert str(problem.value).endswith(message.format(process.address))


@ON_LINUX
def test_a_receiver_that_leaves_into_the_background_is_reported_and_ended(make: Callable[..., ReceiverProcess]) -> None:
    """A receiver that daemonizes is an error, because the run could not end it."""
    process = make("sh -c 'sleep 60 & exit 0'")
    with pytest.raises(TargetError, match=r"left processes in the background.* Start the receiver in the foreground"):
        process.start()
    process.stop()
    assert process.pids == []


@ON_LINUX
def test_a_receiver_that_listens_elsewhere_is_reported_where(make: Callable[..., ReceiverProcess]) -> None:
    """The error says what to put into the command."""
    process = make(python(LISTEN.replace('int(os.environ["PORT"])', "0")), ready_s=0.4)
    with pytest.raises(TargetError, match=r"does not listen at .* after 0\.4 s; it listens at 127\.0\.0\.1:\d+: put"):
        process.start()


def test_a_receiver_that_never_listens_is_reported(make: Callable[..., ReceiverProcess]) -> None:
    """After its time."""
    with pytest.raises(TargetError, match=r"does not listen at .* after 0\.05 s: put \{port\} into CMD"):
        make("sleep 60", ready_s=0.05).start()


def test_a_listener_of_somebody_else_is_not_the_receiver(
    make: Callable[..., ReceiverProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the receiver is dead, whoever answers at its port is another."""
    answers = iter([False, True])

    def connect(_host: str, _port: int) -> bool:
        is_there = next(answers)
        while is_there and not process.end:
            time.sleep(0.005)
        return is_there

    monkeypatch.setattr(receiver_process, "connects", connect)
    process = make("sh -c 'exit 7'")
    with pytest.raises(TargetError, match="ended with code 7"):
        process.start()


def test_stopping_ends_a_start_that_waits(
    make: Callable[..., ReceiverProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C need not wait for a receiver that does not come up."""
    process = make("sleep 60")

    def connect(_host: str, _port: int) -> bool:
        if process.pids:
            process.stop()
        return False

    monkeypatch.setattr(receiver_process, "connects", connect)
    with pytest.raises(TargetError, match="was ended by SIGTERM before it listened"):
        process.start()


def test_a_start_that_was_stopped_is_reported(
    make: Callable[..., ReceiverProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that is stopped is an error, also while the process still exists."""
    process = make("sleep 60")

    def connect(_host: str, _port: int) -> bool:
        if process.pids:
            process._ended.set()
        return False

    monkeypatch.setattr(receiver_process, "connects", connect)
    monkeypatch.setattr(receiver_process, "_JOIN_S", 0.0)
    with pytest.raises(TargetError, match="`sleep 60` was stopped before it listened at"):
        process.start()


@ON_LINUX
@pytest.mark.parametrize("folder, expected", [("/proc", []), ("/no/proc", [signal.SIGKILL])])
def test_a_group_whose_leader_ended_long_ago_is_left_alone(
    folder: str, expected: list[int], make: Callable[..., ReceiverProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id may be that of a stranger now; where the system does not tell what is ours, the group is ended, once."""
    sent: list[int] = []
    monkeypatch.setattr(receiver_process, "_signal_group", lambda _, number: sent.append(number))
    monkeypatch.setattr(receiver_process, "shows_processes", lambda: shows_processes(Path(folder)))
    process = make("true")
    with pytest.raises(TargetError, match="ended with code 0"):
        process.start()
    process.stop()
    process.stop()
    assert sent == expected


def test_a_second_stop_does_nothing(make: Callable[..., ReceiverProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that has ended gets no signal."""
    process = make(python(LISTEN))
    process.start()
    process.stop()
    monkeypatch.delattr(receiver_process, "_signal_group")
    process.stop()
    process.kill()


def test_a_crash_of_ours_ends_it(make: Callable[..., ReceiverProcess]) -> None:
    """When the pipe ends, as it does after SIGKILL, its process group is killed."""
    process = make(python("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTEN))
    process.start()
    assert process._watchdog is not None
    assert process._watchdog.stdin is not None
    assert process._process is not None
    process._watchdog.stdin.close()
    process._process.wait(10)
    assert process.end == "was ended by SIGKILL"


def test_the_watchdog_ends_with_the_receiver(
    make: Callable[..., ReceiverProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One each; without one the receiver runs, too."""
    process = make(python(LISTEN))
    process.start()
    watchdog = process._watchdog
    assert watchdog is not None
    assert watchdog.stdin is not None
    assert os.getpgid(watchdog.pid) == watchdog.pid
    process.kill()
    assert (watchdog.returncode, watchdog.stdin.closed, process._watchdog) == (-signal.SIGKILL, True, None)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    process.restart()
    assert process._watchdog is None
    process.stop()


def test_an_interrupt_while_it_ends_kills_it(make: Callable[..., ReceiverProcess]) -> None:
    """A second Ctrl-C does not leave it behind."""
    process = make(python("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTEN), grace_s=30.0)
    process.start()
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            process.stop()
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert process.end == "was ended by SIGKILL"


def test_the_address_of_an_ipv6_host_has_brackets() -> None:
    """An IPv6 address has brackets, as in URLs."""
    assert ReceiverProcess(ReceiverCommand.parse("x"), "::1", 80).address == "[::1]:80"


@ON_LINUX
def test_the_mark_is_no_variable_of_ours() -> None:
    """A process of the user's own is never taken for a receiver."""
    assert processes_with("TCOP_MOCK_RUN_ID", os.environ.get("TCOP_MOCK_RUN_ID", "-")) == []


CLOSE_AND_END = """
import os, socket, time
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
server.accept()[0].close()
server.close()
time.sleep(0.3)
os._exit(9)
"""


def test_the_end_of_what_listens_no_more_is_waited_for(make: Callable[..., ReceiverProcess]) -> None:
    """The system closes its sockets a moment before it ends."""
    process = make(python(CLOSE_AND_END))
    process.start()
    while connects(process.host, process.port):
        pass
    process.wait_if_closed()
    assert process.end == "ended with code 9"


def test_what_listens_is_not_waited_for(make: Callable[..., ReceiverProcess]) -> None:
    """A listening receiver, and one that is not started, is not waited for."""
    process = make(python(LISTEN))
    process.wait_if_closed()
    process.start()
    process.wait_if_closed()
    assert process.end == ""
