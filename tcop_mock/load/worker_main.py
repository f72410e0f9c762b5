"""Entry point of a worker process; see ``workers``. It reads its job from standard input."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import replace

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.load.engine import LoadEngine
from tcop_mock.load.executors import make_executor
from tcop_mock.load.timer import loop_factory
from tcop_mock.load.workers import WorkerJob, encode_frame, read_frame


def main(loop: str) -> None:
    """Run one job on the event loop with a name."""
    try:
        with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
            runner.run(_run_job())
    except Exception as problem:  # noqa: BLE001 - the parent process reports it
        _send(str(problem) or repr(problem))


async def _run_job() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    job: WorkerJob = await read_frame(reader)
    credentials: Credentials | None = _to_credentials(await read_frame(reader))
    plan = replace(job.plan, target=replace(job.plan.target, credentials=credentials))
    engine = LoadEngine(plan, _send)
    generator = Generator(job.seed, job.lang, form=job.form, wire_format=job.wire)
    executor = make_executor(engine, Catalog.load(*job.folders), generator, worker=job.worker)
    _send("")
    await reader.readexactly(1)
    run_task, stdin_closed = asyncio.create_task(engine.run(executor)), asyncio.create_task(reader.read())
    await asyncio.wait([run_task, stdin_closed], return_when=asyncio.FIRST_COMPLETED)
    run_task.cancel()  # if it is still running
    with contextlib.suppress(asyncio.CancelledError):
        await run_task
    _send(None)


def _to_credentials(pair: tuple[str, str] | None) -> Credentials | None:
    return None if pair is None else Credentials(Secret(pair[0]), Secret(pair[1]))


def _send(value: object) -> None:
    sys.stdout.buffer.write(encode_frame(value))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
