"""What is wrong with a user's catalogue entries: as lines for people and editors, as a document for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.lint import Severity
from tcop_mock.report.document import VERSION
from tcop_mock.report.safe import counted, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.lint import LintReport, Remark


def lint_document(report: LintReport) -> dict[str, Any]:
    """Return what ``list --lint --json`` prints."""
    return {
        "version": VERSION,
        "entries": report.entries,
        "findings": [_finding(remark) for remark in report.remarks],
        "summary": {"errors": report.count(Severity.ERROR), "warnings": report.count(Severity.WARNING)},
    }


def lint_lines(report: LintReport) -> Iterator[str]:
    """Yield a line for each problem, as compilers write it, and one for its remedy where the problem has none."""
    for remark in report.remarks:
        key, problem, fix = remark.problem
        yield escaped(f"{remark.file}: {remark.severity}: {f'{key}: ' if key else ''}{problem}")
        if fix:
            yield escaped(f"  fix: {fix}")


def lint_summary(report: LintReport) -> str:
    """Return the line that counts."""
    errors, warnings = (counted(report.count(severity), severity.value) for severity in Severity)
    entries = "1 entry" if report.entries == 1 else f"{report.entries} entries"
    return f"{errors} and {warnings} in {entries}"


def _finding(remark: Remark) -> dict[str, Any]:
    return {
        "file": remark.file,
        "shape": remark.shape_id,
        "severity": remark.severity.value,
        "key": remark.problem.key,
        "problem": remark.problem.problem,
        "fix": remark.problem.fix,
    }
