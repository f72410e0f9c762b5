"""Apps run where their caller is: in the waiting thread, or in the waiting event loop."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import sqlite3
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async

from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.transport import caller as caller_module
from tcop_mock.transport.app_loop import OwnLoop
from tcop_mock.transport.asgi import AsgiTransport
from tcop_mock.transport.caller import (
    Caller,
    ThreadCaller,
    call_and_wait,
    call_user,
    current_caller,
    run_beside,
    run_beside_async,
    runs_user_code,
)
from tcop_mock.transport.inprocess import CallableTransport, WsgiTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tcop_mock.domain.delivery import Attempt, Transport

TARGET = Target.parse("app:app")
PUSH = OutgoingRequest(b"{}")
tenant = contextvars.ContextVar("tenant", default="")


def wsgi_for(store: Callable[[], object]) -> Any:
    """Return a WSGI app that stores, and answers 204."""

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        store()
        start_response("204 No Content", [])
        return []

    return app


def asgi_for(store: Callable[[], object]) -> Any:
    """Return an ASGI app that stores, and answers 204."""

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        result = store()
        if asyncio.iscoroutine(result):
            await result
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    return app


@contextmanager
def transport_to(app: Any, kind: str) -> Iterator[Transport]:
    """Open a transport."""
    if kind == "asgi":
        with AsgiTransport(app, TARGET, max_body_bytes=100, clock=time.perf_counter) as post:
            yield post
    else:
        transport_class = WsgiTransport if kind == "wsgi" else CallableTransport
        yield transport_class(app, TARGET, max_body_bytes=100, clock=time.perf_counter)


def app_for(kind: str, store: Callable[[], object]) -> Any:
    """Return an app of a kind that stores when it gets a request."""
    if kind == "callable":
        return lambda _alarm: store()
    return wsgi_for(store) if kind == "wsgi" else asgi_for(store)


def send(post: Transport, request: OutgoingRequest = PUSH, deadline_s: float = 5.0) -> Attempt:
    """Send once from synchronous code."""

    async def once() -> Attempt:
        return await post(request, deadline_s=deadline_s)

    return run_beside(once())


@pytest.mark.parametrize("kind", ["wsgi", "asgi", "callable"])
def test_a_synchronous_caller_shares_its_thread(kind: str) -> None:
    """A connection of sqlite3, which only its own thread may use, and context variables are there in the app."""
    database = sqlite3.connect(":memory:")
    database.execute("create table alarms (tenant text)")

    def store() -> None:
        database.execute("insert into alarms values (?)", (tenant.get(),))
        tenant.set("of the app")

    token = tenant.set("of the test")
    with transport_to(app_for(kind, store), kind) as post:
        assert [send(post).outcome for _ in range(2)] == [Outcome.ACKED] * 2
    assert database.execute("select tenant from alarms").fetchall() == [("of the test",)] * 2
    assert tenant.get() == "of the test"
    tenant.reset(token)
    database.close()


@pytest.mark.parametrize("kind", ["asgi", "callable"])
def test_an_asynchronous_caller_shares_its_loop(kind: str) -> None:
    """A lock that is held and an event that is awaited in the test's loop work in the app; so do context variables."""

    async def scene() -> list[str]:
        lock, opened, seen = asyncio.Lock(), asyncio.Event(), list[str]()

        async def store() -> None:
            async with lock:
                await opened.wait()
                seen.append(tenant.get())

        tenant.set("of the test")
        await lock.acquire()
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, lock.release)
        loop.call_later(0.02, opened.set)
        with transport_to(app_for(kind, store), kind) as post:
            assert (await run_beside_async(post(PUSH, deadline_s=5.0))).outcome is Outcome.ACKED
        return seen

    assert asyncio.run(scene()) == ["of the test"]


def test_a_wsgi_app_of_an_asynchronous_caller_has_a_thread_for_each_request() -> None:
    """It may block; the context of the caller is there."""
    both = threading.Barrier(2, timeout=5.0)
    seen: list[str] = []

    def store() -> None:
        both.wait()
        seen.append(tenant.get())

    async def scene() -> None:
        tenant.set("of the test")
        with transport_to(wsgi_for(store), "wsgi") as post:

            async def twice() -> None:
                await asyncio.gather(post(PUSH, deadline_s=5.0), post(PUSH, deadline_s=5.0))

            await run_beside_async(twice())

    asyncio.run(scene())
    assert seen == ["of the test"] * 2


@pytest.mark.parametrize("kind", ["wsgi", "asgi", "callable"])
def test_a_synchronous_call_inside_of_a_running_loop_works(kind: str) -> None:
    """The loop's own thread waits, so the app runs in another one, in the context of the caller."""
    seen: list[tuple[str, bool]] = []

    async def scene() -> None:
        tenant.set("of the test")
        own_thread = threading.get_ident()
        store = lambda: seen.append((tenant.get(), threading.get_ident() == own_thread))  # noqa: E731 - one line
        with transport_to(app_for(kind, store), kind) as post:
            assert send(post).outcome is Outcome.ACKED
            assert send(post).outcome is Outcome.ACKED

    asyncio.run(scene())
    assert seen == [("of the test", False)] * 2


def test_an_app_s_background_tasks_go_on_between_calls() -> None:
    """Background tasks of an ASGI app run while the test waits; the next call uses the same thread."""
    done, threads = threading.Event(), list[int]()
    tasks: list[asyncio.Task[None]] = []

    async def later() -> None:
        await asyncio.sleep(0.01)
        done.set()

    def store() -> None:
        threads.append(threading.get_ident())
        tasks.append(asyncio.create_task(later()))

    with transport_to(asgi_for(store), "asgi") as post:
        send(post)
        assert done.wait(5.0)
        send(post)
    assert threads == [threading.get_ident()] * 2


def test_what_an_app_does_after_its_answer_is_waited_for_a_moment() -> None:
    """A dependency that commits after the response has committed when the call returns."""
    committed: list[int] = []

    async def app(scope: dict[str, Any], _receive: Any, send_message: Any) -> None:
        assert scope["type"] == "http"
        await send_message({"type": "http.response.start", "status": 204})
        await send_message({"type": "http.response.body"})
        await asyncio.sleep(0.01)
        committed.append(threading.get_ident())

    with transport_to(app, "asgi") as post:
        send(post)
        assert committed == [threading.get_ident()]


def test_synchronous_code_of_asgiref_runs_in_the_thread_of_the_caller() -> None:
    """Django's synchronous views run in the thread of a synchronous caller."""
    threads: list[int] = []

    async def store() -> None:
        await sync_to_async(lambda: threads.append(threading.get_ident()))()

    with transport_to(asgi_for(store), "asgi") as post:
        send(post)
    assert threads == [threading.get_ident()]

    async def scene() -> int:
        with transport_to(asgi_for(store), "asgi") as post:
            await run_beside_async(post(PUSH, deadline_s=5.0))
        return await sync_to_async(threading.get_ident)()

    assert asyncio.run(scene()) == threads[1]


def test_an_app_without_asgiref_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported for it."""
    monkeypatch.delitem(sys.modules, "asgiref.sync")
    with transport_to(asgi_for(lambda: None), "asgi") as post:
        assert send(post).outcome is Outcome.ACKED
    assert "asgiref.sync" not in sys.modules


def test_a_call_that_is_over_its_deadline_does_not_hold_up_the_next() -> None:
    """The next request has a thread of its own, and what blocks the caller at the end is interrupted."""
    free, calls = threading.Event(), list[int]()

    def store() -> None:
        calls.append(threading.get_ident())
        if len(calls) == 1:
            free.wait(60.0)

    async def twice(post: Transport) -> list[Outcome]:
        return [(await post(PUSH, deadline_s=deadline_s)).outcome for deadline_s in (0.02, 5.0)]

    with pytest.MonkeyPatch.context() as patch, transport_to(wsgi_for(store), "wsgi") as post:
        patch.setattr(caller_module, "_INTERRUPT_AFTER_S", 0.02)
        assert run_beside(twice(post)) == [Outcome.TIMED_OUT, Outcome.ACKED]
    assert calls[0] == threading.get_ident() != calls[1]


def test_only_the_main_thread_can_be_interrupted() -> None:
    """In another one, the run is over when the call is."""
    free = threading.Event()
    outcomes: list[Outcome] = []

    def scene() -> None:
        with transport_to(wsgi_for(lambda: free.wait(5.0)), "wsgi") as post:
            outcomes.append(send(post, deadline_s=0.02).outcome)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caller_module, "_INTERRUPT_AFTER_S", 0.02)
        thread = threading.Thread(target=scene)
        thread.start()
        free.set()
        thread.join()
    assert outcomes


def test_an_interrupt_that_comes_too_late_is_waited_for() -> None:
    """It is not raised in the code of the user after the run."""
    waiting = ThreadCaller()
    waiting._is_interrupted = True
    done: Any = Future()
    done.set_result(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda _: signal.raise_signal(signal.SIGINT))
        waiting.serve(done)
    assert waiting._left.is_set()


def test_ctrl_c_while_an_app_runs_ends_the_run() -> None:
    """Ctrl-C ends the run in the thread of a synchronous caller and in the loop of an asynchronous one."""

    def store() -> None:
        raise KeyboardInterrupt

    with transport_to(asgi_for(store), "asgi") as post, pytest.raises(KeyboardInterrupt):
        send(post)
    with transport_to(wsgi_for(store), "wsgi") as post, pytest.raises(KeyboardInterrupt):
        send(post)

    async def scene() -> None:
        with transport_to(asgi_for(store), "asgi") as post:
            await run_beside_async(post(PUSH, deadline_s=5.0))

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(scene())


def test_a_caller_that_has_left_calls_in_another_thread() -> None:
    """Calls of an app's tasks run in another thread after the run."""
    waiting = ThreadCaller()
    done: Any = Future()
    done.set_result(None)
    waiting.serve(done)
    assert waiting.submit(threading.get_ident).result(5.0) != threading.get_ident()
    queued = ThreadCaller()
    done.add_done_callback(lambda _: None)
    queued._put(None)
    late = queued.submit(threading.get_ident)
    queued.serve(done)
    assert late.result(5.0) != threading.get_ident()
    cancelled = queued.submit(lambda: None)
    cancelled.cancel()


def test_functions_of_the_user_run_where_the_caller_is() -> None:
    """Observers, and listeners of events; without a run, they are called right there."""
    here = threading.get_ident()

    async def coroutine_here() -> int:
        return threading.get_ident()

    async def calls() -> list[object]:
        assert current_caller() is not None
        return [
            await call_user(threading.get_ident),
            await call_user(runs_user_code),
            await call_user(coroutine_here),
            call_and_wait(threading.get_ident),
        ]

    in_thread = run_beside(calls())
    assert in_thread[:2] == [here, True]
    assert in_thread[2:] != [here, here]

    async def in_loop() -> list[object]:
        return await run_beside_async(calls())

    assert asyncio.run(in_loop()) == [here, False, here, here]
    assert asyncio.run(call_user(threading.get_ident)) == here
    assert asyncio.run(call_user(coroutine_here)) == here
    assert call_and_wait(threading.get_ident) == here
    assert not runs_user_code()


def test_cancelling_an_asynchronous_caller_cancels_the_run() -> None:
    """The run has ended when the caller gets the cancellation."""
    ended: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def scene() -> None:
        task = asyncio.create_task(run_beside_async(work()))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(scene())
    assert ended == [True]


@pytest.mark.parametrize("is_closed", [True, False])
def test_an_app_in_the_loop_of_the_test_is_shut_down_between_or_ends_with_the_loop(*, is_closed: bool) -> None:
    """An app is shut down after the test, with or without its loop."""
    seen: list[str] = []

    async def app(scope: dict[str, Any], receive: Any, send_message: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send_message({"type": "lifespan.startup.complete"})
            seen.append((await receive())["type"])
            return
        await send_message({"type": "http.response.start", "status": 204})
        await send_message({"type": "http.response.body"})

    with AsgiTransport(app, TARGET, max_body_bytes=100, clock=time.perf_counter) as post, asyncio.Runner() as runner:

        async def scene() -> None:
            await run_beside_async(post(PUSH, deadline_s=5.0))

        runner.run(scene())
        if not is_closed:
            post.__exit__()

            async def inside() -> None:
                post.__exit__()
                await post.shut_down()
                await post.shut_down()

            runner.run(inside())
    assert seen == ([] if is_closed else ["lifespan.shutdown"])


def test_an_app_that_blocks_its_loop_keeps_it() -> None:
    """Between two calls it blocks the loop, so that the next call waits for it there, and the end leaves it alone."""
    answered, free, blocked = threading.Event(), threading.Event(), threading.Event()
    others = set(threading.enumerate())

    def block_when_answered() -> None:
        if not answered.is_set():
            asyncio.get_running_loop().call_later(0.005, block_when_answered)
            return
        blocked.set()
        free.wait(10.0)

    def store() -> None:
        asyncio.get_running_loop().call_soon(block_when_answered)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tcop_mock.transport.app_loop._STOP_TIMEOUT_S", 0.02)
        patch.setattr(caller_module, "_UNFINISHED_CALLS_S", 0.02)
        with transport_to(asgi_for(store), "asgi") as post:
            assert send(post).outcome is Outcome.ACKED
            answered.set()
            assert blocked.wait(5.0)
            assert send(post, deadline_s=0.02).outcome is Outcome.TIMED_OUT
        free.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(5.0)
        assert not thread.is_alive()


def test_whoever_waits_in_no_thread_and_no_loop_is_only_a_context() -> None:
    """It can call, and nothing else."""
    assert asyncio.run(Caller().call(threading.get_ident)) == threading.get_ident()


def test_without_a_run_an_asgi_app_runs_in_the_running_loop() -> None:
    """A program that uses the transport alone runs an ASGI app in its own loop."""
    with transport_to(asgi_for(lambda: None), "asgi") as post:
        assert asyncio.run(post(PUSH, deadline_s=5.0)).outcome is Outcome.ACKED


def test_a_coroutine_function_of_a_synchronous_caller_has_a_loop_of_its_own() -> None:
    """An exception of a coroutine function counts like that of a function."""

    async def store(alarm: dict[str, Any]) -> None:
        if alarm:
            raise ValueError("when, please?")

    with transport_to(store, "callable") as post:
        assert send(post).status == 200
        assert send(post, OutgoingRequest(b'{"a": 1}')).status == 400


def test_an_end_inside_of_another_loop_leaves_the_first_one_alone() -> None:
    """A transport that is closed inside another loop leaves its own loop alone."""
    with asyncio.Runner() as first, asyncio.Runner() as second:
        transport = AsgiTransport(asgi_for(lambda: None), TARGET, max_body_bytes=10, clock=time.perf_counter)

        async def scene() -> None:
            await run_beside_async(transport(PUSH, deadline_s=5.0))

        async def close() -> None:
            transport.__exit__()

        first.run(scene())
        second.run(close())
        transport.__exit__()


def test_our_own_interrupt_is_not_passed_on_and_a_cancelled_call_is_not_made() -> None:
    """An app that turns our interrupt into an exception of its task has ended; nobody waits for a cancelled call."""
    waiting = ThreadCaller()
    waiting._is_interrupted = True
    waiting.interrupt()
    assert waiting._pending.empty()
    calls: list[int] = []
    waiting.submit(calls.append, 1).cancel()
    call = waiting._pending.get()
    assert call is not None
    call()
    assert calls == []


def test_a_handler_of_the_user_for_ctrl_c_is_left_alone() -> None:
    """Nobody knows what it does."""
    waiting, previous = ThreadCaller(), signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caller_module, "_INTERRUPT_AFTER_S", 0.0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        waiting.interrupt_if_blocked()
    signal.signal(signal.SIGINT, previous)
    assert not waiting._is_interrupted


def test_what_a_function_of_the_user_raises_reaches_the_run() -> None:
    """An exception of a user's function, such as an observer, reaches the run."""

    def fails() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run_beside(call_user(fails))


def test_the_loop_of_an_app_goes_on_after_a_stop_that_is_not_ours() -> None:
    """An app that was busy when its loop was to stop keeps its thread, and can be stopped later."""
    own = OwnLoop()
    own.run_in_background()
    own.loop.call_soon_threadsafe(own.loop.stop)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), own.loop).result(5)
    assert [own.is_running, own.pause(), own.is_running] == [True, True, False]
    own.loop.close()
