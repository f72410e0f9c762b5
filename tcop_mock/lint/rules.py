"""The rules, in the order in which they are told."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.catalog import contradictions
from tcop_mock.lint import numbers, texts, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.lint.entry import Entry
    from tcop_mock.model.problem import Problem


class Severity(StrEnum):
    """Whether an entry with a problem can be used."""

    ERROR = "error"
    """It cannot, or says what is not so."""
    WARNING = "warning"
    """It can; it is probably not what was meant."""


class Rule(NamedTuple):
    """One rule."""

    severity: Severity
    broken: Callable[[Entry], Iterator[Problem]]
    """Yields where an entry does not keep it."""
    needs_drawing: bool = False
    """Whether only entries that can be drawn are held to it."""


def _contradictions(entry: Entry) -> Iterator[Problem]:
    return contradictions(entry.shape)


RULES = (
    Rule(Severity.ERROR, _contradictions),
    Rule(Severity.ERROR, values.misfits),
    Rule(Severity.ERROR, texts.named_twice),
    Rule(Severity.ERROR, texts.lost_assumptions),
    Rule(Severity.WARNING, texts.told_otherwise),
    Rule(Severity.WARNING, texts.hidden_and_sure),
    Rule(Severity.WARNING, texts.untranslated),
    Rule(Severity.WARNING, texts.not_chinese),
    Rule(Severity.WARNING, numbers.beyond_a_hundred),
    Rule(Severity.WARNING, numbers.halves),
    Rule(Severity.ERROR, values.wrong_about_the_sample, needs_drawing=True),
    Rule(Severity.ERROR, values.fails, needs_drawing=True),
    Rule(Severity.WARNING, values.unchecked_sample, needs_drawing=True),
    Rule(Severity.WARNING, values.constant_ids, needs_drawing=True),
    Rule(Severity.WARNING, values.oversized, needs_drawing=True),
)
