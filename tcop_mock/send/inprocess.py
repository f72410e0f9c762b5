"""One request to an app in this process, as it goes on: the app's side fills it in, the sender's waits for it.

Each app runs in threads of its own, so that one that blocks is late and nothing else is.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import traceback
from concurrent.futures import Future, InvalidStateError
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from tcop_mock.model.delivery import Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tcop_mock.model.delivery import Push
    from tcop_mock.model.target import Target

T = TypeVar("T")

CLIENT = ("127.0.0.1", 49152)
_MOST_TRACE_CHARS = 20_000
_NO_ANSWER = "the app ended without an answer"
_HALF_AN_ANSWER = "the app ended inside its answer"


class Exchange:
    """A request, and what an app answers.

    Args:
        target: whose path is asked for.
        push: what is sent.
        cap_bytes: of the answer's body.
        clock: seconds.
    """

    def __init__(self, target: Target, push: Push, cap_bytes: int, clock: Callable[[], float]) -> None:
        self.push, self._cap, self._clock = push, cap_bytes, clock
        self.raw_path, _, self.query = target.path_with(push.query).partition("?")
        self.path = unquote(self.raw_path)
        self.host = target.authority
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.truncated = self._broken = False
        self.first_byte_s: float | None = None
        self.trace = ""
        self.head: Future[None] = Future()
        self.whole: Future[None] = Future()

    def request_headers(self) -> list[tuple[str, str]]:
        """Return the headers as the sender writes them on a wire."""
        push = self.push
        fields = {
            "host": ("Host", self.host),
            "content-length": push.framing,
            "connection": ("Connection", "close"),
        }
        if push.credentials is not None:
            fields["authorization"] = ("Authorization", f"Basic {push.credentials.token().reveal()}")
        return list((fields | {name.lower(): (name, value) for name, value in push.headers}).values())

    def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take the head of the answer."""
        self.status, self.headers, self.first_byte_s = status, tuple(headers), self._clock()
        settle(self.head)

    def go_on(self, data: bytes) -> None:
        """Take a part of the answer's body."""
        room = self._cap - len(self.body)
        self.body += data[:room]
        if len(data) > room:
            self.truncated = True
            settle(self.whole)

    def end(self) -> None:
        """Take it that there is no more to come; without a head, servers answer 500."""
        if self.status is None:
            self.fail(_NO_ANSWER)
        settle(self.whole)

    def fail(self, problem: BaseException | str, status: int = HTTPStatus.INTERNAL_SERVER_ERROR) -> None:
        """Take it that the app has raised: as servers do it, 500 before the head, and the end of all behind it."""
        told = problem if isinstance(problem, str) else "".join(traceback.format_exception(problem))
        if self.push.credentials is not None:
            told = self.push.credentials.masked_in(told)
        self.trace = told[-_MOST_TRACE_CHARS:]
        if self.status is None:
            self.begin(status, ())
            settle(self.whole)
        else:
            self._broken = True
            settle(self.whole)

    async def outcome(self, deadline_s: float) -> tuple[Outcome, str]:
        """Wait for the answer, and say how the attempt ended."""
        if self.push.hang_up_s is not None:
            await asyncio.sleep(self.push.hang_up_s)
            return Outcome.CANCELLED, "hung up, as asked for"
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.shield(asyncio.wrap_future(self.head))
                async with asyncio.timeout(self.push.patience_s):
                    await asyncio.shield(asyncio.wrap_future(self.whole))
        except TimeoutError:
            late = f"no answer inside {deadline_s:g} s" if self.status is None else "the body of the answer did not end"
            return Outcome.TIMED_OUT, late
        if self._broken:
            return Outcome.RESET_IN_ANSWER, _HALF_AN_ANSWER
        return Outcome.of_status(self.status), self.trace.strip().rpartition("\n")[2]

    def attempt(self, outcome: tuple[Outcome, str], started_s: float, intended_s: float | None) -> Attempt:
        """Return the record of the attempt, which has ended now."""
        return Attempt(
            outcome=outcome[0],
            intended_s=started_s if intended_s is None else intended_s,
            started_s=started_s,
            ended_s=self._clock(),
            connected_s=started_s,
            first_byte_s=self.first_byte_s,
            status=self.status,
            headers=self.headers,
            body=bytes(self.body),
            body_truncated=self.truncated,
            sent_bytes=len(self.push.body),
            received_bytes=len(self.body),
            request_sha256=hashlib.sha256(self.push.body).hexdigest(),
            detail=outcome[1],
            trace=self.trace,
        )


def settle(future: Future[T | None], value: T | None = None) -> None:
    """Settle a future that may be settled."""
    with contextlib.suppress(InvalidStateError):
        future.set_result(value)
