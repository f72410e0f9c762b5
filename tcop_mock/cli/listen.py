"""Implementation of listen: receive requests, print, record and forward them, and fail on demand.

Requests that arrive in one turn of the event loop are recorded in one write and printed in one, before the responses.
To stay faster than the senders, ``listen`` shows and validates all requests of a burst and then as many as a person
can read; the others are recorded and counted. ``--forward`` forwards each request to a receiver, and returns its
response inside TCOP's deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.cli.arguments import (
    parse_header,
    read_text,
    resolve_secret,
    target_text,
    warn_of_other_machine,
)
from tcop_mock.cli.connections import read_connection
from tcop_mock.cli.listen_control import CONTROL_PATH, CONTROL_TOKEN_VARIABLE, ControlApi, ReceivedLog
from tcop_mock.cli.listen_emit import emit_callbacks
from tcop_mock.cli.stdout import silence_stdout
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import DEFAULTS, ConnectionOptions, Credentials, Secret, Target
from tcop_mock.errors import UsageError
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.recording import Record, Recording
from tcop_mock.reports.text import pluralize
from tcop_mock.server.demo_receivers import with_basic_auth
from tcop_mock.server.faults import FaultPlan, FaultyHttpServer, parse_fault, parse_script
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.server.stubs import StubServices
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tcop_mock.callbacks.validator import ValidationResult
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.options import CommonOptions, ReachOptions
    from tcop_mock.cli.receive_options import ReceiveOptions
    from tcop_mock.domain.profile import DeliveryRules
    from tcop_mock.server.faults import Fault
    from tcop_mock.server.messages import Handler

_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "expect"}
)
"""Header fields of one connection (RFC 9110, 7.6.1), and those that each side writes itself."""
_BAD_GATEWAY = b"the receiver of --forward did not answer\n"
AUTH_VARIABLE = "TCOP_MOCK_AUTH"
_HINT = "too many came at once; tcop-mock validate reads a recording"
_TOO_FEW = 1
_MAX_UNREADABLE_LINES = 20
_MAX_BURST = 500
_SHOWN_PER_S = 20
_FEW_CONNECTIONS = 8
_PAUSE_FACTOR = 20
"""With more connections, so many times as long as it took to validate a body, none is validated. The first body of a
shape takes a hundred times as long as another, and all senders would wait for it."""


@dataclass(frozen=True, slots=True)
class ForwardedReply(Reply):
    """The reply to a request that was passed on, with the attempt to do so."""

    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Passes requests on.

    Args:
        target: the receiver; its path precedes that of each request.
        rules: with the deadline.
        headers: replace those of the same name in each request.
        insecure: do not verify the certificate of an https URL.
        connection: authorities, client certificate, addresses of host names.
    """

    target: Target
    rules: DeliveryRules
    headers: tuple[tuple[str, str], ...] = ()
    insecure: bool = False
    connection: ConnectionOptions = DEFAULTS

    async def answer(self, received: ReceivedRequest) -> Reply:
        """Forward a request once, and return the response; 504 if it is late, 502 after other errors."""
        headers = tuple((name, value) for name, value in received.headers if name not in _HOP_BY_HOP)
        if self.target.credentials is not None:
            headers = tuple(pair for pair in headers if pair[0] != "authorization")
        replaced = {name.lower() for name, _ in self.headers}
        headers = (*(pair for pair in headers if pair[0] not in replaced), *self.headers)
        prefix = self.target.path.rstrip("/")
        path = prefix + received.path if received.path != "/" or not prefix else prefix
        try:
            request = OutgoingRequest(
                received.body, method=received.method, headers=headers, credentials=self.target.credentials
            )
        except UsageError as problem:
            return Reply(HTTPStatus.BAD_REQUEST, f"{problem}\n".encode())
        transport = HttpTransport(
            replace(self.target, path=path),
            max_body_bytes=self.rules.answer_cap_bytes,
            insecure=self.insecure,
            connection=self.connection,
        )
        attempt = await transport(request, deadline_s=self.rules.timeout_s)
        if attempt.status is None or attempt.outcome in {Outcome.TIMED_OUT, Outcome.RESET_IN_ANSWER}:
            is_late = attempt.outcome is Outcome.TIMED_OUT
            status = HTTPStatus.GATEWAY_TIMEOUT if is_late else HTTPStatus.BAD_GATEWAY
            return ForwardedReply(status, _BAD_GATEWAY, attempt=attempt)
        own = tuple(pair for pair in attempt.headers if pair[0].lower() not in _HOP_BY_HOP)
        return ForwardedReply(attempt.status, attempt.body, own, attempt=attempt)


def listen(  # noqa: PLR0913 - one parameter an option
    *,
    host: str,
    port: int,
    receiving: ReceiveOptions,
    count: int | None,
    max_time_s: float | None,
    reach: ReachOptions,
    common: CommonOptions,
) -> int:
    """Receive requests until the count, the time limit or a signal; return the exit code."""
    plan = fault_plan(receiving, common)
    with open_listener(receiving, common, count=count, reach=reach) as listener:
        asyncio.run(listener.listen(host, port, plan, max_time_s))
    return listener.exit_code()


class RequestObserver(Protocol):
    """Observer of the requests of a listener."""

    def received(self, record: Record, reply: Reply | None) -> None:
        """Process a request before its response, which is ``None`` if a fault sends none."""
        ...

    def committed(self) -> None:
        """Take note that the responses without a fault are sent now."""
        ...

    def answered(self, request: ReceivedRequest) -> None:
        """Take note that a response with a fault was written, or its connection closed."""
        ...


@contextlib.contextmanager
def open_listener(  # noqa: PLR0913 - what a listener has
    receiving: ReceiveOptions,
    common: CommonOptions,
    *,
    count: int | None = None,
    observer: RequestObserver | None = None,
    prints: bool = True,
    reply_to: Callable[[ReceivedRequest], Awaitable[Reply] | None] | None = None,
    reach: ReachOptions | None = None,
) -> Iterator[Listener]:
    """Yield the listener of some options; its recording is open meanwhile.

    Raises:
        UsageError: the recording cannot be written, or an option is invalid.
    """
    if receiving.fsync and receiving.record is None:
        raise UsageError("--fsync: write --record FILE, too; it waits until the disk has the records")
    with _open_recording(receiving.record, is_synced=receiving.fsync) as recording:
        yield Listener(
            common,
            StubServices(receiving.service),
            _credentials(receiving.auth),
            recording,
            count,
            observer=observer,
            prints=prints,
            forwarder=_forwarder(receiving.forward, reach, common),
            control_token=resolve_secret(receiving.control_token, CONTROL_TOKEN_VARIABLE, "--control-token"),
            faults=list(receiving.faults),
            reply_to=reply_to,
        )


def fault_plan(receiving: ReceiveOptions, common: CommonOptions) -> FaultPlan:
    """Return the plan of ``--fault`` and ``--fault-file``.

    Raises:
        UsageError: a fault is invalid, or the file cannot be read.
    """
    file = receiving.fault_file
    script = parse_script(read_text(file), f"--fault-file {file}") if file else []
    return FaultPlan([parse_fault(text) for text in receiving.faults], script, common.seed)


@dataclass(slots=True)
class Listener:
    """Prints and records the requests that a server receives.

    Args:
        common: common options.
        stubs: stub services that answer.
        credentials: credentials that requests need.
        recording: file that keeps each request.
        count: number of requests after which to stop.
        clock: seconds; for the number of requests that are shown.
        observer: called with each request.
        prints: whether each request is printed.
        forwarder: forwards requests to a receiver, in place of our own answer.
        control_token: token of the control API.
        faults: the faults of the command line, for the control API.
        reply_to: returns the reply to a message to a stub service, or ``None`` if the service is to answer.
    """

    common: CommonOptions
    stubs: StubServices
    credentials: Credentials | None
    recording: Recording | None
    count: int | None
    clock: Callable[[], float] = monotonic_s
    observer: RequestObserver | None = None
    prints: bool = True
    forwarder: Forwarder | None = None
    control_token: Secret | None = None
    faults: list[str] = field(default_factory=list)
    reply_to: Callable[[ReceivedRequest], Awaitable[Reply] | None] | None = None
    received: int = 0
    unreadable: int = 0
    unshown: int = 0
    """Requests that were neither shown nor validated, because too many came."""
    _answered: int = 0
    _note: str = ""
    _lines: list[str] = field(default_factory=list, repr=False)
    _records: list[str] = field(default_factory=list, repr=False)
    _allowance: float = _MAX_BURST
    _refilled_s: float = 0.0
    _reported_unshown: int = 0
    _reported_at_s: float = 0.0
    _connections: Callable[[], int] = field(default=lambda: 0, repr=False)
    _pause_ends_s: float = 0.0
    _batch_size: int = 0
    _received_at: str = ""
    _problem: OSError | None = None
    _validator: CallbackValidator = field(init=False, repr=False)
    _catalog: Catalog = field(init=False, repr=False)
    _log: ReceivedLog = field(default_factory=ReceivedLog, repr=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __post_init__(self) -> None:
        self._catalog = self.common.catalog()
        self._validator = CallbackValidator(self._catalog, self.common.given_profile)

    async def listen(self, host: str, port: int, plan: FaultPlan, max_time_s: float | None) -> None:
        """Listen until the count, the time limit or a signal; print the address first."""
        self.stop_on_signals()
        async with self.server(host, port, plan) as sink:
            line = json.dumps({"version": VERSION, "url": sink.url}) if self.common.as_json else sink.url
            self._print(f"{line}\n")
            await self.wait(max_time_s)

    def server(self, host: str, port: int, plan: FaultPlan) -> FaultyHttpServer:
        """Return the server, which listens inside ``async with``."""
        control = ControlApi(
            host,
            self.control_token,
            lambda options: emit_callbacks(options, self.common, self._catalog),
            seed=self.common.seed,
            faults=self.faults,
            log=self._log,
        )
        handler: Handler = self._answer if self.forwarder is None else self._forward
        server = FaultyHttpServer(
            control.before(with_basic_auth(handler, self.credentials) if self.credentials else handler),
            plan,
            self._record,
            self._count_answer,
            self._commit,
            on_fault_ended=id if self.observer is None else self.observer.answered,
            host=host,
            port=port,
            on_unreadable=self.count_unreadable,
            own_path=CONTROL_PATH,
        )
        control.set_plan = server.set_plan
        self._connections = lambda: server.connection_count
        return server

    def stop_on_signals(self) -> None:
        """End :meth:`wait` at Ctrl-C and SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):  # not in the main thread
                loop.add_signal_handler(number, self._stop.set)

    async def wait(self, max_time_s: float | None = None) -> None:
        """Wait for the count, the time limit or a signal."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max_time_s):
                await self._stop.wait()

    def exit_code(self) -> int:
        """Return the exit code.

        Raises:
            UsageError: the recording could not be written.
        """
        if self._problem is not None:
            raise UsageError(f"--record cannot be written: {self._problem.strerror}; the last request got no response")
        unreadable = f", {self.unreadable} could not be read" if self.unreadable else ""
        unshown = f", {self.unshown} not shown and not validated ({_HINT})" if self.unshown else ""
        self.common.info(f"{pluralize(self.received, 'request')} received{unreadable}{unshown}")
        return _TOO_FEW if self.count is not None and self.received < self.count else 0

    def _answer(self, received: ReceivedRequest) -> Reply | Awaitable[Reply]:
        if self.reply_to is not None and self.stubs.service_of(received.path) != "webhook":
            reply = self.reply_to(received)
            if reply is not None:
                return reply
        answered = self.stubs.respond(received)
        self._note = answered.note
        return answered.reply

    def _forward(self, received: ReceivedRequest) -> Reply | Awaitable[Reply]:
        """Pass a request on, unless its path is that of a service."""
        if self.forwarder is None or self.stubs.service_of(received.path) != self.stubs.default_service:
            return self._answer(received)
        return self.forwarder.answer(received)

    def _record(self, received: ReceivedRequest, fault: Fault | None, reply: Reply | None) -> None:
        """Note the record and the lines of a request; see ``_commit``."""
        self.received += 1
        note, self._note = self._note, ""
        service = self.stubs.service_of(received.path)
        is_shown = self._is_shown()
        is_callback = service == "webhook" and received.method == "POST"
        record = Record(
            request=received,
            received_at=self._received_at,
            auth=self._auth(received),
            service=service,
            status=reply.status if reply else None,
            fault=fault.text if fault else None,
            note=note,
            result=self._validate(received.body) if is_shown and is_callback else None,
            forwarded=reply.attempt if isinstance(reply, ForwardedReply) else None,
        )
        self._log.add(record)
        if self.recording or self.common.as_json:
            self._records.append(record.to_json())
        if self.observer is not None:
            self.observer.received(record, reply)
        if is_shown and not self.common.as_json:
            self._lines += self._unshown_lines()
            self._lines += (f"{line}\n" for line in record.lines(quiet=self.common.quiet))

    def _validate(self, body: bytes) -> ValidationResult:
        began_s = self.clock()
        result = self._validator.validate(body)
        ended_s = self.clock()
        self._pause_ends_s = ended_s + _PAUSE_FACTOR * (ended_s - began_s)
        return result

    def _is_shown(self) -> bool:
        """Return whether a request is shown and validated: all of a burst, then a limited number per second."""
        now_s = self.clock()
        if not self._batch_size:
            self._received_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._batch_size += 1
        self._allowance = min(_MAX_BURST, self._allowance + (now_s - self._refilled_s) * _SHOWN_PER_S)
        self._refilled_s = now_s
        is_paused = now_s < self._pause_ends_s and self._connections() > _FEW_CONNECTIONS
        if self._allowance < 1 or is_paused:
            self.unshown += 1
            return False
        self._allowance -= 1
        return True

    def _unshown_lines(self) -> list[str]:
        """Return the line about requests that were not shown, once a second."""
        count = self.unshown - self._reported_unshown
        if not count or self._refilled_s - self._reported_at_s < 1:
            return []
        self._reported_unshown, self._reported_at_s = self.unshown, self._refilled_s
        return [f"  … {pluralize(count, 'request')} more, not shown\n"]

    def _commit(self) -> None:
        """Record and print the requests before their responses, so that each acknowledged request is in the file."""
        self._batch_size = 0
        records, self._records = "".join(self._records), []
        lines, self._lines = "".join(self._lines), []
        if self.recording and records:
            self._save(self.recording, records)
        shown = records if self.common.as_json else lines
        if shown and self.prints:
            self._print(shown)
        if self.observer is not None:
            self.observer.committed()
        self._log.notify()

    def _save(self, recording: Recording, records: str) -> None:
        try:
            recording.write(records)
        except OSError as problem:
            self._problem = problem
            self._stop.set()
            raise

    def _auth(self, received: ReceivedRequest) -> str:
        """Return whether the request has credentials, and whether they are the right ones."""
        scheme, _, token = received.header("authorization").partition(" ")
        if not scheme:
            return "none"
        if self.credentials is None:
            return "given"
        return "right" if scheme.lower() == "basic" and Secret(token.strip()) == self.credentials.token() else "wrong"

    def _count_answer(self) -> None:
        self._answered += 1
        if self._answered == self.count:
            self._stop.set()

    def count_unreadable(self, reason: str) -> None:
        """Count and print a request that cannot be read, up to a number of lines."""
        self.unreadable += 1
        if self.unreadable <= _MAX_UNREADABLE_LINES:
            self.common.info(f"warning: {reason}")

    def _print(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader left; without a recording nothing is left to do
            silence_stdout()
            if self.recording is None:
                self._stop.set()


@contextlib.contextmanager
def _open_recording(name: str | None, *, is_synced: bool) -> Iterator[Recording | None]:
    if name is None:
        yield None
        return
    try:
        recording = Recording(Path(name), is_synced=is_synced)
    except OSError as problem:
        raise UsageError(f"--record {name!r} cannot be written: {problem.strerror}") from None
    with contextlib.closing(recording):
        yield recording


def _forwarder(given: str | None, reach: ReachOptions | None, common: CommonOptions) -> Forwarder | None:
    """Return the forwarder to the receiver of ``--forward``.

    Raises:
        UsageError: it is not a URL, or an option of its connections is invalid.
    """
    text = target_text(given) if given else ""
    if not text:
        return None
    target = Target.parse(text)
    if target.app:
        raise UsageError(f"--forward {target} is an app in this process; start it, and give its URL")
    warn_of_other_machine(target, common)
    if reach is None:
        return Forwarder(target, common.profile.delivery)
    headers = tuple(parse_header("--header", header) for header in reach.headers)
    return Forwarder(
        target, common.profile.delivery, headers, insecure=reach.insecure, connection=read_connection(reach)
    )


def _credentials(given: str | None) -> Credentials | None:
    pair = resolve_secret(given, AUTH_VARIABLE, "--auth")
    if pair is None:
        return None
    user, colon, password = pair.reveal().partition(":")
    if not colon:
        raise UsageError("--auth: write USER:PASSWORD, @FILE with it, or set " + AUTH_VARIABLE)
    return Credentials(Secret(user), Secret(password))
