"""Records of received requests: JSON lines of ``listen`` (``contracts/schemas/recording.schema.json``)."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import TYPE_CHECKING, Any, Protocol

from tcop_mock.domain.target import MASK, is_secret_header, mask_query_secrets
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import one_line, pluralize
from tcop_mock.reports.validation import body_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tcop_mock.callbacks.validator import ValidationResult

_MAX_CHARS = 200
_MAX_ISSUES = 12
_SECRET_PATH = re.compile(r"(?<=/)[A-Za-z0-9_-]{20,}(?=$|[/?#])")
"""Token in a path; Feishu and Slack put it there."""
_SECRET_BODY = re.compile(rb'("(?:routing_key|integration_key)"\s*:\s*")[^"]*(")')


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
    return _SECRET_BODY.sub(rb"\g<1>***\g<2>", body)


def record_lines(record: Mapping[str, Any], result: ValidationResult | None, *, quiet: bool) -> Iterator[str]:
    """Yield the lines that ``listen`` prints about a record."""
    time_text = record["received"][len("2026-11-23T") : len("2026-11-23T22:31:05.123")]
    status = record["status"] or "no answer"
    fault = f" ({record['fault']})" if record["fault"] else ""
    auth = f", credentials: {record['auth']}" if record["auth"] != "none" else ""
    note_text = f": {record['as']} {record['said']}".rstrip() if record["as"] != "webhook" else ""
    request = f"{record['method']} {record['path']}"
    yield f"{time_text} {one_line(request, _MAX_CHARS)} {status}{fault}{auth}{one_line(note_text, _MAX_CHARS)}"
    if result:
        issue_lines = [f"  {line}" for line in body_lines(result, quiet=quiet)]
        yield from issue_lines[:_MAX_ISSUES]
        if len(issue_lines) > _MAX_ISSUES:
            yield f"  … {pluralize(len(issue_lines) - _MAX_ISSUES, 'more note')}; tcop-mock validate shows all"


def make_record(  # noqa: PLR0913 - each is one key
    *,
    received: RequestLike,
    received_at: str,
    auth: str,
    service: str,
    status: int | None,
    fault: str | None,
    service_note: str,
    result: ValidationResult | None,
) -> dict[str, Any]:
    """Return the record of one request, with its secrets masked."""
    masked = mask_body(received.body)
    try:
        text: str | None = masked.decode()
    except UnicodeDecodeError:
        text = None
    return {
        "version": VERSION,
        "received": received_at,
        "method": received.method,
        "path": mask_path(received.path, service),
        "headers": [[name, MASK if is_secret_header(name) else value] for name, value in received.headers],
        **({"body_base64": base64.b64encode(masked).decode()} if text is None else {"body": text}),
        "auth": auth,
        "as": service,
        "status": status,
        "fault": fault,
        "said": service_note,
        "kind": result.kind if result else None,
        "shape": result.shape if result else None,
        "valid": result.is_valid if result else None,
        "problems": [note._asdict() for note in result.problems] if result else [],
        "deviations": [note._asdict() for note in result.deviations] if result else [],
    }


class Recording:
    """File of records. Each line is added in one write, so the last line is complete even after a crash.

    Args:
        path: path of the file; it is created if it does not exist, and never emptied.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, record: Mapping[str, Any]) -> None:
        """Write a record.

        Raises:
            OSError: the file cannot be written.
        """
        line = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        while line:
            line = line[os.write(self._file, line) :]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
