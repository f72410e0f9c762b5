"""``check --watch``: the same call in a new process when files change."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tcop_mock.cli import watch
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand

INTERRUPTED = 130


def watched(patterns: list[str], *edits: Callable[[], object]) -> tuple[list[str], int]:
    """Return what is reported, and how often the check runs; each wait makes the next edit, the last one interrupts."""
    reported: list[str] = []
    left, runs = list(edits), 0

    def run() -> int:
        nonlocal runs
        runs += 1
        return 0 if left else INTERRUPTED

    def sleep(_seconds: float) -> None:
        if left:
            left.pop(0)()

    assert watch.repeat_on_changes(patterns, run, reported.append, sleep) == INTERRUPTED
    return reported, runs


def test_a_change_runs_the_check_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The changed file is named; a file written in several steps, and several files, are one change."""
    monkeypatch.chdir(tmp_path)
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("1")
    reported, runs = watched(
        ["*.py"],
        lambda: None,
        lambda: one.write_text("12"),
        lambda: two.write_text("2"),
        lambda: None,
        two.unlink,
    )
    assert runs == 3
    assert reported == [
        "watching 1 file; Ctrl-C ends",
        "one.py changed\n",
        "watching 2 files; Ctrl-C ends",
        "two.py changed\n",
    ]


def test_a_change_during_a_check_runs_it_again(tmp_path: Path) -> None:
    """Nobody has to save a file twice."""
    file = tmp_path / "app.py"
    file.write_text("1")
    codes = iter([0, INTERRUPTED])

    def run() -> int:
        file.write_text("saved meanwhile")
        return next(codes)

    reported: list[str] = []
    assert watch.repeat_on_changes([str(file)], run, reported.append, lambda _seconds: None) == INTERRUPTED
    assert reported == ["watching 1 file; Ctrl-C ends", f"{file} changed\n"]


def test_files_folders_and_globs_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder means all files in and below it, without hidden files, caches and packages."""
    monkeypatch.chdir(tmp_path)
    for name in ("src/a.py", "src/in/b.py", "src/in/[c].txt", "src/.git/x", "src/__pycache__/x", "src/node_modules/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(watch._files("src")) == ["src/a.py", "src/in/[c].txt", "src/in/b.py"]
    assert sorted(watch._files("src/**/*.py")) == ["src/a.py", "src/in/b.py"]
    assert list(watch._files("src/*")) == ["src/a.py"]
    assert list(watch._files("src/in/[c].txt")) == ["src/in/[c].txt"]
    monkeypatch.setattr(watch, "_files", lambda _pattern: ["src/a.py", "src/gone.py"])
    assert set(watch._snapshot(["any"])) == {"src/a.py"}


def test_a_pattern_without_files_is_an_error() -> None:
    """A check that never runs again would look as if nothing changed."""
    with pytest.raises(UsageError, match="--watch 'nosuch' matches no file; name files, folders, or a glob"):
        watch.repeat_on_changes(["nosuch"], lambda: 0, print)


def test_the_call_is_the_same_without_its_watch(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process gets the same arguments and knows that it is watched, so settings cannot have it watch, too."""
    calls: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        calls.append(list(arguments))
        return INTERRUPTED

    monkeypatch.setattr(watch, "run_in_process", run)
    call = ("check", "http://127.0.0.1:9/", "--watch", str(tmp_path), "--clauses", "TCM101", "--list")
    (tmp_path / "app.py").touch()
    assert tcop(*call).exit_code == INTERRUPTED
    assert calls == [list(call)]
    monkeypatch.setenv(watch.WATCHED_VARIABLE, "1")
    done = tcop(*call)
    assert (done.exit_code, done.stdout.split()[0], done.stderr) == (0, "TCM101", "")
    assert len(calls) == 1


def test_a_call_runs_in_a_process_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    """Each check is a process with our output, and its exit code is returned."""
    assert watch.run_in_process(["--version"]) == 0
    assert capfd.readouterr().out.startswith("tcop-mock ")


def test_an_interrupt_is_passed_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process prints its summary and ends its receiver; then the watch ends, whatever its exit code."""
    sent: list[int] = []

    class Process:
        def __init__(self, command: list[str], env: dict[str, str], *, start_new_session: bool) -> None:
            assert command[1:] == ["-m", "tcop_mock", "check"]
            assert env == os.environ | {watch.WATCHED_VARIABLE: "1"}
            assert start_new_session

        def wait(self) -> int:
            if not sent:
                raise KeyboardInterrupt
            return 1

        def send_signal(self, number: int) -> None:
            sent.append(number)

    monkeypatch.setattr(subprocess, "Popen", Process)
    assert watch.run_in_process(["check"]) == INTERRUPTED
    assert sent == [signal.SIGINT]
