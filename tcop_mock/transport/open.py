"""The port to a target, whatever it is."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcop_mock.transport.http1 import HttpPost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.delivery import Post
    from tcop_mock.domain.target import Target


@contextmanager
def opened(target: Target, answer_cap_bytes: int, *, insecure: bool = False) -> Iterator[Post]:
    """Give the port to a URL, or to an app or a parser in this process, on the clock of ``time.perf_counter``.

    Args:
        target: what is sent to.
        answer_cap_bytes: how much of an answer's body is read.
        insecure: do not verify the certificate of an https URL.

    Raises:
        UsageError: there is no such app or parser.
        TargetError: the app does not start up.
    """
    if not target.app:
        yield HttpPost(target, answer_cap_bytes=answer_cap_bytes, insecure=insecure, clock=time.perf_counter)
        return
    if target.parser:
        from tcop_mock.transport.parser import parser_post  # noqa: PLC0415 - who sends to URLs need not load it

        with parser_post(target, clock=time.perf_counter) as parsing:
            yield parsing
        return
    from tcop_mock.transport.app import app_post  # noqa: PLC0415 - who sends to URLs need not load it

    with app_post(target, answer_cap_bytes=answer_cap_bytes, clock=time.perf_counter) as post:
        yield post
