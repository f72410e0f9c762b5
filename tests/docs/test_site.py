"""The documentation site is complete, has no dead links, and loads nothing from other hosts."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8") if (ROOT / "mkdocs.yml").exists() else ""
ELSEWHERE = re.compile(r"(?:https?:)?//")
FETCHED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Elements whose address a browser fetches without a click."""
NOT_FETCHED = {"canonical", "alternate", "prev", "next"}


def pages_of(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation, in order."""
    for item in nav:
        for target in item.values():
            if isinstance(target, str):
                yield target
            else:
                yield from pages_of(target)


def test_the_navigation_has_every_page_once() -> None:
    """Every page is in the navigation, exactly once."""
    pages = list(pages_of(importlib.import_module("yaml").safe_load(CONFIG)["nav"]))  # MkDocs installs yaml
    assert sorted(pages) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


class Fetches(HTMLParser):
    """Collects the addresses that a browser fetches for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the address of one element."""
        reported = dict(attrs)
        address = reported.get(FETCHED.get(tag, ""))
        if address and reported.get("rel") not in NOT_FETCHED:
            self.found.add(address)


@pytest.mark.proof
def test_the_site_is_built_without_a_warning_and_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Links and anchors resolve, and the site loads no fonts, scripts or pictures from other hosts."""
    done = subprocess.run(  # noqa: S603 - the command of `make docs`
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    fetches, styles = Fetches(), []
    for file in (tmp_path / "site").rglob("*"):
        if file.suffix == ".html":
            fetches.feed(file.read_text(encoding="utf-8"))
        elif file.suffix == ".css":
            styles += re.findall(r"url\(([^)]*)\)|@import\s+([^;]*);", file.read_text(encoding="utf-8"))
    assert len(fetches.found) > 5
    assert [address for address in fetches.found if ELSEWHERE.match(address)] == []
    assert [style for style in styles if ELSEWHERE.match("".join(style).strip("'\""))] == []


def test_a_picture_is_shown_and_fetches_nothing() -> None:
    """Every picture is on a page or in the README, with a text; those in SVG name no address to fetch."""
    pages = "".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *DOCS.rglob("*.md")])
    pictures = [file for file in (DOCS / "pictures").iterdir() if file.suffix != ".txt"]
    assert len(pictures) >= 3
    assert [file.name for file in pictures if not re.search(rf"!\[[^\]]{{20,}}\]\([./a-z]*{file.name}\)", pages)] == []
    drawn = "".join(file.read_text(encoding="utf-8") for file in pictures if file.suffix == ".svg")
    assert re.findall(r"url\((?!#)[^)]*\)|href=|@import|<script", drawn) == []


def test_every_assumption_of_a_profile_has_its_reason() -> None:
    """The page of assumptions explains every assumption of a profile, and no others."""
    profiles = (ROOT / "contracts" / "profiles").glob("*.toml")
    assumed = {key for file in profiles for key in tomllib.loads(file.read_text(encoding="utf-8"))["assumed"]}
    page = (DOCS / "explanation" / "assumptions.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^`(\w+)`$", page, re.MULTILINE)) == assumed
