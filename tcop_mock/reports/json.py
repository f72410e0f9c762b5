"""JSON documents: versioned, with the schemas ``check-report``, ``mutator-list``, ``send-report`` and ``shape-list``.

The schemas in ``contracts/schemas`` allow no other keys.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.domain.target import MASK, is_secret_header
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.baseline import finding_fingerprint
from tcop_mock.reports.pytest_export import finding_test_module
from tcop_mock.reports.summary import catalogue_sha256, format_utc, reason_text, skipped_clauses, tool_document
from tcop_mock.reports.text import UNSAFE_CHARACTERS, overall_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.contract.mutators import Mutator
    from tcop_mock.domain.delivery import Attempt, Delivery
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.verdict import (
        BaselineEntry,
        BaselineSummary,
        ClauseResult,
        Finding,
        ReproducedRequest,
        Verdict,
    )

VERSION = 1
_DECIMALS = 6
"""Decimals of a time in seconds."""
_MAX_READABLE_BYTES = 8192
"""A longer body is compressed, as in the curl command."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_document(verdict: Verdict) -> dict[str, Any]:
    """Return the document of ``check --json``. Texts of findings are complete and unescaped."""
    return {
        "version": VERSION,
        "tool": tool_document(),
        "target": verdict.target,
        "profile": verdict.profile,
        "seed": verdict.seed,
        "assumptions": list(verdict.assumptions),
        **_run_document(verdict),
        "clauses": [clause_document(result) for result in verdict.results],
        "not_run": [{"reason": reason, "clauses": list(codes)} for reason, codes in skipped_clauses(verdict.results)],
        "baseline": _baseline_document(verdict.baseline),
        "summary": summary_document(verdict),
        "conclusion": overall_sentence(verdict, verdict.fail_on),
        "notes": list(verdict.notes),
    }


def summary_document(verdict: Verdict) -> dict[str, int]:
    """Return the number of clauses by status."""
    return {
        "passed": verdict.count(ClauseStatus.PASS),
        "failed": verdict.count(ClauseStatus.FAIL),
        "errors": verdict.count(ClauseStatus.ERROR),
        "not_run": verdict.count(ClauseStatus.NOT_RUN),
        "known": verdict.count(ClauseStatus.KNOWN),
    }


def _run_document(verdict: Verdict) -> dict[str, Any]:
    run = verdict.run_info
    if run is None:
        return {"started": None, "duration_s": None, "catalogue": None}
    return {
        "started": format_utc(run.started_at),
        "duration_s": round_seconds(run.duration_s),
        "catalogue": {"sha256": catalogue_sha256(run.shapes), "shapes": len(run.shapes)},
    }


def deliveries_document(  # noqa: PLR0913 - each is one key
    deliveries: Iterable[tuple[str, float, Delivery]],
    *,
    target: str,
    profile: str,
    seed: int,
    assumptions: list[str],
    probe: Delivery | None,
) -> dict[str, Any]:
    """Return the document of ``send --json``. ``started_s`` counts from the first attempt of the delivery.

    Args:
        deliveries: name of the callback, its time in seconds since the alarm began, and its delivery.
        target: URL without credentials.
        profile: name of the profile.
        seed: seed of the generated callbacks.
        assumptions: assumptions of the profile about deliveries.
        probe: delivery that verified the URL, if there was one.
    """
    return {
        "version": VERSION,
        "target": target,
        "profile": profile,
        "seed": seed,
        "assumptions": assumptions,
        "probe": _delivery_document(probe) if probe else None,
        "deliveries": [
            {"name": name, "at_s": at_s, **_delivery_document(delivery)} for name, at_s, delivery in deliveries
        ],
    }


def _delivery_document(delivery: Delivery) -> dict[str, Any]:
    attempts = [_attempt_document(one, delivery.attempts[0].started_s) for one in delivery.attempts]
    return {"accepted": delivery.accepted, "attempts": attempts}


def mutators_document(mutators: Iterable[Mutator]) -> dict[str, Any]:
    """Return the document of ``list --mutators --json``."""
    return {
        "version": VERSION,
        "mutators": [
            {"name": one.name, "title": one.title, "clause": one.clause, "wanted": one.expected_reaction}
            for one in mutators
        ],
    }


def shapes_document(shapes: Iterable[Shape]) -> dict[str, Any]:
    """Return the document of ``list --json``, in the order of ``shapes``."""
    return {"version": VERSION, "shapes": [_shape_document(shape) for shape in shapes]}


def round_seconds(seconds: float) -> float:
    """Return a time as documents show it, to the microsecond."""
    return round(seconds, _DECIMALS)


def json_text(document: dict[str, Any], *, ascii_only: bool = False) -> str:
    r"""Return a document as JSON, ending in a line break.

    Chinese is not escaped, unless ``ascii_only``. Characters that could act on a terminal, and ``##[``, which some CI
    systems read as a command, become JSON escapes (``\u202e``), so nothing is lost. A lone surrogate becomes the text
    ``\ud800``, because many parsers reject it even as an escape.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    text = _without_surrogates(text)
    if ascii_only:
        return json.dumps(json.loads(text), indent=2) + "\n"
    return "\n".join(map(_escape_unsafe_json, text.split("\n"))) + "\n"


def json_line(document: dict[str, Any]) -> str:
    """Return a document as JSON in one line, with the escapes of :func:`json_text`."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return _escape_unsafe_json(_without_surrogates(text)) + "\n"


def _without_surrogates(text: str) -> str:
    return _SURROGATE.sub(lambda match: f"\\\\u{ord(match.group()):04x}", text)


def _escape_unsafe_json(line: str) -> str:
    return UNSAFE_CHARACTERS.sub(_json_escape, line).replace("##[", "#\\u0023[")


def write_json(document: dict[str, Any], stream: TextIO) -> None:
    """Write a document to a stream, in ASCII if the encoding of the stream is not a Unicode one."""
    encoding = (stream.encoding or "utf-8").lower()
    stream.write(json_text(document, ascii_only=not encoding.startswith("utf")))


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]


def clause_document(result: ClauseResult) -> dict[str, Any]:
    """Return the result of one clause."""
    return {
        "code": result.clause.code,
        "slug": result.clause.slug,
        "level": result.clause.level.value,
        "result": result.status.value,
        "reason": reason_text(result),
        "findings": [_finding_document(result, finding) for finding in result.findings],
    }


def _baseline_document(baseline: BaselineSummary | None) -> dict[str, Any] | None:
    if baseline is None:
        return None
    return {
        "path": baseline.path,
        "listed": baseline.entry_count,
        "stale": [
            {"clause": one.clause, "fingerprint": one.fingerprint, "title": one.title, **_entry_dates(one)}
            for one in baseline.stale_entries
        ],
    }


def _entry_dates(entry: BaselineEntry) -> dict[str, Any]:
    return {
        "first_seen": entry.first_seen.isoformat(),
        "expires": entry.expires.isoformat() if entry.expires else None,
    }


def _finding_document(result: ClauseResult, finding: Finding) -> dict[str, Any]:
    fixing = finding.fix_clause or result.clause
    return {
        "title": finding.title,
        "detail": finding.detail,
        "shape": finding.shape,
        "evidence": finding.evidence,
        "fix": {"clause": fixing.code, "text": fixing.fix},
        "reproduce": {
            "curl": finding.reproduction.curl,
            "cli": finding.reproduction.cli,
            "replay": finding.reproduction.replay or None,
            "pytest": finding_test_module(result, finding) or None,
            "requests": list(map(_request_document, finding.reproduction.requests)),
        },
        "fingerprint": finding_fingerprint(result, finding),
        "known": {**_entry_dates(finding.baseline_entry), "counts": finding.is_gating}
        if finding.baseline_entry
        else None,
    }


def _request_document(reproduced: ReproducedRequest) -> dict[str, Any]:
    request = reproduced.request
    return {
        "method": request.method,
        "url": reproduced.url,
        "headers": [[name, MASK if is_secret_header(name) else value] for name, value in request.headers],
        **_body_document(request.body),
        **delivery_document(reproduced),
    }


def delivery_document(reproduced: ReproducedRequest) -> dict[str, Any]:
    """Return the properties of a sent request other than method, URL, headers and body."""
    request = reproduced.request
    return {
        "chunked": request.chunked,
        "segments": list(request.segment_sizes),
        "truncate_at": request.truncate_at,
        "query": request.query,
        "keep_alive": request.keep_alive,
        "reuse_connection": request.reuse_connection,
        "credentials": reproduced.credential_variant.value,
        "asserted": reproduced.is_asserted,
    }


def _body_document(body: bytes) -> dict[str, str]:
    if len(body) > _MAX_READABLE_BYTES:
        return {"body": base64.b64encode(gzip.compress(body, mtime=0)).decode(), "body_encoding": "gzip+base64"}
    try:
        return {"body": body.decode(), "body_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "body_encoding": "base64"}


def _attempt_document(attempt: Attempt, first_started_s: float) -> dict[str, Any]:
    return {
        "outcome": attempt.outcome.value,
        "status": attempt.status,
        "started_s": round_seconds(attempt.started_s - first_started_s),
        "duration_s": round_seconds(attempt.duration_s),
        "connected": attempt.connected_s is not None,
        "bytes": attempt.received_bytes,
        "truncated": attempt.body_truncated,
        "trace": attempt.traceback,
    }


def _shape_document(shape: Shape) -> dict[str, Any]:
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
        "documented": shape.is_documented,
        "source": shape.source,
        "assumed": list(shape.assumed),
        "forms": [form.value for form in forms_of(shape)],
        "aliases": {key: list(others) for key, others in shape.aliases.items()},
        "optional": list(shape.optional),
        "retired": shape.retired or None,
        "unpublished": shape.unpublished or None,
        "in_object_info": shape.in_object_info,
        "alert": dict(shape.alert_texts),
        "observed": {
            "dimensions": dict(shape.observed.dimensions),
            "show_name_suffix": shape.observed.show_name_suffix,
            "additional_msg": [{"key": key, "value": value} for key, value in shape.observed.additional_msg],
        },
        "cloudevents": asdict(shape.cloud_event) if shape.cloud_event else None,
        "sample": asdict(shape.sample) if shape.sample else None,
        "errata": [asdict(erratum) for erratum in shape.errata],
    }
