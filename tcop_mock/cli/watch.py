"""``check --watch``: run a check again when files change, in a new process, which loads the changed files."""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tcop_mock.cli.signals import INTERRUPTED
from tcop_mock.errors import UsageError
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.cli.options import CommonOptions

    Snapshot: TypeAlias = dict[str, tuple[int, int]]
    """Time of the last change in nanoseconds, and size, by file."""

WATCHED_VARIABLE = "TCOP_MOCK_WATCHED"
"""Set for a check that another process runs again."""
_POLL_S = 0.3
_IGNORED_FOLDERS = frozenset({"__pycache__", "node_modules", "venv"})
"""Folders that ``--watch`` ignores, as well as those with a dot at the beginning of the name."""
_MAX_PATH_CHARS = 300


def check_on_changes(patterns: Sequence[str], arguments: Sequence[str], common: CommonOptions) -> int:
    """Run a call of the command line now and after each change of files, until Ctrl-C; return its exit code.

    Raises:
        UsageError: a pattern matches no file.
    """
    return repeat_on_changes(patterns, lambda: run_in_process(arguments), common.info)


def repeat_on_changes(
    patterns: Sequence[str],
    run: Callable[[], int],
    show: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Call ``run`` now and after each change, until it is interrupted; return the exit code of an interrupt.

    Args:
        patterns: files, folders and globs.
        run: returns an exit code.
        show: prints a line about what happens.
        sleep: waits some seconds.

    Raises:
        UsageError: a pattern matches no file.
    """
    for pattern in patterns:
        if not any(_files(pattern)):
            raise UsageError(f"--watch {pattern!r} matches no file; name files, folders, or a glob such as 'src/**'")
    while True:
        before = _snapshot(patterns)
        if run() == INTERRUPTED:
            return INTERRUPTED
        show(f"watching {pluralize(len(before), 'file')}; Ctrl-C ends")
        changed = _wait_for_change(patterns, before, sleep)
        show(f"{one_line(changed, _MAX_PATH_CHARS)} changed\n")


def run_in_process(arguments: Sequence[str]) -> int:
    """Run a call of the command line in a new process, and return its exit code; forward an interrupt to it."""
    environ = os.environ | {WATCHED_VARIABLE: "1"}
    process = subprocess.Popen(  # noqa: S603 - this very call
        [sys.executable, "-m", "tcop_mock", *arguments],
        env=environ,
        start_new_session=True,  # Ctrl-C comes to this process only, and once
    )
    is_interrupted = False
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            is_interrupted = True
            process.send_signal(signal.SIGINT)
        else:
            return INTERRUPTED if is_interrupted else code


def _wait_for_change(patterns: Sequence[str], before: Snapshot, sleep: Callable[[float], None]) -> str:
    """Return a file that is not as it was before; an editor that writes several files has time for all of them."""
    while True:
        now = _snapshot(patterns)
        changed = {name for name, _ in before.items() ^ now.items()}
        if changed:
            break
        sleep(_POLL_S)
    while True:
        sleep(_POLL_S)
        last, now = now, _snapshot(patterns)
        if now == last:
            return min(changed)


def _snapshot(patterns: Sequence[str]) -> Snapshot:
    files: Snapshot = {}
    for name in (name for pattern in patterns for name in _files(pattern)):
        with contextlib.suppress(OSError):  # it is gone again
            stat = Path(name).stat()
            files[name] = stat.st_mtime_ns, stat.st_size
    return files


def _files(pattern: str) -> Iterator[str]:
    """Yield the files of a pattern; of a folder those in and below it."""
    names = [pattern] if Path(pattern).exists() else glob.iglob(pattern, recursive=True)  # noqa: PTH207 - takes any path
    for name in names:
        if Path(name).is_file():
            yield name
        elif Path(name).is_dir() and name == pattern:
            for folder, folders, files in os.walk(name):
                folders[:] = [one for one in folders if one not in _IGNORED_FOLDERS and not one.startswith(".")]
                yield from (str(Path(folder, file)) for file in files)
