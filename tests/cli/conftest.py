"""Fixtures of the command line tests: a call in this process, a command in its own, receivers, dead ends."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from typing import IO, TYPE_CHECKING

import pytest
from commands import CommandResult
from receiver_factories import in_thread

from tcop_mock.cli.main import main
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

_OF_CI = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
"""By which a command knows that it runs in one, as these tests themselves may."""


@pytest.fixture
def tcop(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Give the command line, called inside this process, without a target or a CI in the environment."""
    for name in ("TCOP_MOCK_TARGET", *_OF_CI):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str, stdin: bytes = b"") -> CommandResult:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        code = main(list(arguments))
        return CommandResult(code, *(stream.decode() for stream in capsysbinary.readouterr()))

    return call


def _hears_interrupts() -> None:
    """Undo what a shell does to what it starts in the background: Ctrl-C ignored, and inherited so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Give a function that starts ``python -m tcop_mock`` in an empty folder; what still runs at the end is killed."""
    with ExitStack() as stack:

        def command(*arguments: str, stdout: IO[str] | None = None, **env: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(  # noqa: S603 - it is ours
                [sys.executable, "-m", "tcop_mock", *arguments],
                cwd=tmp_path,
                env={name: value for name, value in os.environ.items() if name not in _OF_CI} | env,
                stdin=subprocess.DEVNULL,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                preexec_fn=_hears_interrupts,  # noqa: PLW1509 - no thread of ours holds a lock that it needs
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield command


@pytest.fixture
def opened() -> Iterator[Callable[[ReceiverFactory], str]]:
    """Give the URL of a receiver that is open, on a loop of its own, for as long as the test runs."""
    with ExitStack() as stack:
        yield lambda opening: stack.enter_context(in_thread(opening))


@pytest.fixture
def closed_url() -> str:
    """Give a URL at which nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a URL whose host does not resolve; no resolver is asked."""

    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    defaults = HttpTransport.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "resolve", resolve)
    return "http://nosuch/"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Give a listening socket whose connections nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20.0)
        yield server
