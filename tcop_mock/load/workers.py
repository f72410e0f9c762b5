"""A load in several processes: each plays its share and tells its seconds; what they tell is added up here.

A worker is a process of its own (``python -m tcop_mock.load.worker_main``), not a fork: it gets its job on standard
input, tells on standard output, and ends when its standard input does, whatever becomes of us. Credentials go the same
way, which no list of processes shows.
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
    from tcop_mock.domain.alarm import Form, Wire
    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.shape import Lang
    from tcop_mock.domain.target import Credentials
    from tcop_mock.load.stats import Beat

_GO = b"\n"
_LENGTH = struct.Struct(">I")
_END_S = 0.8
"""What a worker that was told to stop may take to tell its last; Ctrl-C is answered within a second."""

_EXIT_S = 10.0
"""What a worker that has told its last may take to exit, which takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker has to know, but for the credentials: they would be masked on their way."""

    plan: LoadPlan
    lane: int
    seed: int
    lang: Lang
    form: Form
    wire: Wire
    folders: tuple[str, ...]


class Workers:
    """The processes of one load.

    Args:
        plan: of the whole load.
        generator: like theirs.
        folders: of the user's own entries.
        loop: name of the event loop, for ``loops.factory_of``.
    """

    def __init__(self, plan: LoadPlan, generator: Generator, folders: tuple[str, ...], loop: str) -> None:
        self._plan, self._generator, self._folders, self._loop = plan, generator, folders, loop

    async def run(self, tell: Callable[[int, Beat | None], None]) -> None:
        """Start them together, and pass on what they tell; ``None`` when one has told its last. Cancelled, end them.

        Raises:
            TcopMockError: one of them failed.
        """
        processes: list[Process] = []
        relays: list[asyncio.Task[None]] = []
        try:
            for lane in range(self._plan.workers):
                processes += [await self._started(lane)]
            for process in processes:
                await _said(process)  # that it is ready
            for process in processes:
                _stdin(process).write(_GO)
            relays += [asyncio.create_task(_relay(one, lane, tell)) for lane, one in enumerate(processes)]
            await asyncio.shield(asyncio.gather(*relays))  # cancelled, they go on: workers are still to tell their last
        finally:
            for process in processes:
                _stdin(process).close()
            if relays:
                _, late = await asyncio.wait(relays, timeout=_END_S)
                for relay in late:
                    relay.cancel()
            for process, relay in itertools.zip_longest(processes, relays):
                await _ended(process, told=relay is not None and relay.done())

    async def _started(self, lane: int) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tcop_mock.load.worker_main", self._loop),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is ours to hear
        )
        generator = self._generator
        bare = replace(self._plan, target=replace(self._plan.target, credentials=None))
        job = Job(bare, lane, generator.seed, generator.lang, generator.form, generator.wire, self._folders)
        _stdin(process).write(framed(job) + framed(_revealed(self._plan.target.credentials)))
        return process


def framed(value: object) -> bytes:
    """Return a value as it goes through a pipe."""
    data = pickle.dumps(value)
    return _LENGTH.pack(len(data)) + data


async def next_frame(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - whatever was framed
    """Return the next value from a pipe.

    Raises:
        asyncio.IncompleteReadError: there is none.
    """
    [length] = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - from a process of our own, by a pipe of our own


def _revealed(credentials: Credentials | None) -> tuple[str, str] | None:
    return None if credentials is None else (credentials.user.reveal(), credentials.password.reveal())


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    return process.stdin


async def _said(process: Process) -> Any:  # noqa: ANN401 - as next_frame
    """Return what a worker says next.

    Raises:
        TcopMockError: it says what went wrong, or nothing any more.
    """
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        said = await next_frame(process.stdout)
    except asyncio.IncompleteReadError:
        raise TcopMockError(f"a worker ended without a word, with exit code {await process.wait()}") from None
    if isinstance(said, str) and said:
        raise TcopMockError(f"a worker failed: {said}")
    return said


async def _ended(process: Process, *, told: bool) -> None:
    """Wait for the end of a process that has told its last, which is near; end another one."""
    try:
        async with asyncio.timeout(_EXIT_S if told else 0.0):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _relay(process: Process, lane: int, tell: Callable[[int, Beat | None], None]) -> None:
    while (beat := await _said(process)) is not None:
        tell(lane, beat)
    tell(lane, None)
