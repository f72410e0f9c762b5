"""Exceptions of callbacks are raised by the future that is awaited."""

from __future__ import annotations

import asyncio

import pytest

from tcop_mock.load.timer import propagate_loop_errors, report_error


def test_the_first_fault_is_raised() -> None:
    """Errors of connections are ignored, the first other error is raised, and the old handler returns."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        with propagate_loop_errors(over):
            loop.call_exception_handler({"message": "no exception"})
            report_error(ConnectionResetError("by peer"))
            assert not over.done()
            report_error(LookupError("first"))
            report_error(LookupError("second"))
        assert loop.get_exception_handler() is None
        await over

    with pytest.raises(LookupError, match="first"):
        asyncio.run(run())
