"""What a receiver of ours has got."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tcop_mock.model.told import Told
from tcop_mock.report.recording import masked_body, masked_path
from tcop_mock.report.safe import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

_MOST_CHARS = 240
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Captured:
    """One request as it came. Its ``repr`` is one line without secrets: headers may hold them, and are not shown."""

    method: str
    path: str
    """Request target, with the query."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case."""
    body: bytes
    end: str = "webhook"
    """The end that it came to."""
    status: int | None = None
    """What was answered; ``None``: nothing."""
    said: str = ""
    """What the end made of it."""
    taken: bool = True
    """Whether the real end would have taken it."""

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty text."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON; ``None`` where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def told(self) -> Told:
        """What the callback says, read leniently: ``.resolved``, ``.object``, ``.first``, ..."""
        tree = self.json
        return Told(tree if isinstance(tree, dict) else {})

    def at(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value at a path such as ``alarmObjInfo.region``; ``None`` where there is none."""
        found = _value(self.json, path)
        return None if found is _MISSING else found

    def __repr__(self) -> str:
        request = f"{self.method} {masked_path(self.path, self.end)}"
        body = masked_body(self.body).decode("utf-8", "backslashreplace")
        answered = "not answered" if self.status is None else f"answered {self.status}"
        said = f" ({one_line(self.said, _MOST_CHARS)})" if self.said else ""
        return f"<{one_line(request, _MOST_CHARS)} {answered}{said}: {one_line(body, _MOST_CHARS)}>"


if TYPE_CHECKING:
    Where: TypeAlias = Callable[[Captured], object] | Mapping[str, Any]


def matches(captured: Captured, where: Where | None) -> bool:
    """Say whether a request is one that is waited for: all paths have these values, or the callable says so."""
    if where is None:
        return True
    if callable(where):
        return bool(where(captured))
    tree = captured.json
    return all(_value(tree, path) == value for path, value in where.items())


def _value(tree: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    for key in path.split("."):
        if isinstance(tree, list) and key.isdecimal() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return _MISSING
    return tree
