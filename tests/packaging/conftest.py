"""Fixtures of the packaging tests: the repository, its files, and a wheel."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def repository_files() -> list[Path]:
    """Return the files that ``.gitignore`` does not exclude; also works in a source archive, without git."""
    patterns = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
    return list(_files(ROOT, [*patterns, ".git"]))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel built from the checkout."""
    from hatchling.build import build_wheel  # noqa: PLC0415 - not installed in runs against the wheel

    folder = tmp_path_factory.mktemp("wheel")
    with contextlib.chdir(ROOT):  # the build hooks of PEP 517 work on the current folder
        return folder / build_wheel(str(folder))


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a program in a fresh interpreter, in an empty folder, and returns its output."""

    def run(program: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(  # noqa: S603 - our own programs
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=os.environ | dict(env or {}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def _files(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for item in sorted(folder.iterdir()):
        if any(fnmatch.fnmatchcase(item.name, pattern) for pattern in ignored):
            continue
        if item.is_dir():
            yield from _files(item, ignored)
        else:
            yield item
