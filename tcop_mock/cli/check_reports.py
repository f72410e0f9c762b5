"""Report files and the baseline of a check, and its output in GitHub Actions.

The runner of GitHub Actions takes lines that begin with ``::`` as commands. So workflow commands are disabled, by a
random token, while we print text that may come from a receiver.
"""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.reports.baseline import BaselineFilter
from tcop_mock.reports.baseline_file import read_baseline, write_baseline
from tcop_mock.reports.files import require_writable, write_report
from tcop_mock.reports.formats import MARKDOWN_FORMAT, STREAMING_FORMAT, ReportFile, parse_report_file, render
from tcop_mock.reports.markdown import markdown_document, workflow_commands
from tcop_mock.reports.ndjson import NdjsonFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.cli.options import ReportOptions
    from tcop_mock.domain.contract import Level
    from tcop_mock.domain.verdict import BaselineEntry, RunEvent, Verdict
    from tcop_mock.reports.console import EventListener

_MAX_SUMMARY_BYTES = 1024 * 1024
"""Limit of the runner for the summary of a step."""


@contextmanager
def streaming_reports(files: Sequence[ReportFile], listen: EventListener) -> Iterator[EventListener]:
    """Give a listener that also writes the reports that are written during the run.

    Raises:
        UsageError: one of them cannot be written.
    """
    with ExitStack() as stack:
        streams = [NdjsonFile(file.path) for file in files if file.format_name == STREAMING_FORMAT]
        for stream in streams:
            stack.callback(stream.close)

        def listen_all(event: RunEvent) -> None:
            listen(event)
            for stream in streams:
                stream(event)

        try:
            yield listen_all
        except TcopMockError as problem:
            for stream in streams:
                stream.fail(str(problem))
            raise


def write_reports(files: Sequence[ReportFile], verdict: Verdict, level: Level) -> None:
    """Write the reports at the end of a run; Markdown is also published to GitHub.

    Raises:
        UsageError: one cannot be written; those after it are written all the same.
    """
    problems: list[UsageError] = []
    for file in files:
        if file.format_name != STREAMING_FORMAT:
            try:
                write_report(file.path, render(file.format_name, verdict, fail_on=level))
            except UsageError as problem:
                problems.append(problem)
    if any(file.format_name == MARKDOWN_FORMAT for file in files):
        publish_to_github(verdict, level)
    if problems:
        raise problems[0]


class Baseline(NamedTuple):
    """Known findings, and whether to update or prune them."""

    path: str
    update: bool
    prune: bool
    known: tuple[BaselineEntry, ...]

    def comparison(self) -> BaselineFilter:
        """Return the comparison of known and new findings, as of today (UTC)."""
        return BaselineFilter(self.known, datetime.now(UTC).date(), path=self.path, add_new=self.update)

    def save(self, comparison: BaselineFilter, verdict: Verdict, *, interrupted: bool) -> str:
        """Write the new baseline, and return a line about it.

        Args:
            comparison: the comparison of the verdict.
            verdict: the compared verdict.
            interrupted: whether the run was cut short; then nothing is written.

        Raises:
            UsageError: it cannot be written.
        """
        if interrupted:
            return f"baseline {self.path} is unchanged: the run was cut short"
        listed = comparison.entries_to_write(verdict, update=self.update, prune=self.prune)
        before, after = ({one.fingerprint for one in known} for known in (self.known, listed))
        write_baseline(self.path, listed)
        return f"baseline {self.path}: {len(after - before)} added, {len(before - after)} removed, {len(after)} listed"


def report_files(options: ReportOptions) -> list[ReportFile]:
    """Return the report files.

    Raises:
        UsageError: an unknown kind, or a file that cannot be written.
    """
    return [parse_report_file(text, "--report") for text in options.reports]


def read_baseline_options(options: ReportOptions) -> Baseline | None:
    """Read the baseline; a missing file is empty with ``--baseline-update``.

    Raises:
        UsageError: there is no file to update or prune, or it cannot be read or written.
    """
    path, update, prune = options.baseline, options.baseline_update, options.baseline_prune
    if path is None:
        if update or prune:
            flag = "--baseline-update" if update else "--baseline-prune"
            raise UsageError(f"{flag} goes with --baseline FILE, which it writes")
        return None
    place = require_writable(path, label="baseline") if update or prune else Path(path)
    is_new = update and not place.exists()
    return Baseline(path, update, prune, () if is_new else tuple(read_baseline(path)))


def _in_github_actions() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


@contextmanager
def workflow_commands_disabled() -> Iterator[None]:
    """Make the runner treat standard output as text until the block ends."""
    if not _in_github_actions():
        yield
        return
    token = secrets.token_hex(16)
    click.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        click.echo(f"::{token}::")


def publish_to_github(verdict: Verdict, level: Level) -> None:
    """Append the verdict to the job summary, and print annotations of broken clauses.

    Annotations go to standard error, because standard output may be a document. A summary that cannot be written is a
    warning.
    """
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            _append(Path(summary), verdict, level)
        except OSError as problem:
            click.echo(f"warning: the summary {summary!r} cannot be written: {problem.strerror}", err=True)
    if _in_github_actions():
        for command in workflow_commands(verdict, fail_on=level):
            click.echo(command, err=True)


def _append(summary: Path, verdict: Verdict, level: Level) -> None:
    left = _MAX_SUMMARY_BYTES - (summary.stat().st_size if summary.exists() else 0)
    texts = (markdown_document(verdict, fail_on=level, brief=brief).encode() for brief in (False, True))
    text = next(
        (text for text in texts if len(text) < left),
        b"tcop-mock: the report is too long for the rest of this summary\n",
    )
    with summary.open("ab") as file:
        file.write(text)
