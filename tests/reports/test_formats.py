"""Registry of report formats."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from scenario_samples import load_result
from verdict_samples import FAILED, make_verdict

from tcop_mock.domain.contract import Level
from tcop_mock.errors import UsageError
from tcop_mock.reports.formats import FORMATS, ReportFile, format_names, parse_report_file, render, render_load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _reports() -> Iterator[bytes]:
    yield from (render(name, make_verdict(FAILED), fail_on=Level.MUST) for name in format_names())
    yield from (render_load(name, load_result()) for name in format_names(for_load=True))


def test_every_format_has_a_renderer() -> None:
    """Each format renders a check, a load or both; names are in alphabetical order; every report is UTF-8 text."""
    assert set(format_names()) | set(format_names(for_load=True)) == set(FORMATS)
    assert list(FORMATS) == sorted(FORMATS)
    assert all(report.decode() for report in _reports())


def test_formats_are_described() -> None:
    """Each format has a description for help texts and a suffix that no other format has."""
    assert all(entry.description and entry.suffix.startswith(".") for entry in FORMATS.values())
    assert len({entry.suffix for entry in FORMATS.values()}) == len(FORMATS)


@pytest.mark.parametrize("for_load", [False, True])
def test_a_report_file_is_parsed(tmp_path: Path, *, for_load: bool) -> None:
    """KIND=PATH is split at the first equals sign, for check and for load."""
    path = str(tmp_path / "a=b.html")
    assert parse_report_file(f"html={path}", "--report", for_load=for_load) == ReportFile("html", path)


@pytest.mark.parametrize(
    "text, for_load, message",
    [
        ("junit", False, "--report 'junit': write KIND=PATH, as in junit=report.xml"),
        ("html", True, "--report 'html': write KIND=PATH, as in html=load.html"),
        ("jnit=x", False, "--report 'jnit=x': unknown report format 'jnit'; did you mean 'junit'?"),
        ("har=x", True, "--report 'har=x': unknown report format 'har'; use one of csv, html, json, junit"),
        ("csv=-", True, "--report 'csv=-': a report is a file; --json writes the document to standard output"),
        ("html=/nosuch/x", True, "report '/nosuch/x': there is no folder '/nosuch'; create it first"),
    ],
)
def test_a_wrong_report_file_is_rejected(text: str, message: str, *, for_load: bool) -> None:
    """The message names the option and the value, and says what to write."""
    with pytest.raises(UsageError) as caught:
        parse_report_file(text, "--report", for_load=for_load)
    assert str(caught.value) == message


def test_a_format_of_check_alone_cannot_render_a_load() -> None:
    """The renderers of check and load are separate: `load` has no HTTP archive, `check` has no CSV."""
    with pytest.raises(UsageError, match="unknown report format 'har'"):
        render_load("har", load_result())
    with pytest.raises(UsageError, match="unknown report format 'csv'"):
        render("csv", make_verdict(), fail_on=Level.MUST)


def test_help_texts_do_not_import_renderers() -> None:
    """Importing the registry imports no renderer and no third-party package."""
    script = "import sys, tcop_mock.reports.formats; print(*(name for name in sys.modules if 'tcop_mock.' in name))"
    ran = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert set(ran.stdout.split()) == {
        "tcop_mock._lazy",
        "tcop_mock._version",
        "tcop_mock.errors",
        "tcop_mock.reports",
        "tcop_mock.reports.formats",
    }
