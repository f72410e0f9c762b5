"""Records of received requests: JSON lines of ``listen`` (``contracts/schemas/recording.schema.json``)."""

from __future__ import annotations

import base64
import json
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tcop_mock.domain.target import MASK, is_secret_header, mask_query_secrets
from tcop_mock.reports.bodies import body_lines
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tcop_mock.callbacks.validator import ValidationResult
    from tcop_mock.domain.delivery import Attempt

_MAX_CHARS = 200
_MAX_ISSUES = 12
_MAX_CACHED = 512
_SECRET_PATH = re.compile(r"(?<=/)[A-Za-z0-9_-]{20,}(?=$|[/?#])")
"""Token in a path; Feishu and Slack put it there."""
_SECRET_BODY = re.compile(rb'("(?:routing_key|integration_key)"\s*:\s*")[^"]*(")')
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class RequestLike(Protocol):
    """A received request."""

    @property
    def method(self) -> str: ...  # noqa: D102 - a protocol
    @property
    def path(self) -> str: ...  # noqa: D102 - a protocol
    @property
    def headers(self) -> Iterable[tuple[str, str]]: ...  # noqa: D102 - a protocol
    @property
    def body(self) -> bytes: ...  # noqa: D102 - a protocol


def mask_path(path: str, service: str) -> str:
    """Return a request target with the secrets of robot URLs masked."""
    masked = mask_query_secrets(path)
    return masked if service == "webhook" else _SECRET_PATH.sub(MASK, masked)


def mask_body(body: bytes) -> bytes:
    """Return a body with the keys of PagerDuty events masked."""
    return _SECRET_BODY.sub(rb"\g<1>***\g<2>", body) if b"_key" in body else body


class Record(NamedTuple):
    """One received request and its response. Its texts have the secrets masked."""

    request: RequestLike
    received_at: str
    """Time of receipt in UTC (RFC 3339)."""
    auth: str
    """``none``, ``given``, ``right`` or ``wrong``."""
    service: str
    status: int | None
    """``None``: no response."""
    fault: str | None
    note: str
    """Result of the stub."""
    result: ValidationResult | None
    """``None``: the body was not validated."""
    forwarded: Attempt | None = None
    """The attempt to pass the request on; ``None``: it was not passed on."""

    def to_json(self) -> str:
        """Return the record as one line, which ends."""
        request = self.request
        masked = mask_body(request.body)
        try:
            body = f'"body": {_to_json(masked.decode())}'
        except UnicodeDecodeError:
            body = f'"body_base64": "{base64.b64encode(masked).decode()}"'
        head = _head_json(request.method, request.path, tuple(request.headers), self.service)
        outcome = _outcome_json(self.auth, self.service, self.status, self.fault, self.note, self.result)
        members = f"{head}, {body}, {outcome}{self._forwarded_json()}"
        return f'{{"version": {VERSION}, "received": "{self.received_at}", {members}}}\n'

    def _forwarded_text(self) -> str:
        assert self.forwarded is not None  # noqa: S101 - the caller looks
        return f"{self.forwarded.summary} after {self.forwarded.duration_s:.3f} s"

    def _forwarded_json(self) -> str:
        if self.forwarded is None:
            return ""
        attempt = self.forwarded
        members = {
            "outcome": attempt.outcome.value,
            "status": attempt.status,
            "duration_s": round(attempt.duration_s, 6),
            "detail": attempt.detail,
        }
        return f', "forwarded": {_to_json(members)}'

    def lines(self, *, quiet: bool) -> Iterator[str]:
        """Yield the lines that ``listen`` prints about it."""
        time_text = self.received_at[len("2026-11-23T") : len("2026-11-23T22:31:05.123")]
        status = self.status or "no answer"
        fault = f" ({self.fault})" if self.fault else ""
        auth = f", credentials: {self.auth}" if self.auth != "none" else ""
        note = f": {self.service} {self.note}".rstrip() if self.service != "webhook" else ""
        request = one_line(f"{self.request.method} {mask_path(self.request.path, self.service)}", _MAX_CHARS)
        forwarded = f", forwarded: {one_line(self._forwarded_text(), _MAX_CHARS)}" if self.forwarded else ""
        yield f"{time_text} {request} {status}{fault}{auth}{one_line(note, _MAX_CHARS)}{forwarded}"
        if self.result:
            issue_lines = [f"  {line}" for line in body_lines(self.result, quiet=quiet)]
            yield from issue_lines[:_MAX_ISSUES]
            if len(issue_lines) > _MAX_ISSUES:
                yield f"  … {pluralize(len(issue_lines) - _MAX_ISSUES, 'more note')}; tcop-mock validate shows all"


@lru_cache(_MAX_CACHED)
def _head_json(method: str, path: str, headers: tuple[tuple[str, str], ...], service: str) -> str:
    """Return the members that clients repeat from request to request."""
    return _members(
        {
            "method": method,
            "path": mask_path(path, service),
            "headers": [[name, MASK if is_secret_header(name) else value] for name, value in headers],
        }
    )


@lru_cache(_MAX_CACHED)
def _outcome_json(  # noqa: PLR0913, PLR0917 - each is one key
    auth: str, service: str, status: int | None, fault: str | None, note: str, result: ValidationResult | None
) -> str:
    """Return the members that repeat from response to response."""
    return _members(
        {
            "auth": auth,
            "as": service,
            "status": status,
            "fault": fault,
            "note": note,
            "kind": result.kind if result else None,
            "shape": result.shape if result else None,
            "valid": result.is_valid if result else None,
            "problems": [issue._asdict() for issue in result.problems] if result else [],
            "deviations": [issue._asdict() for issue in result.deviations] if result else [],
        }
    )


def _members(values: dict[str, Any]) -> str:
    return _to_json(values)[1:-1].encode("utf-8", "backslashreplace").decode()


class Recording:
    """File of records. A batch of lines is added in one write, so they are complete even after a crash.

    Args:
        path: path of the file; it is created if it does not exist, and never emptied.
        is_synced: wait after each write until the disk has it, so that the records survive a loss of power.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, *, is_synced: bool = False) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._is_synced = is_synced

    def write(self, lines: str) -> None:
        """Write records.

        Raises:
            OSError: the file cannot be written.
        """
        data = lines.encode()
        while data:
            data = data[os.write(self._file, data) :]
        if self._is_synced:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
