"""The port to a target, whatever it is."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.target import Target


@contextmanager
def open_transport(target: Target, max_body_bytes: int, *, insecure: bool = False) -> Iterator[Transport]:
    """Give the port to a URL, or to an app or a parser in this process, on the clock of ``time.perf_counter``.

    Args:
        target: what is sent to.
        max_body_bytes: how much of an answer's body is read.
        insecure: do not verify the certificate of an https URL.

    Raises:
        UsageError: there is no such app or parser.
        TargetError: the app does not start up.
    """
    if not target.app:
        yield HttpTransport(target, max_body_bytes=max_body_bytes, insecure=insecure, clock=time.perf_counter)
        return
    if target.parser:
        from tcop_mock.transport.parser import parser_transport  # noqa: PLC0415 - who sends to URLs need not load it

        with parser_transport(target, clock=time.perf_counter) as parser:
            yield parser
        return
    from tcop_mock.transport.app import transport_by_name  # noqa: PLC0415 - who sends to URLs need not load it

    with transport_by_name(target, max_body_bytes=max_body_bytes, clock=time.perf_counter) as transport:
        yield transport
