"""Options of the pytest plugin: the command line takes precedence over the ini file, and this over the environment."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.domain.callback import Form
from tcop_mock.domain.contract import Level
from tcop_mock.errors import UnknownNameError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pytest


TARGET_VARIABLE = "TCOP_MOCK_TARGET"


class OptionValue(NamedTuple):
    """A value, and where it was given."""

    value: str
    where: str


def get_option(config: pytest.Config, name: str) -> OptionValue | None:
    """Return the value of an option, or of its twin."""
    key, flag = f"tcop_{name}", f"--tcop-{name.replace('_', '-')}"
    for value, where in ((config.getoption(key), flag), (config.getini(key), f"{key} in the ini file")):
        if value is not None:
            return OptionValue(str(value).strip(), where)
    return None


def get_list_option(config: pytest.Config, name: str) -> list[OptionValue]:
    """Return the values of an option that is a list, split at commas; the command line's take the ini file's place."""
    key, flag = f"tcop_{name}", f"--tcop-{name.replace('_', '-')}"
    command_line: Sequence[str] | None = config.getoption(key)
    where = flag if command_line is not None else f"{key} in the ini file"
    texts = config.getini(key) if command_line is None else command_line
    values = [OptionValue(part.strip(), where) for text in texts for part in text.split(",") if part.strip()]
    if texts and not values:
        raise UsageError(f"{where} is empty; give a name, several with commas between them")
    return values


def run_seed(config: pytest.Config) -> int:
    """Return the seed of the run.

    Raises:
        UsageError: it is not an integer.
    """
    option = get_option(config, "seed")
    try:
        return int(option.value) if option else 0
    except ValueError:
        raise UsageError(f"{option.where} {option.value!r} is not an integer" if option else "") from None


def parse_level(text: str, where: str) -> Level:
    """Return the level of a ``fail_on`` option.

    Raises:
        UsageError: it is not a level.
    """
    levels = [Level.MUST.value, Level.SHOULD.value]
    if text not in levels:
        suggestion = did_you_mean(text, levels)
        raise UsageError(f"{where} {text!r}: {f'did you mean {suggestion}?' if suggestion else 'write must or should'}")
    return Level(text)


def target_text(config: pytest.Config) -> str:
    """Return the target as it was given, or an empty text.

    Raises:
        UsageError: an option that is empty.
    """
    option = get_option(config, "target")
    if option is None:
        return os.environ.get(TARGET_VARIABLE, "").strip()
    if not option.value:
        raise UsageError(f"{option.where} is empty; write a URL or module:app")
    return option.value


_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|)")

_KNOWN_ARGUMENTS = {
    "tcop": ("profile", "form", "attempts", "deadline"),
    "tcop_clauses": ("fail_on",),
    "tcop_skip_clause": ("reason",),
}


class SkippedClause(NamedTuple):
    """Clauses that a test leaves out."""

    glob: str
    reason: str


class MarkSettings(NamedTuple):
    """The merged marks of a test; for each argument the nearest mark counts."""

    profile: str | None
    form: Form | None
    attempts: int | None
    deadline_s: float | None
    globs: tuple[str, ...] | None
    fail_on: str | None
    skips: tuple[SkippedClause, ...]


def read_marks(node: pytest.Item) -> MarkSettings:
    """Read the marks of a test.

    Raises:
        UsageError: a mark has an unknown argument or an invalid value.
    """
    arguments: dict[str, Any] = {}
    for mark in _marks(node, "tcop"):
        if mark.args:
            raise UsageError(f"the mark tcop has no positional arguments; write tcop(profile={mark.args[0]!r})")
        arguments = {**mark.kwargs, **arguments}
    fail_on, globs = None, None
    for mark in _marks(node, "tcop_clauses"):
        globs = globs or mark.args or None
        fail_on = fail_on or mark.kwargs.get("fail_on")
    return MarkSettings(
        profile=None if "profile" not in arguments else str(arguments["profile"]),
        form=_form(arguments.get("form")),
        attempts=_attempts(arguments.get("attempts")),
        deadline_s=_deadline(arguments.get("deadline")),
        globs=globs,
        fail_on=fail_on,
        skips=tuple(skip for mark in _marks(node, "tcop_skip_clause") for skip in _skipped_clauses(mark)),
    )


def _marks(node: pytest.Item, name: str) -> Iterator[pytest.Mark]:
    for mark in node.iter_markers(name):
        _require_known(mark.kwargs, _KNOWN_ARGUMENTS[name], name)
        for glob in mark.args:
            if not isinstance(glob, str):
                raise UsageError(f"the mark {name} takes texts, not {glob!r}; write {name}('TCM302')")
        yield mark


def _require_known(names: Collection[str], known: Collection[str], mark: str) -> None:
    for key in names:
        if key not in known:
            raise UnknownNameError(
                "argument", key, known, where=f"the mark {mark}", listing=f"it has {', '.join(known)}"
            )


def _skipped_clauses(mark: pytest.Mark) -> Iterator[SkippedClause]:
    reason = mark.kwargs.get("reason")
    if not mark.args or not isinstance(reason, str) or not reason.strip():
        raise UsageError(
            "the mark tcop_skip_clause wants clauses and a reason: tcop_skip_clause('TCM512', reason='...')"
        )
    for glob in mark.args:
        yield SkippedClause(glob, reason)


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


_SEED_BYTES = 4

"""Size of random seeds, as for ``tcop-mock check``: short enough to copy."""


def test_seed(node: pytest.Item, base_seed: int) -> int:
    """Return the seed of a test, which does not depend on the process or the order of the tests."""
    return int.from_bytes(hashlib.sha256(f"{base_seed}\0{test_id(node)}".encode()).digest()[:_SEED_BYTES])


def test_id(node: pytest.Item) -> str:
    """Return a test's id without the group that pytest-xdist appends (``--dist loadgroup``)."""
    groups = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in _xdist_groups(node)}
    return node.nodeid.removesuffix(f"@{'_'.join(sorted(groups))}") if groups else node.nodeid


def _xdist_groups(node: pytest.Item) -> list[pytest.Mark]:
    return list(node.iter_markers("xdist_group"))
