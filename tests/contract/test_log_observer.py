"""Lines of a log as effects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tcop_mock.contract.log_observer import LogFile, LogObserver
from tcop_mock.errors import ObserverError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def seen(observer: LogObserver) -> list[str]:
    """Return the lines that an observer shows now."""
    return [effect.text for effect in asyncio.run(observer.observe("ins-1")).effects]


def test_each_new_line_is_an_effect(tmp_path: Path) -> None:
    """What the file held before does not count; blank lines do not, either; what is open is unknown."""
    file = tmp_path / "app.log"
    file.write_text("an old line about ins-1\n")
    observer = LogObserver.parse(LogFile(file).lines, None)
    assert seen(observer) == []
    with file.open("a") as stream:
        stream.write("told ins-1\n\ntold ins-")
    assert seen(observer) == ["told ins-1", "told ins-"]
    with file.open("a") as stream:
        stream.write("2\n")
    assert seen(observer) == ["told ins-1", "told ins-2"]
    assert asyncio.run(observer.observe("ins-1")).open_incidents is None


def test_a_log_that_is_cut_or_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    """As log rotation does both."""
    file = tmp_path / "app.log"
    file.write_text("a long old line\n")
    observer = LogObserver.parse(LogFile(file).lines, None)
    file.write_text("one\n")
    assert seen(observer) == ["one"]
    file.rename(tmp_path / "app.log.1")
    (tmp_path / "new").write_text("two, and more than before\n")
    (tmp_path / "new").rename(file)
    assert seen(observer) == ["one", "two, and more than before"]


def test_only_lines_that_match_count() -> None:
    """A receiver that logs each request and each message is looked at for its messages."""
    lines = ["received ins-1", "told ins-1", "received ins-1"]
    assert seen(LogObserver.parse(lambda: lines, r"^told\b")) == ["told ins-1"]
    with pytest.raises(UsageError, match=r"--observe-all '\(' is not a regular expression: "):
        LogObserver.parse(lambda: lines, "(")


def test_a_log_that_is_not_there_is_told(tmp_path: Path) -> None:
    """It may come later."""
    file = tmp_path / "app.log"
    observer = LogObserver.parse(LogFile(file).lines, None)
    with pytest.raises(ObserverError, match=r"--observe-log .*app\.log' cannot be read: No such file or directory"):
        seen(observer)
    file.write_text("one\n")
    assert seen(observer) == ["one"]
