"""Errors in the use of the plugin, reported in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

from tcop_mock.errors import TcopMockError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PYTEST_WORDING = {
    "`--wait 30s`": "tcop_contract.check(wait_s=30)",
    "--run": "tcop_run",
    "--catch-host": "catch_hosts",
    "--wait gives": "wait_s gives",
}
"""Flags of the command line and their names in pytest."""


def usage_error(message: str) -> NoReturn:
    """Fail the test or its set-up in one line without a traceback; for hooks see :func:`usage_errors_end_run`."""
    raise pytest.fail.Exception(f"tcop-mock: {' '.join(message.split())}", pytrace=False) from None


@contextmanager
def usage_errors_as_failures(where: str = "") -> Iterator[None]:
    """Fail the test in one line for a wrong call; ``where`` precedes the message."""
    try:
        yield
    except UsageError as problem:
        usage_error(f"{where}: {problem}" if where else str(problem))


@contextmanager
def target_errors_as_failures() -> Iterator[None]:
    """Fail the test in one line for a wrong call or an unusable receiver."""
    try:
        yield
    except TcopMockError as problem:
        message = str(problem)
        for cli_text, pytest_text in _PYTEST_WORDING.items():
            message = message.replace(cli_text, pytest_text)
        usage_error(message)


@contextmanager
def usage_errors_end_run(config: pytest.Config) -> Iterator[None]:
    """End the run for a usage error like pytest for a wrong option: one line, exit code 4.

    pytest-xdist would report that as a crash of its worker. So a worker fails each test with the plugin in its set-up.
    """
    try:
        yield
    except pytest.fail.Exception as problem:
        if not hasattr(config, "workerinput"):
            raise pytest.UsageError(str(problem)) from None
        config.pluginmanager.register(FailAllPlugin(str(problem)))


class FailAllPlugin:
    """A plugin that fails all tests that use tcop-mock.

    Args:
        message: the reason.
    """

    def __init__(self, message: str) -> None:
        self._message = message

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fail the test if it uses a mark or a fixture of tcop-mock."""
        if any(name.startswith("tcop") for name in (*item.keywords, *getattr(item, "fixturenames", ()))):
            raise pytest.fail.Exception(self._message, pytrace=False)
