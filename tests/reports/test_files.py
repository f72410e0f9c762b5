"""Report files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tcop_mock.errors import UsageError
from tcop_mock.reports.files import require_writable, write_report

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def umask() -> Iterator[None]:
    """Set the umask so that new files have the mode 0640."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_report_replaces_the_old_one(tmp_path: Path) -> None:
    """The new report replaces the old one, and no other file is left in the folder."""
    place = tmp_path / "报告.xml"
    write_report(place, b"old")
    write_report(str(place), b"new")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"报告.xml": b"new"}


@pytest.mark.usefixtures("umask")
@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_report_has_the_mode_of_other_files(tmp_path: Path) -> None:
    """A report has the mode of the user's new files, unlike a temporary file."""
    write_report(tmp_path / "report", b"")
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A report to a link is written to the target of the link."""
    link = tmp_path / "latest"
    link.symlink_to("today")
    write_report(link, b"report")
    assert link.is_symlink()
    assert (tmp_path / "today").read_bytes() == b"report"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_device_or_pipe_is_written_to(tmp_path: Path) -> None:
    """A device or pipe is written to, not replaced."""
    write_report("/dev/null", b"report")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116 - Path.stat is the same
    assert require_writable("/dev/null") == Path("/dev/null")
    with pytest.raises(UsageError, match="report '/dev/full' cannot be written: No space left on device"):
        write_report("/dev/full", b"report")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_left_is_no_error_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handled where all output is."""

    def leave(_path: Path, _content: bytes) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(Path, "write_bytes", leave)
    with pytest.raises(BrokenPipeError):
        write_report("/dev/null", b"report")


@pytest.mark.parametrize(
    "name, problem",
    [
        ("missing/report.json", "there is no folder"),
        (".", "is a folder; name a file"),
    ],
)
def test_an_impossible_path_is_a_usage_error(tmp_path: Path, name: str, problem: str) -> None:
    """A missing folder, or a folder with that name, is rejected before anything is written."""
    with pytest.raises(UsageError, match=problem):
        require_writable(tmp_path / name)


def test_a_read_only_folder_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names a read-only folder (the access check is patched, because root may write everywhere)."""
    monkeypatch.setattr(os, "access", lambda path, mode: not (path == tmp_path.resolve() and mode == os.W_OK))
    with pytest.raises(UsageError, match="is not writable"):
        write_report(tmp_path / "report", b"")


def test_a_failed_write_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a full disk the old report stays intact, the temporary file is removed, and the error names the reason."""
    place = tmp_path / "report"
    write_report(place, b"old")

    def full(_draft: Path, _place: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="cannot be written: No space left on device"):
        write_report(place, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
