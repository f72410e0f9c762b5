"""The kinds of reports, by name: a verdict goes in, the content of a file comes out.

Shells (command line, pytest) need no more than :func:`render` and, for a file that grows with the run,
:class:`~tcop_mock.reports.ndjson.NdjsonFile`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.contract import Level
from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.reports.console import render_text
from tcop_mock.reports.files import require_writable
from tcop_mock.reports.har import har_document
from tcop_mock.reports.html import html_document
from tcop_mock.reports.json import check_document, json_text
from tcop_mock.reports.junit import junit_document
from tcop_mock.reports.markdown import markdown_document
from tcop_mock.reports.ndjson import render_ndjson
from tcop_mock.reports.pytest_export import pytest_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.verdict import Verdict

STREAMING_FORMAT = "ndjson"
"""The kind that can be written while the run goes on."""
MARKDOWN_FORMAT = "markdown"


def render(format_name: str, verdict: Verdict, *, fail_on: Level = Level.MUST) -> bytes:
    """Return a verdict as a report of some kind.

    Args:
        format_name: one of ``KINDS``.
        verdict: what a run found, compared with a baseline or not.
        fail_on: clauses down to this level decide on the run.

    Raises:
        UsageError: there is no such kind; names the near ones.
    """
    return FORMATS[require_format(format_name)](verdict, fail_on)


def require_format(format_name: str) -> str:
    """Return the name of a kind.

    Raises:
        UsageError: there is no such kind; names the near ones.
    """
    if format_name not in FORMATS:
        suggestion = did_you_mean(format_name, FORMATS)
        raise UsageError(
            f"no report {format_name!r}; "
            + (f"did you mean {suggestion}?" if suggestion else f"there is {', '.join(FORMATS)}")
        )
    return format_name


class ReportFile(NamedTuple):
    """One ``KIND=PATH``."""

    format_name: str
    path: str


def parse_report_file(text: str, flag: str) -> ReportFile:
    """Read ``KIND=PATH``.

    Args:
        text: as it was written.
        flag: where, for messages.

    Raises:
        UsageError: no such kind, or a file that cannot be written.
    """
    format_name, equals, path = text.partition("=")
    if not equals or not path:
        raise UsageError(f"{flag} {text!r}: write KIND=PATH, as in junit=report.xml")
    try:
        require_format(format_name)
    except UsageError as problem:
        raise UsageError(f"{flag} {text!r}: {problem}") from None
    if path == "-":
        raise UsageError(f"{flag} {text!r}: a report is a file; --json writes the document to standard output")
    require_writable(path)
    return ReportFile(format_name, path)


def _junit(verdict: Verdict, fail_on: Level) -> bytes:
    started = verdict.run_info.started_at if verdict.run_info else datetime.now(UTC)
    return junit_document(verdict, fail_on=fail_on, started=started)


FORMATS: dict[str, Callable[[Verdict, Level], bytes]] = {
    "har": lambda verdict, _: json_text(har_document(verdict)).encode(),
    "html": lambda verdict, fail_on: html_document(verdict, fail_on=fail_on).encode(),
    "json": lambda verdict, _: json_text(check_document(verdict)).encode(),
    "junit": _junit,
    MARKDOWN_FORMAT: lambda verdict, fail_on: markdown_document(verdict, fail_on=fail_on).encode(),
    STREAMING_FORMAT: lambda verdict, _: render_ndjson(verdict).encode(),
    "pytest": lambda verdict, _: pytest_module(verdict).encode(),
    "text": lambda verdict, fail_on: render_text(verdict, fail_on=fail_on).encode(),
}
