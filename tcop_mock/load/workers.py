"""Runs a load in several processes and passes on their statistics.

A worker is a new process (``python -m tcop_mock.load.worker_main``), not a fork. It reads its job from standard input
and writes its statistics to standard output. It ends when its standard input ends, even if this process has crashed.
Credentials also go through standard input, so that the process list does not show them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import pickle
import struct
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tcop_mock.errors import TcopMockError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable

    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.domain.callback import Form, WireFormat
    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.shape import Lang
    from tcop_mock.domain.target import Credentials
    from tcop_mock.load.stats import SecondStats

_START_SIGNAL = b"\n"
_LENGTH = struct.Struct(">I")
_STOP_TIMEOUT_S = 0.8
"""Time for a stopped worker to send its last statistics; Ctrl-C must end the load within a second."""

_EXIT_TIMEOUT_S = 10.0
"""Time for a finished worker to exit, which normally takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """The job of one worker, without the credentials, which pickle masks."""

    plan: LoadPlan
    worker: int
    seed: int
    lang: Lang
    form: Form
    wire: WireFormat
    folders: tuple[str, ...]


class WorkerPool:
    """The processes of one load.

    Args:
        plan: the plan of the whole load.
        generator: its settings are copied to the workers.
        folders: the user's own catalogue folders.
        loop: the name of the event loop, see ``timer.loop_factory``.
    """

    def __init__(self, plan: LoadPlan, generator: Generator, folders: tuple[str, ...], loop: str) -> None:
        self._plan, self._generator, self._folders, self._loop = plan, generator, folders, loop

    async def run(self, on_second: Callable[[int, SecondStats | None], None]) -> None:
        """Start the workers together and pass on their statistics, with ``None`` after the last one of a worker.

        If cancelled, stop the workers.

        Raises:
            TcopMockError: a worker failed.
        """
        processes: list[Process] = []
        relays: list[asyncio.Task[None]] = []
        try:
            for worker in range(self._plan.workers):
                processes += [await self._start(worker)]
            for process in processes:
                await _receive(process)  # wait until it is ready
            for process in processes:
                _stdin(process).write(_START_SIGNAL)
            relays += [asyncio.create_task(_relay(one, worker, on_second)) for worker, one in enumerate(processes)]
            await asyncio.shield(
                asyncio.gather(*relays)
            )  # if cancelled, they continue: the workers still send their last statistics
        finally:
            for process in processes:
                _stdin(process).close()
            if relays:
                _, unfinished = await asyncio.wait(relays, timeout=_STOP_TIMEOUT_S)
                for relay in unfinished:
                    relay.cancel()
            for process, relay in itertools.zip_longest(processes, relays):
                await _wait_for_exit(process, has_finished=relay is not None and relay.done())

    async def _start(self, worker: int) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tcop_mock.load.worker_main", self._loop),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # only this process handles Ctrl-C
        )
        generator = self._generator
        plan = replace(self._plan, target=replace(self._plan.target, credentials=None))
        job = WorkerJob(
            plan, worker, generator.seed, generator.lang, generator.form, generator.wire_format, self._folders
        )
        _stdin(process).write(encode_frame(job) + encode_frame(_reveal(self._plan.target.credentials)))
        return process


def encode_frame(value: object) -> bytes:
    """Return a value as a frame for a pipe: its length and its pickle."""
    data = pickle.dumps(value)
    return _LENGTH.pack(len(data)) + data


async def read_frame(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - any value
    """Return the next value from a pipe.

    Raises:
        asyncio.IncompleteReadError: the pipe has ended.
    """
    [length] = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - from our own process through our own pipe


def _reveal(credentials: Credentials | None) -> tuple[str, str] | None:
    return None if credentials is None else (credentials.user.reveal(), credentials.password.reveal())


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101 - it was requested
    return process.stdin


async def _receive(process: Process) -> Any:  # noqa: ANN401 - as next_frame
    """Return the next value from a worker.

    Raises:
        TcopMockError: the worker reported an error, or ended.
    """
    assert process.stdout is not None  # noqa: S101 - it was requested
    try:
        value = await read_frame(process.stdout)
    except asyncio.IncompleteReadError:
        raise TcopMockError(f"a worker ended without a report, with exit code {await process.wait()}") from None
    if isinstance(value, str) and value:
        raise TcopMockError(f"a worker failed: {value}")
    return value


async def _wait_for_exit(process: Process, *, has_finished: bool) -> None:
    """Wait for a finished worker to exit; kill an unfinished one."""
    try:
        async with asyncio.timeout(_EXIT_TIMEOUT_S if has_finished else 0.0):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _relay(process: Process, worker: int, on_second: Callable[[int, SecondStats | None], None]) -> None:
    while (second := await _receive(process)) is not None:
        on_second(worker, second)
    on_second(worker, None)
