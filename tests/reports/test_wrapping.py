"""Column width and wrapping of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.reports.text import display_width, wrap

WORDS = st.lists(st.text("ab云，é", min_size=1, max_size=12), max_size=12)


@pytest.mark.parametrize(
    "text, taken", [("abc", 3), ("云服务器", 8), ("e\u0301", 1), ("é", 1), ("Ａ", 2), ("✅", 2), ("", 0)]
)
def test_columns_are_those_of_a_terminal(text: str, taken: int) -> None:
    """Wide characters take two columns, combining marks none, all others one."""
    assert display_width(text) == taken


@pytest.mark.parametrize(
    "text, width, indent, hanging, wrapped",
    [
        ("", 9, "  ", None, [""]),
        ("one two three", 9, "", None, ["one two", "three"]),
        ("one two three", 9, "- ", "  ", ["- one two", "  three"]),
        ("one  two\tthree", 99, "", None, ["one two three"]),
        ("a-very-long-name b", 5, "", None, ["a-very-long-name", "b"]),
        ("云服务器云服务器", 9, "", None, ["云服务器", "云服务器"]),
        ("id云x云y", 4, "", None, ["id云", "x云y"]),
        ("id 云服", 6, "", None, ["id 云", "服"]),
    ],
)
def test_text_is_wrapped(text: str, width: int, indent: str, hanging: str | None, wrapped: list[str]) -> None:
    """Lines break at blanks and between wide characters, never inside a name."""
    assert wrap(text, width, indent, hanging) == wrapped


@given(WORDS, st.integers(min_value=1, max_value=30))
def test_wrapping_loses_nothing(words: list[str], width: int) -> None:
    """The lines hold exactly the text, each within the width unless it is one unbreakable piece."""
    lines = wrap(" ".join(words), width)
    assert "".join(lines).replace(" ", "") == "".join(words)
    for line in lines:
        broken_further = wrap(line, 1)
        assert display_width(line) <= width or len(broken_further) == 1
