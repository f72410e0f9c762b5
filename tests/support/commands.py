"""Results of command line calls in tests."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol


class CommandResult(NamedTuple):
    """Result of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)

    @property
    def bodies(self) -> list[Any]:
        """The callbacks on standard output, one per line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def error_message(self) -> str:
        """The single error line on standard error; standard output must be empty."""
        [line] = self.stderr.splitlines()
        assert self.stdout == ""
        assert line.startswith("tcop-mock: ")
        return line.removeprefix("tcop-mock: ")


class RunCommand(Protocol):
    """Runs the command line in this process."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> CommandResult:
        """Run a command and return its result."""
        ...
