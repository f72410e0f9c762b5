"""What is wrong with a user's catalogue entries: as lines for people and editors, as a document for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.lint import Severity
from tcop_mock.report.document import VERSION
from tcop_mock.report.safe import counted, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.lint import Flaw, LintReport


def lint_document(report: LintReport) -> dict[str, Any]:
    """Return what ``list --lint --json`` prints."""
    return {
        "version": VERSION,
        "entries": report.entries,
        "findings": [_finding(flaw) for flaw in report.flaws],
        "summary": {"errors": report.count(Severity.ERROR), "warnings": report.count(Severity.WARNING)},
    }


def lint_lines(report: LintReport) -> Iterator[str]:
    """Yield a line for each problem, as compilers write it, and one for its remedy where the problem has none."""
    for flaw in report.flaws:
        key, problem, fix = flaw.problem
        yield escaped(f"{flaw.file}: {flaw.severity}: {f'{key}: ' if key else ''}{problem}")
        if fix:
            yield escaped(f"  fix: {fix}")


def lint_summary(report: LintReport) -> str:
    """Return the line that counts."""
    errors, warnings = (counted(report.count(severity), severity.value) for severity in Severity)
    entries = "1 entry" if report.entries == 1 else f"{report.entries} entries"
    return f"{errors} and {warnings} in {entries}"


def _finding(flaw: Flaw) -> dict[str, Any]:
    return {
        "file": flaw.file,
        "shape": flaw.shape_id,
        "severity": flaw.severity.value,
        "key": flaw.problem.key,
        "problem": flaw.problem.problem,
        "fix": flaw.problem.fix,
    }
