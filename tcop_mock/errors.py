"""The error tree: our own mistakes and the user's, never the receiver's.

What a receiver does wrong is a value (an Outcome, a Finding). Every message is one line that says what, where,
and what to do next::

    TcopMockError                 our own fault: exit code 4
    ├── UsageError                a flag, a name, a URL, an edit, a body: exit code 2
    │   ├── UnknownNameError      a shape, metric, event, clause or profile that is not there
    │   └── EntryError            a catalogue entry, clause or profile file that does not keep its schema
    ├── TargetError               the target cannot be used, so nothing could be judged: exit code 3
    └── ObserverError             what a receiver does cannot be seen: exit code 3
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class TcopMockError(Exception):
    """Base of all errors that tcop-mock raises. Catch it to catch everything of ours."""

    exit_code = 4


class UsageError(TcopMockError):
    """The call cannot be carried out as written: wrong flag value, file, URL, edit or body."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is not there, with the nearest ones that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "", listing: str = "") -> None:
        suggestions = did_you_mean(name, known)
        hint = f"; did you mean {suggestions}?" if suggestions else f"; {listing}" if listing else ""
        super().__init__(f"unknown {kind} {name!r}{f' in {where}' if where else ''}{hint}")


class EntryError(UsageError):
    """A file of ours or of the user's that does not keep its format: which file, which key, what is wrong."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        self.file, self.key, self.problem = file, key, problem
        super().__init__(f"{file}: {f'{key}: ' if key else ''}{problem}")


class TargetError(TcopMockError):
    """The target cannot be used (refused, not resolved, wants other credentials): nothing could be judged."""

    exit_code = 3


class ObserverError(TcopMockError):
    """An observer shows nothing that could be read: what it is, and what went wrong."""

    exit_code = 3


_MIN_CHARS = 3
"""A shorter text is part of too many names to tell what was meant."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return up to three near misses as ``'a', 'b' or 'c'``, or an empty string.

    A near miss may also be the last part of a path (``private-listener`` for ``clb/private-listener``).
    """
    import difflib  # noqa: PLC0415 - loaded for mistakes only

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
