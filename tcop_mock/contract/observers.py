"""The observers: a URL, a command, a Python callable."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import shlex
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jsonpath_rfc9535 import JSONPathError, JSONPathQuery
from jsonpath_rfc9535 import compile as compiled

from tcop_mock.domain.delivery import Outcome, Push
from tcop_mock.domain.effects import Effect, Sight
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.transport.http1 import HttpPost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tcop_mock.domain.delivery import Post
    from tcop_mock.domain.effects import Observer
    from tcop_mock.domain.target import Target


EVERY_EFFECT = "$.effects[*]"

EVERY_OPEN = "$.open[*]"

"""Where effects and open incidents stand in a document that is written for us."""

_MOST_CHARS = 80


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a document has its effects and its open incidents."""

    effects: JSONPathQuery | None
    open: JSONPathQuery | None

    @classmethod
    def parse(cls, effects: str | None, is_open: str | None) -> Paths:
        """Read two JSONPaths; without the first, open incidents are the effects.

        Raises:
            UsageError: one is no JSONPath; says where and why.
        """
        return cls(_query("--observe-all", effects), _query("--observe-open", is_open))

    def sight(self, raw: bytes | str, source: str) -> Sight:
        """Return what a JSON text tells.

        Args:
            raw: the text.
            source: where it comes from, for messages.

        Raises:
            ObserverError: it is no JSON.
        """
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            shown = repr(raw[:_MOST_CHARS].strip())
            raise ObserverError(f"{source} is no JSON: {shown}") from None
        return self.sight_of(document)

    def sight_of(self, document: Any) -> Sight:  # noqa: ANN401 - a JSON value
        """Return what a document tells."""
        is_open = None if self.open is None else _effects(self.open, document)
        effects = (is_open or ()) if self.effects is None else _effects(self.effects, document)
        return Sight(effects, is_open)


def own_paths(document: Any) -> Paths:  # noqa: ANN401 - a JSON value
    """Return the paths of a document that is written for us; one without ``open`` does not tell what is open."""
    tells = isinstance(document, dict) and "open" in document
    return Paths.parse(EVERY_EFFECT, EVERY_OPEN if tells else None)


def _query(flag: str, text: str | None) -> JSONPathQuery | None:
    if text is None:
        return None
    try:
        return compiled(text)
    except JSONPathError as problem:
        raise UsageError(f"{flag} {text!r} is no JSONPath: {problem}; write for example $.incidents[*]") from None


def _effects(query: JSONPathQuery, document: Any) -> tuple[Effect, ...]:  # noqa: ANN401 - a JSON value
    values: Sequence[Any] = query.find(document).values()
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]  # $.incidents is meant as $.incidents[*]
    return tuple(Effect(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for value in values)


TOKEN_VARIABLE = "TCOP_MOCK_TOKEN"  # noqa: S105 - an alarm's object, no secret

_PLACE = "{token}"

_DEADLINE_S = 10.0

MOST_BYTES = 32 * 1024 * 1024

"""As much of what a URL answers is read."""

_MOST_ERROR_CHARS = 200

_RESTS = 2.0

"""So many times as long as a look took, there is none after it."""


def _port(target: Target) -> Post:
    return HttpPost(target, answer_cap_bytes=MOST_BYTES)


@dataclass(frozen=True, slots=True)
class UrlObserver:
    """Gets a document from a URL; ``{token}`` in it is the object that is looked for.

    Args:
        target: the URL, whose userinfo is sent as credentials.
        paths: what the document tells.
        port: gives the port to a target.
    """

    target: Target
    paths: Paths
    port: Callable[[Target], Post] = _port

    async def look(self, token: str) -> Sight:
        """Return what the document tells now.

        Raises:
            ObserverError: it is not there, or no JSON.
        """
        target = replace(self.target, path=self.target.path.replace(_PLACE, quote(token, safe="")))
        push = Push(b"", method="GET", headers=(("Accept", "application/json"),), credentials=target.credentials)
        attempt = await self.port(target)(push, deadline_s=_DEADLINE_S)
        source = f"what {self.target} answers"
        if attempt.outcome is not Outcome.ACKED:
            said = attempt.outcome if attempt.status is None else str(attempt.status)
            raise ObserverError(f"the observer {self.target} cannot be read: {said}")
        if attempt.body_truncated:
            raise ObserverError(f"{source} is longer than {MOST_BYTES} bytes; let the URL choose with {_PLACE}")
        return self.paths.sight(attempt.body, source)


@dataclass(frozen=True, slots=True)
class CommandObserver:
    """Runs a command that prints a document; ``{token}`` in it, or TCOP_MOCK_TOKEN, is what is looked for.

    Args:
        words: the command, split.
        paths: what the document tells; ``None``: it is ``{"effects": [...], "open": [...]}``.
    """

    words: tuple[str, ...]
    paths: Paths | None = None

    @classmethod
    def parse(cls, text: str, paths: Paths | None) -> CommandObserver:
        """Read a command line.

        Raises:
            UsageError: it is none.
        """
        try:
            words = tuple(shlex.split(text))
        except ValueError as problem:
            raise UsageError(f"--observe-cmd {text!r}: {problem}") from None
        if not words:
            raise UsageError("--observe-cmd is empty; write a command that prints JSON")
        return cls(words, paths)

    async def look(self, token: str) -> Sight:
        """Return what the command prints now.

        Raises:
            ObserverError: it is not there, fails, takes too long, or prints no JSON.
        """
        words = [word.replace(_PLACE, token) for word in self.words]
        shown = shlex.join(self.words)
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, TOKEN_VARIABLE: token},
            )
        except OSError as problem:
            raise ObserverError(f"the observer `{shown}` cannot be run: {problem.strerror or problem}") from None
        try:
            async with asyncio.timeout(_DEADLINE_S):
                out, errors = await process.communicate()
        except TimeoutError:
            raise ObserverError(f"the observer `{shown}` took more than {_DEADLINE_S:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            said = errors.decode("utf-8", "replace").strip()[-_MOST_ERROR_CHARS:]
            raise ObserverError(f"the observer `{shown}` ended with code {process.returncode}: {said}")
        source = f"what `{shown}` prints"
        if self.paths is not None:
            return self.paths.sight(out, source)
        return _own(out, source)


@dataclass(frozen=True, slots=True)
class CallableObserver:
    """Calls a Python callable with the object that is looked for; it returns a document, or awaits one.

    Args:
        name: for messages.
        call: returns ``{"effects": [...], "open": [...]}``, or a document for ``paths``, or a ``Sight``.
        paths: what the document tells.
    """

    name: str
    call: Callable[[str], Any]
    paths: Paths | None = None

    async def look(self, token: str) -> Sight:
        """Return what the callable returns now.

        Raises:
            ObserverError: it raises, or returns nothing of the kind.
        """
        try:
            told = self.call(token)
            if inspect.isawaitable(told):
                told = await told
        except Exception as problem:
            raise ObserverError(f"the observer {self.name} raised {type(problem).__name__}: {problem}") from problem
        if isinstance(told, Sight):
            return told
        try:
            return (self.paths or own_paths(told)).sight_of(told)
        except (TypeError, ValueError) as problem:
            raise ObserverError(f"what the observer {self.name} returns is no JSON value: {problem}") from None


@dataclass(slots=True)
class Shared:
    """One observer for many that look at the same time: whoever comes while one looks waits for the next look.

    A look costs the receiver work, which must not make its answers late: after each it is left alone for a while.

    Args:
        observer: that looks.
        per_token: whether it shows the object that it is asked for only, so that nothing can be shared.
        clock: seconds.
        sleep: pauses.
    """

    observer: Observer
    per_token: bool = False
    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _looking: asyncio.Task[Sight] | None = field(default=None, init=False)
    _next: asyncio.Task[Sight] | None = field(default=None, init=False)
    _rest_until_s: float = field(default=0.0, init=False)

    @property
    def shows_all(self) -> bool:
        """Whether it need not be asked for each object."""
        return not self.per_token

    async def look(self, token: str) -> Sight:
        """Return what is there to be seen after this call.

        Raises:
            ObserverError: nothing could be seen.
        """
        if self.per_token:
            return await self.observer.look(token)
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._looking, token))
        return await asyncio.shield(self._next)

    async def _after(self, looking: asyncio.Task[Sight] | None, token: str) -> Sight:
        if looking is not None:
            await asyncio.wait({looking})
        await self.sleep(self._rest_until_s - self.clock())
        self._looking, self._next = self._next, None
        started_s = self.clock()
        try:
            return await self.observer.look(token)
        finally:
            ended_s = self.clock()
            self._rest_until_s = ended_s + _RESTS * (ended_s - started_s)


def _own(raw: bytes, source: str) -> Sight:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    return own_paths(document).sight(raw, source)
