"""Whether this process may open as many connections as a load can need."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    Limits = tuple[int, int]

_OTHERS = 64
"""Descriptors for everything else: files, pipes, the event loop."""


def require_descriptors(
    connections: int,
    limits: Callable[[], Limits] | None = None,
    raise_to: Callable[[Limits], None] | None = None,
) -> None:
    """Make sure of the file descriptors that so many connections take; the soft limit is raised where it may be.

    Args:
        connections: at once, in this process.
        limits: returns the soft and the hard limit.
        raise_to: sets them.

    Raises:
        UsageError: there are not enough; says what to do.
    """
    if sys.platform == "win32":  # pragma: no cover - it has no such limit
        return
    import resource  # noqa: PLC0415 - Windows does not have it

    number, infinite = resource.RLIMIT_NOFILE, resource.RLIM_INFINITY
    soft, hard = limits() if limits else resource.getrlimit(number)
    needed = connections + _OTHERS
    if soft == infinite or soft >= needed:
        return
    if hard != infinite and hard < needed:
        raise UsageError(
            f"{connections} connections at once need {needed} file descriptors, and this process may have {hard}: "
            f"lower --max-inflight (or --concurrency) to {max(1, hard - _OTHERS)}, or raise the limit "
            f"(`ulimit -Hn {needed}` as root, LimitNOFILE= of a service, --ulimit nofile= of a container)"
        )
    raised = (needed, hard)
    if raise_to:
        raise_to(raised)
    else:
        resource.setrlimit(number, raised)
