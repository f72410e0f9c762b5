"""What the marks of a test say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.model.form import Form

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import pytest

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|)")
_KNOWN = {
    "tcop": ("profile", "form", "attempts", "deadline"),
    "tcop_clauses": ("fail_on",),
    "tcop_skip_clause": ("reason",),
}


class Skip(NamedTuple):
    """Clauses that a test leaves out."""

    glob: str
    reason: str


class Said(NamedTuple):
    """What all marks of a test say together; of those that say the same, the nearest counts."""

    profile: str | None
    form: Form | None
    attempts: int | None
    deadline_s: float | None
    globs: tuple[str, ...] | None
    fail_on: str | None
    skips: tuple[Skip, ...]


def said_by(node: pytest.Item) -> Said:
    """Read the marks of a test.

    Raises:
        UsageError: an argument that a mark does not have, or a value that cannot be meant.
    """
    ways: dict[str, Any] = {}
    for mark in _marks(node, "tcop"):
        if mark.args:
            raise UsageError(f"the mark tcop has no positional arguments; write tcop(profile={mark.args[0]!r})")
        ways = {**mark.kwargs, **ways}
    fail_on, globs = None, None
    for mark in _marks(node, "tcop_clauses"):
        globs = globs or mark.args or None
        fail_on = fail_on or mark.kwargs.get("fail_on")
    return Said(
        profile=None if "profile" not in ways else str(ways["profile"]),
        form=_form(ways.get("form")),
        attempts=_attempts(ways.get("attempts")),
        deadline_s=_deadline(ways.get("deadline")),
        globs=globs,
        fail_on=fail_on,
        skips=tuple(skip for mark in _marks(node, "tcop_skip_clause") for skip in _skips(mark)),
    )


def _marks(node: pytest.Item, name: str) -> Iterator[pytest.Mark]:
    for mark in node.iter_markers(name):
        _require_known(mark.kwargs, _KNOWN[name], name)
        for glob in mark.args:
            if not isinstance(glob, str):
                raise UsageError(f"the mark {name} takes texts, not {glob!r}; write {name}('TCM302')")
        yield mark


def _require_known(given: Collection[str], known: Collection[str], mark: str) -> None:
    for key in given:
        if key not in known:
            raise UnknownNameError(
                "argument", key, known, where=f"the mark {mark}", listing=f"it has {', '.join(known)}"
            )


def _skips(mark: pytest.Mark) -> Iterator[Skip]:
    reason = mark.kwargs.get("reason")
    if not mark.args or not isinstance(reason, str) or not reason.strip():
        raise UsageError(
            "the mark tcop_skip_clause wants clauses and a reason: tcop_skip_clause('TCM512', reason='...')"
        )
    for glob in mark.args:
        yield Skip(glob, reason)


def _form(value: object) -> Form | None:
    if value is None:
        return None
    forms = [form.value for form in Form]
    if value not in forms:
        listing = f"one of {', '.join(forms)}"
        raise UnknownNameError("form", str(value), forms, where="the mark tcop", listing=listing)
    return Form(str(value))


def _attempts(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"the mark tcop: attempts is a whole number from 1, not {value!r}")
    return value


def _deadline(value: object) -> float | None:
    """Return seconds of a number, or of a text as ``500ms`` or ``5s``."""
    if value is None:
        return None
    match = _DURATION.fullmatch(str(value))
    seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    if not seconds or isinstance(value, bool):
        raise UsageError(f"the mark tcop: deadline is more than 0 seconds, as 5 or '500ms', not {value!r}")
    return seconds
