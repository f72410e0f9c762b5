"""Standard output: UTF-8 whatever the locale says, and read by whom it may concern."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def write_utf8() -> None:
    """Write UTF-8 from now on: names are Chinese, and JSON documents are UTF-8 by their standard (RFC 8259, 8.1)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Take it as no error when whoever reads our output has enough (``| head``); what follows is written to nowhere."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard()


def discard() -> None:
    """Write to nowhere from now on, also what is still buffered, which would raise again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(io.UnsupportedOperation):  # a stream without descriptor: nothing is flushed at exit
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
