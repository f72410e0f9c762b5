"""The exception of an app, as reports show it."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.transport.asgi import AsgiTransport
from tcop_mock.transport.caller import run_beside
from tcop_mock.transport.inprocess import error_line, error_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tcop_mock.domain.delivery import Attempt

TARGET = Target.parse("app:app")


def raised(function: Callable[[], object]) -> BaseException:
    """Return what a function raises."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - of any kind
        function()
    return caught.value


def parse() -> None:
    """Raise inside of a library."""
    json.loads("{")


def test_only_the_own_frames_are_shown() -> None:
    """A frame of the library is not; the number of frames says so. The place is in the line, too."""
    problem = raised(parse)
    text = error_text(problem)
    assert "in parse" in text
    assert "decoder.py" not in text
    assert "frames are not shown)" in text
    assert text.splitlines()[-1].startswith("json.decoder.JSONDecodeError: Expecting")
    assert error_line(problem).endswith("of test_app_errors.py)")
    assert "(parse, line " in error_line(problem)


def test_without_own_frames_the_last_ones_are_shown() -> None:
    """Without frames of the user, as when a framework rejects a request, the last frames are shown."""
    problem = raised(parse)
    assert problem.__traceback__ is not None
    frames = problem.__traceback__
    while frames.tb_next is not None and "decoder.py" not in frames.tb_frame.f_code.co_filename:
        frames = frames.tb_next
    library_problem = problem.with_traceback(frames)
    assert "decoder.py" in error_text(library_problem)
    assert error_line(library_problem) == f"json.decoder.JSONDecodeError: {problem}"
    assert error_text(KeyError("region")) == "KeyError: 'region'"


def test_causes_come_first_and_groups_of_one_are_opened() -> None:
    """Causes are printed in Python's order, up to a few, and never in a circle."""

    def wraps() -> None:
        try:
            parse()
        except ValueError as problem:
            raise ExceptionGroup("of a task group", [RuntimeError("wrapped")]) from problem

    group = raised(wraps)
    assert isinstance(group, ExceptionGroup)
    assert error_text(group) == "RuntimeError: wrapped"
    inner = group.exceptions[0]
    inner.__cause__ = group.__cause__
    assert error_text(group).index("JSONDecodeError") < error_text(group).index("RuntimeError: wrapped")
    inner.__cause__ = inner
    assert error_text(group) == "RuntimeError: wrapped"
    long = ValueError("x" * 3000)
    assert error_text(long).endswith("x…")
    links = [ValueError(str(number)) for number in range(6)]
    for link, cause in pairwise(links):
        link.__cause__ = cause
    assert error_text(links[0]).splitlines() == [f"ValueError: {number}" for number in (3, 2, 1, 0)]


async def _raises(_request: Request) -> Response:
    raise ValueError("time data '' does not match")


async def _handles(_request: Request) -> Response:
    return JSONResponse({"detail": "no"}, 500)


def _attempts(app: Any, count: int) -> list[Attempt]:
    async def scene() -> list[Attempt]:
        return [await post(OutgoingRequest(b"{}"), deadline_s=5.0) for _ in range(count)]

    with AsgiTransport(app, TARGET, max_body_bytes=1000, clock=time.perf_counter) as post:
        return run_beside(scene())


@pytest.mark.parametrize("is_debug", [True, False])
def test_a_framework_that_answers_500_and_raises_has_one_outcome(*, is_debug: bool) -> None:
    """The whole answer is there before the exception, so it is a 500, with the exception, each time."""
    attempts = _attempts(Starlette(debug=is_debug, routes=[Route("/", _raises, methods=["POST"])]), 30)
    assert {(one.outcome, one.status) for one in attempts} == {(Outcome.REJECTED, 500)}
    assert all("in _raises" in one.traceback for one in attempts)
    assert {one.detail.partition(" (")[0] for one in attempts} == {"ValueError: time data '' does not match"}


def test_an_answer_of_500_without_an_exception_has_no_traceback() -> None:
    """A 500 without an exception has no traceback."""
    [attempt] = _attempts(Starlette(routes=[Route("/", _handles, methods=["POST"])]), 1)
    assert (attempt.outcome, attempt.detail, attempt.traceback) == (Outcome.REJECTED, "", "")


def test_an_exception_after_an_answer_that_took_the_callback_changes_nothing() -> None:
    """The sender has its answer; a 2xx is a 2xx whether the exception comes early or late."""

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"ok"})
        raise ValueError("in the background")

    attempts = _attempts(app, 30)
    assert {(one.outcome, one.status, one.detail, one.traceback) for one in attempts} == {(Outcome.ACKED, 200, "", "")}


def test_an_app_that_exits_is_a_500() -> None:
    """It does not end the test."""

    async def app(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        assert scope["type"] == "http"
        raise SystemExit(1)

    [attempt] = _attempts(app, 1)
    assert (attempt.status, attempt.detail.partition(" (")[0]) == (500, "SystemExit: 1")
