"""The receiver of ``check --run``: its address, its process, and what is printed about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcop_mock.contract.managed_receiver import ManagedReceiver, target_to_run
from tcop_mock.contract.reproduce import Flag
from tcop_mock.process.command import ReceiverCommand
from tcop_mock.process.receiver_process import DEFAULT_READY_S, ReceiverProcess
from tcop_mock.reports.text import one_line
from tcop_mock.server.caught_hosts import CaughtHosts

if TYPE_CHECKING:
    from tcop_mock.cli.effect_options import RunOptions
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.domain.target import Target

_TAIL_LINES, _TAIL_CHARS = 15, 200


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
        for hint in self.managed.hints:
            common.info(f"calls of the receiver: {hint}")

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
    flags = [Flag("--run", options.run or "")]
    flags += [] if options.catch else [Flag("--no-catch")]
    return [*flags, *(Flag("--catch-host", host) for host in options.catch_hosts)]
