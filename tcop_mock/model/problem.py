"""What is wrong with an entry, at which of its keys."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong."""

    key: str
    """Dotted path of the key in the file; empty where it is about all of it."""
    problem: str
    fix: str = ""
    """What to write instead, where the problem does not say it."""
