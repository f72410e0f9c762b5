"""One process of several that share a load; see ``workers``. Not for people: it is told all on standard input."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import replace

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.load.engine import Driver
from tcop_mock.load.executors import steady
from tcop_mock.load.timer import factory_of
from tcop_mock.load.workers import Job, framed, next_frame


def main(loop: str) -> None:
    """Do one job, on an event loop of that name."""
    try:
        with asyncio.Runner(loop_factory=factory_of(loop)) as runner:
            runner.run(_work())
    except Exception as problem:  # noqa: BLE001 - whoever started us tells it
        _say(str(problem) or repr(problem))


async def _work() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    job: Job = await next_frame(reader)
    credentials: Credentials | None = _masked(await next_frame(reader))
    plan = replace(job.plan, target=replace(job.plan.target, credentials=credentials))
    driver = Driver(plan, _say)
    generator = Generator(job.seed, job.lang, form=job.form, wire=job.wire)
    work = steady(driver, Catalog.load(*job.folders), generator, lane=job.lane)
    _say("")
    await reader.readexactly(1)
    running, left = asyncio.create_task(driver.run(work)), asyncio.create_task(reader.read())
    await asyncio.wait([running, left], return_when=asyncio.FIRST_COMPLETED)
    running.cancel()  # where it is not over
    with contextlib.suppress(asyncio.CancelledError):
        await running
    _say(None)


def _masked(pair: tuple[str, str] | None) -> Credentials | None:
    return None if pair is None else Credentials(*map(Secret, pair))


def _say(value: object) -> None:
    sys.stdout.buffer.write(framed(value))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
