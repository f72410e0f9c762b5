"""The control API of listen: a test in any language waits for callbacks, reads them, and sets faults over HTTP.

Its paths begin with ``/__tcop-mock/``. These requests are neither recorded nor counted, and no fault applies to them.
The OpenAPI document describes it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from tcop_mock._version import __version__
from tcop_mock.callbacks.json_tree import value_at
from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli.listen_emit import EMIT_KEYS
from tcop_mock.errors import TcopMockError, UnknownNameError, UsageError
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import pluralize
from tcop_mock.server.faults import FaultPlan, parse_fault
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tcop_mock.domain.target import Secret
    from tcop_mock.reports.recording import Record
    from tcop_mock.server.messages import Handler

    Parameters: TypeAlias = list[tuple[str, str]]
    EmitCallbacks: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]

_RECORD = "Request"
_CONDITION_TEXTS = {
    "service": "Service that answered: webhook, wecom, dingtalk, ...",
    "method": "Method of the request.",
    "path": "Path of the request, without the query.",
    "status": "Status of the response.",
    "shape": "Shape of the callback, such as cvm/basic-monitoring. Bodies of a burst are not validated.",
    "contains": "Text in the body.",
    "where": "PATH=VALUE in the JSON body, such as alarmObjInfo.region=gz. Repeatable.",
    "after": "Number of a request; later ones match.",
}
CONTROL_PATH = "/__tcop-mock/"
CONTROL_TOKEN_VARIABLE = "TCOP_MOCK_CONTROL_TOKEN"  # noqa: S105 - the name of a variable
_MAX_BYTES = 64 * 1024 * 1024
"""Bodies that are kept for the control API; older requests are dropped."""
_MAX_REQUESTS = 10_000
_DEFAULT_TIMEOUT_S, _MAX_TIMEOUT_S = 5.0, 600.0
_DEFAULT_LIMIT = 1000
_CONDITIONS = ("service", "method", "path", "status", "shape", "contains", "where", "after")
_OPEN_PATHS = frozenset({"readyz", "openapi.json"})
"""Paths that need no token."""
_OWN_SITES = frozenset({"same-origin", "none"})
_Condition: TypeAlias = "Callable[[NumberedRecord], bool]"


def openapi_document() -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control API of tcop-mock listen",
            "version": __version__,
            "description": "All paths begin with /__tcop-mock/. These requests are not recorded, and meet no fault.",
        },
        "security": [{}, {"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The value of --control-token."}
            },
            "schemas": {
                _RECORD: _record_schema(),
                "Requests": _object(
                    {
                        "version": {"const": 1},
                        "count": {"type": "integer", "description": "How many match; the list has the newest."},
                        "error": {"type": "string"},
                        "requests": {"type": "array", "items": _reference(_RECORD)},
                    },
                    ["version", "count", "requests"],
                ),
                "Faults": _object({"faults": {"type": "array", "items": {"type": "string"}}}, ["faults"]),
                "Emit": _emit_schema(),
                "Emitted": {"type": "object"},
                "Error": _object({"version": {"const": 1}, "error": {"type": "string"}}, ["version", "error"]),
            },
        },
    }


def _paths() -> dict[str, Any]:
    conditions = [_parameter(name, "string", text) for name, text in _CONDITION_TEXTS.items()]
    limit = _parameter("limit", "integer", "How many of the newest are listed.", 1000)
    waiting = [
        _parameter("count", "integer", "How many requests must match.", 1),
        _parameter("timeout", "number", "Seconds to wait.", 5),
    ]
    return {
        "/__tcop-mock/readyz": {"get": _operation("readyz", "It listens.", "Ready", needs_token=False)},
        "/__tcop-mock/openapi.json": {"get": _operation("openapi", "This document.", "Emitted", needs_token=False)},
        "/__tcop-mock/requests": {
            "get": _operation("list", "List the requests received.", "Requests", parameters=[limit, *conditions]),
            "delete": _operation("clear", "Drop all requests.", None),
        },
        "/__tcop-mock/wait": {
            "get": _operation(
                "wait",
                "Wait for requests; 408 lists those that came in time.",
                "Requests",
                parameters=[*waiting, *conditions],
                others={"408": "Requests"},
            )
        },
        "/__tcop-mock/faults": {
            "get": _operation("faults", "Return the faults.", "Faults"),
            "put": _operation("setFaults", "Replace the faults; their counts restart.", "Faults", body="Faults"),
            "delete": _operation("removeFaults", "Remove all faults.", None),
        },
        "/__tcop-mock/emit": {
            "post": _operation("emit", "Make callbacks, and deliver them if `to` is given.", "Emitted", body="Emit")
        },
    }


def _operation(  # noqa: PLR0913 - each is one part of an operation
    name: str,
    summary: str,
    result: str | None,
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: str | None = None,
    others: dict[str, str] | None = None,
    needs_token: bool = True,
) -> dict[str, Any]:
    responses = {"200": _response(summary, result)} if result else {"204": {"description": "Done."}}
    responses |= {status: _response(summary, schema) for status, schema in (others or {}).items()}
    if needs_token:
        responses |= {status: _response("The request is refused.", "Error") for status in ("400", "401", "403")}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    return operation


def _response(text: str, schema: str | None) -> dict[str, Any]:
    return {"description": text, "content": _content(schema or "Emitted")}


def _content(schema: str) -> dict[str, Any]:
    inline = _object({"status": {"const": "ready"}}, ["status"])
    return {"application/json": {"schema": inline if schema == "Ready" else _reference(schema)}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameter(name: str, kind: str, text: str, default: float | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind} if default is None else {"type": kind, "default": default}
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _record_schema() -> dict[str, Any]:
    """Return the schema of a recording's line, with the number of the request; its references become inline."""
    schema = read_schema("recording")
    properties = {"number": {"type": "integer"}, **schema["properties"]}
    notes = schema["$defs"]["notes"]
    properties |= {"problems": notes, "deviations": notes}
    return {"type": "object", "required": ["number", *schema["required"]], "properties": properties}


def _emit_schema() -> dict[str, Any]:
    properties = {name: {"type": kind, "description": text} for name, (kind, text) in EMIT_KEYS.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


class ControlError(Exception):
    """A request that the control API refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NumberedRecord(NamedTuple):
    """A request that was received, with its number from 1."""

    number: int
    record: Record

    def to_json(self) -> str:
        """Return the record as JSON."""
        return f'{{"number": {self.number}, {self.record.to_json().strip()[1:]}'


@dataclass(slots=True)
class ReceivedLog:
    """The newest requests, up to a number and a size."""

    records: deque[NumberedRecord] = field(default_factory=deque)
    count: int = 0
    """Number of all requests since the start; clearing does not change it."""
    _bytes: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Keep a request."""
        self.count += 1
        self.records.append(NumberedRecord(self.count, record))
        self._bytes += len(record.request.body)
        while len(self.records) > _MAX_REQUESTS or (self._bytes > _MAX_BYTES and len(self.records) > 1):
            self._bytes -= len(self.records.popleft().record.request.body)

    def notify(self) -> None:
        """Wake up waiting calls."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.set_result(None)

    def clear(self) -> None:
        """Drop all requests."""
        self.records.clear()
        self._bytes = 0

    def matching(self, parameters: Parameters) -> list[NumberedRecord]:
        """Return the requests that meet all conditions, oldest first."""
        conditions = [_CONDITION[name](value) for name, value in parameters if name in _CONDITION]
        return [one for one in self.records if all(condition(one) for condition in conditions)]

    async def wait_for(self, count: int, timeout_s: float, parameters: Parameters) -> list[NumberedRecord]:
        """Wait until a number of requests meet all conditions, and return these requests."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + timeout_s
        while len(found := self.matching(parameters)) < count and (left_s := ends_s - loop.time()) > 0:
            arrived = loop.create_future()
            self._waiting.append(arrived)
            await asyncio.wait({arrived}, timeout=left_s)
        return found


def _where(text: str) -> _Condition:
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise ControlError(HTTPStatus.BAD_REQUEST, f"where={text}: write where=PATH=VALUE, as in where=alarmStatus=0")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value

    def has_value(one: NumberedRecord) -> bool:
        try:
            found = value_at(json.loads(one.record.request.body), path)
        except (ValueError, RecursionError, UnknownNameError):
            return False
        return found in (value, parsed) and type(found) in {str, type(parsed)}

    return has_value


def _after(text: str) -> _Condition:
    number = _number("after", text, int)
    return lambda one: one.number > number


def _path(text: str) -> _Condition:
    return lambda one: one.record.request.path.partition("?")[0] == text


def _contains(text: str) -> _Condition:
    return lambda one: text.encode() in one.record.request.body


def _status(text: str) -> _Condition:
    return lambda one: str(one.record.status) == text


def _shape(text: str) -> _Condition:
    return lambda one: one.record.result is not None and one.record.result.shape == text


_CONDITION: dict[str, Callable[[str], _Condition]] = {
    "service": lambda text: lambda one: one.record.service == text,
    "method": lambda text: lambda one: one.record.request.method == text.upper(),
    "path": _path,
    "status": _status,
    "shape": _shape,
    "contains": _contains,
    "where": _where,
    "after": _after,
}


@dataclass(slots=True)
class ControlApi:
    """Answers the requests below ``CONTROL_PATH``.

    Args:
        host: address at which ``listen`` listens.
        token: token in ``Authorization: Bearer`` of requests; without one, only loopback addresses are served.
        emit: generates callbacks and sends them.
        set_plan: sets the faults of the server.
        seed: seed of the probabilities of faults.
    """

    host: str
    token: Secret | None
    emit: EmitCallbacks
    set_plan: Callable[[FaultPlan], object] = id
    seed: int = 0
    faults: list[str] = field(default_factory=list)
    log: ReceivedLog = field(default_factory=ReceivedLog)

    def before(self, handler: Handler) -> Handler:
        """Return a handler that answers the control API, and leaves all else to another handler."""

        def handle(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
            return self.answer(request) if request.path.startswith(CONTROL_PATH) else handler(request)

        return handle

    async def answer(self, request: ReceivedRequest) -> Reply:
        """Answer one request."""
        parts = urlsplit(request.path)
        name = parts.path.removeprefix(CONTROL_PATH)
        try:
            if name not in _OPEN_PATHS:
                self._require_access(request)
            return await self._dispatch(request.method, name, parts.query, request.body)
        except ControlError as problem:
            return _json_reply(problem.status, {"version": VERSION, "error": str(problem)})
        except TcopMockError as problem:
            return _json_reply(HTTPStatus.BAD_REQUEST, {"version": VERSION, "error": str(problem)})

    def _require_access(self, request: ReceivedRequest) -> None:
        """Refuse web pages, calls without the token, and other names of this machine.

        Raises:
            ControlError: the request is refused.
        """
        if request.header("origin") or request.header("sec-fetch-site") not in {"", *_OWN_SITES}:
            raise ControlError(HTTPStatus.FORBIDDEN, "a web page may not use the control API")
        if self.token is not None:
            scheme, _, given = request.header("authorization").partition(" ")
            is_right = hmac.compare_digest(given.strip().encode(), self.token.reveal().encode())
            if scheme.lower() != "bearer" or not is_right:
                raise ControlError(HTTPStatus.UNAUTHORIZED, "send Authorization: Bearer with the --control-token")
        elif not _is_loopback(self.host):
            raise ControlError(
                HTTPStatus.FORBIDDEN,
                f"listen is open to other machines: start it with --control-token, or set {CONTROL_TOKEN_VARIABLE}",
            )
        elif not _is_loopback(urlsplit(f"//{request.header('host')}").hostname or ""):
            raise ControlError(HTTPStatus.MISDIRECTED_REQUEST, "use a loopback address, such as 127.0.0.1")

    async def _dispatch(self, method: str, name: str, query: str, body: bytes) -> Reply:
        routes: dict[str, dict[str, Callable[[], Awaitable[Reply] | Reply]]] = {
            "readyz": {"GET": lambda: _json_reply(HTTPStatus.OK, {"status": "ready"})},
            "openapi.json": {"GET": lambda: _json_reply(HTTPStatus.OK, openapi_document())},
            "requests": {"GET": lambda: self._list(query), "DELETE": self._clear},
            "wait": {"GET": lambda: self._wait(query)},
            "faults": {"GET": self._faults, "PUT": lambda: self._set_faults(body), "DELETE": self._remove_faults},
            "emit": {"POST": lambda: self._emit(body)},
        }
        if name not in routes:
            names = ", ".join(f"{CONTROL_PATH}{known}" for known in routes)
            raise ControlError(HTTPStatus.NOT_FOUND, f"there is no {CONTROL_PATH}{name}; there are {names}")
        if method not in routes[name]:
            raise ControlError(HTTPStatus.METHOD_NOT_ALLOWED, f"{name} takes {', '.join(routes[name])}")
        reply = routes[name][method]()
        return reply if isinstance(reply, Reply) else await reply

    def _list(self, query: str) -> Reply:
        parameters, own = _parameters(query, {"limit": str(_DEFAULT_LIMIT)})
        found = self.log.matching(parameters)
        return _records_reply(HTTPStatus.OK, found, _number("limit", own["limit"], int))

    async def _wait(self, query: str) -> Reply:
        parameters, own = _parameters(query, {"count": "1", "timeout": str(_DEFAULT_TIMEOUT_S)})
        count = _number("count", own["count"], int)
        timeout_s = min(_number("timeout", own["timeout"].removesuffix("s"), float), _MAX_TIMEOUT_S)
        found = await self.log.wait_for(count, timeout_s, parameters)
        if len(found) >= count:
            return _records_reply(HTTPStatus.OK, found, _DEFAULT_LIMIT)
        expected = f"{pluralize(count, 'request')}{' that match' if parameters else ''}"
        message = f"waited {timeout_s:g} s for {expected}; {len(found)} came, and {len(self.log.records)} in all"
        return _records_reply(HTTPStatus.REQUEST_TIMEOUT, found, _DEFAULT_LIMIT, message)

    def _clear(self) -> Reply:
        self.log.clear()
        return Reply(HTTPStatus.NO_CONTENT)

    def _faults(self) -> Reply:
        return _json_reply(HTTPStatus.OK, {"version": VERSION, "faults": self.faults})

    def _set_faults(self, body: bytes) -> Reply:
        given = _json_object(body, {"faults"}).get("faults")
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise ControlError(HTTPStatus.BAD_REQUEST, 'faults: write {"faults": ["status:503:2"]}')
        self.set_plan(FaultPlan([parse_fault(one, "faults") for one in given], seed=self.seed))
        self.faults = given
        return self._faults()

    def _remove_faults(self) -> Reply:
        self.set_plan(FaultPlan())
        self.faults = []
        return Reply(HTTPStatus.NO_CONTENT)

    async def _emit(self, body: bytes) -> Reply:
        return _json_reply(HTTPStatus.OK, await self.emit(_json_object(body)))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parameters(query: str, own: dict[str, str]) -> tuple[Parameters, dict[str, str]]:
    """Return the conditions of a query, and the values of an operation's own parameters.

    Raises:
        ControlError: a parameter is unknown.
    """
    conditions: Parameters = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in own:
            own[name] = value
        elif name in _CONDITIONS:
            conditions.append((name, value))
        else:
            known = ", ".join((*own, *_CONDITIONS))
            raise ControlError(HTTPStatus.BAD_REQUEST, f"unknown parameter {name!r}; there are {known}")
    return conditions, own


def _number(name: str, text: str, kind: Callable[[str], Any]) -> Any:  # noqa: ANN401 - of the kind that is asked for
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not number >= 0:  # also NaN
        raise ControlError(HTTPStatus.BAD_REQUEST, f"{name}={text}: write a number from 0")
    return number


def _json_object(body: bytes, keys: set[str] | None = None) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ControlError(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
    unknown = sorted(document.keys() - keys) if keys is not None else []
    if unknown:
        raise UsageError(f"unknown key {unknown[0]!r}; there are {', '.join(sorted(keys or ()))}")
    return document


def _json_reply(status: int, document: Mapping[str, Any]) -> Reply:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Reply(status, body + b"\n", (("Content-Type", "application/json"),))


def _records_reply(status: int, found: list[NumberedRecord], limit: int, error: str = "") -> Reply:
    """Return the newest of some requests, oldest first; the number is that of all."""
    members = [f'"version": {VERSION}', f'"count": {len(found)}']
    members += [f'"error": {json.dumps(error)}'] if error else []
    records = ", ".join(one.to_json() for one in found[-limit:]) if limit else ""
    body = f'{{{", ".join(members)}, "requests": [{records}]}}\n'
    return Reply(status, body.encode(), (("Content-Type", "application/json"),))
