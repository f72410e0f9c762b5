"""The HTML page and the files that it loads, as package data."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file of the page."""

    content: bytes
    media_type: str


def read_assets() -> dict[str, Asset]:
    """Return the scripts, styles and pictures of the page by name."""
    folder = files("tcop_mock.console") / "static"
    return {
        file.name: Asset(file.read_bytes(), f"{_TYPES[file.name.rpartition('.')[2]]}; charset=utf-8")
        for file in folder.iterdir()
    }


def render_page(**values: str) -> str:
    """Return the page; every value is escaped."""
    template = (files("tcop_mock.console") / "templates" / "page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template).render(values)
