"""Faults of our receiver: their syntax ``NAME[:ARG][:WHEN]``, their plan, and the server that injects them."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.sampling import SeededRandom
from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.server.plain_connection import RequestHeads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from tcop_mock.server.http_server import ByteWriter
    from tcop_mock.server.messages import Handler


_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}

_TIME = r"(?:\d+(?:\.\d+)?|\.\d+)(?:ms|s|m|h)"

_TRIGGER = re.compile(
    rf"(?P<first>\d+)|(?P<share>\d*\.\d+)|#(?P<one>\d+)(?:-(?P<last>\d+))?|%(?P<each>\d+)|@(?P<at>{_TIME})-(?P<to>{_TIME})"
)

_COMMENT = re.compile(r"(?:^|\s)#.*")

_PROBABILITY_STEPS = 1 << 32

_NO_FAULT = "ok"

_SYNTAX_HINT = (
    "write NAME[:ARG][:WHEN]; WHEN is 3 (the first three), 0.1 (each with that probability), #2 or #2-5 (the second, "
    "to the fifth), %4 (every fourth) or @10s-30s (this long after the start)"
)


@dataclass(frozen=True, slots=True)
class FaultTrigger:
    """Requests that get a fault; without any limit, all of them."""

    numbers: range = range(1, 1 << 62)
    """Numbers of the requests, from 1."""
    probability: float = 1.0
    """Probability for each request."""
    time_window_s: tuple[float, float] | None = None
    """Start and end of the period in seconds after the server's start."""

    @property
    def is_count(self) -> bool:
        """Whether it applies to the first N requests, or to all."""
        return self.numbers.start == self.numbers.step == self.probability == 1 and self.time_window_s is None

    def applies(self, number: int, at_s: float, random_value: float) -> bool:
        """Return whether it applies to this request; ``random_value`` is a random number from 0 to 1."""
        is_in_window = self.time_window_s is None or self.time_window_s[0] <= at_s < self.time_window_s[1]
        return number in self.numbers and is_in_window and random_value < self.probability


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    name: str
    argument: float | str = ""
    """Seconds, a status, bytes or a location, depending on the name."""
    trigger: FaultTrigger = FaultTrigger()
    text: str = ""
    """The text of the fault without WHEN."""


class FaultPlan:
    """Chooses the fault of each request.

    Args:
        faults: the first applicable one is injected.
        script: faults of the first requests, in order (``None``: no fault); ``faults`` apply after them.
        seed: seed of the probabilities: the same seed chooses the same requests.
    """

    def __init__(self, faults: Sequence[Fault] = (), script: Sequence[Fault | None] = (), seed: int = 0) -> None:
        self._faults, self._script, self._seed = faults, script, seed

    @property
    def is_empty(self) -> bool:
        """Whether no request has a fault."""
        return not (self._faults or self._script)

    def choose(self, number: int, at_s: float) -> Fault | None:
        """Return the fault of a request, if any.

        Args:
            number: number of the request, from 1.
            at_s: seconds since the start.
        """
        if number <= len(self._script):
            return self._script[number - 1]
        for index, fault in enumerate(self._faults):
            random_value = (
                SeededRandom("fault", self._seed, index, number).randbelow(_PROBABILITY_STEPS) / _PROBABILITY_STEPS
            )
            if fault.trigger.applies(number, at_s, random_value):
                return fault
        return None


def parse_fault(text: str, where: str = "--fault") -> Fault:
    """Parse ``NAME[:ARG][:WHEN]``.

    Args:
        text: text of the user.
        where: its origin, for error messages.

    Raises:
        UsageError: unknown fault, or invalid argument.
    """
    name, *rest = text.strip().split(":")
    if name not in FAULTS:
        suggestions = did_you_mean(name, FAULTS)
        hint = f"; did you mean {suggestions}?" if suggestions else f"; one of {', '.join(FAULTS)}"
        raise UsageError(f"{where} {text!r}: unknown fault {name!r}{hint}")
    spec = FAULTS[name]
    trigger = _TRIGGER.fullmatch(rest[-1]) if len(rest) > spec.needs_argument else None
    arguments = rest[:-1] if trigger else rest
    argument = ":".join(arguments)
    try:
        value = spec.parse(argument) if arguments or spec.needs_argument else spec.default
        return Fault(name, value, _parse_trigger(trigger), f"{name}:{argument}" if argument else name)
    except ValueError:
        raise UsageError(f"{where} {text!r}: {spec.hint}; {_SYNTAX_HINT}") from None


def parse_script(text: str, where: str) -> list[Fault | None]:
    """Parse a script: a line for each request, ``ok`` or a fault; ``:N`` at its end for N requests; ``#`` comments.

    Raises:
        UsageError: a line is invalid; names the line.
    """
    script: list[Fault | None] = []
    for number, line in enumerate(text.splitlines(), start=1):
        entry = _COMMENT.sub("", line).strip()
        if not entry:
            continue
        location = f"{where}, line {number}:"
        name, _, count = entry.partition(":")
        if name == _NO_FAULT:
            if count and not count.isdecimal():
                raise UsageError(f"{location} {entry!r}: write ok, or ok:N for N requests")
            script += [None] * int(count or 1)
            continue
        fault = parse_fault(entry, location)
        if not fault.trigger.is_count:
            raise UsageError(f"{location} {entry!r}: in a script a fault can only end in :N, for N requests")
        script += [fault] * (1 if fault.trigger == FaultTrigger() else len(fault.trigger.numbers))
    return script


def _parse_trigger(match: re.Match[str] | None) -> FaultTrigger:
    if match is None:
        return FaultTrigger()
    first, probability, start, end, step = match.group("first", "share", "one", "last", "each")
    if probability:
        return FaultTrigger(probability=float(probability))
    if match["at"]:
        return FaultTrigger(time_window_s=(_parse_seconds(match["at"]), _parse_seconds(match["to"])))
    numbers = FaultTrigger().numbers
    if first:
        numbers = range(1, int(first) + 1)
    elif start:
        numbers = range(int(start), int(end or start) + 1)
    else:
        numbers = range(int(step), numbers.stop, int(step))  # ValueError: every 0th
    if not numbers or not numbers.start:
        raise ValueError
    return FaultTrigger(numbers)


def _parse_seconds(text: str) -> float:
    """Return the seconds of a duration, or raise ``ValueError``."""
    number = text.rstrip("msh")
    return float(number) * _UNITS_S.get(text.removeprefix(number), float("nan"))


def _parse_duration(text: str) -> float:
    seconds = _parse_seconds(text)
    if not seconds > 0:  # also rejects NaN
        raise ValueError
    return seconds


def _parse_duration_with_unit(text: str) -> float:
    if text[-1:].isdecimal():
        raise ValueError
    return _parse_duration(text)


def _parse_status(text: str) -> float:
    if not re.fullmatch("[2-5][0-9][0-9]", text):
        raise ValueError
    return float(text)


def _parse_location(text: str) -> str:
    if not re.fullmatch(r"(https?://[^/\s]+)?/[!-~]*", text):
        raise ValueError
    return text


def _parse_offset(text: str) -> float:
    if not re.fullmatch(r"[+-]\d{1,6}", text):
        raise ValueError
    return float(text)


def _reject_argument(_text: str) -> str:
    raise ValueError


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """Syntax of a fault."""

    parse: Callable[[str], float | str]
    default: float | str
    hint: str
    needs_argument: bool = False


_NO_ARGUMENT_HINT = "this fault has no argument"

_DRIP_INTERVAL_S = 0.1

FAULTS: dict[str, FaultSpec] = {
    "status": FaultSpec(_parse_status, "", "write a status, as in status:503", needs_argument=True),
    "delay": FaultSpec(_parse_duration, "", "write a duration, as in delay:6s", needs_argument=True),
    "delay-headers": FaultSpec(_parse_duration, "", "write a duration, as in delay-headers:6s", needs_argument=True),
    "drip-headers": FaultSpec(
        _parse_duration_with_unit, _DRIP_INTERVAL_S, "the time between bytes needs a unit: drip-headers:100ms"
    ),
    "drip-body": FaultSpec(
        _parse_duration_with_unit, _DRIP_INTERVAL_S, "the time between bytes needs a unit: drip-body:100ms"
    ),
    "endless-body": FaultSpec(_reject_argument, "", _NO_ARGUMENT_HINT),
    "reset": FaultSpec(_reject_argument, "", _NO_ARGUMENT_HINT),
    "reset-after-request": FaultSpec(_reject_argument, "", _NO_ARGUMENT_HINT),
    "empty": FaultSpec(_reject_argument, "", _NO_ARGUMENT_HINT),
    "garbage": FaultSpec(_reject_argument, "", _NO_ARGUMENT_HINT),
    "redirect": FaultSpec(_parse_location, "/elsewhere", "write a path or a URL, as in redirect:/elsewhere"),
    "401": FaultSpec(_reject_argument, "", _NO_ARGUMENT_HINT),
    "wrong-length": FaultSpec(_parse_offset, 10.0, "write how many bytes to add or remove, as in wrong-length:-5"),
}

"""Syntax of all faults by name."""


NO_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

"""Socket option that makes close() send RST instead of FIN."""

RAW_REPLIES = {"reset-after-request": b"", "empty": b"", "garbage": b"\x15\x03\x03 this is not HTTP\r\n\r\n"}

"""Faults without an HTTP response, and the bytes that are sent instead."""

RESET_FAULTS = frozenset({"reset", "reset-after-request"})

"""Faults that end with RST."""

HANG_UP_FAULTS = frozenset({"empty", "garbage", "endless-body", "wrong-length"})

"""Faults after which the connection is closed, whatever the headers are."""

_LINE_END = b"\r\n"

_HEAD_END = b"\r\n\r\n"

_CONTENT_LENGTH = re.compile(rb"Content-Length: \d+", re.IGNORECASE)

_PADDED_BODY_BYTES = 120

"""Minimum length of bodies that are dripped or cut; padded with blanks, which JSON and text allow at the end."""

_CHUNK = b"400\r\n" + b" " * 0x400 + b"\r\n"

_CHUNK_INTERVAL_S = 0.01

_MAX_CHUNKS = 60_000

_RETRY_AFTER_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def replacement_reply(fault: Fault) -> Reply | None:
    """Return the reply that a fault sends instead of the handler's, or ``None``."""
    if fault.name == "status":
        status = int(fault.argument)
        retry_after = (("Retry-After", "1"),) if status in _RETRY_AFTER_STATUSES else ()
        return Reply(status, b"" if status == HTTPStatus.NO_CONTENT else b"requested by --fault\n", retry_after)
    if fault.name == "redirect":
        return Reply(HTTPStatus.TEMPORARY_REDIRECT, headers=(("Location", str(fault.argument)),))
    if fault.name == "401":
        return Reply(HTTPStatus.UNAUTHORIZED, headers=(("WWW-Authenticate", 'Basic realm="alarms"'),))
    return None


def faulty_bytes(fault: Fault, reply: Reply, serialize: Callable[[Reply], bytes]) -> Iterator[tuple[bytes, float]]:
    """Yield the bytes to send, and the pause in seconds before each part.

    Args:
        fault: the fault.
        reply: reply without the fault.
        serialize: returns a reply's bytes; may be called once.
    """
    if fault.name in RAW_REPLIES:
        yield RAW_REPLIES[fault.name], 0.0
        return
    if fault.name in {"drip-body", "wrong-length"}:
        reply = replace(reply, body=reply.body.ljust(_PADDED_BODY_BYTES))
    if fault.name == "endless-body":
        reply = replace(reply, headers=(*reply.headers, ("Transfer-Encoding", "chunked")))
    head, _, body = serialize(reply).partition(_HEAD_END)
    yield from _timed_parts(fault, head + _HEAD_END, body)


def _timed_parts(fault: Fault, head: bytes, body: bytes) -> Iterator[tuple[bytes, float]]:
    argument = fault.argument if isinstance(fault.argument, float) else 0.0
    status_line, _, rest = head.partition(_LINE_END)
    parts: dict[str, Iterable[tuple[bytes, float]]] = {
        "delay": [(head + body, argument)],
        "delay-headers": [(status_line + _LINE_END, 0.0), (rest + body, argument)],
        "drip-headers": chain(((bytes((byte,)), argument) for byte in head), [(body, 0.0)]),
        "drip-body": chain([(head, 0.0)], ((bytes((byte,)), argument) for byte in body)),
        "endless-body": chain([(head, 0.0)], repeat((_CHUNK, _CHUNK_INTERVAL_S), _MAX_CHUNKS)),
        "wrong-length": [
            (_CONTENT_LENGTH.sub(b"Content-Length: %d" % max(0, len(body) + int(argument)), head) + body, 0.0)
        ],
    }
    yield from parts.get(fault.name, [(head + body, 0.0)])


class FaultHangUpError(ConnectionError):
    """The server hung up deliberately: the caller must close the connection."""


class FaultyHttpServer(HttpServer):
    """HTTP server that injects the faults of a plan into the replies of its handler.

    Args:
        handler: as for :class:`HttpServer`; not called for requests that are reset.
        plan: chooses the faults.
        on_request: called for each request with the fault and the reply (``None``: no reply), before it is sent.
        on_done: called for each request after its reply was written or the connection was closed.
        commit: called for a batch of requests before their replies are sent; an ``OSError`` closes their connections.
        on_fault_ended: called with each request after its faulty reply was written or the connection was closed.
        own_path: requests below this path get no fault and call no function above; their handler is a coroutine.
        options: options of :class:`HttpServer`.
    """

    def __init__(  # noqa: PLR0913 - the server's hooks
        self,
        handler: Handler,
        plan: FaultPlan,
        on_request: Callable[[ReceivedRequest, Fault | None, Reply | None], None],
        on_done: Callable[[], None] = lambda: None,
        commit: Callable[[], None] = lambda: None,
        *,
        on_fault_ended: Callable[[ReceivedRequest], object] = id,
        own_path: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        **options: Any,  # noqa: ANN401 - Sink's own
    ) -> None:
        super().__init__(handler, **options)
        self.reads_plain_requests = plan.is_empty
        self._plan, self._on_request, self._sleep = plan, on_request, sleep
        self._on_sent, self._commit = on_done, commit  # type: ignore[method-assign]  # they have the same signatures
        self._on_fault_ended, self._own_path = on_fault_ended, own_path
        self._request_count = 0
        self._started_s = self._clock()
        self._usual_heads = self.request_heads

    def set_plan(self, plan: FaultPlan) -> None:
        """Replace the faults; the numbers of requests and the time restart."""
        self._plan = plan
        self._request_count, self._started_s = 0, self._clock()
        self.request_heads = self._usual_heads if plan.is_empty else RequestHeads(0, 0)  # the h11 loop injects faults

    def _is_own(self, request: ReceivedRequest) -> bool:
        return bool(self._own_path) and request.path.startswith(self._own_path)

    def _on_request_head(self, head: ReceivedRequest, writer: ByteWriter) -> Fault | None:
        if self._is_own(head):
            return None
        self._request_count += 1
        fault = self._plan.choose(self._request_count, head.received_s - self._started_s)
        if fault is not None and fault.name == "reset":
            self._on_request(head, fault, None)
            self._commit()
            self._on_sent()
            raise _reset_error(writer)
        return fault

    def _on_reply(self, request: ReceivedRequest, reply: Reply) -> None:
        self._on_request(request, None, reply)

    async def _send(
        self, request: ReceivedRequest, reply: Reply, serialize: Callable[[Reply], bytes], writer: ByteWriter
    ) -> None:
        if self._is_own(request):
            async with asyncio.timeout(self.timeout_s):
                await self._write(writer, serialize(reply))
        else:
            await super()._send(request, reply, serialize, writer)

    async def _respond(self, request: ReceivedRequest, serialize: Callable[[Reply], bytes], writer: ByteWriter) -> None:
        fault = request.head_decision
        if not isinstance(fault, Fault):
            await super()._respond(request, serialize, writer)
            return
        reply = replacement_reply(fault) or await self._handle(request)
        self._on_request(request, fault, None if fault.name in RAW_REPLIES else reply)
        self._commit()
        try:
            await self._write_faulty(fault, reply, serialize, writer)
        finally:
            self._on_sent()
            self._on_fault_ended(request)

    async def _write_faulty(
        self, fault: Fault, reply: Reply, serialize: Callable[[Reply], bytes], writer: ByteWriter
    ) -> None:
        for part, pause_s in faulty_bytes(fault, reply, serialize):
            await self._sleep(pause_s)
            await self._write(writer, part)
        if fault.name in RESET_FAULTS:
            raise _reset_error(writer)
        if fault.name in HANG_UP_FAULTS:
            raise FaultHangUpError


def _reset_error(writer: ByteWriter) -> FaultHangUpError:
    """Make the connection send RST on close, and return the error that closes it."""
    writer.get_extra_info("socket").setsockopt(*NO_LINGER)
    return FaultHangUpError()
