"""Report files (``--report KIND=PATH``) and baselines, as ``check`` is told of them."""

from __future__ import annotations

import functools
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.cli.github import told_to_github
from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.reports.baseline import BaselineFilter
from tcop_mock.reports.baseline_file import read_baseline, write_baseline
from tcop_mock.reports.files import require_writable, write_report
from tcop_mock.reports.formats import MARKDOWN_FORMAT, STREAMING_FORMAT, ReportFile, parse_report_file, render
from tcop_mock.reports.ndjson import NdjsonFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.domain.contract import Level
    from tcop_mock.domain.verdict import BaselineEntry, RunEvent, Verdict
    from tcop_mock.reports.console import EventListener


@contextmanager
def streaming(files: Sequence[ReportFile], tell: EventListener) -> Iterator[EventListener]:
    """Give a listener that also writes the reports that grow with the run.

    Raises:
        UsageError: one of them cannot be written.
    """
    with ExitStack() as stack:
        streams = [NdjsonFile(file.path) for file in files if file.format_name == STREAMING_FORMAT]
        for stream in streams:
            stack.callback(stream.close)

        def tell_all(event: RunEvent) -> None:
            tell(event)
            for stream in streams:
                stream(event)

        try:
            yield tell_all
        except TcopMockError as problem:
            for stream in streams:
                stream.fail(str(problem))
            raise


def write_reports(files: Sequence[ReportFile], verdict: Verdict, level: Level) -> None:
    """Write the reports of a run that has ended, and tell a CI that reads Markdown where one was asked for.

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
        told_to_github(verdict, level)
    if problems:
        raise problems[0]


class Baseline(NamedTuple):
    """What ``--baseline``, ``--baseline-update`` and ``--baseline-prune`` say."""

    path: str
    update: bool
    prune: bool
    known: tuple[BaselineEntry, ...]

    def comparison(self) -> BaselineFilter:
        """Return what tells known findings from new ones, as of today (UTC)."""
        return BaselineFilter(self.known, datetime.now(UTC).date(), path=self.path, add_new=self.update)

    def keep(self, comparison: BaselineFilter, verdict: Verdict, *, interrupted: bool) -> str:
        """Write what is to be listed from now on, and return a line on it.

        Args:
            comparison: what the verdict was compared by.
            verdict: of the run, compared.
            interrupted: whether the run was cut short: then nothing is written.

        Raises:
            UsageError: it cannot be written.
        """
        if interrupted:
            return f"baseline {self.path} is left as it was: the run was cut short"
        listed = comparison.entries_to_write(verdict, update=self.update, prune=self.prune)
        before, after = ({one.fingerprint for one in known} for known in (self.known, listed))
        write_baseline(self.path, listed)
        return (
            f"baseline {self.path}: {len(after - before)} added, {len(before - after)} taken out, {len(after)} listed"
        )


class Reporting(NamedTuple):
    """The flags that say what is reported where, as click hands them in."""

    reports: tuple[str, ...]
    baseline_path: str | None
    update: bool
    prune: bool

    def files(self) -> list[ReportFile]:
        """Return the report files.

        Raises:
            UsageError: no kind of ours, no file, or none that can be written.
        """
        return [parse_report_file(text, "--report") for text in self.reports]

    def baseline(self) -> Baseline | None:
        """Read the baseline; one that is not there yet is empty where it is to be written.

        Raises:
            UsageError: no file for what is to be done, it cannot be read, is none, or cannot be written.
        """
        path = self.baseline_path
        if path is None:
            if self.update or self.prune:
                flag = "--baseline-update" if self.update else "--baseline-prune"
                raise UsageError(f"{flag} goes with --baseline FILE, which it writes")
            return None
        place = require_writable(path, label="baseline") if self.update or self.prune else Path(path)
        is_new = self.update and not place.exists()
        return Baseline(path, self.update, self.prune, () if is_new else tuple(read_baseline(path)))


def with_reporting(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a verb one ``reporting`` in place of the flags of reports and baselines."""

    @functools.wraps(verb)
    def gathered(
        *,
        reports: tuple[str, ...],
        baseline: str | None,
        baseline_update: bool,
        baseline_prune: bool,
        **given: Any,  # noqa: ANN401 - click's values
    ) -> Any:  # noqa: ANN401 - click's values
        asked = Reporting(reports, baseline, baseline_update, baseline_prune)
        return verb(reporting=asked, **given)

    return gathered
