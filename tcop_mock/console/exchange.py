"""One callback or message of the conversation, and its documents for the page. All texts in them are printable."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.strict_json import parse_body
from tcop_mock.domain.callback_view import CallbackView, format_time, key_from_tree
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.target import MASK, is_secret_header
from tcop_mock.reports.json import round_seconds
from tcop_mock.reports.text import one_line, printable_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.callbacks.validator import ValidationResult
    from tcop_mock.domain.delivery import Attempt

MAX_CHARS = 200
"""Limit of a text in the list."""
_MAX_ANSWER_CHARS, _MAX_ANSWER_LINES, _MAX_HEADERS = 8_000, 200, 60
_KEY_CHARS = 16


class Direction(StrEnum):
    """Sender of a request."""

    OUT = "out"
    """We sent it to the receiver under test."""
    IN = "in"
    """The receiver of the page received it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Subject of a body."""

    alarm: str
    """Key of the alarm: policy, metric, object and first time; requests about one alarm share it."""
    object_id: str
    title: str
    subtitle: str
    state: str
    """``firing``, ``repeated``, ``resolved``, or ``message`` for bodies that are not callbacks."""

    @classmethod
    def of_callback(cls, tree: Mapping[str, Any], body: bytes) -> Subject:
        """Return the subject of a callback."""
        view, key = CallbackView(tree), key_from_tree(tree, body)
        name = view.object_name or ("" if key.object_id == key.session_id else key.object_id)
        first_time = format_time(view.first_occurred_at)
        return cls(
            _digest(f"{key.alarm_key} {first_time}"),
            key.object_id,
            one_line(name or "callback without an object", MAX_CHARS),
            one_line(view.metric_label or view.product_name, MAX_CHARS),
            key.state or "message",
        )

    @classmethod
    def of_message(cls, service: str, text: str, alarm: str) -> Subject:
        """Return the subject of a message to a stub service; ``alarm`` is the key of the alarm that it mentions."""
        title = one_line(service, MAX_CHARS)
        return cls(alarm or _digest(f"message {service}"), "", title, one_line(text, MAX_CHARS), "message")

    @classmethod
    def of_verification(cls, target: str) -> Subject:
        """Return the subject of a verification of the URL, which is before all callbacks."""
        return cls(_digest(f"verification {target}"), "", "URL verification", one_line(target, MAX_CHARS), "message")


@dataclass(slots=True)
class Exchange:
    """A request of the conversation, and how it was answered."""

    number: int
    direction: Direction
    at_s: float
    """Unix time in seconds."""
    record: Mapping[str, Any]
    """Line of a recording, with its secrets masked."""
    body: bytes
    """Body with its secrets masked."""
    tree: Any
    """Body as JSON; ``None`` if it is not JSON."""
    subject: Subject
    result: ValidationResult | None = None
    origin: str = ""
    """The ``tcop-mock emit`` command that prints the body, if there is one."""
    profile: str = ""
    """The profile by which we sent it, if one was chosen."""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    is_pending: bool = False
    """Whether another attempt may follow."""

    @property
    def outcome(self) -> str:
        """Outcome of the last attempt; empty while the first one is under way."""
        return str(self.attempts[-1]["outcome"]) if self.attempts else ""

    def summary(self) -> dict[str, Any]:
        """Return the row of the exchange in the list."""
        result = self.result
        last = self.attempts[-1] if self.attempts else {}
        return {
            "id": self.number,
            "direction": self.direction.value,
            "at": round_seconds(self.at_s),
            "alarm": self.subject.alarm,
            "title": self.subject.title,
            "subtitle": self.subject.subtitle,
            "state": self.subject.state,
            "service": self.record["as"],
            "shape": result.shape if result else None,
            "problems": len(result.problems) if result else 0,
            "deviations": len(result.deviations) if result else 0,
            "outcome": self.outcome,
            "status": last.get("status"),
            "duration": last.get("duration"),
            "pending": self.is_pending,
            "size": len(self.body),
            "fault": self.record["fault"],
            "attempts": [{key: one[key] for key in ("at", "duration", "outcome", "status")} for one in self.attempts],
        }


def attempt_document(attempt: Attempt, started_at_s: float) -> dict[str, Any]:
    """Return one attempt of the page.

    Args:
        attempt: the attempt; its texts must not hold credentials.
        started_at_s: Unix time of its start.
    """
    start_s = attempt.started_s
    return {
        "at": round_seconds(started_at_s),
        "outcome": attempt.outcome.value,
        "status": attempt.status,
        "duration": round_seconds(attempt.duration_s),
        "resolved": _since(attempt.resolved_s, start_s),
        "connected": _since(attempt.connected_s, start_s),
        "first_byte": _since(attempt.first_byte_s, start_s),
        "bytes": attempt.received_bytes,
        "truncated": attempt.body_truncated,
        "detail": one_line(attempt.detail, MAX_CHARS * 2),
        "headers": header_rows(attempt.headers),
        "body": text_lines(attempt.body),
    }


def answer_document(
    status: int | None, headers: Sequence[tuple[str, str]], body: bytes, *, at_s: float
) -> dict[str, Any]:
    """Return our own answer to a request; its duration is unknown until it is written."""
    outcome = "no_answer" if status is None else Outcome.from_status(status).value
    return {
        "at": round_seconds(at_s),
        "outcome": outcome,
        "status": status,
        "duration": None,
        "resolved": None,
        "connected": None,
        "first_byte": None,
        "bytes": len(body),
        "truncated": False,
        "detail": "",
        "headers": header_rows(headers),
        "body": text_lines(body),
    }


def unsent_document(reason: str, *, at_s: float) -> dict[str, Any]:
    """Return the document that replaces an attempt for a callback that was not sent."""
    return answer_document(None, (), b"", at_s=at_s) | {"outcome": "not_sent", "detail": reason}


def header_rows(headers: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return headers as printable rows, secrets masked."""
    return [
        [one_line(name, MAX_CHARS), MASK if is_secret_header(name) else one_line(value, 2 * MAX_CHARS)]
        for name, value in headers[:_MAX_HEADERS]
    ]


def text_lines(body: bytes) -> list[str]:
    """Return bytes as printable lines, bounded."""
    text = body[: 4 * _MAX_ANSWER_CHARS].decode("utf-8", "backslashreplace")
    return printable_lines(text, _MAX_ANSWER_CHARS, _MAX_ANSWER_LINES)


def body_of(record: Mapping[str, Any]) -> bytes:
    """Return the body of a line of a recording."""
    return base64.b64decode(record["body_base64"]) if "body_base64" in record else str(record["body"]).encode()


def tree_of(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return a body as JSON; ``None`` if it is not, or nests too deep."""
    return parse_body(body).tree


def _since(time_s: float | None, start_s: float) -> float | None:
    return None if time_s is None else round_seconds(time_s - start_s)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_KEY_CHARS]
