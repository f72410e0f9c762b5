"""Escaping of untrusted text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.reports.text import UNSAFE_CHARACTERS, escape_unsafe, one_line, pluralize, printable_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
_HARMLESS_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
"""Arabic and Syriac signs in the Unicode category Cf that are visible and do not affect direction."""


@pytest.mark.parametrize(
    "raw, shown",
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\tb\r\nc\x7f", r"a\tb\r\nc\x7f"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("\ufeff\u2028\uffff", r"\ufeff\u2028\uffff"),
        ("云服务器　“高”", "云服务器　“高”"),
        ("back\\slash [red]&lt;", "back\\slash [red]&lt;"),
    ],
)
def test_unsafe_characters_are_shown_as_escapes(raw: str, shown: str) -> None:
    """Control, direction, invisible and invalid characters become visible; Chinese and plain text are unchanged."""
    assert escape_unsafe(raw) == shown


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Zl", "Zp"])
def test_whole_categories_are_unsafe(category: str) -> None:
    """All control, format and separator characters below U+10000 are escaped, except visible signs."""
    chars = {chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) == category}
    assert {char for char in chars if not UNSAFE_CHARACTERS.fullmatch(char)} <= _HARMLESS_FORMATS


@given(ANY_TEXT)
def test_escaped_text_stays_as_it_is(text: str) -> None:
    """Escaping is idempotent, and the result is one line that UTF-8 can encode."""
    once = escape_unsafe(text)
    assert escape_unsafe(once) == once
    assert once.encode().decode().splitlines() in ([once], [])


@given(ANY_TEXT, st.integers(min_value=1, max_value=70))
def test_a_shortened_line_counts_the_rest(text: str, limit: int) -> None:
    """A shortened line counts the hidden characters; shown and hidden characters add up to the text."""
    shown = one_line(text, limit)
    if len(text) <= limit:
        assert shown == escape_unsafe(text)
    else:
        assert shown == f"{escape_unsafe(text[:limit])}… ({pluralize(len(text) - limit, 'more character')})"


@pytest.mark.parametrize(
    "text, limit, most, shown",
    [
        ("", 9, 9, [""]),
        ("a\nb", 9, 9, ["a", "b"]),
        ("a\r\nb\x0bc", 9, 9, [r"a\r", r"b\x0bc"]),
        ("abcdef", 4, 9, ["abcd… (2 more characters)"]),
        ("ab\ncd", 4, 9, ["ab", "c… (1 more character)"]),
        ("a\nb\nc\nd", 99, 2, ["a", "b", "… (2 more lines)"]),
        ("a\nb\nc\nd", 3, 1, ["a", "… (3 more lines)"]),
    ],
)
def test_shortened_lines_count_the_rest(text: str, limit: int, most: int, shown: list[str]) -> None:
    """The first lines and characters are shown, and the others are counted."""
    assert printable_lines(text, limit, most) == shown


@given(ANY_TEXT, st.integers(min_value=1, max_value=70), st.integers(min_value=1, max_value=9))
def test_lines_are_bounded_and_printable(text: str, limit: int, most: int) -> None:
    """At most the given number of lines and a line with the rest are returned, without unsafe characters."""
    shown = printable_lines(text, limit, most)
    assert len(shown) <= most + 1
    assert not any(UNSAFE_CHARACTERS.search(line) for line in shown)
