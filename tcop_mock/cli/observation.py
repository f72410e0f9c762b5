"""Observation of a receiver's effects by check, and the start of a receiver.

Effects come from an observer, downstream services, the calls of an app in this process, or the receiver of ``--run``.
If a check has observed no effects, its last line is a command that does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.cli.arguments import parse_header
from tcop_mock.cli.effect_options import ObserverOptions
from tcop_mock.cli.framework_detection import detect_apps
from tcop_mock.contract import managed_receiver
from tcop_mock.contract.observation import DownstreamAddress, ObservationConfig
from tcop_mock.contract.observers import (
    TOKEN_VARIABLE,
    CallableObserver,
    CoalescingObserver,
    CommandObserver,
    EffectPaths,
    LogFile,
    LogObserver,
    UrlObserver,
)
from tcop_mock.contract.reproduce import Flag
from tcop_mock.contract.sql_observer import OpenRule, SqlObserver, split_tables
from tcop_mock.domain.contract import Prerequisite
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.reports.text import one_line, pluralize
from tcop_mock.server.app_calls import AppCalls
from tcop_mock.server.caught_hosts import CaughtHosts
from tcop_mock.server.downstream import DownstreamRecorder
from tcop_mock.transport.app import load_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tcop_mock.cli.effect_options import RunOptions
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.contract.managed_receiver import ManagedReceiver
    from tcop_mock.domain.effects import Observer
    from tcop_mock.domain.verdict import Verdict
    from tcop_mock.process.output import OutputBuffer

_PLACE = "{token}"
_RESTART_S = 60.0
_TAIL_LINES, _TAIL_CHARS = 15, 200
_ANY_COMMAND = "CMD"


def reproduction_flags(options: ObserverOptions) -> list[Flag]:
    """Return the flags that repeat these options in a reproduction command."""
    given = {
        **_sources(options),
        "--observe-header": options.header,
        "--observe-all": options.effects_path,
        "--observe-open": options.open_path,
        "--downstream": options.downstream,
        "--restart-cmd": options.restart_command,
        "--effect-timeout": ""
        if options.effect_timeout_s == ObserverOptions().effect_timeout_s
        else f"{options.effect_timeout_s:g}s",
    }
    return [Flag(name, value, observes_effects=True) for name, value in given.items() if value]


def build_observation(options: ObserverOptions, output: OutputBuffer | None = None) -> ObservationConfig:
    """Return how to observe effects.

    Args:
        options: as given.
        output: the output of a receiver that the run starts.

    Raises:
        UsageError: options contradict each other, or a value is invalid.
    """
    text = options.downstream
    return ObservationConfig(
        observer=_observer(options, output),
        downstream=None if text is None else DownstreamRecorder(),
        downstream_address=None if text is None else DownstreamAddress.parse(text, "--downstream"),
        restart=None if options.restart_command is None else _restart_command(options.restart_command),
        effect_timeout_s=options.effect_timeout_s,
    )


def observation_notes(config: ObservationConfig) -> list[str]:
    """Return notes about the observation that the run has detected itself."""
    observer = config.observer
    if isinstance(observer, SqlObserver) and observer.was_detected:
        return [f"open incidents, as detected: --observe-open {_quoted(str(observer.open_rule))}"]
    return []


def _quoted(text: str) -> str:
    """Return a text as one word for a shell; a condition has single quotes, and double ones keep it readable."""
    is_readable = "'" in text and set(text).isdisjoint('"$`\\!')
    return f'"{text}"' if is_readable else shlex.quote(text)


def _require_consistent(options: ObserverOptions) -> None:
    """Reject empty values, and options that need or exclude each other.

    Raises:
        UsageError: there are some.
    """
    others = {"--observe-header": options.header, "--restart-cmd": options.restart_command}
    empty = next((flag for flag, text in {**_sources(options), **others}.items() if text == ""), "")
    if empty:
        raise UsageError(f"{empty} is empty: the command of a finding reads it from the environment; set it there")
    given = [flag for flag, text in _sources(options).items() if text]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: one observer is enough; leave out the others")
    if options.header and not options.url:
        raise UsageError("--observe-header is sent to --observe-url; give that, too")


def _observer(options: ObserverOptions, output: OutputBuffer | None) -> Observer | None:
    _require_consistent(options)
    has_paths = options.effects_path is not None or options.open_path is not None
    if not any(_sources(options).values()):
        if has_paths:
            raise UsageError(
                "--observe-all and --observe-open select in the output of an observer; give --observe-url, too"
            )
        return None
    if options.log:
        return _log_observer(options, output)
    if options.database:
        rule = OpenRule.parse(options.open_path) if options.open_path else None
        return SqlObserver(options.database, split_tables(options.effects_path), rule)
    paths = EffectPaths.parse(options.effects_path, options.open_path) if has_paths else None
    if options.url:
        if paths is None:
            raise UsageError("--observe-url needs --observe-all JSONPATH, --observe-open JSONPATH, or both")
        observer = UrlObserver(Target.parse(options.url), paths, headers=_observer_headers(options))
        return CoalescingObserver(observer, per_token=_PLACE in options.url)
    if options.command:
        per_token = _PLACE in options.command or TOKEN_VARIABLE in options.command
        return CoalescingObserver(CommandObserver.parse(options.command, paths), per_token=per_token)
    return CallableObserver(str(options.call), _callable(str(options.call)), paths)


def _observer_headers(options: ObserverOptions) -> tuple[tuple[str, str], ...]:
    if not options.header:
        return ()
    name, value = parse_header("--observe-header", options.header, may_authorize=True)
    if name.lower() == "authorization" and Target.parse(str(options.url)).credentials:
        raise UsageError("--observe-header Authorization and credentials in --observe-url: leave one out")
    return ((name, value),)


def _log_observer(options: ObserverOptions, output: OutputBuffer | None) -> Observer:
    if options.open_path is not None:
        raise UsageError("--observe-open: a log does not show which incidents are open; leave it out")
    if options.log != "-":
        lines_since = LogFile(Path(str(options.log))).lines_since
    elif output is None:
        raise UsageError("--observe-log - is the output of --run; give --run CMD, or the file of the log")
    else:
        lines_since = output.lines_since
    return CoalescingObserver(LogObserver.parse(lines_since, options.effects_path))


def _sources(options: ObserverOptions) -> dict[str, str | None]:
    return {
        "--observe-url": options.url,
        "--observe-cmd": options.command,
        "--observe-call": options.call,
        "--observe-log": options.log,
        "--observe-sql": options.database,
    }


def _callable(text: str) -> Callable[[str], object]:
    module, _, name = text.partition(":")
    if not module or not name:
        raise UsageError(f"--observe-call {text!r}: write MODULE:CALLABLE")
    try:
        found: Callable[[str], object] = load_object(text, "a callable", "write MODULE:CALLABLE")
    except UsageError as problem:
        raise UsageError(f"--observe-call {text!r}: {problem.__cause__}") from problem
    if not callable(found):
        raise UsageError(f"--observe-call {text!r} is not callable")
    return found


def _restart_command(command: str) -> Callable[[], Awaitable[None]]:
    async def restart() -> None:
        process = await asyncio.create_subprocess_shell(
            command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, env=os.environ
        )
        try:
            async with asyncio.timeout(_RESTART_S):
                code = await process.wait()
        except TimeoutError:
            raise ObserverError(f"--restart-cmd {command!r} took more than {_RESTART_S:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if code:
            raise ObserverError(f"--restart-cmd {command!r} ended with code {code}")

    return restart


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
        options: the command, and the hosts to catch.
        target: a path, ``USER:PASSWORD@/PATH``, a loopback URL, or an empty text.
        wait_s: maximum time in seconds until it listens; 0: the default.

    Raises:
        UsageError: the command, the target or a host is invalid.
    """
    hosts = CaughtHosts.parse(options.catch_hosts) if options.catch else None
    return StartedReceiver(*managed_receiver.receiver_to_run(options.run or "", target, hosts, wait_s=wait_s))


def run_flags(options: RunOptions) -> list[Flag]:
    """Return the flags that repeat these options in a reproduction command."""
    flags = [] if options.run is None else [Flag("--run", options.run)]
    flags += [] if options.catch else [Flag("--no-catch")]
    return [*flags, *(Flag("--catch-host", host) for host in options.catch_hosts)]


def app_calls(options: RunOptions, observer_url: str | None) -> AppCalls | None:
    """Return the catcher of the calls of an app in this process, or ``None`` if they are not caught.

    Args:
        options: the hosts to catch.
        observer_url: URL of the observer, whose host is not caught.

    Raises:
        UsageError: a host is invalid.
    """
    hosts = CaughtHosts.parse(options.catch_hosts)
    if not options.catch:
        return None
    calls = AppCalls(hosts, exempt=[Target.parse(observer_url).host] if observer_url else [])
    return calls if calls.catches_tls or options.catch_hosts else None


def print_calls(hints: Iterable[str], common: CommonOptions) -> None:
    """Print which calls got no answer."""
    for hint in hints:
        common.info(f"calls of the receiver: {hint}")


def effects_hint(verdict: Verdict, path: str, folder: Path) -> str:
    """Return the command that runs the clauses about effects and the process, and their number; empty if all ran.

    Args:
        verdict: the results.
        path: the path of the receiver.
        folder: where its source may be.
    """
    unseen = sum(
        result.status is ClauseStatus.NOT_RUN
        and result.missing is not None
        and result.missing.kind in {Prerequisite.OBSERVER, Prerequisite.DOWNSTREAM, Prerequisite.RUN}
        for result in verdict.results
    )
    if not unseen:
        return ""
    start = next(filter(None, (found.run for found in detect_apps(folder))), _ANY_COMMAND)
    command = f"tcop-mock check {shlex.quote(path)} --run {shlex.quote(start)}"
    return f"Next: {command}  (runs {pluralize(unseen, 'more clause')}, about effects)"
