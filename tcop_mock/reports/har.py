"""The requests of findings and their answers as an HTTP Archive, which browsers, proxies and API clients import.

HAR 1.2 (Software is hard, 2012-11-26), as written by browsers: what no answer came to has status 0. Bodies that are no
UTF-8 are in base64, told by ``encoding``: in an answer as the format says, in a request as ``replay`` and some proxies
read it. No credentials are in it.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tcop_mock._version import __version__
from tcop_mock.domain.target import MASK
from tcop_mock.reports.summary import TOOL
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.domain.delivery import Attempt, Push
    from tcop_mock.domain.verdict import ClauseResult, Exchange, Verdict

_MOST_CHARS = 300
_UNKNOWN = -1
"""Of a size or a time that was not looked at (HAR 1.2)."""
_VERSION = "HTTP/1.1"


def har_document(verdict: Verdict) -> dict[str, Any]:
    """Return the archive of a verdict: the first few exchanges of each finding, in the order of the clauses."""
    began = verdict.ran.started if verdict.ran else datetime.fromtimestamp(0, UTC)
    zero_s = verdict.ran.started_s if verdict.ran else 0.0
    entries = [
        _entry(exchange, result, began + timedelta(seconds=exchange.attempt.started_s - zero_s))
        for result in verdict.results
        for finding in result.findings
        for exchange in finding.exchanges
    ]
    creator = {"name": TOOL, "version": __version__}
    comment = (
        f"Findings of profile {verdict.profile}, seed {verdict.seed}; `tcop-mock replay FILE --to URL` sends them."
    )
    return {"log": {"version": "1.2", "creator": creator, "entries": entries, "comment": comment}}


def _entry(exchange: Exchange, result: ClauseResult, at: datetime) -> dict[str, Any]:
    attempt = exchange.attempt
    took_ms = round(attempt.duration_s * 1000, 3)
    first_s = attempt.started_s if attempt.first_byte_s is None else attempt.first_byte_s
    waited_ms = took_ms if attempt.first_byte_s is None else round((first_s - attempt.started_s) * 1000, 3)
    return {
        "startedDateTime": at.isoformat(timespec="milliseconds"),
        "time": took_ms,
        "request": _request(exchange),
        "response": _response(attempt),
        "cache": {},
        "timings": {"send": 0, "wait": waited_ms, "receive": round(took_ms - waited_ms, 3)},
        "comment": one_line(f"{result.clause.code} {exchange.case.title}: {attempt.outcome}", _MOST_CHARS),
    }


def _request(exchange: Exchange) -> dict[str, Any]:
    push, parts = exchange.case.push, urlsplit(exchange.url)
    pairs = [("Host", parts.netloc), *push.headers, push.framing]
    if exchange.authorized:
        pairs.append(("Authorization", f"Basic {MASK}"))
    asked = {
        "method": push.method,
        "url": exchange.url,
        "httpVersion": _VERSION,
        "cookies": [],
        "headers": _pairs(pairs),
        "queryString": _pairs(parse_qsl(parts.query, keep_blank_values=True)),
        "headersSize": _UNKNOWN,
        "bodySize": len(push.body),
    }
    return asked | ({"postData": _post_data(push)} if push.body else {})


def _post_data(push: Push) -> dict[str, Any]:
    kinds = (value for name, value in push.headers if name.lower() == "content-type")
    return {"mimeType": next(kinds, ""), "params": [], **_body(push.body)}


def _response(attempt: Attempt) -> dict[str, Any]:
    kinds = (value for name, value in attempt.headers if name.lower() == "content-type")
    places = (value for name, value in attempt.headers if name.lower() == "location")
    status = attempt.status or 0
    return {
        "status": status,
        "statusText": HTTPStatus(status).phrase if status in set(HTTPStatus) else "",
        "httpVersion": _VERSION,
        "cookies": [],
        "headers": _pairs(attempt.headers),
        "content": {"size": len(attempt.body), "mimeType": next(kinds, ""), **_body(attempt.body)},
        "redirectURL": next(places, ""),
        "headersSize": _UNKNOWN,
        "bodySize": len(attempt.body),
        "comment": one_line(attempt.detail, _MOST_CHARS),
    }


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), "encoding": "base64"}


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]
