"""``tcop-mock listen``: the other end; it tells and records what comes, and misbehaves on request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.cli.options import read_text, secret_of, with_common
from tcop_mock.cli.stdout import discard
from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.errors import UsageError
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.recording import Recording, make_record, record_lines
from tcop_mock.reports.text import pluralize
from tcop_mock.server.demo_receivers import with_basic_auth
from tcop_mock.server.faults import FaultPlan, FaultyHttpServer, parse_fault, parse_script
from tcop_mock.server.stubs import StubServices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.cli.options import Common
    from tcop_mock.server.faults import Fault
    from tcop_mock.server.http_server import ReceivedRequest, Reply

AUTH_VARIABLE = "TCOP_MOCK_AUTH"
_FEWER = 1


@with_common
def listen(  # noqa: PLR0913 - click hands them in one by one
    *,
    host: str,
    port: int,
    end: str,
    auth: str | None,
    record: str | None,
    faults: tuple[str, ...],
    fault_file: str | None,
    count: int | None,
    max_time: float | None,
    common: Common,
) -> int:
    """Receive callbacks, and what receivers forward; tell each as it comes, and what validate says of it.

    Exit code 0: ended as asked for, 1: --max-time was over before --count requests had come.
    """
    script = parse_script(read_text(fault_file), f"--fault-file {fault_file}") if fault_file else []
    plan = FaultPlan([parse_fault(text) for text in faults], script, common.seed)
    ends = StubServices(end)
    with _opened(record) as recording:
        listener = Listener(common, ends, _credentials(auth), recording, count)
        asyncio.run(listener.listen(host, port, plan, max_time))
    return listener.conclude()


@dataclass(slots=True)
class Listener:
    """Tells and records what a sink receives.

    Args:
        common: what every verb is told.
        ends: that answer.
        credentials: that are asked for.
        recording: where each request is kept.
        count: of requests after which it is over.
    """

    common: Common
    ends: StubServices
    credentials: Credentials | None
    recording: Recording | None
    count: int | None
    came: int = 0
    _over: int = 0
    _said: str = ""
    _problem: OSError | None = None
    _judge: CallbackValidator = field(init=False, repr=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __post_init__(self) -> None:
        self._judge = CallbackValidator(self.common.catalog(), self.common.profile)

    async def listen(self, host: str, port: int, plan: FaultPlan, max_time_s: float | None) -> None:
        """Listen until it is over: by count, by time, or by a signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):  # not in the main thread
                loop.add_signal_handler(number, self._stop.set)
        handler = with_basic_auth(self._answer, self.credentials) if self.credentials else self._answer
        async with FaultyHttpServer(handler, plan, self._tell, self._is_over, host=host, port=port) as sink:
            self._say(json.dumps({"version": VERSION, "url": sink.url}) if self.common.as_json else sink.url)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max_time_s):
                    await self._stop.wait()

    def conclude(self) -> int:
        """Return the exit code.

        Raises:
            UsageError: the recording could not be written.
        """
        if self._problem is not None:
            raise UsageError(f"--record cannot be written: {self._problem.strerror}; what came last was not answered")
        self.common.tell(f"{pluralize(self.came, 'request')} received")
        return _FEWER if self.count is not None and self.came < self.count else 0

    def _answer(self, received: ReceivedRequest) -> Reply:
        answered = self.ends.respond(received)
        self._said = answered.note
        return answered.reply

    def _tell(self, received: ReceivedRequest, fault: Fault | None, reply: Reply | None) -> None:
        """Record and say what came; before it is answered, so that what is acknowledged is kept."""
        self.came += 1
        said, self._said = self._said, ""
        end = self.ends.service_of(received.path)
        verdict = self._judge.validate(received.body) if end == "webhook" and received.method == "POST" else None
        record = make_record(
            received=received,
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            auth=self._auth(received),
            service=end,
            status=reply.status if reply else None,
            fault=fault.text if fault else None,
            service_note=said,
            result=verdict,
        )
        if self.recording:
            self._keep(self.recording, record)
        if self.common.as_json:
            self._say(json.dumps(record, ensure_ascii=False))
        else:
            for line in record_lines(record, verdict, quiet=self.common.quiet):
                self._say(line)

    def _keep(self, recording: Recording, record: dict[str, object]) -> None:
        try:
            recording.add(record)
        except OSError as problem:
            self._problem = problem
            self._stop.set()
            raise

    def _auth(self, received: ReceivedRequest) -> str:
        """Say whether credentials came, and where they are asked for, whether they are the right ones."""
        scheme, _, token = received.header("authorization").partition(" ")
        if not scheme:
            return "none"
        if self.credentials is None:
            return "given"
        return "right" if scheme.lower() == "basic" and Secret(token.strip()) == self.credentials.token() else "wrong"

    def _is_over(self) -> None:
        self._over += 1
        if self._over == self.count:
            self._stop.set()

    def _say(self, line: str) -> None:
        try:
            click.echo(line)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever reads our output has enough; without a recording there is nothing left to do
            discard()
            if self.recording is None:
                self._stop.set()


@contextlib.contextmanager
def _opened(name: str | None) -> Iterator[Recording | None]:
    if name is None:
        yield None
        return
    try:
        recording = Recording(Path(name))
    except OSError as problem:
        raise UsageError(f"--record {name!r} cannot be written: {problem.strerror}") from None
    with contextlib.closing(recording):
        yield recording


def _credentials(given: str | None) -> Credentials | None:
    pair = secret_of(given, AUTH_VARIABLE, "--auth")
    if pair is None:
        return None
    user, colon, password = pair.reveal().partition(":")
    if not colon:
        raise UsageError("--auth: write USER:PASSWORD, @FILE with it, or set " + AUTH_VARIABLE)
    return Credentials(Secret(user), Secret(password))
