"""What a call of the command line did."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def bodies(self) -> list[Any]:
        """The callbacks on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def complaint(self) -> str:
        """The one line on standard error that says why there is nothing on standard output."""
        [line] = self.err.splitlines()
        assert self.out == ""
        assert line.startswith("tcop-mock: ")
        return line.removeprefix("tcop-mock: ")


class Call(Protocol):
    """Runs the command line in this process."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Done:
        """Return what it did."""
        ...
