"""The receiver of ``check --run``, and the calls of an app in this process: what is caught, and what is printed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tcop_mock.contract.managed_receiver import ManagedReceiver, target_to_run
from tcop_mock.contract.observation import DEFAULT_EFFECT_TIMEOUT_S
from tcop_mock.contract.reproduce import Flag
from tcop_mock.domain.target import Target
from tcop_mock.process.command import ReceiverCommand
from tcop_mock.process.receiver_process import DEFAULT_READY_S, ReceiverProcess
from tcop_mock.reports.text import one_line
from tcop_mock.server.app_calls import AppCalls
from tcop_mock.server.caught_hosts import CaughtHosts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcop_mock.cli.effect_options import RunOptions
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.contract.observation import ObservationConfig

_TAIL_LINES, _TAIL_CHARS = 15, 200
_FIRST_CALL_S = 0.5
"""An app in this process is as fast as its code, and most that forward do so before they answer."""


@dataclass(slots=True)
class StartedReceiver:
    """A receiver that the check starts."""

    target: Target
    managed: ManagedReceiver

    def print_end(self, common: CommonOptions, *, is_kept: bool) -> None:
        """Print how the receiver ended, its last output unless all is well, and which calls got no answer."""
        process = self.managed.process
        if self.managed.end:
            common.info(f"the receiver {self.managed.end} during the run")
        if self.managed.end or not is_kept:
            for line in process.output.tail(_TAIL_LINES):
                common.info(f"receiver | {one_line(self._masked(line), _TAIL_CHARS)}")
        print_calls(self.managed.hints, common)

    def _masked(self, line: str) -> str:
        return self.target.credentials.mask(line) if self.target.credentials else line


def receiver_to_run(options: RunOptions, target: str, *, wait_s: float) -> StartedReceiver:
    """Return the receiver of ``--run``; it is not started yet.

    Args:
        options: command, and what is caught.
        target: a path, ``USER:PASSWORD@/PATH``, a loopback URL, or nothing.
        wait_s: how long it may take to listen; 0: the default.

    Raises:
        UsageError: the command, the target or a host is invalid.
    """
    command = ReceiverCommand.parse(options.run or "")
    address = target_to_run(target)
    process = ReceiverProcess(command, address.host, address.port, ready_s=wait_s or DEFAULT_READY_S)
    hosts = CaughtHosts.parse(options.catch_hosts) if options.catch else None
    return StartedReceiver(address, ManagedReceiver(process, hosts, address.credentials))


def run_flags(options: RunOptions) -> list[Flag]:
    """Return the flags that repeat these options in a reproduction command."""
    flags = [] if options.run is None else [Flag("--run", options.run)]
    flags += [] if options.catch else [Flag("--no-catch")]
    return [*flags, *(Flag("--catch-host", host) for host in options.catch_hosts)]


def app_calls(options: RunOptions, observer_url: str | None) -> AppCalls | None:
    """Return what catches the calls of an app in this process, or ``None`` if they are left alone.

    Args:
        options: what is caught.
        observer_url: where the effects are looked up, which is left alone.

    Raises:
        UsageError: a host is invalid.
    """
    hosts = CaughtHosts.parse(options.catch_hosts)
    if not options.catch:
        return None
    calls = AppCalls(hosts, exempt=[Target.parse(observer_url).host] if observer_url else [])
    return calls if calls.catches_tls or options.catch_hosts else None


def observed_calls(calls: AppCalls, config: ObservationConfig) -> ObservationConfig:
    """Return an observation that sees the messages that an app in this process sends."""
    first_call_s = _FIRST_CALL_S if config.effect_timeout_s == DEFAULT_EFFECT_TIMEOUT_S else None
    log = calls.log if config.downstream is None else None
    return replace(config, downstream=calls.recorder, calls=log, first_call_s=first_call_s)


def print_calls(hints: Iterable[str], common: CommonOptions) -> None:
    """Print which calls got no answer."""
    for hint in hints:
        common.info(f"calls of the receiver: {hint}")
