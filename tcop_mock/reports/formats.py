"""The kinds of reports, by name: a verdict goes in, the content of a file comes out.

Shells (command line, pytest) need no more than :func:`render` and, for a file that grows with the run,
:class:`~tcop_mock.reports.ndjson.NdjsonFile`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.contract import Level
from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.reports.console import whole_text
from tcop_mock.reports.files import require_writable
from tcop_mock.reports.har import har_document
from tcop_mock.reports.html import html_document
from tcop_mock.reports.json import check_document, json_text
from tcop_mock.reports.junit import junit_document
from tcop_mock.reports.markdown import markdown_document
from tcop_mock.reports.ndjson import whole_ndjson
from tcop_mock.reports.pytest_export import pytest_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.verdict import Verdict

STREAMED = "ndjson"
"""The kind that can be written while the run goes on."""
MARKDOWN = "markdown"


def render(kind: str, verdict: Verdict, *, fail_on: Level = Level.MUST) -> bytes:
    """Return a verdict as a report of some kind.

    Args:
        kind: one of ``KINDS``.
        verdict: what a run found, compared with a baseline or not.
        fail_on: clauses down to this level decide on the run.

    Raises:
        UsageError: there is no such kind; names the near ones.
    """
    return KINDS[require_kind(kind)](verdict, fail_on)


def require_kind(kind: str) -> str:
    """Return the name of a kind.

    Raises:
        UsageError: there is no such kind; names the near ones.
    """
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        raise UsageError(
            f"no report {kind!r}; " + (f"did you mean {near}?" if near else f"there is {', '.join(KINDS)}")
        )
    return kind


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
    try:
        require_kind(kind)
    except UsageError as problem:
        raise UsageError(f"{flag} {text!r}: {problem}") from None
    if path == "-":
        raise UsageError(f"{flag} {text!r}: a report is a file; --json writes the document to standard output")
    require_writable(path)
    return ReportFile(kind, path)


def _junit(verdict: Verdict, fail_on: Level) -> bytes:
    started = verdict.ran.started if verdict.ran else datetime.now(UTC)
    return junit_document(verdict, fail_on=fail_on, started=started)


KINDS: dict[str, Callable[[Verdict, Level], bytes]] = {
    "har": lambda verdict, _: json_text(har_document(verdict)).encode(),
    "html": lambda verdict, fail_on: html_document(verdict, fail_on=fail_on).encode(),
    "json": lambda verdict, _: json_text(check_document(verdict)).encode(),
    "junit": _junit,
    MARKDOWN: lambda verdict, fail_on: markdown_document(verdict, fail_on=fail_on).encode(),
    STREAMED: lambda verdict, _: whole_ndjson(verdict).encode(),
    "pytest": lambda verdict, _: pytest_module(verdict).encode(),
    "text": lambda verdict, fail_on: whole_text(verdict, fail_on=fail_on).encode(),
}
