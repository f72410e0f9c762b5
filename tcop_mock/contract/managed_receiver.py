"""A receiver that the run starts, behind a proxy that catches its calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tcop_mock.contract.receiver_control import OutputLeaks
from tcop_mock.domain.target import Target
from tcop_mock.errors import TargetError, UsageError
from tcop_mock.process.receiver_process import DEFAULT_READY_S, ReceiverCommand, ReceiverProcess, free_port
from tcop_mock.server.catching_proxy import CatchingProxy, proxy_environment
from tcop_mock.server.certificates import CertificateAuthority
from tcop_mock.server.downstream import DownstreamRecorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tcop_mock.contract.observation import ObservationConfig
    from tcop_mock.domain.target import Credentials
    from tcop_mock.process.system import ProcessSize
    from tcop_mock.server.catching_proxy import CallLog
    from tcop_mock.server.caught_hosts import CaughtHosts

_LOOPBACK = "127.0.0.1"
_PATH_ONLY = re.compile(r"(?P<userinfo>[^/]*@)?(?P<path>(?:/.*)?)", re.DOTALL)


@dataclass(slots=True)
class ManagedReceiver:
    """A receiver process, and the proxy that it calls other machines through.

    Args:
        process: the receiver; :meth:`running` starts and ends it.
        hosts: the caught hosts; ``None``: its calls are not caught.
        credentials: credentials that it requires; its output is searched for them.
    """

    process: ReceiverProcess
    hosts: CaughtHosts | None = None
    credentials: Credentials | None = None
    leaks: OutputLeaks | None = field(default=None, init=False)
    """Leaks of its credentials in its output."""
    downstream: DownstreamRecorder | None = field(default=None, init=False)
    """Records its messages to caught hosts."""
    end: str = field(default="", init=False)
    """Description of an unexpected end of the process; empty if it ran until it was stopped."""
    _authority: CertificateAuthority | None = field(default=None, init=False)
    _proxy: CatchingProxy | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.credentials is not None:
            self.leaks = OutputLeaks(self.credentials)
            self.process.output.watch = self.leaks.feed

    @property
    def catches_tls(self) -> bool:
        """Whether calls with TLS are answered, too."""
        return self._authority is not None

    @property
    def calls(self) -> CallLog | None:
        """Its calls that were not answered; ``None`` if calls are not caught."""
        return None if self._proxy is None else self._proxy.log

    @property
    def hints(self) -> list[str]:
        """One line for each host whose calls were not answered."""
        return [] if self.calls is None else self.calls.hints()

    def configure(self, config: ObservationConfig) -> ObservationConfig:
        """Return an observation that starts the receiver, catches its calls and can restart it."""
        if self.hosts is not None:
            recorder = self.downstream = config.downstream or DownstreamRecorder()
            self._authority = CertificateAuthority.create()
            self._proxy = CatchingProxy(recorder.answer, self.hosts, self._authority)
            calls = self._proxy.log if config.downstream is None else None
            config = replace(config, downstream=recorder, calls=calls, uncaught=self._proxy.log)
        return replace(config, restart=config.restart or self.restart, lifetime=self.running, receiver=self)

    async def restart(self) -> None:
        """End the receiver and start it again.

        Raises:
            TargetError: it ended, or did not listen in time.
        """
        await asyncio.to_thread(self.process.restart)

    async def crash(self) -> None:
        """End the receiver with SIGKILL and start it again.

        Raises:
            TargetError: it ended, or did not listen in time.
        """
        await asyncio.to_thread(self.process.kill)
        await self.restart()

    async def shut_down(self, limit_s: float) -> float | None:
        """End the receiver with SIGTERM; return the seconds until its end, ``None`` if it was killed at the limit."""
        return await asyncio.to_thread(self.process.shut_down, limit_s)

    async def size(self) -> ProcessSize | None:
        """Return the resource use of the receiver; ``None`` without proc(5)."""
        return await asyncio.to_thread(self.process.size)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the proxy and the receiver; end both, also after an error.

        Raises:
            UsageError: the command cannot be run, or the port is taken.
            TargetError: the receiver ended, or did not listen in time.
        """
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="tcop-mock-")))
            if self._proxy is not None:
                await stack.enter_async_context(self._proxy)
                environ = {**os.environ, **dict(self.process.command.variables)}
                self.process.variables = {
                    **self.process.variables,
                    **proxy_environment(self._proxy.port, folder, self._authority, environ),
                }
            try:
                await asyncio.to_thread(self.process.start)
                try:
                    yield
                except TargetError:  # perhaps because it is about to end
                    await asyncio.to_thread(self.process.wait_if_closed)
                    raise
                finally:
                    self.end = self.process.end
            finally:
                await asyncio.to_thread(self.process.stop)


def receiver_to_run(
    command: str, target: str, hosts: CaughtHosts | None, *, wait_s: float = 0.0, source: str = "--run"
) -> tuple[Target, ManagedReceiver]:
    """Return the address of a receiver that a command starts, and the receiver; it is not started yet.

    Args:
        command: a command line, without a shell.
        target: see :func:`target_to_run`.
        hosts: which hosts are caught; ``None``: its calls are left alone.
        wait_s: how long it may take to listen, in seconds; 0: the default.
        source: where the command comes from, for messages.

    Raises:
        UsageError: the command or the target is invalid.
    """
    parsed_command = ReceiverCommand.parse(command, source)
    address = target_to_run(target, source)
    process = ReceiverProcess(parsed_command, address.host, address.port, ready_s=wait_s or DEFAULT_READY_S)
    return address, ManagedReceiver(process, hosts, address.credentials)


def target_to_run(text: str, source: str = "--run") -> Target:
    """Return the address at which a started receiver is to listen.

    Args:
        text: a path, ``USER:PASSWORD@/PATH``, or nothing, for a free port; or a URL of this machine.
        source: where the command of the receiver comes from, for messages.

    Raises:
        UsageError: it is on another machine, or no target.
    """
    match = _PATH_ONLY.fullmatch(text.removeprefix("http://"))
    if match:
        return Target.parse(f"http://{match['userinfo'] or ''}{_LOOPBACK}:{free_port()}{match['path'] or '/'}")
    target = Target.parse(text)
    if target.app or target.scheme != "http" or not _is_loopback(target.host):
        raise UsageError(
            f"{source} starts a receiver on this machine, but TARGET is {target}: write a path such as /alarms, or "
            "http://127.0.0.1:PORT/alarms for a receiver with a fixed port"
        )
    return target


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"
