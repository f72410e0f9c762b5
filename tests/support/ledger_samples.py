"""Sample lines of ledgers, recordings and callbacks, as in files."""

from __future__ import annotations

import json
from typing import Any

from tcop_mock.domain.callback import encode_json

Rows = list[dict[str, Any]]


def ledger_row(session: str, **changes: Any) -> dict[str, Any]:
    """Return a ledger line about the object ``ins-1``, acked at the first attempt."""
    return {
        "version": 1,
        "alarm": "policy-1/cpu_usage/ins-1",
        "object": "ins-1",
        "session": session,
        "state": "firing",
        "outcome": "acked",
        "attempts": 1,
        "started_s": 1.0,
        "ended_s": 1.5,
    } | changes


def callback_body(session: str, object_id: str = "ins-1") -> dict[str, Any]:
    """Return the parts of a body that identify it."""
    return {"sessionId": session, "alarmStatus": "1", "alarmObjInfo": {"dimensions": {"objId": object_id}}}


def recording_line(body: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """Return a line of a recording by ``listen``."""
    return {
        "version": 1,
        "received": "2026-11-23T22:31:05.123+00:00",
        "method": "POST",
        "path": "/",
        "headers": [],
        "body": encode_json(body).decode() if body else "",
        "auth": "none",
        "as": "webhook",
        "status": 200,
        "fault": None,
        "note": "",
        "kind": None,
        "shape": None,
        "valid": None,
        "problems": [],
        "deviations": [],
    } | changes


def jsonl(rows: Rows) -> bytes:
    """Return rows as the content of a JSON Lines file."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
