"""Standard output: UTF-8 in every locale, and a closed pipe is not an error."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def prepare_streams() -> None:
    """Prepare the standard streams: replace closed ones, and set the encoding of output.

    The next file or socket would get the descriptor of a closed stream, and a command that we start would read or
    write it. So the null device replaces it. Output is UTF-8, because names are Chinese, and JSON documents are UTF-8
    (RFC 8259, 8.1).

    Raises:
        UsageError: standard output is closed.
    """
    if sys.stdin is None:
        _take_descriptor()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a name, and open until the end
    if sys.stdout is None:
        raise UsageError("standard output is closed: send it to a file, or to /dev/null")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _take_descriptor() -> None:
    """Open the null device, which gets the lowest free descriptor."""
    os.open(os.devnull, os.O_RDONLY)


@contextlib.contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Ignore that the reader of our output closed it (``| head``), and discard what follows."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()


def silence_stdout() -> None:
    """Discard all further output and the buffered one, because a flush at exit would raise the error again."""
    null = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(io.UnsupportedOperation):  # a stream without a descriptor: nothing is flushed at exit
        os.dup2(null, sys.stdout.fileno())
    os.close(null)
