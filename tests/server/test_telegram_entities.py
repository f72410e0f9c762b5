"""Telegram rejects formatted texts that it cannot parse."""

from __future__ import annotations

import pytest

from tcop_mock.server.telegram_entities import parse_error


@pytest.mark.parametrize(
    "text, mode, reason",
    [
        ("<b>R&amp;D</b> &lt; 5 <a href='x'>y</a>", "HTML", ""),
        ("R&D < 5", "HTML", "Unsupported start tag"),
        ("<img src=x>", "html", "Unsupported start tag"),
        ("*CPU* of `web_1` [x](http://a_b)", "Markdown", ""),
        ("web_1", "Markdown", "Can't find end of the entity"),
        ("web\\_1", "Markdown", ""),
        ("*CPU* `a.b-c` [x](http://a.b) ||y|| a\\.b\n>quote", "MarkdownV2", ""),
        ("172.16.0.1", "MarkdownV2", "Character '.' is reserved"),
        ("*CPU", "MarkdownV2", "Can't find end of the entity"),
        ("R&D < 5 _x 1.0", "", ""),
    ],
)
def test_texts_are_parsed_as_their_mode_says(text: str, mode: str, reason: str) -> None:
    """An error says what Telegram would say; plain texts have none."""
    problem = parse_error(text, mode)
    assert (reason in problem) if reason else problem == ""
