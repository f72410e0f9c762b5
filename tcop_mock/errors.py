"""The error tree: errors of tcop-mock and of its user, never of the receiver.

A receiver's error is a value (an Outcome, a Finding). Every message is one line that says what, where,
and what to do next::

    TcopMockError                 an error in tcop-mock itself: exit code 4
    ├── UsageError                wrong flag, name, URL, edit or body: exit code 2
    │   ├── UnknownNameError      unknown shape, metric, event, clause or profile
    │   └── EntryError            invalid catalogue entry, clause or profile file
    ├── TargetError               the target is unusable, so nothing could be checked: exit code 3
    └── ObserverError             the receiver's effects cannot be observed: exit code 3
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum
    from typing import TypeVar

    EnumType = TypeVar("EnumType", bound=StrEnum)


class TcopMockError(Exception):
    """Base class of all errors that tcop-mock raises."""

    exit_code = 4


class UsageError(TcopMockError):
    """The call is invalid: wrong flag value, file, URL, edit or body."""

    exit_code = 2


class UnknownNameError(UsageError):
    """An unknown name, with suggestions of similar known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "", listing: str = "") -> None:
        suggestions = did_you_mean(name, known)
        hint = f"; did you mean {suggestions}?" if suggestions else f"; {listing}" if listing else ""
        super().__init__(f"unknown {kind} {name!r}{f' in {where}' if where else ''}{hint}")


class EntryError(UsageError):
    """An invalid shipped or user's file, with the file, the key and the problem."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        self.file, self.key, self.problem = file, key, problem
        super().__init__(f"{file}: {f'{key}: ' if key else ''}{problem}")


class TargetError(TcopMockError):
    """The target is unusable (refused, not resolved, wants other credentials), so nothing could be checked."""

    exit_code = 3


class ObserverError(TcopMockError):
    """An observer returned nothing usable. The message names the observer and the problem."""

    exit_code = 3


_MIN_CHARS = 3
"""Shorter texts occur in too many names to be useful for suggestions."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return up to three similar names as ``'a', 'b' or 'c'``, or an empty string.

    A name is also similar if its last part matches (``private-listener`` for ``clb/private-listener``).
    """
    import difflib  # noqa: PLC0415 - loaded only after an error

    by_lowercase = {item.lower(): item for item in known}
    lowered, tail = name.lower(), name.lower().rpartition("/")[2]
    matches = difflib.get_close_matches(lowered, by_lowercase, n=3, cutoff=0.6)
    if len(lowered) >= _MIN_CHARS:
        matches = [key for key in by_lowercase if key.startswith(lowered)] + matches
    if len(tail) >= _MIN_CHARS:
        matches += [key for key in by_lowercase if tail in key]
    hits = [by_lowercase[key] for key in dict.fromkeys(matches)]
    quoted = [repr(hit) for hit in hits[:3]]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))


def enum_member(enum_class: type[EnumType], label: str, text: str) -> EnumType:
    """Return the member of an enumeration that a user has named.

    Raises:
        UnknownNameError: there is no such member; suggests similar ones.
    """
    try:
        return enum_class(text)
    except ValueError:
        values = [one.value for one in enum_class]
        raise UnknownNameError(label, str(text), values, listing=f"one of {', '.join(values)}") from None
