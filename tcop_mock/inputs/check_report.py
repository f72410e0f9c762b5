"""A request in the JSON report of ``check``, to be sent again."""

from __future__ import annotations

import base64
import gzip
import zlib
from typing import Any

from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import MASK
from tcop_mock.domain.verdict import ReproducedRequest


def parse_request(document: dict[str, Any]) -> ReproducedRequest:
    """Return one of the ``reproduce.requests`` of a finding, without the headers that the report masks.

    Raises:
        LookupError, TypeError, ValueError: the document has another form.
    """
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
    if document["body_encoding"] != "gzip+base64":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the compressed body is damaged: {error}") from None
