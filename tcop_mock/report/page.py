"""The frame of our HTML reports: one file, no script, nothing fetched, readable on a phone, on paper, in the dark.

A page is a tree of elements that the standard library writes out, so that a text cannot become markup, whoever wrote
it; what could act on a reader beside markup is escaped before. The policy in its head forbids everything but the one
style sheet, which it names by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from tcop_mock.report.safe import escaped, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CHARS = 2_000
"""Of one text."""
_POLICY = "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def framed(title: str, style: str) -> tuple[ET.Element, ET.Element]:
    """Return a page with its head, and its body, which is empty."""
    page = ET.Element("html", {"lang": "en"})
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    head = ET.SubElement(page, "head")
    ET.SubElement(head, "meta", {"charset": "utf-8"})
    policy = _POLICY.format(digest=digest)
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    ET.SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
    ET.SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    ET.SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    add(head, "title", title)
    ET.SubElement(head, "style").text = style
    return page, ET.SubElement(page, "body")


def written(page: ET.Element) -> str:
    """Return a page as its file holds it."""
    return f"<!doctype html>\n{ET.tostring(page, encoding='unicode', method='html')}\n"


def add(parent: ET.Element, tag: str, text: str = "", *, cls: str = "") -> ET.Element:
    """Add an element with a text, made printable."""
    element = ET.SubElement(parent, tag, {"class": cls} if cls else {})
    element.text = escaped(text)
    return element


def add_pairs(parent: ET.Element, pairs: Iterable[tuple[str, str]]) -> None:
    """Add names and what they stand for."""
    table = add(parent, "dl")
    for name, value in pairs:
        add(table, "dt", name)
        add(table, "dd", one_line(" ".join(value.split()), MOST_CHARS))


def add_list(parent: ET.Element, title: str, texts: Iterable[str]) -> None:
    """Add a section with a list; where there is nothing to list, nothing."""
    shown = list(texts)
    if not shown:
        return
    part = add(parent, "section")
    add(part, "h2", title)
    entries = add(part, "ul")
    for text in shown:
        add(entries, "li", one_line(text, MOST_CHARS))


def add_table(parent: ET.Element, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> ET.Element:
    """Add a table, and return its body."""
    table = add(parent, "table")
    head = add(add(table, "thead"), "tr")
    for title in heads:
        add(head, "th", title).set("scope", "col")
    body = add(table, "tbody")
    for texts in rows:
        row = add(body, "tr")
        for text in texts:
            add(row, "td", one_line(text, MOST_CHARS))
    return body
