"""Reports on disk that are asked for as ``KIND=PATH``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.report.document import check_document, json_text
from tcop_mock.report.files import require_writable
from tcop_mock.report.junit import junit_document
from tcop_mock.report.text import whole_text

if TYPE_CHECKING:
    from datetime import datetime

    from tcop_mock.model.clause import Level
    from tcop_mock.model.verdict import Verdict

KINDS = ("json", "junit", "text")


class ReportFile(NamedTuple):
    """One ``KIND=PATH``."""

    kind: str
    path: str


def report_file(text: str, flag: str) -> ReportFile:
    """Read ``KIND=PATH``.

    Args:
        text: as it was written.
        flag: where, for messages.

    Raises:
        UsageError: no such kind, or a file that cannot be written.
    """
    kind, equals, path = text.partition("=")
    if not equals or not path:
        raise UsageError(f"{flag} {text!r}: write KIND=PATH, as in junit=report.xml")
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        hint = f"did you mean {near}?" if near else f"there is {', '.join(KINDS)}"
        raise UsageError(f"{flag} {text!r}: no report {kind!r}; {hint}")
    if path == "-":
        raise UsageError(f"{flag} {text!r}: a report is a file; --json writes the document to standard output")
    require_writable(path)
    return ReportFile(kind, path)


def rendered(kind: str, verdict: Verdict, fail_on: Level, started: datetime) -> bytes:
    """Return a verdict as a report of a kind."""
    if kind == "junit":
        return junit_document(verdict, fail_on=fail_on, started=started)
    return (json_text(check_document(verdict)) if kind == "json" else whole_text(verdict, fail_on=fail_on)).encode()
