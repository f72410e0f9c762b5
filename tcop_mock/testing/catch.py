"""``tcop_catch``: the calls of the test's process to other machines, caught while the test runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcop_mock.server.app_calls import AppCalls
from tcop_mock.server.caught_hosts import CATCH_HOST, CaughtHosts
from tcop_mock.testing.options import get_list_option
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import usage_errors_as_failures

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tcop_mock.server.catching_proxy import CallLog
    from tcop_mock.server.downstream import DownstreamRecorder, ReceivedMessage

_CATCH_HOST = "--tcop-catch-host"


class CaughtCalls:
    """The calls of one test.

    Args:
        calls: catches them.
    """

    def __init__(self, calls: AppCalls) -> None:
        self._calls = calls

    @property
    def messages(self) -> list[ReceivedMessage]:
        """Messages to caught hosts, with ``service``, ``recipient``, ``text`` and ``document``."""
        return list(self.observer.messages)

    @property
    def refused(self) -> dict[str, int]:
        """Number of calls by host, for hosts that are not caught."""
        return dict(self.log.refused)

    @property
    def observer(self) -> DownstreamRecorder:
        """The messages as effects."""
        return self._calls.recorder

    @property
    def log(self) -> CallLog:
        """All calls that were not answered."""
        return self._calls.log


@contextmanager
def catch_calls(node: pytest.Item) -> Iterator[CaughtCalls]:
    """Catch the calls of this process for one test; hosts that tests may send to are left alone."""
    settings = settings_of(node)
    with usage_errors_as_failures("tcop_catch"):
        texts = [option.value for option in get_list_option(node.config, "catch_host")]
        hosts = CaughtHosts.parse(texts, _CATCH_HOST)
        calls = AppCalls(hosts, exempt=settings.allowed_hosts)
        calls.__enter__()
    try:
        yield CaughtCalls(calls)
    finally:
        calls.__exit__(None, None, None)
        hints = calls.log.hints()
        if hints:
            node.add_report_section("teardown", "tcop_catch", in_pytest("\n".join(hints)))


def in_pytest(text: str) -> str:
    """Return a text about calls with the option of pytest in place of that of the command line."""
    return text.replace(CATCH_HOST, _CATCH_HOST)
