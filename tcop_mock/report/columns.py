"""Text measured and wrapped in the columns of a terminal, where a Chinese character takes two."""

from __future__ import annotations

import re
import unicodedata

_WIDE = frozenset("WF")
_MARKS = frozenset({"Mn", "Me"})
_WORD = re.compile(r"\S+")


def columns(text: str) -> int:
    """Return how many columns a line takes (Unicode UAX #11: wide and full-width characters two, marks none)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def wrap(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """Return ``text`` in lines of at most ``width`` columns, at least one line.

    Blanks that follow each other become one. A word that is too long for a line is broken only between wide
    characters (Chinese has no blanks); a long URL or name stays whole and stands out.

    Args:
        text: one paragraph.
        width: columns of a line, the indent among them.
        indent: what the first line begins with.
        hanging: what the others begin with; ``indent`` where nothing is given.
    """
    out, line, empty = [], indent, True
    for piece, glued in _pieces(text):
        gap = "" if empty or glued else " "
        if not empty and columns(line) + len(gap) + columns(piece) > width:
            out.append(line)
            line, gap = indent if hanging is None else hanging, ""
        line, empty = f"{line}{gap}{piece}", False
    return [*out, line.rstrip()]


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Return what may not be broken, each with whether it follows the one before without a blank."""
    pieces: list[tuple[str, bool]] = []
    for word in _WORD.findall(text):
        glued, narrow = False, ""
        for char in word:
            if _columns(char) > 1:
                pieces += [(narrow, glued)] if narrow else []
                pieces.append((char, glued or bool(narrow)))
                glued, narrow = True, ""
            else:
                narrow += char
        pieces += [(narrow, glued)] if narrow else []
    return pieces


def _columns(char: str) -> int:
    if unicodedata.category(char) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1
