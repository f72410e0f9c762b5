"""The receivers of ours that tests can send to, or have their code forward to."""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcop_mock.sink.standins import Standins
from tcop_mock.testing.seeds import seed_of
from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage import misuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tcop_mock.testing.clock import Clock
    from tcop_mock.testing.receiving import Receiver

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
    from tcop_mock.testing.receiving import Receiver  # noqa: PLC0415 - needs the extra, and only here

    opened = Receiver(Standins(end, clock), _PATHS[end], seed_of(node, settings_of(node).seed))
    opened.server.start()
    try:
        yield opened
    finally:
        opened.server.close()
