r"""Untrusted text made printable: everything that comes from a receiver passes through here on its way to a person.

What could move a cursor, colour a screen, turn the direction of writing or hide itself becomes visible as the escape
that Python would write (``\x1b``, ``\u202e``). What is left has no line break, no character that XML 1.0 forbids and
none that UTF-8 cannot write. The escapes are for eyes: a backslash stays as it is, so they cannot be turned back.
"""

from __future__ import annotations

import re

# C0 with tab and line breaks, DEL, C1; invisible and direction-changing format characters (Unicode Cf, UAX #9), of
# which variation selectors are none; line and paragraph separators; lone surrogates; the two BMP non-characters.
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 finding``, ``2 findings``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def escaped(text: str) -> str:
    """Return one line: every unsafe character, line breaks and tabs among them, as a visible escape."""
    return UNSAFE.sub(_escape, text)


def one_line(text: str, limit: int) -> str:
    """Return ``text`` as one printable line.

    Args:
        text: anything.
        limit: how many of its characters are shown; the rest is counted: ``… (12 more characters)``.
    """
    more = len(text) - limit
    return escaped(text) if more <= 0 else f"{escaped(text[:limit])}… ({counted(more, 'more character')})"


def lines(text: str, limit: int, most_lines: int) -> list[str]:
    r"""Return ``text`` as printable lines, broken at ``\n`` alone.

    Args:
        text: anything.
        limit: how many of its characters are shown; the rest is counted, as in :func:`one_line`.
        most_lines: how many lines are shown; the rest is counted: ``… (3 more lines)``.
    """
    more = max(0, len(text) - limit)
    broken = text[: len(text) - more].split("\n")
    shown = [escaped(line) for line in broken[:most_lines]]
    if len(broken) > most_lines:
        unseen = text.count("\n") + 1 - most_lines
        return [*shown, f"… ({counted(unseen, 'more line')})"]
    if more:
        shown[-1] += f"… ({counted(more, 'more character')})"
    return shown


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return char.encode("unicode_escape").decode("ascii")
