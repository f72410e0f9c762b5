"""The JSON report of ``check``: the requests of its findings, to be sent again."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import MASK
from tcop_mock.domain.verdict import ReproducedRequest


def requests_of_report(document: dict[str, Any]) -> list[tuple[str, ReproducedRequest]]:
    """Return the requests in the findings of a ``check`` report, each with the clause and title of its finding.

    Args:
        document: the JSON report of a run, version 1.

    Raises:
        LookupError, TypeError, ValueError: the document is no such report.
    """
    return [
        (f"{clause['code']} {finding['title']}", _parse_request(request))
        for clause in document["clauses"]
        for finding in clause["findings"]
        for request in finding["reproduce"]["requests"]
    ]


def _parse_request(document: dict[str, Any]) -> ReproducedRequest:
    request = OutgoingRequest(
        _parse_body(document),
        method=document["method"],
        headers=tuple((name, value) for name, value in document["headers"] if value != MASK),
        chunked=document["chunked"],
        segment_sizes=tuple(document["segments"]),
        truncate_at=document["truncate_at"],
    )
    return ReproducedRequest(document["url"], request, has_credentials=document["credentials"])


def _parse_body(document: dict[str, Any]) -> bytes:
    text: str = document["body"]
    if document["body_encoding"] == "utf-8":
        return text.encode()
    raw = base64.b64decode(text)
    return gzip.decompress(raw) if document["body_encoding"] == "gzip+base64" else raw
