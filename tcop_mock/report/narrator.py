"""Turns the events of a run into lines, in the order in which they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.model.clause import Level
from tcop_mock.model.events import ClauseFinished, RunFinished, RunStarted
from tcop_mock.model.verdict import Result
from tcop_mock.report import words
from tcop_mock.report.findings import broken, listed

if TYPE_CHECKING:
    from tcop_mock.model.events import RunEvent
    from tcop_mock.model.verdict import ClauseResult, Verdict
    from tcop_mock.report.words import Line


class Narrator:
    """Tells one run: a line for each clause as it finishes, and the rest at the end."""

    def __init__(self, *, width: int, fail_on: Level = Level.MUST) -> None:
        """Tell it in lines of ``width`` columns; clauses down to ``fail_on`` decide on the run."""
        self._width, self._fail_on = width, fail_on
        self._told: set[str] = set()

    def tell(self, event: RunEvent) -> list[Line]:
        """Return the lines that an event is worth."""
        match event:
            case RunStarted():
                return words.started(event, self._width)
            case ClauseFinished(result):
                return self._clause(result)
            case RunFinished(verdict):
                return self._end(verdict)
            case _:
                return []

    def _clause(self, result: ClauseResult) -> list[Line]:
        if result.result is Result.NOT_RUN or result.clause.code in self._told:
            return []
        self._told.add(result.clause.code)
        return words.finished(result, self._width, self._fail_on)

    def _end(self, verdict: Verdict) -> list[Line]:
        """A run that was cut short has results that no event told of: they come first."""
        out = [line for result in verdict.results for line in self._clause(result)]
        out += words.left_out(verdict.results, self._width)
        out.append(words.say())
        for result in verdict.results:
            if result.result is Result.FAIL:
                out += broken(result, self._width)
        out += listed(verdict, self._width)
        out += [*words.assumed(verdict, self._width), *words.ran(verdict, self._width)]
        return [*out, *words.last(verdict, self._width, self._fail_on)]
