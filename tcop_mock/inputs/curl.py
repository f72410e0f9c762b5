r"""Read bodies out of curl commands as a shell reads them: quotes, ``$'...'``, here-documents, line ends escaped.

What a command names is never read: ``-d @file`` is refused, because the command may be anybody's.
"""

from __future__ import annotations

import itertools
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

CURL = re.compile(rb"(?:\s*#[^\n]*\n)*\s*(?:\$ )?curl[ \t\r\n]")
"""How curl commands begin; comments may stand before them."""
MOST_BYTES = 4 * 1024 * 1024
"""Of commands: they are read character by character, a megabyte or so in a second."""
_RAW, _HERE, _END = "--data-raw", "<<", "\0"
_DATA_FLAGS = frozenset({"-d", "--data", _RAW, "--data-binary", "--data-ascii", "--json"})
_TAKE_VALUES = frozenset("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
"""Short flags of curl that take a value: the last one of a bundle (``-sSd``)."""
_PIECE = re.compile(
    r"""
    \$'(?P<ansi>(?:[^'\\]|\\.)*+)' | '[^']*+' | (?P<quoted>"(?:[^"\\]|\\.)*+")
    | <<-?[ ]*(?P<mark>['"]?)(?P<word>\w+)(?P=mark)(?P<rest>[^\n]*)\n(?P<document>.*?)\n(?P=word)(?=\s|\Z)
    | (?P<joined>\\\n) | \\. | (?P<comment>(?<!\S)\#[^\n]*) | (?P<end>[\n;])
    """,
    re.DOTALL | re.VERBOSE,
)
"""What a shell reads otherwise than shlex does, and what hides it."""
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b"}
_ESCAPED |= {one: one for one in "\\'\"?"}


class Sent(NamedTuple):
    """What a curl command sends."""

    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def bodies_of_curl(raw: bytes) -> Iterator[bytes]:
    """Yield the body of each curl command.

    Raises:
        UsageError: as :func:`requests_of_curl`.
    """
    return (sent.body for sent in requests_of_curl(raw))


def requests_of_curl(raw: bytes) -> Iterator[Sent]:
    """Yield what each curl command sends; credentials are left where they are.

    Raises:
        UsageError: there are too many commands, their quotes do not match, one has no body, or it is in a file.
    """
    if len(raw) > MOST_BYTES:
        raise UsageError(f"these curl lines are longer than {MOST_BYTES // 1024**2} MiB; validate their bodies")
    text = raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace(_END, "\ufffd")
    try:
        words = shlex.split(_PIECE.sub(_for_shlex, text))
    except ValueError as problem:
        raise UsageError(f"this curl line cannot be read: {str(problem).lower()}; quote it as for a shell") from None
    for command in _parted(words):
        headers = tuple(
            (name.strip(), value.strip())
            for name, colon, value in (text.partition(":") for text in _values(command, "-H", "--header"))
            if colon
        )
        method = next(iter(_values(command, "-X", "--request")), "POST")
        yield Sent(method, headers, _body(command).encode("utf-8", "surrogateescape"))


def _values(words: list[str], short: str, long: str) -> list[str]:
    """Return the values of a flag, however it is written."""
    found = [after for word, after in itertools.pairwise(words) if word in (short, long)]
    joined = [word.removeprefix(f"{long}=") for word in words if word.startswith(f"{long}=")]
    return [*found, *joined, *(word[2:] for word in words if word.startswith(short) and len(word) > len(short))]


def _for_shlex(piece: re.Match[str]) -> str:
    """Return a piece as shlex reads it the way that the shell does."""
    if piece["ansi"] is not None:
        return shlex.quote(_ESCAPE.sub(_unescaped, piece["ansi"]))
    if piece["document"] is not None:
        return f" {_HERE} {shlex.quote(piece['document'])} {piece['rest']}"
    if piece["end"]:
        return f" {_END} "
    if piece["joined"] or piece["comment"]:
        return ""
    return piece.group().replace("\\\n", "") if piece["quoted"] else piece.group()


def _unescaped(escape: re.Match[str]) -> str:
    byte, code, octal, other = escape.groups()
    if code:
        return chr(int(code, 16)).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    if other:
        return _ESCAPED.get(other, f"\\{other}")
    return bytes([int(byte, 16) if byte else int(octal, 8) & 0xFF]).decode("utf-8", "surrogateescape")


def _parted(words: list[str]) -> Iterator[list[str]]:
    """Yield the words of each command, those of other programs left out."""
    some: list[str] = []
    for word in [*words, _END]:
        if word != _END:
            some.append(word)
        else:
            if some[:1] in (["curl"], ["$"]):
                yield some
            some = []


def _body(words: list[str]) -> str:
    data = list(_data(words))
    if not data:
        raise UsageError("this curl line has no body: -d, --data, --data-raw, --data-binary or --json gives one")
    here = next((after for word, after in itertools.pairwise(words) if word == _HERE), None)
    bodies = []
    for flag, value in data:
        if flag == _RAW or not value.startswith("@"):
            bodies.append(value)
        elif value == "@-" and here is not None:
            bodies.append(here)
        else:
            raise UsageError(f"this curl line takes its body from {value[1:]!r}; validate that file")
    return "&".join(bodies)


def _data(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the flags that give a body, each with its value."""
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag in _DATA_FLAGS:
            yield flag, value if equals else next(rest, "")
        elif word.startswith("-") and not word.startswith("--"):
            at = next((at for at, letter in enumerate(word[1:], 1) if letter in _TAKE_VALUES), 0)
            value = (word[at + 1 :] or next(rest, "")) if at else ""
            if word[at] == "d":
                yield "-d", value
