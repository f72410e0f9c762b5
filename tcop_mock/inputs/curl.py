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

CURL_COMMAND = re.compile(rb"(?:\s*#[^\n]*\n)*\s*(?:\$ )?curl[ \t\r\n]")
"""How curl commands begin; comments may stand before them."""
MAX_BYTES = 4 * 1024 * 1024
"""Of commands: they are read character by character, a megabyte or so in a second."""
_RAW, _HERE_DOCUMENT, _COMMAND_END = "--data-raw", "<<", "\0"
_DATA_FLAGS = frozenset({"-d", "--data", _RAW, "--data-binary", "--data-ascii", "--json"})
_FLAGS_WITH_VALUE = frozenset("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
"""Short flags of curl that take a value: the last one of a bundle (``-sSd``)."""
_SHELL_PIECE = re.compile(
    r"""
    \$'(?P<ansi>(?:[^'\\]|\\.)*+)' | '[^']*+' | (?P<quoted>"(?:[^"\\]|\\.)*+")
    | <<-?[ ]*(?P<mark>['"]?)(?P<word>\w+)(?P=mark)(?P<rest>[^\n]*)\n(?P<document>.*?)\n(?P=word)(?=\s|\Z)
    | (?P<joined>\\\n) | \\. | (?P<comment>(?<!\S)\#[^\n]*) | (?P<end>[\n;])
    """,
    re.DOTALL | re.VERBOSE,
)
"""What a shell reads otherwise than shlex does, and what hides it."""
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b"}
_ESCAPES |= {one: one for one in "\\'\"?"}


class CurlRequest(NamedTuple):
    """What a curl command sends."""

    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def bodies_of_curl(raw: bytes) -> Iterator[bytes]:
    """Yield the body of each curl command.

    Raises:
        UsageError: as :func:`parse_curl`.
    """
    return (request.body for request in parse_curl(raw))


def parse_curl(raw: bytes) -> Iterator[CurlRequest]:
    """Yield what each curl command sends; credentials are left where they are.

    Raises:
        UsageError: there are too many commands, their quotes do not match, one has no body, or it is in a file.
    """
    if len(raw) > MAX_BYTES:
        raise UsageError(f"these curl lines are longer than {MAX_BYTES // 1024**2} MiB; validate their bodies")
    text = raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace(_COMMAND_END, "\ufffd")
    try:
        words = shlex.split(_SHELL_PIECE.sub(_to_shlex, text))
    except ValueError as error:
        raise UsageError(f"this curl line cannot be read: {str(error).lower()}; quote it as for a shell") from None
    for command in _split_commands(words):
        headers = tuple(
            (name.strip(), value.strip())
            for name, colon, value in (text.partition(":") for text in _flag_values(command, "-H", "--header"))
            if colon
        )
        method = next(iter(_flag_values(command, "-X", "--request")), "POST")
        yield CurlRequest(method, headers, _body(command).encode("utf-8", "surrogateescape"))


def _flag_values(words: list[str], short: str, long: str) -> list[str]:
    """Return the values of a flag, however it is written."""
    separate = [following for word, following in itertools.pairwise(words) if word in (short, long)]
    joined = [word.removeprefix(f"{long}=") for word in words if word.startswith(f"{long}=")]
    return [*separate, *joined, *(word[2:] for word in words if word.startswith(short) and len(word) > len(short))]


def _to_shlex(piece: re.Match[str]) -> str:
    """Return a piece as shlex reads it the way that the shell does."""
    if piece["ansi"] is not None:
        return shlex.quote(_ESCAPE.sub(_unescape, piece["ansi"]))
    if piece["document"] is not None:
        return f" {_HERE_DOCUMENT} {shlex.quote(piece['document'])} {piece['rest']}"
    if piece["end"]:
        return f" {_COMMAND_END} "
    if piece["joined"] or piece["comment"]:
        return ""
    return piece.group().replace("\\\n", "") if piece["quoted"] else piece.group()


def _unescape(escape: re.Match[str]) -> str:
    byte, code, octal, other = escape.groups()
    if code:
        return chr(int(code, 16)).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    if other:
        return _ESCAPES.get(other, f"\\{other}")
    return bytes([int(byte, 16) if byte else int(octal, 8) & 0xFF]).decode("utf-8", "surrogateescape")


def _split_commands(words: list[str]) -> Iterator[list[str]]:
    """Yield the words of each command, those of other programs left out."""
    command: list[str] = []
    for word in [*words, _COMMAND_END]:
        if word != _COMMAND_END:
            command.append(word)
        else:
            if command[:1] in (["curl"], ["$"]):
                yield command
            command = []


def _body(words: list[str]) -> str:
    data = list(_data_flags(words))
    if not data:
        raise UsageError("this curl line has no body: -d, --data, --data-raw, --data-binary or --json gives one")
    here_document = next((following for word, following in itertools.pairwise(words) if word == _HERE_DOCUMENT), None)
    bodies = []
    for flag, value in data:
        if flag == _RAW or not value.startswith("@"):
            bodies.append(value)
        elif value == "@-" and here_document is not None:
            bodies.append(here_document)
        else:
            raise UsageError(f"this curl line takes its body from {value[1:]!r}; validate that file")
    return "&".join(bodies)


def _data_flags(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the flags that give a body, each with its value."""
    remaining = iter(words)
    for word in remaining:
        flag, equals, value = word.partition("=")
        if flag in _DATA_FLAGS:
            yield flag, value if equals else next(remaining, "")
        elif word.startswith("-") and not word.startswith("--"):
            index = next((index for index, letter in enumerate(word[1:], 1) if letter in _FLAGS_WITH_VALUE), 0)
            value = (word[index + 1 :] or next(remaining, "")) if index else ""
            if word[index] == "d":
                yield "-d", value
