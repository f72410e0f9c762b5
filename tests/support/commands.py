"""What a call of the command line did."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol


class CommandResult(NamedTuple):
    """What a command did."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)

    @property
    def bodies(self) -> list[Any]:
        """The callbacks on standard output, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def error_message(self) -> str:
        """The one line on standard error that says why there is nothing on standard output."""
        [line] = self.stderr.splitlines()
        assert self.stdout == ""
        assert line.startswith("tcop-mock: ")
        return line.removeprefix("tcop-mock: ")


class RunCommand(Protocol):
    """Runs the command line in this process."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> CommandResult:
        """Return what it did."""
        ...
