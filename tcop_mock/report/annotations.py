"""A verdict as GitHub Actions' workflow commands: an annotation for each clause that is not kept.

The runner reads a line that begins with ``::`` as a command, and one with ``##[`` wherever that stands. So each value
is one line of ours, escaped as the runner's own toolkit does it (``%``, line breaks; in properties also ``:`` and
``,``), and holds no ``##[``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.model.clause import Level
from tcop_mock.model.verdict import Result
from tcop_mock.report.findings import headline, standing
from tcop_mock.report.ruling import Ruling, counts, rule
from tcop_mock.report.safe import one_line
from tcop_mock.report.words import named, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.model.verdict import ClauseResult, Verdict

_MOST_CHARS = 1_000
_TITLE = "tcop-mock"


def workflow_commands(verdict: Verdict, *, fail_on: Level = Level.MUST) -> Iterator[str]:
    """Yield a command for each clause that is broken, known to be, or could not be judged; those that count first."""
    if rule(verdict, fail_on) is Ruling.UNJUDGED:
        yield _command("error", _TITLE, sentence(verdict, fail_on))
    for result in sorted(verdict.results, key=lambda one: not counts(one.clause.level, fail_on)):
        kind = "error" if counts(result.clause.level, fail_on) else "warning"
        if result.result is Result.FAIL:
            yield _of(kind, result, headline(result))
        elif result.result is Result.ERROR:
            yield _of(kind, result, f"could not be judged: {result.reason}")
        elif result.result is Result.KNOWN:
            yield _of("notice", result, f"{standing(result.findings[0])}: {headline(result)}")


def _of(kind: str, result: ClauseResult, message: str) -> str:
    return _command(kind, f"{named(result.clause)} ({result.clause.level})", message)


def _command(kind: str, title: str, message: str) -> str:
    shown = _value(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={shown}::{_value(message)}"


def _value(text: str) -> str:
    return one_line(text, _MOST_CHARS).replace("%", "%25").replace("##[", "## [")
