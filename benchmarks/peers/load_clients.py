"""The clients in Python of ``benchmarks/load.py``, each in a process of its own.

usage: python benchmarks/peers/load_clients.py NAME URL SECONDS [RATE]   (prints a line of JSON)
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.load import LoadModel, LoadPlan, Stage
from tcop_mock.domain.target import Target
from tcop_mock.load.engine import LoadEngine
from tcop_mock.load.executors import ClosedExecutor, OpenExecutor, make_executor
from tcop_mock.load.schedule import mixed_bodies, weighted_shapes
from tcop_mock.load.stats import StatsAggregator
from tcop_mock.load.timer import loop_factory

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.load_summary import LoadSummary
    from tcop_mock.load.stats import SecondStats

CONNECTIONS = 64
MIX = (("cvm/basic-monitoring", 1.0),)
PREPARED = 4096


class Measured(NamedTuple):
    """The figures of a client."""

    rate: float
    """Callbacks a second."""
    cost_us: float
    """Processor time of one callback. Other work of the machine hardly changes it."""


def body() -> bytes:
    """Return one body, for clients that send the same body again and again."""
    return next(mixed_bodies(Generator(1), weighted_shapes(Catalog.load(), MIX)))


def run_load(
    url: str, seconds: float, *, loop: str, prepared: bool = False, rate: float = 0.0
) -> tuple[LoadSummary, float]:
    """Run our load, closed or at a rate with Poisson arrivals; return its summary and processor time."""
    stages = (Stage(seconds, rate, rate),)
    model = LoadModel.OPEN if rate else LoadModel.CLOSED
    rules = load_profile("2023").delivery
    plan = LoadPlan(
        Target.parse(url),
        rules,
        "2023",
        seed=1,
        model=model,
        stages=stages,
        is_poisson=True,
        mix=MIX,
        concurrency=CONNECTIONS,
        duration_s=seconds,
    )
    aggregator = StatsAggregator(plan)

    def add(second: SecondStats) -> None:
        aggregator.add(second)

    async def run() -> None:
        engine = LoadEngine(plan, add)
        if prepared:
            bodies = mixed_bodies(Generator(1), weighted_shapes(Catalog.load(), MIX))
            executor: ClosedExecutor | OpenExecutor = ClosedExecutor(
                engine, itertools.cycle([next(bodies) for _ in range(PREPARED)])
            )
        else:
            executor = make_executor(engine, Catalog.load(), Generator(1))
        await engine.run(executor)

    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        used_s = time.process_time()
        runner.run(run())
        used_s = time.process_time() - used_s
    return aggregator.summary(), used_s


def measured(sent: int, started_s: float, used_s: float) -> Measured:
    """Return the figures of ``sent`` callbacks since a time on the wall clock and one of the processor."""
    return Measured(sent / (time.perf_counter() - started_s), 1e6 * (time.process_time() - used_s) / sent)


def with_ours(url: str, seconds: float, **options: Any) -> Measured:  # noqa: ANN401 - those of run_load()
    """Return the figures of our load."""
    summary, used_s = run_load(url, seconds, **options)
    return Measured(summary.rate, 1e6 * used_s / summary.attempts)


def in_tasks(url: str, seconds: float, session: Callable[[], Any], connections: int = CONNECTIONS) -> Measured:
    """Return the figures of concurrent tasks that share a client; each sends one request after the other."""
    sent, content = 0, body()

    async def run() -> Measured:
        async with session() as client:
            started_s, used_s = time.perf_counter(), time.process_time()

            async def send() -> None:
                nonlocal sent
                while time.perf_counter() - started_s < seconds:
                    answer = await client.post(url, data=content)
                    await answer.read() if hasattr(answer, "content_type") else None
                    sent += 1

            await asyncio.gather(*(send() for _ in range(connections)))
            return measured(sent, started_s, used_s)

    return asyncio.run(run())


def with_aiohttp(url: str, seconds: float) -> Measured:
    """Return the figures of aiohttp."""
    import aiohttp  # noqa: PLC0415 - each client loads its own

    return in_tasks(url, seconds, aiohttp.ClientSession)


def with_httpx(url: str, seconds: float) -> Measured:
    """Return the figures of httpx with 8 connections: with 64 its pool takes eight times as long."""
    import httpx  # noqa: PLC0415 - each client loads its own

    class Client(httpx.AsyncClient):
        async def post(self, url: str, *, data: bytes) -> httpx.Response:  # type: ignore[override]  # as aiohttp's
            return await super().post(url, content=data)

    connections = 8
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return in_tasks(url, seconds, lambda: Client(limits=limits, trust_env=False), connections)


def with_locust(url: str, seconds: float) -> Measured:
    """Return the figures of the client of Locust's FastHttpUser."""
    from locust.contrib.fasthttp import FastHttpSession  # noqa: PLC0415 - each client loads its own
    from locust.env import Environment  # noqa: PLC0415 - each client loads its own

    gevent: Any = importlib.import_module("gevent")  # has no types
    content, sent, events = body().decode(), 0, Environment().events
    started_s, used_s = time.perf_counter(), time.process_time()

    def send() -> None:
        nonlocal sent
        session = FastHttpSession(url.rstrip("/"), events.request, None)
        while time.perf_counter() - started_s < seconds:
            session.post("/", data=content)
            sent += 1

    gevent.joinall([gevent.spawn(send) for _ in range(CONNECTIONS)], raise_error=True)
    return measured(sent, started_s, used_s)


RATES: dict[str, Callable[[str, float], Measured]] = {
    "ours, asyncio": lambda url, seconds: with_ours(url, seconds, loop="asyncio"),
    "ours, asyncio, prepared": lambda url, seconds: with_ours(url, seconds, loop="asyncio", prepared=True),
    "ours, uvloop": lambda url, seconds: with_ours(url, seconds, loop="uvloop"),
    "ours, uvloop, prepared": lambda url, seconds: with_ours(url, seconds, loop="uvloop", prepared=True),
    "aiohttp": with_aiohttp,
    "httpx": with_httpx,
    "locust FastHttpUser": with_locust,
}


NEEDED = {
    name: {"ours, uvloop": "uvloop", "ours, uvloop, prepared": "uvloop", "locust FastHttpUser": "locust"}.get(
        name, "" if name.startswith("ours") else name
    )
    for name in RATES
}
"""The module that each client needs."""


def main(name: str, url: str, seconds: float, rate: float = 0.0) -> None:
    """Run one client."""
    if not rate:
        print(json.dumps(RATES[name](url, seconds)._asdict()))
        return
    summary, _ = run_load(url, seconds, loop=name, rate=rate)
    late = {f"p{share:g}": 1e3 * summary.lateness.percentile(share) for share in (50, 99, 99.9)}
    acks = {f"ack p{share:g}": 1e3 * summary.ack_times.percentile(share) for share in (50, 99)}
    print(json.dumps({"rate": summary.rate, **late, "max": 1e3 * summary.lateness.max_s, **acks}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:]))
