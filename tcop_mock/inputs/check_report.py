"""What is read of the JSON report of ``check``: requests to be sent again, and the clauses that failed."""

from __future__ import annotations

import base64
import gzip
import shlex
import zlib
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.contract import CredentialVariant
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import MASK
from tcop_mock.domain.verdict import ClauseStatus, ReproducedRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

_FAILED = frozenset({ClauseStatus.FAIL, ClauseStatus.ERROR})


def failed_codes(document: dict[str, Any]) -> frozenset[str]:
    """Return the codes of the clauses that failed or had no result, and of those that the commands of findings name.

    A finding of a clause about the others, such as TCM409, needs them to occur again.

    Raises:
        LookupError, TypeError, ValueError: the document has another form.
    """
    codes: set[str] = set()
    for row in document["clauses"]:
        if row["result"] in _FAILED:
            codes.add(row["code"])
            for finding in row["findings"]:
                words = shlex.split(finding["reproduce"]["cli"])
                codes.update(words[words.index("--clauses") + 1].split(",") if "--clauses" in words else ())
    return frozenset(codes)


def parse_request(document: dict[str, Any]) -> ReproducedRequest:
    """Return one of the ``reproduce.requests`` of a finding, without the headers that the report masks.

    Raises:
        LookupError, TypeError, ValueError: the document has another form.
    """
    headers = [(name, value) for name, value in document["headers"] if value != MASK]
    return parse_delivery(document, document["method"], document["url"], headers, _parse_body(document))


def parse_delivery(
    document: dict[str, Any], method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes
) -> ReproducedRequest:
    """Return a request that is sent as a document says, with its chunks, segments, cut and kind of credentials.

    Raises:
        LookupError, TypeError, ValueError: the document has another form.
    """
    request = OutgoingRequest(
        body,
        method=method,
        headers=tuple(headers),
        chunked=document["chunked"],
        segment_sizes=tuple(document["segments"]),
        truncate_at=document["truncate_at"],
        query=document["query"],
        keep_alive=document["keep_alive"],
        reuse_connection=document["reuse_connection"],
    )
    return ReproducedRequest(url, request, CredentialVariant(document["credentials"]), is_asserted=document["asserted"])


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
