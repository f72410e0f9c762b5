"""The page on the pytest plugin names all that the plugin has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]


def test_every_fixture_option_and_mark_is_told() -> None:
    """What can be asked of the plugin is on its page, and nothing else that looks like it."""
    plugin = (ROOT / "tcop_mock" / "pytest_plugin.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "how-to" / "pytest.md").read_text(encoding="utf-8")
    fixtures = set(re.findall(r"^def (tcop_\w+)\(", plugin, re.MULTILINE))
    marks = set(re.findall(r'^        "(tcop\w*)\(', plugin, re.MULTILINE))
    options = {f"--tcop-{name}" for name in re.findall(r'^    \("([a-z-]+)",', plugin, re.MULTILINE)}
    rows = "".join(re.findall(r"^\| .*$", page, re.MULTILINE))
    assert fixtures == set(re.findall(r"`(tcop_\w+)`", rows))
    assert options == set(re.findall(r"`(--tcop-[a-z-]+)`", rows))
    assert marks == set(re.findall(r"pytest\.mark\.(\w+)\(", page))
