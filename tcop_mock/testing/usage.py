"""Mistakes of whoever writes the tests, told in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

from tcop_mock.errors import TcopMockError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def misuse(message: str) -> NoReturn:
    """Fail the test, or its set-up, in one line without a traceback; in a hook, see :func:`usage_errors`."""
    pytest.fail(f"tcop-mock: {' '.join(message.split())}", pytrace=False)


@contextmanager
def misuse_told(where: str = "") -> Iterator[None]:
    """Tell in one line what is wrong with the call; ``where`` stands before it."""
    try:
        yield
    except UsageError as problem:
        told = f"{where}: {problem}" if where else str(problem)
    else:
        return
    misuse(told)


@contextmanager
def unusable_told() -> Iterator[None]:
    """Tell in one line what is wrong with the call, and that the receiver cannot be used."""
    try:
        yield
    except TcopMockError as problem:
        told = str(problem)
    else:
        return
    misuse(told)


@contextmanager
def usage_errors() -> Iterator[None]:
    """End the run by what is wrong, as pytest ends it by a wrong option: one line, exit code 4."""
    try:
        yield
    except pytest.fail.Exception as problem:
        told = str(problem)
    else:
        return
    raise pytest.UsageError(told)
