"""The command that starts a receiver."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from tcop_mock.errors import UsageError

PORT_PLACEHOLDER = "{port}"
_OPERATORS = frozenset("();<>|&")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_EXAMPLE = f"'uvicorn app:app --port {PORT_PLACEHOLDER}'"
_SHELL_HINT = "CMD runs without a shell; for a shell write sh -c '...'"


@dataclass(frozen=True, slots=True)
class ReceiverCommand:
    """A program with its arguments, as ``--run`` names it."""

    words: tuple[str, ...]
    """The program and its arguments; ``{port}`` in them is the port."""
    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Variables that stand before the program, as in ``DEBUG=1 python app.py``; they may hold secrets."""

    @classmethod
    def parse(cls, text: str, source: str = "--run") -> ReceiverCommand:
        """Split a command line; a shell is not used.

        Raises:
            UsageError: it is empty, has an open quote, or needs a shell.
        """
        try:
            words = shlex.split(text)
            lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
            lexer.whitespace_split, lexer.commenters = True, ""
            operator = next((word for word in lexer if word and set(word) <= _OPERATORS), "")
        except ValueError as problem:
            raise UsageError(f"{source}: the command cannot be split: {problem}") from None
        if operator:
            raise UsageError(f"{source}: {operator!r} is for a shell, but {_SHELL_HINT}")
        count = next((number for number, word in enumerate(words) if not _ASSIGNMENT.match(word)), len(words))
        if count == len(words):
            raise UsageError(f"{source} names no program; write for example {_EXAMPLE}")
        pairs = (word.partition("=") for word in words[:count])
        return cls(tuple(words[count:]), tuple((name, value) for name, _, value in pairs))

    def arguments(self, port: int) -> list[str]:
        """Return the program and its arguments for a port."""
        return [word.replace(PORT_PLACEHOLDER, str(port)) for word in self.words]

    def __str__(self) -> str:
        """The command without its variables, which may hold secrets."""
        return shlex.join(self.words)
