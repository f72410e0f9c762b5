"""A request or a body of a user's file, and its changes before it is sent again."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.json_tree import with_value, without_value
from tcop_mock.callbacks.strict_json import MAX_BYTES, Issue, ParsedBody, parse_body
from tcop_mock.domain.callback import encode_json
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import MASK, is_secret_header
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tcop_mock.domain.target import Credentials
    from tcop_mock.domain.verdict import ReproducedRequest

_CONNECTION_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "connection",
        "transfer-encoding",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "accept-encoding",
        "keep-alive",
        "proxy-connection",
    }
)
"""Headers of the connection, which the new connection sets itself."""
_PLAIN_ENCODINGS = frozenset({"", "identity"})
_ZLIB_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_GZIP_MAGIC = b"\x1f\x8b"
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/")
_FORM = re.compile(rb"[\w.%+-]{1,100}=[^\n{}\[\]]*\Z")
_CREDENTIAL = re.compile(
    rb"(?:authori[sz]ation|cookie|bearer|token|secret|passw(?:or)?d|credential|api[-_]?key)\W{0,4}[:= ]", re.IGNORECASE
)
_HTTP_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TIME = re.compile(rb'("(?:firstOccurTime|recoverTime)"\s*:\s*")(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(")')
_DURATION = re.compile(rb'"durationTime"\s*:\s*"?(\d{1,9})')
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_FIRST_YEAR = 1000
"""The first year that has four digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRequest:
    """One request, or one body without a request."""

    location: str
    """``line 3``, ``item 2``, ``request 1``, ``entry 4``, ``command 1``; empty where the body is all there is."""
    body: bytes
    """As it is sent."""
    parsed: ParsedBody
    """The body as JSON, with the problems of the request around it."""
    method: str = "POST"
    url: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers, without those of the connection and without secrets."""
    secret_headers: tuple[str, ...] = ()
    """Names of the headers that were left out because they hold secrets."""
    received_at: datetime | None = None
    """Time of its receipt, if the file has it."""
    problem: str = ""
    """Why it cannot be sent as it was; empty where it can."""
    reproduced: ReproducedRequest | None = None
    """The request of a finding; it is sent as ``check`` sent it."""
    is_list_item: bool = False
    """Whether it is an item of a JSON list, which TCOP never posts."""

    def to_outgoing(self, credentials: Credentials | None) -> OutgoingRequest:
        """Return the request to send, with credentials for its new target.

        Raises:
            UsageError: the method or a header is not valid in HTTP.
        """
        if self.reproduced:
            return replace(self.reproduced.request, credentials=credentials)
        return OutgoingRequest(self.body, method=self.method, headers=self.headers, credentials=credentials)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedInput:
    """A part of a file that is not a request to a receiver of callbacks."""

    location: str
    reason: str

    def __str__(self) -> str:
        return f"{self.location} was skipped: {self.reason}"


InputItem = InputRequest | SkippedInput


def body_alone(location: str, body: bytes, parsed: ParsedBody, problem: str = "") -> InputRequest:
    """Return a body that no request is around."""
    return InputRequest(location=location, body=body, parsed=parsed, problem=problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """A request as a user's file holds it."""

    location: str
    """Its place in the file, for messages."""
    body: bytes
    """Compressed if there is a ``Content-Encoding`` and nothing has decompressed it."""
    method: str
    url: str
    """Address or request target."""
    headers: Sequence[tuple[str, str]]
    """All headers in the file."""
    received_at: datetime | None = None
    problem: str = ""
    """Why it is incomplete."""

    def header(self, name: str) -> str:
        """Return the first value of a header, by its name in lower case; empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def recorded_request(source: SourceRequest) -> InputRequest:
    """Return a request that tcop-mock recorded; a form may be sent again."""
    return _build_request(source, _decode_body(source), source.problem)


def imported_request(source: SourceRequest) -> InputRequest:
    """Return a request of another tool; a form is not sent again, nor is text with a credential."""
    decoded = _decode_body(source)
    return _build_request(source, decoded, source.problem or _unsafe_content(source, decoded))


def captured_request(source: SourceRequest) -> InputRequest:
    """Return a request of another tool that saves all headers, so that a missing one was not sent."""
    request = imported_request(source)
    content_type = source.header("content-type")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        return request
    deviation = Issue("", f"has the Content-Type {content_type or 'none'}; application/json was observed")
    return replace(request, parsed=request.parsed._replace(deviations=(deviation, *request.parsed.deviations)))


class _DecodedBody(NamedTuple):
    """A body without its content encoding."""

    content: bytes
    parsed: ParsedBody
    issue: str = ""
    """What is wrong with the encoding."""
    was_decoded: bool = False
    """Whether the file has the body without the encoding that its header names."""


def _build_request(source: SourceRequest, decoded: _DecodedBody, problem: str) -> InputRequest:
    """Return a request without headers of its old connection and without secrets."""
    parsed = decoded.parsed
    problems: list[Issue] = []
    if source.method != "POST":
        problems.append(Issue("", f"was sent by {source.method}; callbacks are sent by POST"))
    if source.problem:
        problems.append(Issue("", source.problem))
    if decoded.issue and not parsed.is_json:
        problems.append(Issue("", decoded.issue))
    if source.body or not problem:
        problems.extend(parsed.problems)
    deviations = parsed.deviations
    if decoded.issue and parsed.is_json:
        deviations = (Issue("", decoded.issue), *deviations)
    dropped = _CONNECTION_HEADERS | {"content-encoding"} if decoded.was_decoded else _CONNECTION_HEADERS
    headers = [
        (name, value)
        for name, value in source.headers
        if _HTTP_TOKEN.fullmatch(name) and name.lower() not in dropped and value != MASK
    ]
    return InputRequest(
        location=source.location,
        body=source.body,
        parsed=parsed._replace(problems=tuple(problems), deviations=deviations),
        method=source.method,
        url=source.url,
        headers=tuple((name, value) for name, value in headers if not is_secret_header(name)),
        secret_headers=tuple(name for name, _ in headers if is_secret_header(name)),
        received_at=source.received_at,
        problem=problem,
    )


def _unsafe_content(source: SourceRequest, decoded: _DecodedBody) -> str:
    """Return why a body should not be sent to another receiver; empty if it may be."""
    if decoded.parsed.is_json:
        return ""
    content_type = source.header("content-type")
    is_form = content_type.lower().startswith(_FORM_TYPES) or (not content_type and _FORM.match(decoded.content))
    if is_form:
        return "is a form, not JSON, and was left out"
    if _CREDENTIAL.search(decoded.content):
        return "is not JSON and holds what looks like a credential, and was left out"
    return ""


def _decode_body(source: SourceRequest) -> _DecodedBody:
    body = source.body
    parsed = parse_body(body)
    encoding = source.header("content-encoding").strip().lower()
    if encoding in _PLAIN_ENCODINGS:
        return _DecodedBody(body, parsed)
    note = f"has the Content-Encoding {encoding}, which callbacks do not have"
    if parsed.is_json:
        return _DecodedBody(body, parsed, f"{note}; the body was decoded before it was saved", was_decoded=True)
    window = _ZLIB_WINDOWS.get(encoding)
    if window and (body.startswith(_GZIP_MAGIC) or encoding == "deflate"):
        decompressor = zlib.decompressobj(window)
        with contextlib.suppress(zlib.error):
            content = decompressor.decompress(body, MAX_BYTES + 1)
            if decompressor.eof or len(content) > MAX_BYTES:
                return _DecodedBody(content, parse_body(content), note)
    return _DecodedBody(body, parsed, f"{note}; decode it first")


def apply_edits(body: bytes, edits: Sequence[tuple[str, Any]], removals: Sequence[str], where: str) -> bytes:
    """Return a body with other values at paths, and without some; written compactly, as captured callbacks are.

    Raises:
        UsageError: the body is not a JSON object, or has no such path.
    """
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise UsageError(f"{where} is not a JSON object: --set and --unset change values by path")
    for path, value in edits:
        tree = with_value(tree, path, value)
    for path in removals:
        tree = without_value(tree, path)
    return encode_json(tree)


def shift_times(bodies: Iterable[bytes], now: datetime) -> tuple[list[bytes], int]:
    """Return bodies as if the first were sent now, and how many times could not be moved and stay.

    All other times keep their distance from the first; all other bytes stay.

    Args:
        bodies: of callbacks; one without a time stays.
        now: Beijing time (UTC+8) without offset, as TCOP writes it.
    """
    originals = list(bodies)
    sent_at = next((time for time in map(_sent_at, originals) if time), None)
    if sent_at is None:
        return originals, 0
    shift = timedelta(seconds=round((now - sent_at).total_seconds()))
    unmoved = 0

    def shifted(match: re.Match[bytes]) -> bytes:
        nonlocal unmoved
        time = _parse_time(match[2])
        try:
            moved = time + shift if time else None
        except OverflowError:
            moved = None
        if moved is None or moved.year < _FIRST_YEAR:
            unmoved += 1
            return match[0]
        return match[1] + moved.strftime(_TIME_FORMAT).encode() + match[3]

    return [_TIME.sub(shifted, body) for body in originals], unmoved


def _sent_at(body: bytes) -> datetime | None:
    """Return when a callback was sent: at its recovery, or its duration after its first occurrence."""
    times = {match[1].split(b'"')[1]: _parse_time(match[2]) for match in _TIME.finditer(body)}
    recovered_at, first_occurred_at = times.get(b"recoverTime"), times.get(b"firstOccurTime")
    if recovered_at or not first_occurred_at:
        return recovered_at
    duration = _DURATION.search(body)
    try:
        return first_occurred_at + timedelta(seconds=int(duration[1]) if duration else 0)
    except OverflowError:
        return None


def _parse_time(text: bytes) -> datetime | None:
    try:
        return datetime.strptime(text.decode(), _TIME_FORMAT)  # noqa: DTZ007 - Beijing time without offset
    except ValueError:
        return None
