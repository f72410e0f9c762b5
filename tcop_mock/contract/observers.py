"""Observers of effects: a URL, a command, a Python callable, and a log.

Each line of a log that mentions an alarm is an effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tcop_mock.domain.delivery import Outcome, OutgoingRequest
from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.process.output import OutputBuffer
from tcop_mock.transport.caller import call_user
from tcop_mock.transport.clock import monotonic_s
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from jsonpath_rfc9535 import JSONPathQuery

    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.effects import Observer
    from tcop_mock.domain.target import Target
    from tcop_mock.process.output import NewLines

_LIST_PATH = "$[*]"
DEFAULT_EFFECTS_PATH = "$.effects[*]"
DEFAULT_OPEN_PATH = "$.open[*]"
"""Keys of effects and open incidents in a document without JSONPaths of the user."""

_MAX_EXCERPT_CHARS = 80
TOKEN_VARIABLE = "TCOP_MOCK_TOKEN"  # noqa: S105 - an alarm's object, no secret
_OBJECT_PLACEHOLDER = "{token}"
_DEADLINE_S = 10.0
MAX_BYTES = 32 * 1024 * 1024
"""Limit of the response body of a URL."""
_MAX_ERROR_CHARS = 200
_REST_FACTOR = 2.0
"""After each poll, the observer rests for this multiple of its duration."""
_READ_BYTES = 1024 * 1024
_LOCATION = "log"


@dataclass(frozen=True, slots=True)
class EffectPaths:
    """JSONPaths of the effects and the open incidents in a document."""

    effects: JSONPathQuery | None
    open: JSONPathQuery | None
    _last: dict[tuple[bytes | str, str], EffectSnapshot] = field(default_factory=dict, repr=False, compare=False)
    """The last text with its effects: most polls get the same text again."""

    @classmethod
    def parse(cls, effects_path: str | None, open_path: str | None) -> EffectPaths:
        """Read two JSONPaths; without the first, open incidents are the effects.

        Raises:
            UsageError: one is not a JSONPath; gives the position and the reason.
        """
        return cls(_compile_path("--observe-all", effects_path), _compile_path("--observe-open", open_path))

    def parse_snapshot(self, raw: bytes | str, source: str) -> EffectSnapshot:
        """Return the effects in a JSON text.

        Args:
            raw: the text.
            source: its source, for messages.

        Raises:
            ObserverError: it is not JSON.
        """
        snapshot = self._last.get((raw, source))
        if snapshot is None:
            try:
                document = json.loads(raw)
            except (ValueError, RecursionError):
                excerpt = repr(raw[:_MAX_EXCERPT_CHARS].strip())
                raise ObserverError(f"{source} is not JSON: {excerpt}") from None
            snapshot = self.extract(document)
            self._last.clear()
            self._last[raw, source] = snapshot
        return snapshot

    def extract(self, document: Any) -> EffectSnapshot:  # noqa: ANN401 - a JSON value
        """Return the effects in a document."""
        open_effects = None if self.open is None else _effects_at(self.open, document)
        effects = (open_effects or ()) if self.effects is None else _effects_at(self.effects, document)
        return EffectSnapshot(effects, open_effects)


def default_paths(document: Any) -> EffectPaths:  # noqa: ANN401 - a JSON value
    """Return the default paths: a list is the effects; without ``open`` it is unknown which incidents are open."""
    if isinstance(document, list):
        return _default_paths(_LIST_PATH, None)
    has_open = isinstance(document, dict) and "open" in document
    return _default_paths(DEFAULT_EFFECTS_PATH, DEFAULT_OPEN_PATH if has_open else None)


@cache
def _default_paths(effects_path: str, open_path: str | None) -> EffectPaths:
    return EffectPaths.parse(effects_path, open_path)


def _compile_path(flag: str, text: str | None) -> JSONPathQuery | None:
    if text is None:
        return None
    import jsonpath_rfc9535  # noqa: PLC0415 - it is slow to import, and most checks have no observer

    try:
        return jsonpath_rfc9535.compile(text)
    except jsonpath_rfc9535.JSONPathError as error:
        reason = str(error).partition("\n")[0]  # from version 2 on, lines with a mark below the query follow
        raise UsageError(f"{flag} {text!r} is no JSONPath: {reason}; write for example $.incidents[*]") from None


def _effects_at(query: JSONPathQuery, document: Any) -> tuple[Effect, ...]:  # noqa: ANN401 - a JSON value
    values: Sequence[Any] = query.find(document).values()
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]  # $.incidents is meant as $.incidents[*]
    return tuple(Effect(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for value in values)


def _make_transport(target: Target) -> Transport:
    return HttpTransport(target, max_body_bytes=MAX_BYTES)


@dataclass(frozen=True, slots=True)
class UrlObserver:
    """Gets a document from a URL; ``{token}`` in it is the object that is looked for.

    Args:
        target: the URL, whose userinfo is sent as credentials.
        paths: where the effects are in the document.
        make_transport: returns a transport to a target.
        headers: further headers of the request; they may hold a secret.
    """

    target: Target
    paths: EffectPaths
    make_transport: Callable[[Target], Transport] = _make_transport
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    async def observe(self, token: str) -> EffectSnapshot:
        """Return the effects that the document shows now.

        Raises:
            ObserverError: it is not there, or no JSON.
        """
        target = replace(self.target, path=self.target.path.replace(_OBJECT_PLACEHOLDER, quote(token, safe="")))
        request = OutgoingRequest(
            b"", method="GET", headers=(("Accept", "application/json"), *self.headers), credentials=target.credentials
        )
        attempt = await self.make_transport(target)(request, deadline_s=_DEADLINE_S)
        source = f"what {self.target} answers"
        if attempt.outcome is not Outcome.ACKED:
            answer = attempt.outcome if attempt.status is None else str(attempt.status)
            raise ObserverError(f"the observer {self.target} cannot be read: {answer}")
        if attempt.body_truncated:
            raise ObserverError(
                f"{source} is longer than {MAX_BYTES} bytes; let the URL choose with {_OBJECT_PLACEHOLDER}"
            )
        return self.paths.parse_snapshot(attempt.body, source)


@dataclass(frozen=True, slots=True)
class CommandObserver:
    """Runs a command that prints a document; the object id is in its ``{token}`` and in TCOP_MOCK_TOKEN.

    Args:
        arguments: the command, split.
        paths: JSONPaths of the effects; ``None``: the document is ``{"effects": [...], "open": [...]}``.
    """

    arguments: tuple[str, ...]
    paths: EffectPaths | None = None

    @classmethod
    def parse(cls, text: str, paths: EffectPaths | None) -> CommandObserver:
        """Parse a command line.

        Raises:
            UsageError: it is empty, or its quotes do not match.
        """
        try:
            arguments = tuple(shlex.split(text))
        except ValueError as error:
            raise UsageError(f"--observe-cmd {text!r}: {error}") from None
        if not arguments:
            raise UsageError("--observe-cmd is empty; write a command that prints JSON")
        return cls(arguments, paths)

    async def observe(self, token: str) -> EffectSnapshot:
        """Run the command and return its effects; a command that prints nothing has none.

        Raises:
            ObserverError: the command is missing, fails, takes too long, or prints something that is not JSON.
        """
        arguments = [argument.replace(_OBJECT_PLACEHOLDER, token) for argument in self.arguments]
        command_line = shlex.join(self.arguments)
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, TOKEN_VARIABLE: token},
            )
        except OSError as error:
            raise ObserverError(f"the observer `{command_line}` cannot be run: {error.strerror or error}") from None
        try:
            async with asyncio.timeout(_DEADLINE_S):
                output, error_output = await process.communicate()
        except TimeoutError:
            raise ObserverError(f"the observer `{command_line}` took more than {_DEADLINE_S:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            error_text = error_output.decode("utf-8", "replace").strip()[-_MAX_ERROR_CHARS:]
            raise ObserverError(f"the observer `{command_line}` ended with code {process.returncode}: {error_text}")
        if not output.strip():
            return EffectSnapshot((), None if self.paths and self.paths.open is None else ())
        source = f"what `{command_line}` prints"
        if self.paths is not None:
            return self.paths.parse_snapshot(output, source)
        return _parse_default(output, source)


@dataclass(frozen=True, slots=True)
class CallableObserver:
    """Calls a Python callable with the object id; it returns a document or an awaitable of one.

    It is called in the thread or loop of the run's caller, so it can use the state of a test.

    Args:
        name: its name, for messages.
        function: returns ``{"effects": [...], "open": [...]}``, a list of effects, a document for ``paths``, or an
            ``EffectSnapshot``.
        paths: where the effects are in the document.
    """

    name: str
    function: Callable[[str], Any]
    paths: EffectPaths | None = None

    async def observe(self, token: str) -> EffectSnapshot:
        """Call the callable and return its effects.

        Raises:
            ObserverError: it raises, or returns another kind of value.
        """
        try:
            document = await call_user(self.function, token)
        except Exception as error:
            raise ObserverError(f"the observer {self.name} raised {type(error).__name__}: {error}") from error
        if isinstance(document, EffectSnapshot):
            return document
        try:
            return (self.paths or default_paths(document)).extract(document)
        except (TypeError, ValueError) as error:
            raise ObserverError(f"what the observer {self.name} returns is not a JSON value: {error}") from None


@dataclass(frozen=True, slots=True)
class UserObserver:
    """An observer of the user, which looks where the caller of the run is."""

    observer: Observer

    @property
    def shows_all(self) -> bool:
        """Whether it need not be asked for each object."""
        return bool(getattr(self.observer, "shows_all", False))

    async def observe(self, token: str) -> EffectSnapshot:
        """Return the effects at this moment.

        Raises:
            ObserverError: the effects cannot be observed.
        """
        snapshot: EffectSnapshot = await call_user(self.observer.observe, token)
        return snapshot


@dataclass(slots=True)
class CoalescingObserver:
    """Shares one poll between callers that poll at the same time: a call during a poll waits for the next one.

    A poll costs the receiver work, which must not delay its responses. So there is a rest after each poll.

    Args:
        observer: the observer to poll.
        per_token: whether it returns only the effects of the requested object, so that polls cannot be shared.
        clock: clock in seconds.
        sleep: coroutine that pauses.
    """

    observer: Observer
    per_token: bool = False
    clock: Callable[[], float] = monotonic_s
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _running: asyncio.Task[EffectSnapshot] | None = field(default=None, init=False)
    _queued: asyncio.Task[EffectSnapshot] | None = field(default=None, init=False)
    _rest_until_s: float = field(default=0.0, init=False)

    @property
    def shows_all(self) -> bool:
        """Whether it need not be asked for each object."""
        return not self.per_token

    async def observe(self, token: str) -> EffectSnapshot:
        """Return the effects of a poll that started after this call.

        Raises:
            ObserverError: the effects cannot be observed.
        """
        if self.per_token:
            return await self.observer.observe(token)
        if self._queued is None:
            self._queued = asyncio.create_task(self._observe_after(self._running, token))
        return await asyncio.shield(self._queued)

    async def _observe_after(self, previous: asyncio.Task[EffectSnapshot] | None, token: str) -> EffectSnapshot:
        if previous is not None:
            await asyncio.wait({previous})
        await self.sleep(self._rest_until_s - self.clock())
        self._running, self._queued = self._queued, None
        started_s = self.clock()
        try:
            return await self.observer.observe(token)
        finally:
            ended_s = self.clock()
            self._rest_until_s = ended_s + _REST_FACTOR * (ended_s - started_s)


@dataclass(frozen=True, slots=True)
class CombinedObserver:
    """Combines two observers: that of the user and the stub services.

    Args:
        observer: the user's observer.
        downstream: the stub services.
    """

    observer: Observer
    downstream: Observer

    @property
    def shows_all(self) -> bool:
        """Whether both return all effects, whatever the token is."""
        return all(getattr(one, "shows_all", False) for one in (self.observer, self.downstream))

    async def observe(self, token: str) -> EffectSnapshot:
        """Return the effects of both, and the open incidents of those that return them.

        Raises:
            ObserverError: one of them cannot observe the effects.
        """
        first, second = await self.observer.observe(token), await self.downstream.observe(token)
        known = [one.open_incidents for one in (first, second) if one.open_incidents is not None]
        open_incidents = tuple(effect for effects in known for effect in effects) if known else None
        return EffectSnapshot((*first.effects, *second.effects), open_incidents, (*first.rejected, *second.rejected))


def _parse_default(raw: bytes, source: str) -> EffectSnapshot:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    return default_paths(document).parse_snapshot(raw, source)


@dataclass(slots=True)
class LogFile:
    """A file that grows; its initial content is not read.

    Args:
        path: it may appear later, be cut, or be replaced by a new one.
    """

    path: Path
    buffer: OutputBuffer = field(default_factory=OutputBuffer)
    _read: int = 0
    _inode: int = 0

    def __post_init__(self) -> None:
        if self.path.is_file():
            found = self.path.stat()
            self._read, self._inode = found.st_size, found.st_ino

    def lines_since(self, number: int) -> NewLines:
        """Return the lines from a number on; the first one after the start has the number 0.

        Raises:
            ObserverError: it cannot be read.
        """
        try:
            with self.path.open("rb") as stream:
                found = self.path.stat()
                if found.st_ino != self._inode or found.st_size < self._read:
                    self._read, self._inode = 0, found.st_ino
                stream.seek(self._read)
                while data := stream.read(_READ_BYTES):
                    self._read += len(data)
                    self.buffer.append(data)
        except OSError as problem:
            raise ObserverError(f"--observe-log {str(self.path)!r} cannot be read: {problem.strerror}") from None
        return self.buffer.lines_since(number)


@dataclass(slots=True)
class LogObserver:
    """Shows lines as effects; each line is read once.

    Args:
        lines_since: returns the lines from a number on.
        pattern: only lines in which it is found count.
    """

    lines_since: Callable[[int], NewLines]
    pattern: re.Pattern[str] | None = None
    _effects: deque[tuple[int, Effect]] = field(default_factory=deque, init=False)
    """Effects of complete lines, with the numbers of the lines."""
    _next: int = field(default=0, init=False)

    @classmethod
    def parse(cls, lines_since: Callable[[int], NewLines], pattern: str | None) -> LogObserver:
        """Create an observer of the lines that match a regular expression.

        Raises:
            UsageError: it is not a regular expression.
        """
        try:
            return cls(lines_since, re.compile(pattern) if pattern else None)
        except re.error as problem:
            raise UsageError(f"--observe-all {pattern!r} is not a regular expression: {problem}") from None

    async def observe(self, token: str) -> EffectSnapshot:  # noqa: ARG002 - an observer's signature
        """Return the lines so far, as many as are kept.

        Raises:
            ObserverError: the log cannot be read.
        """
        new = self.lines_since(self._next)
        self._effects += [
            (number, Effect(line, _LOCATION))
            for number, line in enumerate(new.complete, new.first)
            if self._counts(line)
        ]
        self._next = new.first + len(new.complete)
        while self._effects and self._effects[0][0] < new.oldest:
            self._effects.popleft()
        partial = [Effect(new.partial, _LOCATION)] if self._counts(new.partial) else []
        return EffectSnapshot((*(effect for _, effect in self._effects), *partial))

    def _counts(self, line: str) -> bool:
        return bool(line.strip()) and (self.pattern is None or self.pattern.search(line) is not None)
