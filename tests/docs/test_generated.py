"""Pages that scripts write are what these would write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
WRITTEN = {
    "cli_docs": ("cli.md", "what the commands say of themselves"),
    "errata": ("errata.md", "what the catalogue's errata say"),
    "openapi": ("openapi.json", "what catalogue and schemas say"),
}


def run(root: Path, script: str, *arguments: str) -> tuple[int, str]:
    """Run a script in a checkout; return its code and what it complains of."""
    done = subprocess.run(  # noqa: S603 - it is ours
        [sys.executable, str(root / "scripts" / f"{script}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("script", WRITTEN)
def test_a_stale_page_is_found(tmp_path: Path, script: str) -> None:
    """--check fails for a page that is missing or differs and writes nothing; what the script writes passes it."""
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    for file in (f"{script}.py", "generated.py"):
        (tmp_path / "scripts" / file).write_bytes((ROOT / "scripts" / file).read_bytes())
    name, source = WRITTEN[script]
    page = tmp_path / "docs" / name
    stale = (1, f"{name} is not {source}; run `make docs`\n")
    assert run(tmp_path, script, "--check") == stale
    assert not page.exists()
    assert run(tmp_path, script) == (0, "")
    assert page.read_bytes() == (ROOT / "docs" / name).read_bytes()
    assert run(tmp_path, script, "--check") == (0, "")
    page.write_text(page.read_text(encoding="utf-8")[:-2], encoding="utf-8")
    assert run(tmp_path, script, "--check") == stale
