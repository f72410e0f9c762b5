"""The JSON documents. Their forms are in ``contracts/schemas/`` and carry a version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from tcop_mock import __version__
from tcop_mock.model.verdict import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.model.delivery import Attempt, Delivery
    from tcop_mock.model.shape import Shape
    from tcop_mock.model.verdict import ClauseResult, Finding, Verdict

_MICROSECONDS = 6


def check_document(verdict: Verdict) -> dict[str, Any]:
    """Return the document of ``check --json`` (``check-report.schema.json``)."""
    return {
        "version": 1,
        "tool": {"name": "tcop-mock", "version": __version__},
        "target": verdict.target,
        "profile": verdict.profile,
        "seed": verdict.seed,
        "assumptions": list(verdict.assumptions),
        "clauses": [_clause(item) for item in verdict.results],
        "summary": {
            "passed": verdict.count(Result.PASS),
            "failed": verdict.count(Result.FAIL),
            "errors": verdict.count(Result.ERROR),
            "not_run": verdict.count(Result.NOT_RUN),
            "known": 0,
        },
    }


def deliveries_document(deliveries: Iterable[Delivery]) -> dict[str, Any]:
    """Return the document of ``send --json`` (``send-report.schema.json``); times are seconds."""
    return {
        "version": 1,
        "deliveries": [
            {
                "accepted": delivery.accepted,
                "attempts": [_attempt(attempt, delivery.attempts[0].started_s) for attempt in delivery.attempts],
            }
            for delivery in deliveries
        ],
    }


def shapes_document(shapes: Iterable[Shape]) -> dict[str, Any]:
    """Return the document of ``list --json`` (``shape-list.schema.json``)."""
    return {"version": 1, "shapes": [_shape(shape) for shape in shapes]}


def write_json(document: dict[str, Any], stream: TextIO) -> None:
    """Write a document as UTF-8 text, indented; a lone surrogate from a receiver is written as its escape."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def _clause(item: ClauseResult) -> dict[str, Any]:
    return {
        "code": item.clause.code,
        "slug": item.clause.slug,
        "level": item.clause.level.value,
        "result": item.result.value,
        "reason": item.reason,
        "findings": [_finding(finding) for finding in item.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "title": finding.title,
        "detail": finding.detail,
        "shape": finding.shape,
        "evidence": finding.evidence,
        "reproduce": {"curl": finding.reproduce.curl, "cli": finding.reproduce.cli},
    }


def _attempt(attempt: Attempt, first_s: float) -> dict[str, Any]:
    return {
        "outcome": attempt.outcome.value,
        "status": attempt.status,
        "started_s": round(attempt.started_s - first_s, _MICROSECONDS),
        "duration_s": round(attempt.duration_s, _MICROSECONDS),
        "connected": attempt.connected_s is not None,
        "bytes": attempt.received_bytes,
        "truncated": attempt.body_truncated,
    }


def _shape(shape: Shape) -> dict[str, Any]:
    return {
        "id": shape.id,
        "title": shape.title.en,
        "title_zh": shape.title.zh,
        "kind": shape.kind.value,
        "namespace": shape.namespace,
        "policy_type": shape.policy.type,
        "regional": shape.regional,
        "metrics": [metric.name for metric in shape.metrics],
        "events": [event.name for event in shape.events],
        "documented": shape.documented,
        "source": shape.source,
        "assumed": list(shape.assumed),
    }
