"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
SCRIPT = "scripts/cli_docs.py"
PAGE = "docs/cli.md"


def run(root: Path, *arguments: str) -> tuple[int, str]:
    """Run the script in a checkout; return its code and what it complains of."""
    done = subprocess.run(  # noqa: S603 - it is ours
        [sys.executable, str(root / SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def test_the_reference_is_not_stale() -> None:
    """The page of the repository is the one that the script would write."""
    assert run(ROOT, "--check") == (0, "")


def test_a_stale_reference_is_found(tmp_path: Path) -> None:
    """--check fails for a page that is missing or differs and writes nothing; what the script writes passes it."""
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / SCRIPT).write_bytes((ROOT / SCRIPT).read_bytes())
    page = tmp_path / PAGE
    stale = (1, "cli.md is not what the commands say of themselves; run `make docs`\n")
    assert run(tmp_path, "--check") == stale
    assert not page.exists()
    assert run(tmp_path) == (0, "")
    assert page.read_bytes() == (ROOT / PAGE).read_bytes()
    assert run(tmp_path, "--check") == (0, "")
    page.write_text(page.read_text(encoding="utf-8").replace("--seed", "--sede"), encoding="utf-8")
    assert run(tmp_path, "--check") == stale


def test_a_line_fits() -> None:
    """No line of help is wider than 96 columns."""
    blocks = (ROOT / PAGE).read_text(encoding="utf-8").split("```")[1::2]
    assert len(blocks) == 8
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 96
