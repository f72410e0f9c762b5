"""Text of strangers made harmless: bounded, and without a character that a terminal or a parser obeys."""

from __future__ import annotations

import unicodedata

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, formats (bidi overrides, zero width), surrogates, line and paragraph separators."""


def one_line(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of a text on one line; what is left out is counted."""
    return _bounded("".join(map(_shown, text)), limit)


def block(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of a text with its line breaks kept; what is left out is counted."""
    lines = text.replace("\r\n", "\n").split("\n")
    return _bounded("\n".join("".join(map(_shown, line)) for line in lines), limit)


def _shown(char: str) -> str:
    if unicodedata.category(char) not in _OBEYED:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"
