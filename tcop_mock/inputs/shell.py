r"""Shell lines as words and commands: POSIX shells and Windows' cmd.exe.

Nothing is run. Quotes, ``$'...'``, here-documents, pipes from ``echo``, ``printf`` and ``cat``, and variables that the
same text sets are read as the shell reads them. What needs a real shell (``$(...)``, unset variables) stays as text,
and its word says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.domain.target import is_secret_header
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

CMD_QUOTING = re.compile(r'\^(?:"|\\\^"|[ \t]*\r?\n)')
"""Carets as cmd.exe has them: before a quote, or at the end of a line."""
_CARET_QUOTE = '^"'
_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`]+")
_OPERATOR = re.compile(r"&&|\|\||\|&|[;|()\n]|&(?!>)")
_REDIRECTION = re.compile(r"&?(?:<<<|<<-?|<&|>&|>>|<>|>\||[<>])[ \t]*")
_SINGLE_QUOTED = re.compile(r"'([^']*)'")
_ANSI_QUOTED = re.compile(r"\$'((?:[^'\\]|\\.)*+)'", re.DOTALL)
_DOUBLE_QUOTED = re.compile(r'\$?"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_BLANK_AFTER_BACKSLASH = re.compile(r"\\[ \t]+\n")
_BLANK_AFTER_CARET = re.compile(r"\^[ \t]+\n")
_EXPANSION = re.compile(r"\$\{(\w+)\}|\$(\w+)|\$\([^\n]*?\)|\$\{[^\n}]*\}|`[^`\n]*`")
_LONG_SUBSTITUTION = re.compile(r"(?<!\\)\$\([^\n)]*(?:\n|\Z)")
"""A command substitution that goes on in the next line, or behind the next quote."""
_IN_QUOTES = re.compile(rf'\\(?P<escaped>[$`"\\]|\n)|(?:{_EXPANSION.pattern})')
_IN_DOCUMENT = re.compile(rf"\\(?P<escaped>[$`\\]|\n)|(?:{_EXPANSION.pattern})")
_UNQUOTED = re.compile(rf"(?P<escaped>(?!))|(?:{_EXPANSION.pattern})")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b", "E": "\x1b"}
_ESCAPES |= {one: one for one in "\\'\"?"}
_MAX_CODE_POINT = 0x10FFFF
_PRINTERS = frozenset({"echo", "printf", "cat"})


class ShellWord(NamedTuple):
    """One word of a command."""

    text: str
    unknown: str = ""
    """Parts of it without a known value: ``$BODY``, ``$(date)``."""


@dataclass(slots=True)
class ShellCommand:
    """One simple command."""

    line: int
    words: list[ShellWord] = field(default_factory=list)
    stdin: ShellWord | None = None
    """Its input, if the shell lines contain it; without the line break at its end."""
    stdin_source: str = ""
    """Source of its input that is not in the shell lines; empty if the lines contain it."""


def parse_shell(text: str) -> list[ShellCommand]:
    """Return the commands of shell lines, in their order.

    Raises:
        UsageError: quotes do not match, or a backslash at the end of a line has a blank behind it.
    """
    return _PosixReader(text).commands()


def parse_cmd(text: str) -> list[ShellCommand]:  # noqa: C901 - one pass over the characters
    """Return the commands of lines for cmd.exe, whose programs split their words as the C runtime does.

    Raises:
        UsageError: a caret at the end of a line has a blank behind it, or quotes do not match.
    """
    commands = [ShellCommand(1)]
    line, word, quoted = 1, None, False
    chars = list(_caret_chars(text))
    position = 0
    while position < len(chars):
        char, is_escaped = chars[position]
        line += char == "\n"
        if char == "\\":
            end = next((at for at in range(position, len(chars)) if chars[at][0] != "\\"), len(chars))
            count = end - position
            is_before_quote = end < len(chars) and chars[end][0] == '"'
            word = (word or "") + "\\" * (count // 2 if is_before_quote else count)
            position = end
            if is_before_quote and count % 2:
                word, position = f'{word}"', end + 1
            continue
        position += 1
        if char == '"':
            if quoted and position < len(chars) and chars[position][0] == '"':
                word, position = f'{word or ""}"', position + 1
            else:
                word, quoted = word or "", not quoted
        elif quoted or (is_escaped and char not in " \t") or char not in " \t\r\n&|":
            word = (word or "") + char
        else:
            if word is not None:
                commands[-1].words.append(ShellWord(word))
                word = None
            if char in "\n&|":
                commands.append(ShellCommand(line))
    if quoted:
        raise UsageError("this curl line cannot be read: no closing quotation; quote it as for cmd.exe")
    if word is not None:
        commands[-1].words.append(ShellWord(word))
    return [command for command in commands if command.words]


def unescape(text: str) -> str:
    r"""Return a text with the escapes of ``$'...'`` resolved; bytes that are not UTF-8 become surrogates."""
    resolved = _ESCAPE.sub(_unescape_match, text)
    return resolved.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _unescape_match(escape: re.Match[str]) -> str:
    byte, short_code, long_code, octal, control, other = escape.groups()
    if short_code or long_code:
        code = int(short_code or long_code, 16)
        if code > _MAX_CODE_POINT:
            return escape[0]
        return chr(code).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    if control:
        return chr(ord(control) & 0x1F)
    if other:
        return _ESCAPES.get(other, f"\\{other}")
    return bytes([int(byte, 16) if byte else int(octal, 8) & 0xFF]).decode("utf-8", "surrogateescape")


def _caret_chars(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each character, and whether a caret stands before it.

    Browsers write a caret before each special character, inside quotes too. In lines that a person wrote, carets
    inside quotes are text.
    """
    everywhere, quoted, position = _CARET_QUOTE in text, False, 0
    while position < len(text):
        char = text[position]
        if char == "^" and (everywhere or not quoted):
            if _BLANK_AFTER_CARET.match(text, position):
                raise UsageError(_blank_behind("caret", text, position))
            following = text[position + 1 : position + 2]
            position += 2
            if following != "\n":
                yield following, True
            elif text.startswith("\n", position):
                position += 1
                yield "\n", True
            continue
        quoted ^= char == '"'
        yield char, False
        position += 1


def _blank_behind(mark: str, text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} ends with a {mark} and a blank, which ends the command there: remove the blank"


class _PosixReader:
    """Reads the lines of a POSIX shell from their beginning to their end."""

    def __init__(self, text: str) -> None:
        self._text, self._position = text, 0
        self._variables: dict[str, str] = {}
        self._commands = [ShellCommand(1)]
        self._here_documents: list[tuple[ShellCommand, str, bool, bool]] = []
        """Command, delimiter, whether it is quoted, whether tabs are stripped."""

    def commands(self) -> list[ShellCommand]:
        while self._position < len(self._text):
            self._read_token()
        self._end_command()
        return [command for command in self._commands if command.words]

    def _read_token(self) -> None:
        char = self._text[self._position]
        operator = _OPERATOR.match(self._text, self._position)
        redirection = _REDIRECTION.match(self._text, self._position)
        if char == "#":
            end = self._text.find("\n", self._position)
            self._position = len(self._text) if end < 0 else end
        elif operator:
            self._position = operator.end()
            if operator[0] == "\n":
                self._read_here_documents()
            self._end_command(is_piped=operator[0] in ("|", "|&"))
        elif redirection:
            self._position = redirection.end()
            self._redirect(redirection[0].strip())
        elif char.isspace():
            self._position += 1
        else:
            word, _ = self._read_word()
            is_descriptor = word.text.isdigit() and self._text.startswith(("<", ">"), self._position)
            if not is_descriptor and (word.text or word.unknown or self._text[self._position - 1] in "'\""):
                self._commands[-1].words.append(word)

    def _end_command(self, *, is_piped: bool = False) -> None:
        command = self._commands[-1]
        assignments = [_ASSIGNMENT.fullmatch(word.text) for word in command.words]
        if command.words and all(assignments):
            for word, assignment in zip(command.words, assignments, strict=True):
                if assignment and not word.unknown:
                    self._variables[assignment[1]] = assignment[2]
        following = ShellCommand(self._text.count("\n", 0, self._position) + 1)
        if is_piped:
            _pipe(command, following)
        self._commands.append(following)

    def _redirect(self, operator: str) -> None:
        target, is_quoted = self._read_word()
        command = self._commands[-1]
        if operator == "<<<":
            command.stdin = target
        elif operator in ("<<", "<<-"):
            self._here_documents.append((command, target.text, is_quoted, operator == "<<-"))
        elif operator == "<":
            command.stdin_source = target.text

    def _read_here_documents(self) -> None:
        for command, delimiter, is_quoted, strips_tabs in self._here_documents:
            lines: list[str] = []
            while self._position < len(self._text):
                end = self._text.find("\n", self._position)
                end = len(self._text) if end < 0 else end
                line = self._text[self._position : end]
                line = line.lstrip("\t") if strips_tabs else line
                self._position = min(end + 1, len(self._text))
                if line == delimiter:
                    break
                lines.append(line)
            else:
                raise UsageError(f"this here-document does not end: no line is {delimiter}; give the whole command")
            document = "\n".join(lines)
            command.stdin = ShellWord(document) if is_quoted else self._expand(document, _IN_DOCUMENT)
        if self._here_documents:
            self._feed_pipes()
        self._here_documents.clear()

    def _feed_pipes(self) -> None:
        """Hand on here-documents of ``cat`` to the commands behind their pipes."""
        for command, following in zip(self._commands, self._commands[1:], strict=False):
            if following.stdin_source == "cat" and following.stdin is None:
                _pipe(command, following)

    def _read_word(self) -> tuple[ShellWord, bool]:
        """Return a word, and whether a part of it is quoted."""
        parts: list[ShellWord] = []
        is_quoted = False
        while part := self._read_part():
            is_quoted |= part[1]
            parts.append(part[0])
        unknown = next((part.unknown for part in parts if part.unknown), "")
        return ShellWord("".join(part.text for part in parts), unknown), is_quoted

    def _read_part(self) -> tuple[ShellWord, bool] | None:  # noqa: PLR0911 - one for each kind of quoting
        text, position = self._text, self._position
        if plain := _PLAIN.match(text, position):
            self._position = plain.end()
            return ShellWord(plain[0]), False
        if single := _SINGLE_QUOTED.match(text, position):
            self._position = single.end()
            return ShellWord(single[1]), True
        if ansi := _ANSI_QUOTED.match(text, position):
            self._position = ansi.end()
            return ShellWord(unescape(ansi[1])), True
        if double := _DOUBLE_QUOTED.match(text, position):
            self._position = double.end()
            return self._expand(double[1], _IN_QUOTES), True
        if text.startswith(("'", '"', "$'", '$"'), position):
            line = text.count("\n", 0, position) + 1
            raise UsageError(
                f"this curl line cannot be read: no closing quotation (line {line}); quote it as for a shell"
            )
        if text.startswith("\\", position):
            if _BLANK_AFTER_BACKSLASH.match(text, position):
                raise UsageError(_blank_behind("backslash", text, position))
            self._position = min(position + 2, len(text))
            escaped = text[position + 1 : position + 2]
            return ShellWord("" if escaped == "\n" else escaped), escaped != "\n"
        if expansion := _EXPANSION.match(text, position):
            self._position = expansion.end()
            return self._expand(expansion[0], _UNQUOTED), False
        if text.startswith(("$", "`"), position):
            self._position = position + 1
            return ShellWord(text[position]), False
        return None

    def _expand(self, text: str, pattern: re.Pattern[str]) -> ShellWord:
        """Return a text with its escapes and variables resolved."""
        unknown = ""

        def resolve(match: re.Match[str]) -> str:
            nonlocal unknown
            if match["escaped"] is not None:
                return "" if match["escaped"] == "\n" else match["escaped"]
            expansion = _EXPANSION.fullmatch(match[0])
            name = (expansion[1] or expansion[2]) if expansion else None
            if name in self._variables and not is_secret_header(name):
                return self._variables[name]
            unknown = unknown or match[0]
            return match[0]

        resolved = pattern.sub(resolve, text)
        if _LONG_SUBSTITUTION.search(text):
            unknown = unknown or "$(...)"
        return ShellWord(resolved, unknown)


def _pipe(command: ShellCommand, following: ShellCommand) -> None:
    """Set the input of a command to the output of the previous one, if that only prints its arguments or input."""
    name, *arguments = [word.text for word in command.words] or [""]
    following.stdin_source = name
    if name == "cat" and not arguments:
        following.stdin = command.stdin
    elif name in _PRINTERS - {"cat"}:
        unknown = next((word.unknown for word in command.words if word.unknown), "")
        printed = _echoed(arguments) if name == "echo" else _formatted(arguments)
        following.stdin = None if printed is None else ShellWord(printed.removesuffix("\n"), unknown)


def _echoed(arguments: list[str]) -> str:
    has_escapes = False
    while arguments and re.fullmatch("-[neE]+", arguments[0]):
        has_escapes |= "e" in arguments.pop(0)
    printed = " ".join(arguments)
    return unescape(printed) if has_escapes else printed


def _formatted(arguments: list[str]) -> str | None:
    """Return what ``printf`` prints, or nothing where its format has more than ``%s``."""
    template, *values = arguments or [""]
    pieces = re.split("%([sb%])", template)  # an escaped percent sign, as \045, is not part of the format
    if any("%" in piece for piece in pieces[::2]) or pieces[1::2].count("%") + len(values) < len(pieces[1::2]):
        return None
    remaining = iter(values)
    printed = ["%" if mark == "%" else next(remaining) for mark in pieces[1::2]]
    literals = list(map(unescape, pieces[::2]))
    whole = literals[0] + "".join(value + literal for value, literal in zip(printed, literals[1:], strict=True))
    return whole.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
