"""Writer of catalogue entries: the TOML text of an entry's table."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MAX_LINE = 120


def entry_toml(table: Mapping[str, Any]) -> str:
    """Return the text of an entry's file, in the order of the table."""
    return "\n".join(_lines(table)) + "\n"


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, dict) and not _is_list_of_tables(value):
            yield _assignment(key, value)
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield f"\n[{_key(key)}]"
            yield from (_assignment(name, child) for name, child in value.items())
        elif _is_list_of_tables(value):
            for row in value:
                yield f"\n[[{_key(key)}]]"
                yield from (_assignment(name, child) for name, child in row.items())


def _is_list_of_tables(value: Any) -> bool:  # noqa: ANN401 - a TOML value
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _assignment(key: str, value: Any) -> str:  # noqa: ANN401 - a TOML value
    line = f"{_key(key)} = {_value(value)}"
    if isinstance(value, list) and len(line) > _MAX_LINE:
        items = "\n".join(f"  {_value(item)}," for item in value)
        return f"{_key(key)} = [\n{items}\n]"
    return line


def _value(value: Any) -> str:  # noqa: ANN401 - a TOML value
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(name)} = {_value(child)}' for name, child in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """Return a TOML string: as JSON has it, and without the one control character that JSON lets through."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
