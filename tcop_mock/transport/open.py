"""Opens the transport for a target: a URL, an app or a parser."""

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
    """Yield a transport to a URL, or to an app or a parser in this process, on the clock of ``time.perf_counter``.

    Args:
        target: the target.
        max_body_bytes: how many bytes of a response body are read.
        insecure: do not verify the certificate of an https URL.

    Raises:
        UsageError: the app or parser does not exist.
        TargetError: the app does not start.
    """
    if not target.app:
        yield HttpTransport(target, max_body_bytes=max_body_bytes, insecure=insecure, clock=time.perf_counter)
        return
    if target.parser:
        from tcop_mock.transport.parser import parser_transport  # noqa: PLC0415 - not needed for URLs

        with parser_transport(target, clock=time.perf_counter) as parser:
            yield parser
        return
    from tcop_mock.transport.app import transport_by_name  # noqa: PLC0415 - not needed for URLs

    with transport_by_name(target, max_body_bytes=max_body_bytes, clock=time.perf_counter) as transport:
        yield transport
