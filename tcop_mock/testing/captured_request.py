"""A request that a stub service or a receiver of a test has received, and conditions on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.reports.recording import mask_body, mask_path
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Where: TypeAlias = Callable[["CapturedRequest"], object] | Mapping[str, Any]


_MAX_CHARS = 240

_MISSING = object()


@dataclass(frozen=True, slots=True)
class CapturedRequest:
    """One received request. Its ``repr`` is one line without headers, which may contain secrets."""

    method: str
    path: str
    """Request target, with the query."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case."""
    body: bytes
    service: str = "webhook"
    """Stub service that received it, or ``webhook``."""
    status: int | None = None
    """Status of the response; ``None``: no response."""
    note: str = ""
    """Result of the stub service."""
    accepted: bool = True
    """Whether the real service would have accepted it."""
    is_message: bool = True
    """Whether it is a message that people see; false for a look-up."""

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty text."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON; ``None`` for any other body."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def callback(self) -> CallbackView:
        """Lenient view of the callback: ``.resolved``, ``.object``, ``.first``, ..."""
        document = self.json
        return CallbackView(document if isinstance(document, dict) else {})

    def at(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value at a path such as ``alarmObjInfo.region``; ``None`` if it is missing."""
        value = _value_at(self.json, path)
        return None if value is _MISSING else value

    def __repr__(self) -> str:
        request = f"{self.method} {mask_path(self.path, self.service)}"
        body = mask_body(self.body).decode("utf-8", "backslashreplace")
        status_text = "not answered" if self.status is None else f"answered {self.status}"
        note_text = f" ({one_line(self.note, _MAX_CHARS)})" if self.note else ""
        return f"<{one_line(request, _MAX_CHARS)} {status_text}{note_text}: {one_line(body, _MAX_CHARS)}>"


def matches(request: CapturedRequest, where: Where | None) -> bool:
    """Return whether a request matches: all paths have these values, or the callable returns true."""
    if where is None:
        return True
    if callable(where):
        return bool(where(request))
    document = request.json
    return all(_value_at(document, path) == value for path, value in where.items())


def _value_at(tree: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    for key in path.split("."):
        if isinstance(tree, list) and key.isdecimal() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return _MISSING
    return tree
