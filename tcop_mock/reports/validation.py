"""Reports of ``validate``: one body in full, or a summary of many bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.classifier import TEMPLATE, UNKNOWN
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import escape_unsafe, one_line, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.callbacks.strict_json import Issue
    from tcop_mock.callbacks.validator import ValidationResult

_MAX_BODIES = 1000
"""Maximum of bodies that a document lists; the others are only counted."""
_MAX_ISSUES = 1000
_MAX_LINES = 50
_MAX_CHARS = 300
_KIND_LABELS = {UNKNOWN: "not a callback", TEMPLATE: "body of a template"}


class _IssueCount(NamedTuple):
    """Number of bodies with an issue, and the location of the first one."""

    occurrences: int
    first_location: str


class ValidationSummary:
    """Counts results of validation, in bounded memory."""

    def __init__(self) -> None:
        self.count = self.invalid = 0
        self._last_result: ValidationResult | None = None
        self._kind_counts: dict[tuple[str, str | None], int] = {}
        self._problem_counts: dict[Issue, _IssueCount] = {}
        self._deviation_counts: dict[Issue, _IssueCount] = {}
        self._results: list[tuple[str, ValidationResult]] = []

    @property
    def is_valid(self) -> bool:
        """Whether all bodies are valid."""
        return not self.invalid

    def add(self, location: str, result: ValidationResult) -> None:
        """Count the result of the body at a location."""
        self.count += 1
        self.invalid += not result.is_valid
        self._last_result = result
        kind_and_shape = (result.kind, result.shape)
        self._kind_counts[kind_and_shape] = self._kind_counts.get(kind_and_shape, 0) + 1
        for issues, counts in ((result.problems, self._problem_counts), (result.deviations, self._deviation_counts)):
            for issue in issues:
                if issue in counts:
                    counts[issue] = counts[issue]._replace(occurrences=counts[issue].occurrences + 1)
                elif len(counts) < _MAX_ISSUES:
                    counts[issue] = _IssueCount(1, location)
        if (result.problems or result.deviations) and len(self._results) < _MAX_BODIES:
            self._results.append((location, result))

    def document(self) -> dict[str, Any]:
        """Return the document of ``validate --json``."""
        kinds = {kind for kind, _ in self._kind_counts}
        shapes = {shape for _, shape in self._kind_counts}
        single = self._last_result if self.count == 1 else None
        summary = {
            "version": VERSION,
            "valid": self.is_valid,
            "kind": kinds.pop() if len(kinds) == 1 else None,
            "shape": shapes.pop() if len(shapes) == 1 else None,
            "also_fits": list(single.also_fits) if single else [],
            "state": single.state if single else None,
            "problems": [issue._asdict() for issue in self._problem_counts],
            "deviations": [issue._asdict() for issue in self._deviation_counts],
            "count": self.count,
            "invalid": self.invalid,
        }
        return (
            summary
            if single
            else summary | {"bodies": [_body_document(location, result) for location, result in self._results]}
        )

    def lines(self, *, quiet: bool) -> Iterator[str]:
        """Yield the lines of ``validate``; with ``quiet``, only problems."""
        if self.count == 1 and self._last_result:
            yield from body_lines(self._last_result, quiet=quiet)
            return
        groups = [("problem", self._problem_counts)] + ([] if quiet else [("deviation", self._deviation_counts)])
        for label, counts in groups:
            for issue, (occurrences, first_location) in list(counts.items())[:_MAX_LINES]:
                more = f" and {occurrences - 1} more" if occurrences > 1 else ""
                yield f"{label:<10} {_issue_line(issue)} ({first_location}{more})"
            if len(counts) > _MAX_LINES:
                yield f"{label:<10} … {pluralize(len(counts) - _MAX_LINES, 'more kind')}"
        shape_count = pluralize(len({shape for _, shape in self._kind_counts if shape}), "shape")
        body_count = "1 body" if self.count == 1 else f"{self.count} bodies"
        yield f"{body_count} of {shape_count}: {self.count - self.invalid} valid, {self.invalid} invalid"


def body_lines(result: ValidationResult, *, quiet: bool) -> Iterator[str]:
    """Yield the lines about one body; with ``quiet``, only problems."""
    validity = "valid" if result.is_valid else "invalid"
    if not (quiet and result.is_valid):
        kind_text = _KIND_LABELS.get(result.kind, f"{result.kind} callback")
        shape_text = f" of {escape_unsafe(result.shape)}" if result.shape else ""
        state_text = f", {result.state}" if result.state else ""
        yield f"{validity}: {kind_text}{shape_text}{state_text}"
        if result.also_fits:
            yield f"also fits  {escape_unsafe(', '.join(result.also_fits))}"
    for issue in result.problems:
        yield f"problem    {_issue_line(issue)}"
    for issue in () if quiet else result.deviations:
        yield f"deviation  {_issue_line(issue)}"


def _issue_line(issue: Issue) -> str:
    text = f"{issue.path}: {issue.message}" if issue.path else issue.message
    return one_line(text, _MAX_CHARS)


def _body_document(location: str, result: ValidationResult) -> dict[str, Any]:
    return {
        "at": location,
        "valid": result.is_valid,
        "kind": result.kind,
        "shape": result.shape,
        "also_fits": list(result.also_fits),
        "state": result.state,
        "problems": [issue._asdict() for issue in result.problems],
        "deviations": [issue._asdict() for issue in result.deviations],
    }
