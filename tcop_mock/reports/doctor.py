"""Reports of ``doctor``: lines and document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.domain.diagnosis import Severity
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import one_line, pluralize, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.diagnosis import Diagnosis, Diagnostic

_MAX_CHARS = 2000
_WIDTH = 100
_HANGING = " " * 8


def diagnosis_lines(diagnosis: Diagnosis, *, quiet: bool = False) -> Iterator[str]:
    """Yield one line per diagnostic, and the counts; with ``quiet``, only problems."""
    for diagnostic in diagnosis.diagnostics:
        if not quiet or diagnostic.severity is Severity.PROBLEM:
            yield from wrap(_sentence(diagnostic), _WIDTH, f"{diagnostic.severity:<8}", _HANGING)
    if not quiet:
        counts = ", ".join(
            pluralize(diagnosis.count(severity), str(severity)) for severity in (Severity.PROBLEM, Severity.NOTE)
        )
        yield f"{counts}{'' if diagnosis.is_reachable else '; the receiver cannot be reached'}"


def diagnosis_document(diagnosis: Diagnosis, *, target: str, profile: str, seed: int) -> dict[str, Any]:
    """Return the document of ``doctor --json``."""
    return {
        "version": VERSION,
        "target": target,
        "profile": profile,
        "seed": seed,
        "reachable": diagnosis.is_reachable,
        "remarks": [
            {
                "topic": diagnostic.topic,
                "grade": diagnostic.severity,
                "saw": one_line(diagnostic.observation, _MAX_CHARS),
                "means": one_line(diagnostic.meaning, _MAX_CHARS),
                "fix": one_line(diagnostic.fix, _MAX_CHARS),
            }
            for diagnostic in diagnosis.diagnostics
        ],
        "summary": {"problems": diagnosis.count(Severity.PROBLEM), "notes": diagnosis.count(Severity.NOTE)},
    }


def _sentence(diagnostic: Diagnostic) -> str:
    sentence = f"{diagnostic.topic}: {one_line(diagnostic.observation, _MAX_CHARS)}."
    sentence += f" It means: {one_line(diagnostic.meaning, _MAX_CHARS)}." if diagnostic.meaning else ""
    return sentence + (f" Do: {one_line(diagnostic.fix, _MAX_CHARS)}." if diagnostic.fix else "")
