"""The scripts for generated pages detect stale pages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
SCRIPT, PAGE = "errata", "errata.md"
"""One of the scripts, which all use the same code; `make lint` checks the pages of all of them."""
STALE = (1, "errata.md is not what the catalogue's errata say; run `make docs`\n")


def run(root: Path, script: str, *arguments: str) -> tuple[int, str]:
    """Run a script in a checkout; return its exit code and standard error."""
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(root / "scripts" / f"{script}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    """--check fails for a missing or different page and writes nothing; a page written by the script passes."""
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    for file in (f"{SCRIPT}.py", "generated.py"):
        (tmp_path / "scripts" / file).write_bytes((ROOT / "scripts" / file).read_bytes())
    page = tmp_path / "docs" / PAGE
    assert run(tmp_path, SCRIPT, "--check") == STALE
    assert not page.exists()
    assert run(tmp_path, SCRIPT) == (0, "")
    assert page.read_bytes() == (ROOT / "docs" / PAGE).read_bytes()
    assert run(tmp_path, SCRIPT, "--check") == (0, "")
    page.write_text(page.read_text(encoding="utf-8")[:-2], encoding="utf-8")
    assert run(tmp_path, SCRIPT, "--check") == STALE


def test_the_files_that_a_picture_is_rendered_from_exist() -> None:
    """The screenshots of `make docs` survive a renamed module."""
    script = (ROOT / "scripts" / "pictures.py").read_text(encoding="utf-8")
    [names] = re.findall(r"for name in \((.+)\)\]", script)
    files = [ROOT / "tcop_mock" / "reports" / f"{name}.py" for name in re.findall(r"\w+", names)]
    assert len(files) > 1
    assert [file for file in files if not file.is_file()] == []
