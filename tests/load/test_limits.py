"""The check of file descriptors, and the event loop by name."""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.errors import UsageError
from tcop_mock.load.timer import loop_factory, max_connections, require_descriptors

if TYPE_CHECKING:
    from tcop_mock.load.timer import Limits

INFINITE = -1
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")


@posix
def test_enough_is_enough() -> None:
    """The limits of this process suffice for a connection; nothing is raised where nothing has to be."""
    require_descriptors(1)
    raised: list[Limits] = []
    require_descriptors(1000, lambda: (4096, 4096), raised.append)
    require_descriptors(1000, lambda: (INFINITE, INFINITE), raised.append)
    assert raised == []


@posix
@pytest.mark.parametrize("hard", [4096, INFINITE])
def test_the_soft_limit_is_raised_where_it_may_be(hard: int) -> None:
    """Up to what is needed, and no further."""
    raised: list[Limits] = []
    require_descriptors(1000, lambda: (256, hard), raised.append)
    assert raised == [(1064, hard)]


@posix
def test_too_few_are_reported_ahead_with_advice() -> None:
    """How many are needed, how many there are, and two ways out."""
    with pytest.raises(UsageError, match=r"need 5064 .* may have 1024: lower --max-inflight .* to 960, or raise"):
        require_descriptors(5000, lambda: (256, 1024))


@posix
def test_as_many_connections_as_the_limit_allows() -> None:
    """The number of connections is the hard limit less a reserve, or a million without a limit."""
    assert max_connections(lambda: (256, 4096)) == 4032
    assert max_connections(lambda: (256, INFINITE)) == 1_000_000
    assert max_connections() >= 1


@posix
def test_the_systems_own_limit_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit is raised to the hard limit."""
    import resource  # noqa: PLC0415 - Windows does not have it

    raised: list[tuple[int, Limits]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda number, limits: raised.append((number, limits)))
    require_descriptors(1000, lambda: (256, 4096))
    assert raised == [(resource.RLIMIT_NOFILE, (1064, 4096))]


def test_loops_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asyncio's own, and uvloop's where it is installed; where not, that is reported."""
    loop_factory("asyncio")().close()
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "uvloop":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match="pip install uvloop"):
        loop_factory("uvloop")


def test_uvloop_makes_loops() -> None:
    """The factory of uvloop returns its loops."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not for every system")
    loop = loop_factory("uvloop")()
    loop.close()
    assert isinstance(loop, uvloop.Loop)
