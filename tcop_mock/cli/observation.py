"""How check observes the effects of a receiver: observer, downstream services, restart command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.cli.arguments import parse_header
from tcop_mock.cli.effect_options import ObserverOptions
from tcop_mock.contract.log_observer import LogFile, LogObserver
from tcop_mock.contract.observation import DownstreamAddress, ObservationConfig
from tcop_mock.contract.observers import (
    TOKEN_VARIABLE,
    CallableObserver,
    CoalescingObserver,
    CommandObserver,
    EffectPaths,
    UrlObserver,
)
from tcop_mock.contract.reproduce import Flag
from tcop_mock.contract.sql_observer import OpenRule, SqlObserver, split_tables
from tcop_mock.domain.target import Target
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.server.downstream import DownstreamRecorder
from tcop_mock.transport.app import load_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.domain.effects import Observer
    from tcop_mock.process.output import OutputBuffer

_PLACE = "{token}"
_RESTART_S = 60.0


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
    """Return what the run found out by itself about how to observe the receiver."""
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
        found: Callable[[str], object] = load_object(text, "callable", "write MODULE:CALLABLE")
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
