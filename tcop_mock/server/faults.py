"""What goes wrong at our end on request: ``NAME[:ARG][:WHEN]``, and when it does."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.sampling import Entropy
from tcop_mock.errors import UsageError, did_you_mean
from tcop_mock.server.http_server import Received, Reply, Sink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from tcop_mock.server.http_server import Handler


_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}

_TIME = r"(?:\d+(?:\.\d+)?|\.\d+)(?:ms|s|m|h)"

_WHEN = re.compile(
    rf"(?P<first>\d+)|(?P<share>\d*\.\d+)|#(?P<one>\d+)(?:-(?P<last>\d+))?|%(?P<each>\d+)|@(?P<at>{_TIME})-(?P<to>{_TIME})"
)

_COMMENT = re.compile(r"(?:^|\s)#.*")

_GRAIN = 1 << 32

_WELL = "ok"

_HOW = (
    "write NAME[:ARG][:WHEN]; WHEN is 3 (the first three), 0.1 (each with that probability), #2 or #2-5 (the second, "
    "to the fifth), %4 (every fourth) or @10s-30s (so long after the start)"
)


@dataclass(frozen=True, slots=True)
class When:
    """Which requests a fault is played on; what is not limited holds for all."""

    numbers: range = range(1, 1 << 62)
    """By number, from 1."""
    share: float = 1.0
    """The probability of each."""
    seconds: tuple[float, float] | None = None
    """After the start."""

    @property
    def is_count(self) -> bool:
        """Whether it holds for the first so many requests, or for all."""
        return self.numbers.start == self.numbers.step == self.share == 1 and self.seconds is None

    def applies(self, number: int, at_s: float, chance: float) -> bool:
        """Whether it is this request's turn; ``chance`` is drawn for it, from 0 to 1."""
        in_time = self.seconds is None or self.seconds[0] <= at_s < self.seconds[1]
        return number in self.numbers and in_time and chance < self.share


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    arg: float | str = ""
    """Seconds, a status, bytes or a place, as the name wants it."""
    when: When = When()
    text: str = ""
    """As it was written, without WHEN."""


class FaultPlan:
    """Chooses what goes wrong with each request.

    Args:
        faults: of those that are due, the first one is played.
        script: what is played on the first requests, in order (``None``: nothing); after them, ``faults``.
        seed: what probabilities are drawn from: the same one chooses the same requests.
    """

    def __init__(self, faults: Sequence[Fault] = (), script: Sequence[Fault | None] = (), seed: int = 0) -> None:
        self._faults, self._script, self._seed = faults, script, seed

    def choose(self, number: int, at_s: float) -> Fault | None:
        """Return what goes wrong with a request.

        Args:
            number: of the request, from 1.
            at_s: seconds since the start.
        """
        if number <= len(self._script):
            return self._script[number - 1]
        for index, fault in enumerate(self._faults):
            chance = Entropy("fault", self._seed, index, number).below(_GRAIN) / _GRAIN
            if fault.when.applies(number, at_s, chance):
                return fault
        return None


def parse_fault(text: str, where: str = "--fault") -> Fault:
    """Read ``NAME[:ARG][:WHEN]``.

    Args:
        text: as the user wrote it.
        where: it stands, for messages.

    Raises:
        UsageError: no such fault, or one that cannot be understood.
    """
    name, *rest = text.strip().split(":")
    if name not in FAULTS:
        near = did_you_mean(name, FAULTS)
        hint = f"; did you mean {near}?" if near else f"; one of {', '.join(FAULTS)}"
        raise UsageError(f"{where} {text!r}: unknown fault {name!r}{hint}")
    kind = FAULTS[name]
    when = _WHEN.fullmatch(rest[-1]) if len(rest) > kind.needs_arg else None
    args = rest[:-1] if when else rest
    arg = ":".join(args)
    try:
        value = kind.read(arg) if args or kind.needs_arg else kind.usual
        return Fault(name, value, _when(when), f"{name}:{arg}" if arg else name)
    except ValueError:
        raise UsageError(f"{where} {text!r}: {kind.form}; {_HOW}") from None


def parse_script(text: str, where: str) -> list[Fault | None]:
    """Read a script: a line for each request, ``ok`` or a fault; ``:N`` at its end for N requests; ``#`` comments.

    Raises:
        UsageError: a line is nothing of the kind; says which.
    """
    script: list[Fault | None] = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = _COMMENT.sub("", line).strip()
        if not said:
            continue
        at = f"{where}, line {number}:"
        name, _, times = said.partition(":")
        if name == _WELL:
            if times and not times.isdecimal():
                raise UsageError(f"{at} {said!r}: write ok, or ok:N for N requests")
            script += [None] * int(times or 1)
            continue
        fault = parse_fault(said, at)
        if not fault.when.is_count:
            raise UsageError(f"{at} {said!r}: in a script a fault can end in :N only, for N requests")
        script += [fault] * (1 if fault.when == When() else len(fault.when.numbers))
    return script


def _when(match: re.Match[str] | None) -> When:
    if match is None:
        return When()
    first, share, one, last, each = match.group("first", "share", "one", "last", "each")
    if share:
        return When(share=float(share))
    if match["at"]:
        return When(seconds=(_seconds(match["at"]), _seconds(match["to"])))
    numbers = When().numbers
    if first:
        numbers = range(1, int(first) + 1)
    elif one:
        numbers = range(int(one), int(last or one) + 1)
    else:
        numbers = range(int(each), numbers.stop, int(each))  # ValueError: every 0th
    if not numbers or not numbers.start:
        raise ValueError
    return When(numbers)


def _seconds(text: str) -> float:
    """Return the seconds of a duration; ``ValueError``: it is none."""
    number = text.rstrip("msh")
    return float(number) * _UNITS_S.get(text.removeprefix(number), float("nan"))


def _duration(text: str) -> float:
    seconds = _seconds(text)
    if not seconds > 0:  # also what is no number
        raise ValueError
    return seconds


def _duration_with_unit(text: str) -> float:
    if text[-1:].isdecimal():
        raise ValueError
    return _duration(text)


def _status(text: str) -> float:
    if not re.fullmatch("[2-5][0-9][0-9]", text):
        raise ValueError
    return float(text)


def _place(text: str) -> str:
    if not re.fullmatch(r"(https?://[^/\s]+)?/[!-~]*", text):
        raise ValueError
    return text


def _difference(text: str) -> float:
    if not re.fullmatch(r"[+-]\d{1,6}", text):
        raise ValueError
    return float(text)


def _nothing(_text: str) -> str:
    raise ValueError


@dataclass(frozen=True, slots=True)
class Kind:
    """How a fault is written."""

    read: Callable[[str], float | str]
    usual: float | str
    form: str
    needs_arg: bool = False


_BARE = "it has no argument"

_GAP_S = 0.1

FAULTS: dict[str, Kind] = {
    "status": Kind(_status, "", "write a status, as in status:503", needs_arg=True),
    "delay": Kind(_duration, "", "write a duration, as in delay:6s", needs_arg=True),
    "delay-headers": Kind(_duration, "", "write a duration, as in delay-headers:6s", needs_arg=True),
    "drip-headers": Kind(_duration_with_unit, _GAP_S, "the time between bytes has a unit, as in drip-headers:100ms"),
    "drip-body": Kind(_duration_with_unit, _GAP_S, "the time between bytes has a unit, as in drip-body:100ms"),
    "endless-body": Kind(_nothing, "", _BARE),
    "reset": Kind(_nothing, "", _BARE),
    "reset-after-request": Kind(_nothing, "", _BARE),
    "empty": Kind(_nothing, "", _BARE),
    "garbage": Kind(_nothing, "", _BARE),
    "redirect": Kind(_place, "/elsewhere", "write a path or a URL with one, as in redirect:/elsewhere"),
    "401": Kind(_nothing, "", _BARE),
    "wrong-length": Kind(_difference, 10.0, "write how many bytes too many or too few, as in wrong-length:-5"),
}

"""What can go wrong."""


NO_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

"""With this option of a socket closing it sends RST in place of FIN."""

SILENT = {"reset-after-request": b"", "empty": b"", "garbage": b"\x15\x03\x03 this is no HTTP\r\n\r\n"}

"""Faults in place of which no answer comes, and the bytes that come."""

RESETS = frozenset({"reset", "reset-after-request"})

"""Faults that end in RST."""

HANGS_UP = frozenset({"empty", "garbage", "endless-body", "wrong-length"})

"""Faults behind which the connection is closed, whatever was said of it."""

_LINE_END = b"\r\n"

_HEAD_END = b"\r\n\r\n"

_LENGTH = re.compile(rb"Content-Length: \d+", re.IGNORECASE)

_LONG_BYTES = 120

"""A body that is dripped or cut is made so long with blanks, which JSON and text bear at their end."""

_CHUNK = b"400\r\n" + b" " * 0x400 + b"\r\n"

_CHUNK_GAP_S = 0.01

_MOST_CHUNKS = 60_000

_COME_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def instead(fault: Fault) -> Reply | None:
    """Return the reply that a fault gives in place of the handler's."""
    if fault.name == "status":
        status = int(fault.arg)
        again = (("Retry-After", "1"),) if status in _COME_AGAIN else ()
        return Reply(status, b"" if status == HTTPStatus.NO_CONTENT else b"as asked for by --fault\n", again)
    if fault.name == "redirect":
        return Reply(HTTPStatus.TEMPORARY_REDIRECT, headers=(("Location", str(fault.arg)),))
    if fault.name == "401":
        return Reply(HTTPStatus.UNAUTHORIZED, headers=(("WWW-Authenticate", 'Basic realm="alarms"'),))
    return None


def played(fault: Fault, reply: Reply, wired: Callable[[Reply], bytes]) -> Iterator[tuple[bytes, float]]:
    """Yield what is written, and how long to wait before each part.

    Args:
        fault: what goes wrong.
        reply: what would be answered.
        wired: gives a reply's bytes; once.
    """
    if fault.name in SILENT:
        yield SILENT[fault.name], 0.0
        return
    if fault.name in {"drip-body", "wrong-length"}:
        reply = replace(reply, body=reply.body.ljust(_LONG_BYTES))
    if fault.name == "endless-body":
        reply = replace(reply, headers=(*reply.headers, ("Transfer-Encoding", "chunked")))
    head, _, body = wired(reply).partition(_HEAD_END)
    yield from _parts(fault, head + _HEAD_END, body)


def _parts(fault: Fault, head: bytes, body: bytes) -> Iterator[tuple[bytes, float]]:
    number = fault.arg if isinstance(fault.arg, float) else 0.0
    line, _, rest = head.partition(_LINE_END)
    parts: dict[str, Iterable[tuple[bytes, float]]] = {
        "delay": [(head + body, number)],
        "delay-headers": [(line + _LINE_END, 0.0), (rest + body, number)],
        "drip-headers": chain(((bytes((byte,)), number) for byte in head), [(body, 0.0)]),
        "drip-body": chain([(head, 0.0)], ((bytes((byte,)), number) for byte in body)),
        "endless-body": chain([(head, 0.0)], repeat((_CHUNK, _CHUNK_GAP_S), _MOST_CHUNKS)),
        "wrong-length": [(_LENGTH.sub(b"Content-Length: %d" % max(0, len(body) + int(number)), head) + body, 0.0)],
    }
    yield from parts.get(fault.name, [(head + body, 0.0)])


class HungUpError(ConnectionError):
    """We have hung up: whoever serves the connection closes it."""


class FaultySink(Sink):
    """Answers as its handler says, but for what a plan makes go wrong.

    Args:
        handler: as for :class:`Sink`; not called for a request that is reset.
        plan: what goes wrong.
        tell: called for every request with what went wrong and what is answered (``None``: nothing), before it is.
        over: called for every request when its answer has been written, or we have hung up.
        options: of :class:`Sink`.
    """

    def __init__(
        self,
        handler: Handler,
        plan: FaultPlan,
        tell: Callable[[Received, Fault | None, Reply | None], None],
        over: Callable[[], None] = lambda: None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        **options: Any,  # noqa: ANN401 - Sink's own
    ) -> None:
        super().__init__(handler, **options)
        self._plan, self._tell, self._over, self._sleep = plan, tell, over, sleep
        self._number = 0
        self._started_s = self._clock()

    def _decide(self, head: Received, writer: asyncio.StreamWriter) -> Fault | None:
        self._number += 1
        fault = self._plan.choose(self._number, head.received_s - self._started_s)
        if fault is not None and fault.name == "reset":
            self._tell(head, fault, None)
            self._over()
            raise _reset(writer)
        return fault

    async def _respond(self, received: Received, wired: Callable[[Reply], bytes], writer: asyncio.StreamWriter) -> None:
        fault = received.decided if isinstance(received.decided, Fault) else None
        reply = instead(fault) if fault else None
        if reply is None:
            reply = await self._answer(received)
        silent = fault is not None and fault.name in SILENT
        self._tell(received, fault, None if silent else reply)
        try:
            if fault is not None:
                await self._play(fault, reply, wired, writer)
                return
            async with asyncio.timeout(self._timeout_s):
                await self._write(writer, wired(reply))
        finally:
            self._over()

    async def _play(
        self, fault: Fault, reply: Reply, wired: Callable[[Reply], bytes], writer: asyncio.StreamWriter
    ) -> None:
        for part, pause_s in played(fault, reply, wired):
            await self._sleep(pause_s)
            await self._write(writer, part)
        if fault.name in RESETS:
            raise _reset(writer)
        if fault.name in HANGS_UP:
            raise HungUpError


def _reset(writer: asyncio.StreamWriter) -> HungUpError:
    """Have the connection reset when it is closed, which the error that is returned does."""
    writer.get_extra_info("socket").setsockopt(*NO_LINGER)
    return HungUpError()
