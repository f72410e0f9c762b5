"""The routes of the page, its HTML, and the files that it loads.

No request names an address to fetch, except in the field of the target, which its user types.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.catalog.profiles import load_profile, load_profiles
from tcop_mock.console.access import AccessMiddleware
from tcop_mock.console.contract_check import CheckSettings
from tcop_mock.console.delivery import BusyError
from tcop_mock.console.detail import body_lines, detail_document, editable_text, notes_by_path
from tcop_mock.console.exchange import tree_of
from tcop_mock.console.ports import Composition, StormOptions
from tcop_mock.console.share import html_document, recording_lines
from tcop_mock.contract.mutators import load_mutators
from tcop_mock.domain.contract import Level
from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.load.scenario import scenario_names
from tcop_mock.reports.formats import render, render_load
from tcop_mock.reports.json import json_line
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Mapping

    from starlette.requests import Request

    from tcop_mock.console.access import Session
    from tcop_mock.console.contract_check import ContractCheck
    from tcop_mock.console.conversation import Conversation
    from tcop_mock.console.delivery import CallbackSender
    from tcop_mock.console.exchange import Exchange
    from tcop_mock.console.ports import CommandLine
    from tcop_mock.console.storm import Storm
    from tcop_mock.domain.shape import Shape

MAX_BODY_BYTES = 1024 * 1024
"""Limit of a body that is sent to the target."""
_MAX_CHARS = 300
_MAX_ITEMS = 50
_MAX_SEED = 2**63
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_MAX_REQUEST_BYTES = 2 * MAX_BODY_BYTES + 65_536
_MAX_STREAMS = 8
_MAX_ATTEMPTS = 10
_MAX_TARGET_CHARS = 2_000
_MAX_COMPOSED = 500
_MAX_DURATION_S = 3_600.0
_MAX_ERROR_CHARS, _MAX_PATH_CHARS = 1_000, 200


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a request. Each method raises ``UsageError`` for a value of another type or size."""

    document: dict[str, Any]

    @classmethod
    def parse(cls, raw: bytes) -> Fields:
        """Parse the body of a request.

        Raises:
            UsageError: it is not a JSON object.
        """
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise UsageError("the request is not a JSON object")
        return cls(document)

    def text(self, name: str, default: str = "", *, limit: int = _MAX_CHARS) -> str:
        """Return a text."""
        value = self.document.get(name, default)
        if not isinstance(value, str) or len(value) > limit:
            raise UsageError(f"{name} must be a text of at most {limit} characters")
        return value

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """Return one of some texts."""
        value = self.text(name, default)
        if value not in allowed:
            raise UsageError(f"{name} must be {', '.join(allowed)}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.document.get(name, default)
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be true or false")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Return a number in a range."""
        value = self.document.get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not low <= value <= high:
            raise UsageError(f"{name} must be a number from {low:g} to {high:g}")
        return float(value)

    def integer(self, name: str, default: int, low: int, high: int = _MAX_SEED) -> int:
        """Return an integer in a range."""
        value = self.document.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UsageError(f"{name} must be an integer from {low} to {high}")
        return value

    def texts(self, name: str, *, limit: int = _MAX_CHARS) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.document.get(name, [])
        is_list = isinstance(value, list) and len(value) <= _MAX_ITEMS
        if not is_list or not all(isinstance(one, str) and len(one) <= limit for one in value):
            raise UsageError(f"{name} must be a list of at most {_MAX_ITEMS} texts of at most {limit} characters")
        return tuple(value)

    def body(self) -> bytes:
        """Return the body to send: the text ``body``, or the bytes of ``body_base64``."""
        if "body_base64" in self.document:
            encoded = self.text("body_base64", limit=2 * MAX_BODY_BYTES)
            try:
                body = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise UsageError("body_base64 is not base64") from None
        else:
            try:
                body = self.text("body", limit=MAX_BODY_BYTES).encode()
            except UnicodeEncodeError:
                raise UsageError("half a surrogate pair cannot be sent, because bodies are UTF-8") from None
        if not body or len(body) > MAX_BODY_BYTES:
            raise UsageError(f"a body has 1 to {MAX_BODY_BYTES} bytes")
        return body


class Asset(NamedTuple):
    """A file of the page."""

    content: bytes
    media_type: str


def read_assets() -> dict[str, Asset]:
    """Return the scripts, styles and pictures of the page by name."""
    folder = files("tcop_mock.console") / "static"
    return {
        file.name: Asset(file.read_bytes(), f"{_TYPES[file.name.rpartition('.')[2]]}; charset=utf-8")
        for file in folder.iterdir()
    }


def render_page(**values: str) -> str:
    """Return the page; every value is escaped."""
    template = (files("tcop_mock.console") / "templates" / "page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template).render(values)


class _NoSuchExchangeError(UsageError):
    """The exchange does not exist, or is not kept any more."""


_STATUSES: Mapping[type[TcopMockError], int] = {
    BusyError: HTTPStatus.TOO_MANY_REQUESTS,
    _NoSuchExchangeError: HTTPStatus.NOT_FOUND,
}


@dataclass(kw_only=True)
class ConsoleApp:
    """The page and its routes.

    Args:
        session: access control.
        conversation: the exchanges.
        sender: delivers callbacks.
        check: runs the contract.
        storm: runs scenarios.
        commands: the functions of the command line.
        profile: name of the profile that is chosen first.
        seed: the first seed.
        receiver_url: address of our receiver; empty if there is none.
    """

    session: Session
    conversation: Conversation
    sender: CallbackSender
    check: ContractCheck
    storm: Storm
    commands: CommandLine
    profile: str
    seed: int
    receiver_url: str = ""
    assets: Mapping[str, Asset] = field(default_factory=read_assets)
    _composed: OrderedDict[bytes, str] = field(default_factory=OrderedDict)
    """Commands that print bodies, by the hash of the body."""
    _streams: int = 0
    was_opened: bool = False
    """Whether a browser has shown it."""

    @property
    def is_open(self) -> bool:
        """Whether a browser shows it."""
        return self._streams > 0

    def asgi(self) -> AccessMiddleware:
        """Return the ASGI app."""
        get, post = self._reading, self._changing
        routes = [
            Route("/", self._page),
            Route("/static/{name}", self._asset),
            Route("/events", self._events),
            get("/api/state", lambda _: self._state()),
            get("/api/catalog", lambda _: self._catalog),
            get("/api/exchanges/{number:int}", self._detail),
            Route("/api/exchanges/{number:int}/body", self._body_file),
            Route("/export/recording.jsonl", self._recording_file),
            Route("/export/conversation.html", self._html_file),
            Route("/api/check/report.{format_name}", self._check_report),
            Route("/api/storm/report.{format_name}", self._storm_report),
            post("/api/target", self._set_target),
            post("/api/compose", self._compose),
            post("/api/inspect", self._inspect),
            post("/api/edit", self._edit),
            post("/api/send", self._send),
            post("/api/exchanges/{number:int}/send", self._send_again),
            post("/api/check", self._start_check),
            post("/api/check/again", self._resend_finding),
            post("/api/storm", self._start_storm),
            Route("/api/check/stop", self._stop_check, methods=["POST"]),
            Route("/api/storm/stop", self._stop_storm, methods=["POST"]),
        ]
        return AccessMiddleware(Starlette(routes=routes), self.session)

    async def close(self) -> None:
        """Stop running work, and end the streams. A run of a command continues."""
        self.check.follow(None)
        self.storm.follow(None)
        await self.check.stop()
        await self.storm.stop()
        await self.sender.close()
        self.conversation.close()

    def _reading(self, path: str, document: Callable[[Request], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return _json(document(request))
            except TcopMockError as problem:
                return _error(problem)

        return Route(path, endpoint)

    def _changing(self, path: str, change: Callable[[Request, Fields], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = bytearray()
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > _MAX_REQUEST_BYTES:
                    return _text_error("the request is too long", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            try:
                return _json(change(request, Fields.parse(bytes(raw))))
            except TcopMockError as problem:
                return _error(problem)

        return Route(path, endpoint, methods=["POST"])

    async def _page(self, _request: Request) -> Response:
        page = render_page(token=self.session.token)
        return Response(page, media_type="text/html")

    async def _asset(self, request: Request) -> Response:
        asset = self.assets.get(request.path_params["name"])
        if asset is None:
            return _text_error("there is no such file", HTTPStatus.NOT_FOUND)
        return Response(asset.content, headers={"Content-Type": asset.media_type})

    async def _events(self, request: Request) -> Response:
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        if self._streams >= _MAX_STREAMS:
            return _text_error(f"{_MAX_STREAMS} pages are open: close one", HTTPStatus.SERVICE_UNAVAILABLE)
        number = int(after) if after.isascii() and after.isdecimal() and len(after) < 16 else -1  # noqa: PLR2004 - digits
        return StreamingResponse(self._stream(number), media_type="text/event-stream")

    async def _stream(self, after: int) -> AsyncGenerator[bytes]:
        self._streams += 1
        self.was_opened = True
        try:
            async for part in self.conversation.stream(after):
                yield part
        finally:
            self._streams -= 1

    def _state(self) -> dict[str, Any]:
        target = self.sender.setting.target
        return {
            "event": self.conversation.last_event,
            "now": self.conversation.now_s(),
            "target": str(target) if target else "",
            "receiver": self.receiver_url,
            "profile": self.profile,
            "seed": self.seed,
            "exchanges": [one.summary() for one in self.conversation],
            "check": self.check.document(),
            "storm": self.storm.document(),
        }

    @cached_property
    def _catalog(self) -> dict[str, Any]:
        return {
            "shapes": [_shape_document(shape) for shape in self.commands.catalog],
            "profiles": [profile.name for profile in load_profiles()],
            "mutators": [{"name": one.name, "clause": one.clause} for one in load_mutators().values()],
            "scenarios": list(scenario_names()),
        }

    def _detail(self, request: Request) -> dict[str, Any]:
        exchange = self._exchange(request)
        rules = load_profile(exchange.profile or self.profile).delivery
        return detail_document(
            exchange,
            self.conversation,
            self.commands.catalog,
            self.sender.setting.target,
            rules,
        )

    async def _body_file(self, request: Request) -> Response:
        try:
            exchange = self._exchange(request)
        except UsageError as problem:
            return _error(problem)
        return _file(exchange.body, f"callback-{exchange.number}.json")

    async def _recording_file(self, _request: Request) -> Response:
        return _file(b"".join(recording_lines(self.conversation)), "conversation.jsonl")

    async def _html_file(self, _request: Request) -> Response:
        return _file(html_document(self.conversation, self._state()["target"]).encode(), "conversation.html")

    async def _check_report(self, request: Request) -> Response:
        verdict, name = self.check.verdict, request.path_params["format_name"]
        if verdict is None or name not in {"html", "json"}:
            return _text_error("there is no report yet", HTTPStatus.NOT_FOUND)
        return _file(render(name, verdict, fail_on=verdict.fail_on), f"contract.{name}")

    async def _storm_report(self, request: Request) -> Response:
        result, name = self.storm.result, request.path_params["format_name"]
        if result is None or name not in {"html", "json"}:
            return _text_error("there is no report yet", HTTPStatus.NOT_FOUND)
        return _file(render_load(name, result), f"storm.{name}")

    def _set_target(self, _request: Request, fields: Fields) -> dict[str, Any]:
        self.sender.setting.set(fields.text("url", limit=_MAX_TARGET_CHARS))
        document = {"target": str(self.sender.setting.target)}
        self.conversation.publish("target", document)
        return document

    def _compose(self, _request: Request, fields: Fields) -> dict[str, Any]:
        composition = Composition(
            shape=fields.text("shape"),
            seed=fields.integer("seed", self.seed, 0),
            state=fields.text("state", "firing"),
            repeats=fields.integer("repeats", 0, 0, 1_000),
            metric=fields.text("metric"),
            event=fields.text("event"),
            form=fields.text("form", "documented"),
            lang=fields.text("lang", "en"),
            profile=fields.text("profile", self.profile),
            notify=fields.text("notify", "continuous:5m"),
            mutate=fields.text("mutate"),
        )
        body, command = self.commands.compose(composition)
        self._composed[_hash(body)] = command
        if len(self._composed) > _MAX_COMPOSED:
            self._composed.popitem(last=False)
        return self._inspected(body) | {"command": command}

    def _inspect(self, _request: Request, fields: Fields) -> dict[str, Any]:
        return self._inspected(fields.body())

    def _edit(self, _request: Request, fields: Fields) -> dict[str, Any]:
        sets, removals = fields.texts("sets", limit=MAX_BODY_BYTES), fields.texts("unset")
        return self._inspected(self.commands.edit(fields.body(), sets, removals))

    def _inspected(self, body: bytes) -> dict[str, Any]:
        """Return the result of ``validate`` for a body, and the body as text for an editor."""
        result = self.sender.validator.validate(body)
        tree = tree_of(body)
        notes = notes_by_path(result)
        places = ((one_line(path, _MAX_PATH_CHARS), found) for path, found in notes.items())
        return {
            "text": editable_text(body),
            "base64": base64.b64encode(body).decode(),
            "size": len(body),
            "shape": result.shape,
            "kind": result.kind,
            "valid": result.is_valid,
            "notes": [{**note, "path": path} for path, found in places for note in found],
            **({"lines": body_lines(tree, body, notes)["lines"]} if editable_text(body) is None else {}),
        }

    def _send(self, _request: Request, fields: Fields) -> dict[str, Any]:
        return self._deliver(fields, fields.body())

    def _send_again(self, request: Request, fields: Fields) -> dict[str, Any]:
        return self._deliver(fields, self._exchange(request).body)

    def _deliver(self, fields: Fields, body: bytes) -> dict[str, Any]:
        attempts = fields.integer("attempts", 0, 0, _MAX_ATTEMPTS)
        exchange = self.sender.send(
            body,
            profile=fields.text("profile", self.profile),
            attempts=attempts or None,
            time_scale=fields.number("time_scale", 1.0, 0.0, 1.0),
            origin=self._composed.get(_hash(body), ""),
        )
        return {"id": exchange.number}

    def _start_check(self, _request: Request, fields: Fields) -> dict[str, Any]:
        settings = CheckSettings(
            fields.texts("clauses"),
            fields.text("profile", self.profile),
            fields.integer("seed", self.seed, 0),
            fields.choice("fail_on", "must", tuple(Level)),
            has_effects=fields.flag("effects", default=True),
        )
        self.check.start(settings)
        return self.check.document()

    def _resend_finding(self, _request: Request, fields: Fields) -> dict[str, Any]:
        number = fields.integer("finding", 0, 0, 1_000)
        return {"sent": self.check.resend_finding(fields.text("code"), number, self.sender)}

    async def _stop_check(self, _request: Request) -> Response:
        await self.check.stop()
        return _json({})

    def _start_storm(self, _request: Request, fields: Fields) -> dict[str, Any]:
        scenario = fields.text("scenario")
        if scenario not in scenario_names():  # an unknown name would be read as a file
            raise UsageError(f"unknown scenario; write {', '.join(scenario_names())}")
        options = StormOptions(
            scenario,
            fields.integer("seed", self.seed, 0),
            fields.number("time_scale", 1.0, 0.0001, 10.0),
            fields.number("duration", 60.0, 1.0, _MAX_DURATION_S),
            fields.text("profile", self.profile),
        )
        self.storm.start(options)
        return self.storm.document()

    async def _stop_storm(self, _request: Request) -> Response:
        await self.storm.stop()
        return _json({})

    def _exchange(self, request: Request) -> Exchange:
        number = request.path_params["number"]
        exchange = self.conversation.get(number)
        if exchange is None:
            raise _NoSuchExchangeError(f"#{number} is not kept any more")
        return exchange


def _error(problem: TcopMockError) -> Response:
    return _text_error(str(problem), _STATUSES.get(type(problem), HTTPStatus.UNPROCESSABLE_ENTITY))


def _text_error(text: str, status: int) -> Response:
    return _json({"error": one_line(text, _MAX_ERROR_CHARS)}, status)


def _json(document: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    """Return a document; control characters in it are JSON escapes."""
    return Response(json_line(document), status, media_type="application/json")


def _file(content: bytes, name: str) -> Response:
    """Return a file to save: a browser never shows it as a page of this site."""
    return Response(
        content,
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _shape_document(shape: Shape) -> dict[str, Any]:
    return {
        "id": shape.id,
        "title": shape.title.en,
        "title_zh": shape.title.zh,
        "kind": shape.kind.value,
        "forms": [form.value for form in forms_of(shape)],
        "resolves": shape.can_resolve,
        "metrics": [[one.name, one.show_name.en, one.show_name.zh] for one in shape.metrics],
        "events": [[one.name, one.show_name.en, one.show_name.zh] for one in shape.events],
    }
