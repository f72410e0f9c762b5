"""Standard output: UTF-8 in every locale, and a closed pipe is not an error."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def write_utf8() -> None:
    """Write UTF-8 from now on: names are Chinese, and JSON documents are UTF-8 (RFC 8259, 8.1)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


@contextlib.contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Ignore that the reader of our output closed it (``| head``), and discard what follows."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()


def silence_stdout() -> None:
    """Discard all output from now on, and what is still buffered: flushing it at exit would raise again."""
    null = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(io.UnsupportedOperation):  # a stream without a descriptor: nothing is flushed at exit
        os.dup2(null, sys.stdout.fileno())
    os.close(null)
