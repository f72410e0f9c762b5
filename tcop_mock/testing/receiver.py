"""A receiver that keeps what comes, on pytest-httpserver: for tests of whatever sends callbacks, or forwards them."""

from __future__ import annotations

import importlib.util
import inspect
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tcop_mock.reports.text import counted, one_line
from tcop_mock.server.downstream import Message, sight_of
from tcop_mock.server.faults import FaultPlan, parse_fault
from tcop_mock.server.http_server import Received, Reply
from tcop_mock.server.stubs import Answered, Standins
from tcop_mock.testing.httpserver import FaultyServer, matches
from tcop_mock.testing.options import seed_of
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import misuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.domain.effects import Sight
    from tcop_mock.server.faults import Fault
    from tcop_mock.testing.httpserver import Captured, Where
    from tcop_mock.testing.senders import Clock

    Answer: TypeAlias = Reply | int | None


_PATHS = {
    "webhook": "/",
    "pagerduty": "/pagerduty/v2/enqueue",
    "wecom": "/wecom/cgi-bin/webhook/send?key=tcop-mock",
}


@contextmanager
def receiver(end: str, node: pytest.Item, clock: Clock) -> Iterator[Receiver]:
    """Open a receiver for one test; at its end, raise what was raised while requests were answered.

    Args:
        end: ``webhook``, ``pagerduty`` or ``wecom``.
        node: the test.
        clock: of alarm time, by which the end counts its minutes.

    Raises:
        Failed: pytest-httpserver is not installed.
    """
    if importlib.util.find_spec("pytest_httpserver") is None:
        misuse('tcop_receiver and its like need pytest-httpserver: pip install "tcop-mock[pytest]"')
    opened = Receiver(Standins(end, clock), _PATHS[end], seed_of(node, settings_of(node).seed))
    opened.server.start()
    try:
        yield opened
    finally:
        opened.server.close()


_MOST_SHOWN = 10

_MOST_CHARS = 300


def not_so_many(
    count: int, timeout: float, where: Where | None, found: Sequence[Captured], all_: Sequence[Captured]
) -> str:
    """Return what was waited for, and what has come, bounded; the newest last."""
    wanted = f"{counted(count, 'callback')}{f' where {_told(where)}' if where is not None else ''}"
    came = (
        f"{len(found)} came" if where is None else f"{len(found)} came, and {counted(len(all_) - len(found), 'other')}"
    )
    lines = [f"waited {timeout:g} s for {wanted}; {came}{':' if all_ else ''}"]
    if len(all_) > _MOST_SHOWN:
        lines.append(f"  … {counted(len(all_) - _MOST_SHOWN, 'earlier one')}")
    lines += [f"  {'*' if one in found else '-'} {one!r}" for one in all_[-_MOST_SHOWN:]]
    return "\n".join(lines)


def _told(where: Where) -> str:
    if not callable(where):
        return one_line(" and ".join(f"{path} == {value!r}" for path, value in where.items()), _MOST_CHARS)
    try:
        source = " ".join(inspect.getsource(where).split())
    except (OSError, TypeError):
        source = repr(where)
    return one_line(f"`{source}`", _MOST_CHARS)


_WAIT_S = 5.0


class Receiver:
    """What ``tcop_receiver``, ``tcop_pagerduty`` and ``tcop_wecom`` are: a server on a free port of this machine.

    Args:
        standins: answer as the end does.
        path: of ``url``.
        seed: what the chance of faults comes from.
    """

    def __init__(self, standins: Standins, path: str, seed: int) -> None:
        self._standins, self._path, self._seed = standins, path, seed
        self._answer: Callable[[Captured], Answer] | None = None
        self._plan = FaultPlan()
        self._number, self._since_s = 0, time.monotonic()
        self._came = threading.Condition()
        self._callbacks: list[Captured] = []
        self.server = FaultyServer(self._choose, self._answered, self._keep, standins.end_of)
        """pytest-httpserver's own, for what is not here: ``server.expect_request(...)`` comes before our answers."""

    @property
    def url(self) -> str:
        """Where callbacks are to be sent."""
        return self.server.url_for(self._path)

    @property
    def callbacks(self) -> list[Captured]:
        """What has come, in order; a copy."""
        with self._came:
            return list(self._callbacks)

    def clear(self) -> None:
        """Forget what has come."""
        with self._came:
            self._callbacks.clear()

    def wait_for(self, count: int = 1, timeout: float = _WAIT_S, where: Where | None = None) -> list[Captured]:
        """Wait until so many have come, and return them; a failure says what has come instead.

        Args:
            count: how many, at least.
            timeout: seconds.
            where: which ones count: a callable that says so, or paths with their values, as in
                ``{"alarmStatus": "0", "alarmObjInfo.region": "gz"}``.

        Raises:
            Exception: whatever was raised while one was answered.
        """
        __tracebackhide__ = True
        until_s = time.monotonic() + timeout
        with self._came:
            while True:
                self.server.check()
                found = [one for one in self._callbacks if matches(one, where)]
                left_s = until_s - time.monotonic()
                if len(found) >= count:
                    return found
                if left_s <= 0:
                    pytest.fail(not_so_many(count, timeout, where, found, self._callbacks), pytrace=False)
                self._came.wait(left_s)

    def answer_with(self, answer: Callable[[Captured], Answer] | None) -> None:
        """Have a callable answer in the end's place: with a status, a ``Reply``, or ``None`` for the end's own answer.

        What it raises fails the test, at the latest when that is over.
        """
        self._answer = answer

    def fault(self, *faults: str) -> None:
        """Have something go wrong from now on, as ``tcop-mock listen --fault`` does; without a name, nothing any more.

        ``fault("status:503:2")`` refuses the next two; ``delay:6s``, ``drip-headers``, ``drip-body``,
        ``endless-body``, ``reset``, ``reset-after-request``, ``empty``, ``garbage``, ``redirect``, ``401`` and
        ``wrong-length:-5`` are the others. ``:0.1`` behind it is a probability, ``:#2-5`` the second to fifth, ``:%4``
        each fourth.

        Raises:
            UsageError: no such fault; names near misses.
        """
        plan = FaultPlan([parse_fault(text, "fault") for text in faults], seed=self._seed)
        with self._came:
            self._plan, self._number, self._since_s = plan, 0, time.monotonic()

    def take_any_number(self) -> None:
        """Lift the end's limit by the minute, as a contract that is played faster than in life needs it."""
        self._standins.per_minute = {}

    @property
    def shows_all(self) -> bool:
        """That it need not be asked for each object, as an observer."""
        return True

    async def look(self, token: str) -> Sight:  # noqa: ARG002 - an observer's signature
        """Return what has come and was taken, as an observer of whoever forwards here (``tcop_observer``)."""
        return sight_of([_message(one) for one in self.callbacks])

    def _choose(self) -> Fault | None:
        with self._came:
            self._number += 1
            return self._plan.choose(self._number, time.monotonic() - self._since_s)

    def _answered(self, request: Captured) -> Answered:
        """Answer as the end does, or as the test's own callable does in its place."""
        received = Received(request.method, request.path, request.headers, request.body, time.monotonic())
        given = self._answer(request) if self._answer else None
        if given is None:
            return self._standins.answer(received)
        reply = given if isinstance(given, Reply) else Reply(given)
        return Answered(reply, "as the test answers", taken=reply.status < HTTPStatus.BAD_REQUEST)

    def _keep(self, captured: Captured) -> None:
        with self._came:
            self._callbacks.append(captured)
            self._came.notify_all()


def _message(captured: Captured) -> Message:
    return Message.of(captured.end, captured.path, captured.body, taken=captured.taken, said=captured.said)
