"""What doctor found, in lines and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.domain.diagnosis import Grade
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import counted, one_line, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.diagnosis import Examination, Remark

_MOST_CHARS = 2000
_WIDTH = 100
_HANGING = " " * 8


def examination_lines(found: Examination, *, quiet: bool = False) -> Iterator[str]:
    """Yield the lines; with ``quiet`` those of problems alone."""
    for remark in found.remarks:
        if not quiet or remark.grade is Grade.PROBLEM:
            yield from wrap(_sentence(remark), _WIDTH, f"{remark.grade:<8}", _HANGING)
    if not quiet:
        told = ", ".join(counted(found.count(grade), str(grade)) for grade in (Grade.PROBLEM, Grade.NOTE))
        yield f"{told}{'' if found.reachable else '; the receiver cannot be reached'}"


def examination_document(found: Examination, *, target: str, profile: str, seed: int) -> dict[str, Any]:
    """Return what ``doctor --json`` prints."""
    return {
        "version": VERSION,
        "target": target,
        "profile": profile,
        "seed": seed,
        "reachable": found.reachable,
        "remarks": [
            {
                "topic": remark.topic,
                "grade": remark.grade,
                "saw": one_line(remark.saw, _MOST_CHARS),
                "means": one_line(remark.means, _MOST_CHARS),
                "fix": one_line(remark.fix, _MOST_CHARS),
            }
            for remark in found.remarks
        ],
        "summary": {"problems": found.count(Grade.PROBLEM), "notes": found.count(Grade.NOTE)},
    }


def _sentence(remark: Remark) -> str:
    said = f"{remark.topic}: {one_line(remark.saw, _MOST_CHARS)}."
    said += f" It means: {one_line(remark.means, _MOST_CHARS)}." if remark.means else ""
    return said + (f" Do: {one_line(remark.fix, _MOST_CHARS)}." if remark.fix else "")
