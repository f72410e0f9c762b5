"""HTTP Archive report: requests of findings and their responses, for browsers, proxies and API clients.

The format is HAR 1.2 (Software is hard, 2012-11-26), as browsers write it: a request without a response has status 0.
Bodies that are not UTF-8 are in base64, with ``encoding``. HAR defines that for responses; in requests, ``replay`` and
some proxies read it. ``_tcop_mock`` says how the request was sent: chunks, segments, cut, kind of credentials (names
with an underscore are for extensions). Credentials are masked.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tcop_mock.domain.contract import CredentialVariant
from tcop_mock.domain.target import MASK
from tcop_mock.domain.verdict import ReproducedRequest
from tcop_mock.reports.json import delivery_document
from tcop_mock.reports.summary import creator_document
from tcop_mock.reports.text import one_line, overall_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.verdict import ClauseResult, Exchange, Finding, Verdict

_MAX_CHARS = 300
_NOT_MEASURED = -1
"""Value of a size that was not measured (HAR 1.2)."""
_HTTP_VERSION = "HTTP/1.1"


def har_document(verdict: Verdict) -> dict[str, Any]:
    """Return the archive of a verdict: the recorded exchanges of each finding, in the order of the clauses."""
    started = verdict.run_info.started_at if verdict.run_info else datetime.fromtimestamp(0, UTC)
    run_started_s = verdict.run_info.started_s if verdict.run_info else 0.0
    entries = [
        _entry(exchange, result, finding, started + timedelta(seconds=exchange.attempt.started_s - run_started_s))
        for result in verdict.results
        for finding in result.findings
        for exchange in finding.exchanges
    ]
    comment = (
        f"Findings of profile {verdict.profile}, seed {verdict.seed}; `tcop-mock replay FILE --to URL` sends them. "
        f"{overall_sentence(verdict, verdict.fail_on)}"
    )
    return {"log": {"version": "1.2", "creator": creator_document(), "entries": entries, "comment": comment}}


def _entry(exchange: Exchange, result: ClauseResult, finding: Finding, started: datetime) -> dict[str, Any]:
    attempt = exchange.attempt
    duration_ms = round(attempt.duration_s * 1000, 3)
    first_byte_s = attempt.started_s if attempt.first_byte_s is None else attempt.first_byte_s
    wait_ms = duration_ms if attempt.first_byte_s is None else round((first_byte_s - attempt.started_s) * 1000, 3)
    return {
        "startedDateTime": started.isoformat(timespec="milliseconds"),
        "time": duration_ms,
        "request": _request_document(exchange),
        "response": _response_document(attempt),
        "cache": {},
        "timings": {"send": 0, "wait": wait_ms, "receive": round(duration_ms - wait_ms, 3)},
        "comment": one_line(f"{result.clause.code} {exchange.case.title}: {attempt.outcome}", _MAX_CHARS),
        "_tcop_mock": {
            "code": result.clause.code,
            "is_alone": len(finding.reproduction.requests) == 1,
            **delivery_document(_reproduced(exchange)),
        },
    }


def _reproduced(exchange: Exchange) -> ReproducedRequest:
    case = exchange.case
    variant = case.credential_variant if exchange.has_credentials else CredentialVariant.NONE
    return ReproducedRequest(exchange.url, case.request, variant, is_asserted=case.is_asserted)


def _request_document(exchange: Exchange) -> dict[str, Any]:
    request, url_parts = exchange.case.request, urlsplit(exchange.url)
    pairs = request.header_fields(url_parts.netloc, keep_alive=request.keep_alive)
    if exchange.has_credentials:
        pairs.append(("Authorization", f"{request.auth_scheme} {MASK}"))
    document = {
        "method": request.method,
        "url": exchange.url,
        "httpVersion": _HTTP_VERSION,
        "cookies": [],
        "headers": _name_value_pairs(pairs),
        "queryString": _name_value_pairs(parse_qsl(url_parts.query, keep_blank_values=True)),
        "headersSize": _NOT_MEASURED,
        "bodySize": len(request.body),
    }
    return document | ({"postData": _post_data(request)} if request.body else {})


def _post_data(request: OutgoingRequest) -> dict[str, Any]:
    content_types = (value for name, value in request.headers if name.lower() == "content-type")
    return {"mimeType": next(content_types, ""), "params": [], **_body_content(request.body)}


def _response_document(attempt: Attempt) -> dict[str, Any]:
    content_types = (value for name, value in attempt.headers if name.lower() == "content-type")
    locations = (value for name, value in attempt.headers if name.lower() == "location")
    status = attempt.status or 0
    return {
        "status": status,
        "statusText": HTTPStatus(status).phrase if status in set(HTTPStatus) else "",
        "httpVersion": _HTTP_VERSION,
        "cookies": [],
        "headers": _name_value_pairs(attempt.headers),
        "content": {"size": len(attempt.body), "mimeType": next(content_types, ""), **_body_content(attempt.body)},
        "redirectURL": next(locations, ""),
        "headersSize": _NOT_MEASURED,
        "bodySize": len(attempt.body),
        "comment": one_line(attempt.detail, _MAX_CHARS),
    }


def _body_content(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), "encoding": "base64"}


def _name_value_pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]
