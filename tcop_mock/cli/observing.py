"""How ``check`` sees what a receiver does behind its answers."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.observers import (
    TOKEN_VARIABLE,
    CallableObserver,
    CoalescingObserver,
    CommandObserver,
    EffectPaths,
    UrlObserver,
)
from tcop_mock.contract.reproduce import Flag
from tcop_mock.domain.target import Target
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.server.downstream import DownstreamRecorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tcop_mock.domain.effects import Observer

_PLACE = "{token}"
_RESTART_S = 60.0


class Asked(NamedTuple):
    """What was asked for on the command line."""

    url: str | None = None
    command: str | None = None
    call: str | None = None
    effects: str | None = None
    open: str | None = None
    downstream: str | None = None
    restart: str | None = None
    settle_s: float = 5.0


class Ends(NamedTuple):
    """Where the ends listen."""

    host: str
    port: int


def flags_of(asked: Asked) -> list[Flag]:
    """Return what was asked for, as it is asked for again."""
    given = {
        **_sources(asked),
        "--observe-all": asked.effects,
        "--observe-open": asked.open,
        "--downstream": asked.downstream,
        "--restart-cmd": asked.restart,
        "--effect-timeout": "" if asked.settle_s == Asked().settle_s else f"{asked.settle_s:g}s",
    }
    return [Flag(name, value, observes_effects=True) for name, value in given.items() if value]


def observing(asked: Asked) -> tuple[ObservationConfig, Ends | None]:
    """Return by what effects are seen, and where the ends are to listen.

    Raises:
        UsageError: flags that do not fit together, a path, a URL, a command or a callable that is none.
    """
    ends = _ends(asked.downstream)
    found = ObservationConfig(
        observer=_observer(asked),
        downstream=None if ends is None else DownstreamRecorder(),
        restart=None if asked.restart is None else _restarting(asked.restart),
        effect_timeout_s=asked.settle_s,
    )
    return found, ends


@contextlib.asynccontextmanager
async def listening(found: ObservationConfig, ends: Ends | None) -> AsyncIterator[None]:
    """Have the ends listen, where there are any.

    Raises:
        UsageError: the address cannot be listened on.
    """
    if ends is None or found.downstream is None:
        yield
        return
    async with found.downstream.server(ends.host, ends.port):
        yield


def _observer(asked: Asked) -> Observer | None:
    empty = next((flag for flag, text in {**_sources(asked), "--restart-cmd": asked.restart}.items() if text == ""), "")
    if empty:
        raise UsageError(f"{empty} is empty: the command of a finding reads it from the environment; set it there")
    given = [flag for flag, text in _sources(asked).items() if text]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: one observer is enough; leave out the others")
    has_paths = asked.effects is not None or asked.open is not None
    if not given:
        if has_paths:
            raise UsageError("--observe-all and --observe-open say what an observer shows; give --observe-url, too")
        return None
    paths = EffectPaths.parse(asked.effects, asked.open) if has_paths else None
    if asked.url:
        if paths is None:
            raise UsageError("--observe-url needs --observe-all JSONPATH, --observe-open JSONPATH, or both")
        return CoalescingObserver(UrlObserver(Target.parse(asked.url), paths), per_token=_PLACE in asked.url)
    if asked.command:
        per_token = _PLACE in asked.command or TOKEN_VARIABLE in asked.command
        return CoalescingObserver(CommandObserver.parse(asked.command, paths), per_token=per_token)
    return CallableObserver(str(asked.call), _callable(str(asked.call)), paths)


def _sources(asked: Asked) -> dict[str, str | None]:
    return {"--observe-url": asked.url, "--observe-cmd": asked.command, "--observe-call": asked.call}


def _callable(text: str) -> Callable[[str], object]:
    module, colon, name = text.partition(":")
    if not colon or not module or not name:
        raise UsageError(f"--observe-call {text!r}: write MODULE:CALLABLE")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as problem:
        raise UsageError(f"--observe-call {text!r}: {problem}") from None
    if not callable(found):
        raise UsageError(f"--observe-call {text!r} is not callable")
    return found


def _ends(text: str | None) -> Ends | None:
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"--downstream {text!r}: write HOST:PORT, as in 127.0.0.1:9100")
    return Ends(host.strip("[]") or "127.0.0.1", int(port))


def _restarting(command: str) -> Callable[[], Awaitable[None]]:
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
