"""Parsers as targets: what takes a body that has been parsed, or refuses it, and nothing else.

A model is a class or a callable of the receiver's, named ``module:callable``; a schema is its own JSON Schema.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import re
import sys
import threading
import traceback
from dataclasses import is_dataclass, replace
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from tcop_mock.catalog.schema_errors import foreign
from tcop_mock.domain.delivery import Refusal
from tcop_mock.domain.target import Parser
from tcop_mock.errors import UsageError
from tcop_mock.transport.app import divided, load_named
from tcop_mock.transport.inprocess import WsgiPost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tcop_mock.domain.delivery import Attempt, Push
    from tcop_mock.domain.target import Target

    Parse = Callable[[Any], object]

_HELP = "write --model module:callable"
_CRASHES = (ArithmeticError, AttributeError, LookupError, NameError, RuntimeError, TypeError)
"""What nobody raises to refuse a body: where nobody catches it, servers answer 500."""
_TURN_S = 0.25
"""Nobody promised that a parser can be called from several threads at once: so long one call waits for another."""
_MOST_REASONS = 8
_MOST_CHARS = 300
_MOST_LEAVES = 500
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d.]{2,}(?![\w.])")
"""Shorter ones may as well be the error's own."""


@contextlib.contextmanager
def parser_post(target: Target, *, clock: Callable[[], float]) -> Iterator[ParserPost]:
    """Give the port to a parser, which is looked for in the working directory first.

    Raises:
        UsageError: there is no such callable, or the schema cannot be used.
    """
    find = schema_call if target.parser is Parser.SCHEMA else model_call
    with contextlib.redirect_stdout(sys.stderr):
        parse = find(target.app)
    with divided():
        yield ParserPost(parse, target, clock)


def schema_call(name: str) -> Parse:
    """Return what raises where a body does not keep the JSON Schema in a file.

    Raises:
        UsageError: the file cannot be read, is no JSON Schema, or refers to what is not in it: nothing is fetched.
    """
    check = foreign(name)

    def parse(body: object) -> None:
        flaws = list(islice(check(body), _MOST_REASONS + 1))
        if flaws:
            raise SchemaError([{"loc": flaw.path, "msg": flaw.message} for flaw in flaws])

    return parse


class SchemaError(ValueError):
    """What a schema has against a body: in ``errors()``, as pydantic has it."""

    def errors(self) -> list[dict[str, Any]]:
        """Return where and what."""
        found: list[dict[str, Any]] = self.args[0]
        return found


def model_call(reference: str) -> Parse:
    """Return what takes a body as the class or the callable of a name does, and raises where that does.

    A pydantic model validates it (``model_validate``, ``parse_obj``, a type adapter's ``validate_python``); a
    dataclass, and whatever takes no single argument, is called with its keys; anything else is called with it.

    Raises:
        UsageError: there is none, or what is there cannot be called.
    """
    found = load_named(reference, "parser", _HELP)
    for method in ("model_validate", "parse_obj", "validate_python"):
        call = getattr(found, method, None)
        if callable(call):
            return _plain(call)
    if not callable(found):
        raise UsageError(f"{reference} is no parser: it is of type {type(found).__name__}, which cannot be called")
    return _spread(found) if _wants_keys(found) else _plain(found)


class ParserPost:
    """A ``Post`` port to a parser: it answers 200, 422 to a body that is refused, or 500 where it breaks on it.

    Args:
        parse: raises for what it does not take.
        target: for the record.
        clock: seconds.
    """

    def __init__(self, parse: Parse, target: Target, clock: Callable[[], float]) -> None:
        self._parse, self._target, self._clock = parse, target, clock
        self._turn = threading.Lock()

    async def __call__(self, push: Push, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Have a body parsed once; see :class:`tcop_mock.domain.delivery.Post`."""
        raised: list[BaseException] = []

        def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            is_alone = self._turn.acquire(timeout=_TURN_S)
            try:
                self._parse(json.loads(push.body))
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - whatever it raises is the attempt's to tell
                raised.append(problem)
            finally:
                if is_alone:
                    self._turn.release()
            start_response(_status(raised), [])
            return []

        send = WsgiPost(app, self._target, answer_cap_bytes=0, clock=self._clock)
        attempt = await send(push, deadline_s=deadline_s, intended_s=intended_s)
        if not raised:
            return attempt
        return replace(attempt, refusals=reasons(raised[0], push.body), detail=_place(raised[0]))


def reasons(problem: BaseException, body: bytes) -> tuple[Refusal, ...]:
    """Return why a body was not taken: bounded, a line each."""
    verb = "broke with" if isinstance(problem, _CRASHES) else "refused with"
    values = set(islice(_leaves(json.loads(body)), _MOST_LEAVES))
    told = dict.fromkeys(islice(_told(problem), _MOST_REASONS))
    lines = [(f"{verb} {line}" if name else f"refused: {line}") for name, line in told]
    return tuple(Refusal(line, _without(values, line)) for line in lines)


def _told(problem: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of what an exception says, of each part where it has parts."""
    name = "" if isinstance(problem, SchemaError) else type(problem).__name__
    errors = getattr(problem, "errors", None)
    found = _called(errors) if callable(errors) else ()
    if found:
        for one in found:
            where = ".".join(map(str, one["loc"]))
            yield name, _bounded(": ".join(filter(None, (name, where, str(one["msg"])))))
    elif isinstance(problem, BaseExceptionGroup):
        for part in problem.exceptions:
            yield from _told(part)
    else:
        text = str(getattr(problem, "message", None) or problem)
        yield name, _bounded(f"{name}: {text}" if text else name)


def _called(errors: Callable[[], Any]) -> list[dict[str, Any]]:
    """Return the errors of an exception like pydantic's, or nothing where it is none."""
    try:
        found = [one for one in errors() if "loc" in one and "msg" in one]
    except Exception:  # noqa: BLE001 - it is not what it looks like; what the exception says is told in its place
        return []
    return found


def _bounded(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _MOST_CHARS]).split())
    return line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}…"


def _leaves(value: object) -> Iterator[str]:
    """Yield the values in a body as an error may quote them."""
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _leaves(child)
    else:
        yield str(value)


def _without(values: set[str], line: str) -> str:
    def instead(found: re.Match[str]) -> str:
        quoted = next((group for group in found.groups() if group is not None), found[0])
        return "…" if quoted in values else found[0]

    return _NUMBER.sub(instead, _QUOTED.sub(instead, line))


def _place(problem: BaseException) -> str:
    """Say where it was raised: the innermost line of code that is not a library's."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and frame.filename != __file__]
    if not own or "tcop_mock" in own[-1].filename:
        return ""
    return f"raised in {own[-1].name}, line {own[-1].lineno} of {own[-1].filename.rpartition('/')[2]}"


def _status(raised: list[BaseException]) -> str:
    if not raised:
        return "200 OK"
    crashed = isinstance(raised[0], _CRASHES)
    status = HTTPStatus.INTERNAL_SERVER_ERROR if crashed else HTTPStatus.UNPROCESSABLE_ENTITY
    return f"{status.value} {status.phrase}"


def _plain(call: Parse) -> Parse:
    def parse(body: object) -> None:
        _finish(call(body))

    return parse


def _spread(call: Callable[..., object]) -> Parse:
    def parse(body: Any) -> None:  # noqa: ANN401 - a parsed body
        _finish(call(**body))

    return parse


def _finish(given: object) -> None:
    """Run what an asynchronous callable gave."""
    if inspect.iscoroutine(given):
        asyncio.run(given)


def _wants_keys(found: Callable[..., object]) -> bool:
    if isinstance(found, type) and (is_dataclass(found) or hasattr(found, "__attrs_attrs__")):
        return True
    if isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields"):
        return True
    try:
        inspect.signature(found).bind({})
    except TypeError:
        return True
    except ValueError:
        return False
    return False
