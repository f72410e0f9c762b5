"""Where chance comes from in tests: the seed of the run and the id of the test; order and workers change nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_SEED_BYTES = 4
"""As many as ``tcop-mock check`` draws, and people can copy."""


def seed_of(node: pytest.Item, base: int) -> int:
    """Return the seed of a test: the same in each process, and in whatever order tests are run."""
    return int.from_bytes(hashlib.sha256(f"{base}\0{plain_id(node)}".encode()).digest()[:_SEED_BYTES])


def plain_id(node: pytest.Item) -> str:
    """Return a test's id without the group that pytest-xdist puts behind it (``--dist loadgroup``)."""
    groups = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in _groups(node)}
    return node.nodeid.removesuffix(f"@{'_'.join(sorted(groups))}") if groups else node.nodeid


def _groups(node: pytest.Item) -> list[pytest.Mark]:
    return list(node.iter_markers("xdist_group"))
