"""Exports of a conversation: the recording that ``replay`` reads, and one HTML file without scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tcop_mock.console.detail import body_lines, notes_by_path
from tcop_mock.reports.html_page import add, add_pairs, add_result, add_table, new_page, to_html
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterator

    from tcop_mock.console.conversation import Conversation
    from tcop_mock.console.exchange import Exchange

_MAX_BODIES = 200
"""Bodies in the HTML file; the table has all exchanges."""
_MAX_CHARS = 300
_CLASSES = {"acked": "pass", "": "known"}
_STYLE = """
td:first-child { white-space: nowrap; color: var(--faint); }
pre .problem { color: var(--bad); }
pre .deviation { color: var(--warn); }
"""


def recording_lines(conversation: Conversation) -> Iterator[bytes]:
    """Yield the exchanges as ``listen --record`` writes them, the oldest first."""
    for exchange in conversation:
        yield (json.dumps(exchange.record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def html_document(conversation: Conversation, target: str) -> str:
    """Return the conversation as an HTML page without scripts."""
    exchanges = list(conversation)
    page, main = new_page(
        "tcop-mock: conversation",
        css_class="kept" if all(one.outcome == "acked" for one in exchanges) else "broken",
        headline=f"{pluralize(len(exchanges), 'callback')} and messages",
        subtitle=f"Target: {target or 'none'}. Times are UTC.",
        extra_style=_STYLE,
    )
    rows = add_table(add(main, "section"), ("Time", "What", "State", "Outcome"))
    for exchange in exchanges:
        row = add(rows, "tr")
        add(row, "td", _time(exchange))
        cell = add(row, "td", f"#{exchange.number} {_arrow(exchange)} {exchange.subject.title}")
        add(cell, "small", one_line(exchange.subject.subtitle, _MAX_CHARS))
        add(row, "td", exchange.subject.state)
        add_result(row, _outcome(exchange), _CLASSES.get(exchange.outcome, "fail"))
    for exchange in exchanges[-_MAX_BODIES:]:
        _card(main, exchange)
    return to_html(page)


def _card(main: ET.Element, exchange: Exchange) -> None:
    card = add(main, "article")
    add(card, "h2", f"#{exchange.number} {_arrow(exchange)} {exchange.subject.title}")
    pairs = [
        ("Time", _time(exchange)),
        ("Request", f"{exchange.record['method']} {exchange.record['path']}"),
        ("Outcome", _outcome(exchange)),
    ]
    if exchange.result is not None:
        pairs.append(("Shape", exchange.result.shape or exchange.result.kind))
    add_pairs(card, pairs)
    document = body_lines(exchange.tree, exchange.body, notes_by_path(exchange.result))
    pre = add(card, "pre")
    for note in document["notes"]:
        add(
            pre, "span", f"{note['level']}: {note.get('path', '')} {note['message']}", css_class=note["level"]
        ).tail = "\n"
    for line in document["lines"]:
        add(pre, "span", "  " * line["depth"] + line["text"]).tail = "\n"
        for note in line["notes"]:
            add(pre, "span", f"{'  ' * line['depth']}^ {note['message']}", css_class=note["level"]).tail = "\n"


def _outcome(exchange: Exchange) -> str:
    times = f", {pluralize(len(exchange.attempts), 'attempt')}" if len(exchange.attempts) > 1 else ""
    status = exchange.attempts[-1]["status"] if exchange.attempts else None
    return f"{exchange.outcome or 'under way'}{f' {status}' if status else ''}{times}"


def _arrow(exchange: Exchange) -> str:
    return "→" if exchange.direction == "out" else "←"


def _time(exchange: Exchange) -> str:
    return datetime.fromtimestamp(exchange.at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
