"""Event loops by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("asyncio", "uvloop")


def factory_of(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes an event loop.

    Raises:
        UsageError: it is uvloop, which is not installed.
    """
    if name != "uvloop":
        return asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415 - it need not be there
    except ImportError:
        raise UsageError("--loop uvloop: it is not installed; `pip install uvloop`, or leave --loop out") from None
    return uvloop.new_event_loop
