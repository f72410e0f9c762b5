"""Frame of the HTML reports: one file without scripts or external resources, for phone, paper and dark mode.

A page is a tree of elements that the standard library serializes, so no text can become markup. Control characters are
escaped first. The content security policy forbids everything but the style sheet, which it names by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from tcop_mock.reports.text import escape_unsafe, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable


MAX_CHARS = 2_000
"""Limit of one text."""

_CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def new_page(
    title: str, *, css_class: str, headline: str, subtitle: str, extra_style: str = ""
) -> tuple[ET.Element, ET.Element]:
    """Return a page with a header, and its empty main element.

    Args:
        title: title of the document.
        css_class: class of the header: an overall result, which decides its colour.
        headline: result in one sentence.
        subtitle: line below the headline.
        extra_style: style rules in addition to the common ones.
    """
    style = STYLE + extra_style
    page = ET.Element("html", {"lang": "en"})
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    head = ET.SubElement(page, "head")
    ET.SubElement(head, "meta", {"charset": "utf-8"})
    policy = _CONTENT_SECURITY_POLICY.format(digest=digest)
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    ET.SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
    ET.SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    ET.SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    add(head, "title", title)
    ET.SubElement(head, "style").text = style
    body = ET.SubElement(page, "body")
    header = add(body, "header", css_class=css_class)
    add(header, "h1", headline)
    add(header, "p", subtitle)
    return page, add(body, "main")


def to_html(page: ET.Element) -> str:
    """Return the HTML text of a page."""
    return f"<!doctype html>\n{ET.tostring(page, encoding='unicode', method='html')}\n"


def add(parent: ET.Element, tag: str, text: str = "", *, css_class: str = "") -> ET.Element:
    """Add an element with a text, whose unsafe characters are escaped."""
    element = ET.SubElement(parent, tag, {"class": css_class} if css_class else {})
    element.text = escape_unsafe(text)
    return element


def add_pairs(parent: ET.Element, pairs: Iterable[tuple[str, str]]) -> None:
    """Add a list of names and values."""
    table = add(parent, "dl")
    for name, value in pairs:
        add(table, "dt", name)
        add(table, "dd", one_line(" ".join(value.split()), MAX_CHARS))


def add_list(parent: ET.Element, title: str, texts: Iterable[str]) -> None:
    """Add a section with a list, unless the list is empty."""
    items = list(texts)
    if not items:
        return
    section = add(parent, "section")
    add(section, "h2", title)
    entries = add(section, "ul")
    for text in items:
        add(entries, "li", one_line(text, MAX_CHARS))


def add_table(parent: ET.Element, headings: Iterable[str], rows: Iterable[Iterable[str]] = ()) -> ET.Element:
    """Add a table, and return its body."""
    table = add(parent, "table")
    head = add(add(table, "thead"), "tr")
    for title in headings:
        add(head, "th", title).set("scope", "col")
    body = add(table, "tbody")
    for texts in rows:
        row = add(body, "tr")
        for text in texts:
            add(row, "td", one_line(text, MAX_CHARS))
    return body


def add_result(row: ET.Element, label: str, css_class: str) -> None:
    """Add a table cell with a coloured result; the class is a clause status."""
    add(add(row, "td"), "span", label, css_class=f"result {css_class}")


STYLE = """
:root {
  --paper: #fff; --ink: #1b1f24; --faint: #59636e; --line: #d1d9e0; --raised: #f6f8fa;
  --good: #1a7f37; --bad: #b3261e; --warn: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; --line: #3d444d; --raised: #151b23;
    --good: #4ac26b; --bad: #ff7b72; --warn: #e0a63a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
header { padding: .25rem 1rem; border-left: .4rem solid var(--warn); background: var(--raised); }
header.kept { border-color: var(--good); }
header.broken { border-color: var(--bad); }
h1 { font-size: 1.4rem; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, dl, ul { margin: .25rem 0 .75rem; }
main > dl, main > section { margin-top: 1.5rem; }
article { margin-top: 1.5rem; padding: 1rem; border: 1px solid var(--line); border-radius: .4rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; }
dt { color: var(--faint); }
dd { margin: 0; }
ul { padding-left: 1.25rem; }
pre {
  margin: .25rem 0 .75rem; padding: .6rem .75rem; background: var(--raised); border: 1px solid var(--line);
  border-radius: .3rem; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .8125rem/1.45 ui-monospace, "Noto Sans Mono", monospace;
}
summary { cursor: pointer; color: var(--faint); }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .35rem .5rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; }
small { display: block; color: var(--faint); }
.level { font-size: .8rem; font-weight: 400; color: var(--faint); border: 1px solid var(--line);
  border-radius: 1rem; padding: 0 .5rem; }
.standing { color: var(--warn); }
.result { white-space: nowrap; font-weight: 600; color: var(--faint); }
.result.pass { color: var(--good); }
.result.fail { color: var(--bad); }
.result.error, .result.known { color: var(--warn); }
@media (max-width: 36rem) {
  body { padding: .5rem; }
  article { padding: .75rem; }
  dl { display: block; }
  dd { margin: 0 0 .4rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --faint: #444; --line: #999; --raised: #fff;
    --good: #060; --bad: #900; --warn: #640; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  article { border-width: 1px 0 0; border-radius: 0; padding: .5rem 0; }
  h2, h3, summary { break-after: avoid; }
  tr { break-inside: avoid; }
}
"""
