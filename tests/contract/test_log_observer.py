"""Lines of a log as effects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tcop_mock.contract.log_observer import LogFile, LogObserver
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.process.output import OutputBuffer

if TYPE_CHECKING:
    from pathlib import Path

    from tcop_mock.process.output import NewLines


def seen(observer: LogObserver) -> list[str]:
    """Return the lines that an observer shows now."""
    return [effect.text for effect in asyncio.run(observer.observe("ins-1")).effects]


def test_each_new_line_is_an_effect(tmp_path: Path) -> None:
    """What the file held before does not count; blank lines do not, either; what is open is unknown."""
    file = tmp_path / "app.log"
    file.write_text("an old line about ins-1\n")
    observer = LogObserver.parse(LogFile(file).lines_since, None)
    assert seen(observer) == []
    with file.open("a") as stream:
        stream.write("sent ins-1\n\nsent ins-")
    assert seen(observer) == ["sent ins-1", "sent ins-"]
    with file.open("a") as stream:
        stream.write("2\n")
    assert seen(observer) == ["sent ins-1", "sent ins-2"]
    assert asyncio.run(observer.observe("ins-1")).open_incidents is None


def test_a_log_that_is_cut_or_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    """As log rotation does both."""
    file = tmp_path / "app.log"
    file.write_text("a long old line\n")
    observer = LogObserver.parse(LogFile(file).lines_since, None)
    file.write_text("one\n")
    assert seen(observer) == ["one"]
    file.rename(tmp_path / "app.log.1")
    (tmp_path / "new").write_text("two, and more than before\n")
    (tmp_path / "new").rename(file)
    assert seen(observer) == ["one", "two, and more than before"]


def test_only_lines_that_match_count() -> None:
    """A receiver that logs each request and each message is looked at for its messages."""
    output = OutputBuffer()
    output.append(b"received ins-1\nsent ins-1\nreceived ins-1\nfinally sent ins-1")
    observer = LogObserver.parse(output.lines_since, r"\bsent\b")
    assert seen(observer) == ["sent ins-1", "finally sent ins-1"]
    output.append(b", received\n")
    assert seen(observer) == ["sent ins-1", "finally sent ins-1, received"]
    with pytest.raises(UsageError, match=r"--observe-all '\(' is not a regular expression: "):
        LogObserver.parse(output.lines_since, "(")


def test_each_line_is_read_once() -> None:
    """A look at a log of a million lines costs as much as the lines that are new."""
    output = OutputBuffer()
    output.append(b"one\ntwo\n")
    read: list[str] = []

    def lines_since(number: int) -> NewLines:
        new = output.lines_since(number)
        read.extend(new.complete)
        return new

    observer = LogObserver.parse(lines_since, None)
    assert seen(observer) == seen(observer) == ["one", "two"]
    output.append(b"three\n")
    assert seen(observer) == ["one", "two", "three"]
    assert read == ["one", "two", "three"]


def test_lines_that_are_no_longer_kept_do_not_count() -> None:
    """The memory of a look is as bounded as that of the log, also when all its lines went between two looks."""
    output = OutputBuffer(max_chars=10)
    observer = LogObserver.parse(output.lines_since, None)
    output.append(b"one\ntwo\n")
    assert seen(observer) == ["one", "two"]
    output.append(b"three\n")
    assert seen(observer) == output.lines() == ["two", "three"]
    output.append(b"four\nfive\nsix\n")
    assert seen(observer) == output.lines() == ["five", "six"]


def test_a_log_that_is_not_there_is_reported(tmp_path: Path) -> None:
    """It may come later."""
    file = tmp_path / "app.log"
    observer = LogObserver.parse(LogFile(file).lines_since, None)
    with pytest.raises(ObserverError, match=r"--observe-log .*app\.log' cannot be read: No such file or directory"):
        seen(observer)
    file.write_text("one\n")
    assert seen(observer) == ["one"]
