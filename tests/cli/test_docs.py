"""docs/cli.md is readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcop_mock.cli.main import cli

pytestmark = pytest.mark.checkout

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_a_line_fits() -> None:
    """No line of help is wider than 68 columns, which a page shows without scrolling."""
    blocks = PAGE.read_text(encoding="utf-8").split("```")[1::2]
    assert len(blocks) == 1 + len(cli.commands)
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 68
