"""Reports of ``validate`` and ``diff``.

``validate``: one body in full, or a summary of many bodies, also of several files. ``diff``: the differences between
each body and the one before it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.classifier import CLS, TEMPLATE, UNKNOWN
from tcop_mock.callbacks.json_tree import json_type
from tcop_mock.callbacks.strict_json import Issue
from tcop_mock.domain.callback import Form
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import escape_unsafe, one_line, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.callbacks.json_tree import Difference
    from tcop_mock.callbacks.validator import ValidationResult

_MAX_BODIES = 1000
"""Maximum of bodies that a document lists; the others are only counted."""
_MAX_ISSUES = 1000
_MAX_LINES = 50
_MAX_CHARS = 300
_KIND_LABELS = {UNKNOWN: "not a callback", CLS: "no callback of TCOP, but one of CLS,", TEMPLATE: "body of a template"}


_LIST_RULE = "is a JSON list; TCOP never posts a list, each callback is a request of its own"


class _Identity(NamedTuple):
    """Kind of a body."""

    kind: str
    shape: str | None
    profile: str | None
    form: str | None


class _IssueCount(NamedTuple):
    """Number of bodies with an issue, and the location of the first one."""

    occurrences: int
    first_location: str


class ValidationSummary:
    """Counts results of validation, in bounded memory."""

    def __init__(self) -> None:
        self.count = self.invalid = 0
        self._last_result: ValidationResult | None = None
        self._lists: list[Issue] = []
        self._identity_counts: dict[_Identity, int] = {}
        self._problem_counts: dict[Issue, _IssueCount] = {}
        self._deviation_counts: dict[Issue, _IssueCount] = {}
        self._results: list[tuple[str, ValidationResult]] = []

    @property
    def is_valid(self) -> bool:
        """Whether all bodies are valid, and no file is a list."""
        return not self.invalid and not self._lists

    def add(self, location: str, result: ValidationResult) -> None:
        """Count the result of the body at a location."""
        self.count += 1
        self.invalid += not result.is_valid
        self._last_result = result
        identity = _Identity(result.kind, result.shape, result.profile, result.form)
        self._identity_counts[identity] = self._identity_counts.get(identity, 0) + 1
        for issues, counts in ((result.problems, self._problem_counts), (result.deviations, self._deviation_counts)):
            for issue in issues:
                if issue in counts:
                    counts[issue] = counts[issue]._replace(occurrences=counts[issue].occurrences + 1)
                elif len(counts) < _MAX_ISSUES:
                    counts[issue] = _IssueCount(1, location)
        if (result.problems or result.deviations) and len(self._results) < _MAX_BODIES:
            self._results.append((location, result))

    def add_list(self, name: str) -> None:
        """Note that a file is a JSON list; an empty name is the only file."""
        self._lists.append(Issue("", f"{name or 'the file'} {_LIST_RULE}"))

    def document(self) -> dict[str, Any]:
        """Return the document of ``validate --json``."""
        kinds, shapes, profiles, forms = (set(values) for values in zip(*self._identity_counts, strict=True))
        single = self._last_result if self.count == 1 else None
        summary = {
            "version": VERSION,
            "valid": self.is_valid,
            "kind": kinds.pop() if len(kinds) == 1 else None,
            "shape": shapes.pop() if len(shapes) == 1 else None,
            "also_fits": list(single.also_fits) if single else [],
            "state": single.state if single else None,
            "profile": profiles.pop() if len(profiles) == 1 else None,
            "form": forms.pop() if len(forms) == 1 else None,
            "found": dict(single.found) if single else {},
            "problems": [issue._asdict() for issue in (*self._lists, *self._problem_counts)],
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
        for issue in self._lists:
            yield f"problem    {_issue_line(issue)}"
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
        shape_count = pluralize(len({shape for _, shape, *_ in self._identity_counts if shape}), "shape")
        body_count = "1 body" if self.count == 1 else f"{self.count} bodies"
        yield f"{body_count} of {shape_count}: {self.count - self.invalid} valid, {self.invalid} invalid"


def body_lines(result: ValidationResult, *, quiet: bool) -> Iterator[str]:
    """Yield the lines about one body; with ``quiet``, only problems."""
    validity = "valid" if result.is_valid else "invalid"
    if not (quiet and result.is_valid):
        kind_text = _KIND_LABELS.get(result.kind, f"{result.kind} callback")
        joint = "as" if result.kind == CLS else "of"
        shape_text = f" {joint} {escape_unsafe(result.shape)}" if result.shape else ""
        state_text = f", {result.state}" if result.state else ""
        profile_text = f", profile {result.profile}" if result.profile else ""
        form_text = f", form {result.form}" if result.form not in {None, Form.DOCUMENTED} else ""
        yield f"{validity}: {kind_text}{shape_text}{state_text}{profile_text}{form_text}"
        for name, value in result.found:
            yield f"found      {name}: {one_line(value, _MAX_CHARS)}"
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
        "profile": result.profile,
        "form": result.form,
        "found": dict(result.found),
        "problems": [issue._asdict() for issue in result.problems],
        "deviations": [issue._asdict() for issue in result.deviations],
    }


class Comparison(NamedTuple):
    """Two bodies, by where they were read, and their differences."""

    a: str
    b: str
    differences: tuple[Difference, ...]


def differences_document(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """Return the document of ``diff --json``."""
    return {
        "version": VERSION,
        "comparisons": [
            {"a": one.a, "b": one.b, "differences": [_difference_document(found) for found in one.differences]}
            for one in comparisons
        ],
    }


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of one comparison: a heading, and a line per difference."""
    count = pluralize(len(comparison.differences), "difference") if comparison.differences else "no differences"
    yield one_line(f"{comparison.a} -> {comparison.b}: {count}", _MAX_CHARS)
    for found in comparison.differences:
        yield f"  {found.kind:<8} {one_line(found.path or '(the whole body)', _MAX_CHARS)}: {_values(found)}"


def _values(found: Difference) -> str:
    a, b = _text(found.a), _text(found.b)
    if found.kind == "added":
        return b
    if found.kind == "removed":
        return a
    if found.kind == "type":
        return f"{json_type(found.a)} {a} -> {json_type(found.b)} {b}"
    return f"{a} -> {b}"


def _text(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return one_line(json.dumps(value, ensure_ascii=False), _MAX_CHARS)


def _difference_document(found: Difference) -> dict[str, Any]:
    document = {"path": found.path, "kind": found.kind}
    if found.kind != "added":
        document["a"] = found.a
    if found.kind != "removed":
        document["b"] = found.b
    return document
