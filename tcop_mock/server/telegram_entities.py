"""Formatted texts of Telegram: why its Bot API cannot parse one.

Source: Telegram's Bot API, "Formatting options" (tags of HTML; in MarkdownV2 the characters that must be escaped
everywhere else; in Markdown entities must end). Assumed: the wording of the errors. Only what is an error in every
reading is one here: not nesting, not addresses.
"""

from __future__ import annotations

import re

_TAG = re.compile(
    r"</?(?:b|strong|i|em|u|ins|s|strike|del|span|tg-spoiler|tg-emoji|a|code|pre|blockquote)(?:\s[^<>]*)?>",
    re.IGNORECASE,
)
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
_ESCAPED = re.compile(r"\\[\x01-\x7e]")
_LINK = re.compile(r"(?<=\])\([^)]*\)")
_QUOTE = re.compile(r"^(?:\*\*)?>", re.MULTILINE)
_RESERVED = re.compile(r"[>#+\-=|{}.!]")
_SPOILER = "||"
_REASON = "can't parse entities: "


def parse_error(text: str, parse_mode: str) -> str:
    """Return why a text cannot be parsed in a mode; empty if it can.

    Args:
        text: the text.
        parse_mode: ``HTML``, ``MarkdownV2`` or ``Markdown``, in any case; others are plain text.
    """
    mode = parse_mode.lower()
    if mode == "html":
        return f"{_REASON}Unsupported start tag" if "<" in _TAG.sub("", text) else ""
    if mode not in {"markdown", "markdownv2"}:
        return ""
    rest = _CODE.sub("", _ESCAPED.sub("", text))
    if mode == "markdownv2":
        rest = _QUOTE.sub("", _LINK.sub("", rest))
        rest = rest.replace(_SPOILER, "")
        reserved = _RESERVED.search(rest)
        if reserved:
            return f"{_REASON}Character '{reserved[0]}' is reserved and must be escaped with the preceding '\\'"
    else:
        rest = _LINK.sub("", rest)
    is_open = any(rest.count(sign) % 2 for sign in "*_`")
    return f"{_REASON}Can't find end of the entity" if is_open else ""
