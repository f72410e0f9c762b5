"""The OpenAPI document of listen's control API."""

from __future__ import annotations

from typing import Any

from tcop_mock._version import __version__
from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli.listen_emit import EMIT_KEYS

_RECORD = "Request"
_CONDITIONS = {
    "service": "Service that answered: webhook, wecom, dingtalk, ...",
    "method": "Method of the request.",
    "path": "Path of the request, without the query.",
    "status": "Status of the response.",
    "shape": "Shape of the callback, such as cvm/basic-monitoring. Bodies of a burst are not validated.",
    "contains": "Text in the body.",
    "where": "PATH=VALUE in the JSON body, such as alarmObjInfo.region=gz. Repeatable.",
    "after": "Number of a request; later ones match.",
}


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
    conditions = [_parameter(name, "string", text) for name, text in _CONDITIONS.items()]
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
            "put": _operation("setFaults", "Replace the faults; their counts begin anew.", "Faults", body="Faults"),
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
