"""What the command line, the ini file and the environment say, in falling order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.model.clause import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

TARGET_VARIABLE = "TCOP_MOCK_TARGET"


class Given(NamedTuple):
    """A value, and where it was given."""

    value: str
    where: str


def one(config: pytest.Config, name: str) -> Given | None:
    """Return the value of an option, or of its twin."""
    key, flag = f"tcop_{name}", f"--tcop-{name.replace('_', '-')}"
    for value, where in ((config.getoption(key), flag), (config.getini(key), f"{key} in the ini file")):
        if value is not None:
            return Given(str(value).strip(), where)
    return None


def several(config: pytest.Config, name: str) -> list[Given]:
    """Return the values of an option that is a list, split at commas; the command line's take the ini file's place."""
    key, flag = f"tcop_{name}", f"--tcop-{name.replace('_', '-')}"
    found: Sequence[str] | None = config.getoption(key)
    where = flag if found is not None else f"{key} in the ini file"
    texts = config.getini(key) if found is None else found
    split = [Given(part.strip(), where) for text in texts for part in text.split(",") if part.strip()]
    if texts and not split:
        raise UsageError(f"{where} is empty; give a name, several with commas between them")
    return split


def seed_given(config: pytest.Config) -> int:
    """Return the seed of the run.

    Raises:
        UsageError: it is no integer.
    """
    given = one(config, "seed")
    try:
        return int(given.value) if given else 0
    except ValueError:
        raise UsageError(f"{given.where} {given.value!r} is no integer" if given else "") from None


def level_of(text: str, where: str) -> Level:
    """Return a level by which tests may fail.

    Raises:
        UsageError: it is none.
    """
    levels = [Level.MUST.value, Level.SHOULD.value]
    if text not in levels:
        near = did_you_mean(text, levels)
        raise UsageError(f"{where} {text!r}: {f'did you mean {near}?' if near else 'write must or should'}")
    return Level(text)


def target_text(config: pytest.Config) -> str:
    """Return the target as it was given, or an empty text.

    Raises:
        UsageError: an option that is empty.
    """
    given = one(config, "target")
    if given is None:
        return os.environ.get(TARGET_VARIABLE, "").strip()
    if not given.value:
        raise UsageError(f"{given.where} is empty; write a URL or module:app")
    return given.value
