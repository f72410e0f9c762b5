"""Players and judges of other packages: entry points, loaded when a clause names one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.judges import Judge
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


class Group(StrEnum):
    """Groups of entry points."""

    PLAYERS = "tcop_mock.players"
    """Callables that take a :class:`~tcop_mock.contract.workshop.Workshop` and keywords, and return a ``Play``."""
    JUDGES = "tcop_mock.judges"
    """Callables that take an attempt, a context and keywords, and return what is wrong, or nothing; or a ``Judge``."""


def plugged_names(group: Group) -> list[str]:
    """Return the names in a group; none of them is loaded."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - who names none of these need not load it

    return sorted(entry_points(group=group.value).names)


def plugged(group: Group, name: str) -> Any:  # noqa: ANN401 - a callable, or a judge
    """Return what an entry point gives.

    Raises:
        UsageError: it cannot be loaded, or is nothing of the kind.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - who names none of these need not load it

    [point] = list(entry_points(group=group.value, name=name))[:1]
    where = f"entry point {name!r} of {group.value} ({point.value})"
    try:
        found = point.load()
    except Exception as problem:
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise UsageError(f"{where} cannot be loaded: {told}") from problem
    if not isinstance(found, Judge) and not callable(found):
        raise UsageError(f"{where} is of type {type(found).__name__}, which cannot be called")
    return found


def judge_whole(found: Judge | Callable[..., str | None]) -> Judge:
    """Return a judge that sees whole answers, where what was given does not say what it has to be shown."""
    return found if isinstance(found, Judge) else Judge(found, whole_answer=True)
