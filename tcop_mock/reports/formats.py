"""Registry of report formats: what ``--report KIND=PATH`` of ``check`` and ``load`` can write.

A new format needs its renderer, a line in ``FORMATS``, a test and its documentation. Help texts list ``FORMATS``, so
this module is cheap to import: each renderer is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.contract import Level
    from tcop_mock.domain.load_summary import LoadResult
    from tcop_mock.domain.verdict import Verdict

STREAMING_FORMAT = "ndjson"
"""The format that is written during the run."""
MARKDOWN_FORMAT = "markdown"
"""The format that is also published to GitHub Actions."""
JUNIT_FORMAT = "junit"
"""The format that, for a load, needs objectives."""


class ReportFormat(NamedTuple):
    """One format. Its files are UTF-8 text."""

    description: str
    suffix: str
    """Usual suffix of its files."""
    render_verdict: Callable[[Verdict, Level], bytes] | None = None
    """Renderer for ``check``, with the lowest level whose clauses decide the result."""
    render_load: Callable[[LoadResult], bytes] | None = None
    """Renderer for ``load``."""
    needs_requests: bool = False
    """Whether a report without HTTP requests would be empty."""


class ReportFile(NamedTuple):
    """One ``KIND=PATH``."""

    format_name: str
    path: str


def format_names(*, for_load: bool = False) -> tuple[str, ...]:
    """Return the names of the formats of ``check``, or of ``load``, in alphabetical order."""
    return tuple(name for name, entry in FORMATS.items() if (entry.render_load if for_load else entry.render_verdict))


def render(format_name: str, verdict: Verdict, *, fail_on: Level) -> bytes:
    """Return the report of a check.

    Args:
        format_name: one of ``format_names()``.
        verdict: result of the run, with or without a baseline.
        fail_on: clauses down to this level decide the result of the run.

    Raises:
        UsageError: the format is unknown; the message suggests the closest one.
    """
    renderer = FORMATS[require_format(format_name)].render_verdict
    assert renderer is not None  # noqa: S101 - require_format checks this
    return renderer(verdict, fail_on)


def render_load(format_name: str, result: LoadResult) -> bytes:
    """Return the report of a load.

    Raises:
        UsageError: the format is unknown; the message suggests the closest one.
    """
    renderer = FORMATS[require_format(format_name, for_load=True)].render_load
    assert renderer is not None  # noqa: S101 - require_format checks this
    return renderer(result)


def require_format(format_name: str, *, for_load: bool = False) -> str:
    """Return the name of a format of ``check``, or of ``load``.

    Raises:
        UsageError: the format is unknown; the message suggests the closest one.
    """
    names = format_names(for_load=for_load)
    if format_name not in names:
        suggestion = did_you_mean(format_name, names)
        hint = f"did you mean {suggestion}?" if suggestion else f"use one of {', '.join(names)}"
        raise UsageError(f"unknown report format {format_name!r}; {hint}")
    return format_name


def parse_report_file(text: str, flag: str, *, for_load: bool = False) -> ReportFile:
    """Parse ``KIND=PATH``.

    Args:
        text: the value as the user wrote it.
        flag: name of the option, for messages.
        for_load: whether it is an option of ``load``.

    Raises:
        UsageError: the format is unknown, or the file cannot be written.
    """
    from tcop_mock.reports.files import require_writable

    format_name, equals, path = text.partition("=")
    if not equals or not path:
        example = "html=load.html" if for_load else "junit=report.xml"
        raise UsageError(f"{flag} {text!r}: write KIND=PATH, as in {example}")
    try:
        require_format(format_name, for_load=for_load)
    except UsageError as problem:
        raise UsageError(f"{flag} {text!r}: {problem}") from None
    if path == "-":
        raise UsageError(f"{flag} {text!r}: a report is a file; --json writes the document to standard output")
    require_writable(path)
    return ReportFile(format_name, path)


def _check_har(verdict: Verdict, _fail_on: Level) -> bytes:
    from tcop_mock.reports.har import har_document
    from tcop_mock.reports.json import json_text

    return json_text(har_document(verdict)).encode()


def _check_html(verdict: Verdict, fail_on: Level) -> bytes:
    from tcop_mock.reports.html import html_document

    return html_document(verdict, fail_on=fail_on).encode()


def _check_json(verdict: Verdict, _fail_on: Level) -> bytes:
    from tcop_mock.reports.json import check_document, json_text

    return json_text(check_document(verdict)).encode()


def _check_junit(verdict: Verdict, fail_on: Level) -> bytes:
    from datetime import UTC, datetime

    from tcop_mock.reports.junit import junit_document

    started = verdict.run_info.started_at if verdict.run_info else datetime.now(UTC)
    return junit_document(verdict, fail_on=fail_on, started=started)


def _check_markdown(verdict: Verdict, fail_on: Level) -> bytes:
    from tcop_mock.reports.markdown import markdown_document

    return markdown_document(verdict, fail_on=fail_on).encode()


def _check_ndjson(verdict: Verdict, _fail_on: Level) -> bytes:
    from tcop_mock.reports.ndjson import render_ndjson

    return render_ndjson(verdict).encode()


def _check_pytest(verdict: Verdict, _fail_on: Level) -> bytes:
    from tcop_mock.reports.pytest_export import pytest_module

    return pytest_module(verdict).encode()


def _check_text(verdict: Verdict, fail_on: Level) -> bytes:
    from tcop_mock.reports.console import render_text

    return render_text(verdict, fail_on=fail_on).encode()


def _load_csv(result: LoadResult) -> bytes:
    from tcop_mock.reports.load_json import load_csv

    return load_csv(result.summary.series).encode()


def _load_html(result: LoadResult) -> bytes:
    from tcop_mock.reports.load_html import load_html

    return load_html(result).encode()


def _load_json(result: LoadResult) -> bytes:
    from tcop_mock.reports.json import json_text
    from tcop_mock.reports.load_json import load_document

    return json_text(load_document(result)).encode()


def _load_junit(result: LoadResult) -> bytes:
    from tcop_mock.reports.junit import load_junit

    return load_junit(result)


FORMATS: dict[str, ReportFormat] = {
    "csv": ReportFormat("one row per second", ".csv", render_load=_load_csv),
    "har": ReportFormat("requests of the findings, as an HTTP Archive", ".har", _check_har, needs_requests=True),
    "html": ReportFormat("one page without scripts", ".html", _check_html, _load_html),
    "json": ReportFormat("the document of --json", ".json", _check_json, _load_json),
    JUNIT_FORMAT: ReportFormat("JUnit XML for CI systems", ".xml", _check_junit, _load_junit),
    MARKDOWN_FORMAT: ReportFormat("for pull requests and chats", ".md", _check_markdown),
    STREAMING_FORMAT: ReportFormat("one event per line, written during the run", ".ndjson", _check_ndjson),
    "pytest": ReportFormat("a test module that repeats the findings", ".py", _check_pytest, needs_requests=True),
    "text": ReportFormat("the lines that check prints", ".txt", _check_text),
}
