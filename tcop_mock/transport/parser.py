"""Transports to the parser of a receiver, which accepts or rejects a parsed body.

A model is a class or callable of the receiver, named ``module:callable``. A schema is a JSON Schema file.
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
from typing import TYPE_CHECKING, Any, NewType, get_origin, is_typeddict

from tcop_mock.catalog.schema_check import load_user_schema
from tcop_mock.domain.delivery import ParseError
from tcop_mock.domain.target import Parser
from tcop_mock.errors import UsageError
from tcop_mock.transport.app import load_object, redirect_app_output
from tcop_mock.transport.inprocess import WsgiTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.target import Target

    Parse = Callable[[Any], object]

_ADVICE = "write --model module:callable"
_CRASH_ERRORS = (ArithmeticError, AttributeError, LookupError, NameError, RuntimeError, TypeError)
"""Exceptions that mean a crash, not a rejection; uncaught, they become a 500."""
_LOCK_TIMEOUT_S = 0.25
"""Time that one call waits for another, because a parser may not be thread-safe."""
_MAX_REASONS = 8
_MAX_REASON_CHARS = 300
_MAX_LEAVES = 500
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d.]{2,}(?![\w.])")
"""Shorter numbers may be the error's own."""


@contextlib.contextmanager
def parser_transport(target: Target, *, clock: Callable[[], float]) -> Iterator[ParserTransport]:
    """Yield a transport to a parser. The working directory is searched first.

    Raises:
        UsageError: the callable does not exist, or the schema is invalid.
    """
    load_parser = schema_parser if target.parser is Parser.SCHEMA else model_parser
    with contextlib.redirect_stdout(sys.stderr):
        parse = load_parser(target.app)
    with redirect_app_output():
        yield ParserTransport(parse, target, clock)


def schema_parser(name: str) -> Parse:
    """Return a parser that raises if a body violates the JSON Schema in a file.

    Raises:
        UsageError: the file cannot be read, is not a JSON Schema, or has references to other files.
    """
    validate = load_user_schema(name)

    def parse(body: object) -> None:
        violations = list(islice(validate(body), _MAX_REASONS + 1))
        if violations:
            raise SchemaError([{"loc": violation.path, "msg": violation.message} for violation in violations])

    return parse


class SchemaError(ValueError):
    """The violations of a schema, available from ``errors()`` like those of pydantic."""

    def errors(self) -> list[dict[str, Any]]:
        """Return the location and message of each violation."""
        details: list[dict[str, Any]] = self.args[0]
        return details


def model_parser(reference: str) -> Parse:
    """Return a parser that calls the named class or callable with a body.

    A pydantic model validates the body (``model_validate``, ``parse_obj``, a type adapter's ``validate_python``).
    A dataclass, or a callable that does not accept one argument, is called with the keys of the body as keyword
    arguments. Any other callable is called with the body.

    A struct of msgspec converts the body, a schema of marshmallow loads it, and a serializer of Django validates it.
    A callable that returns ``False`` rejects the body.

    Raises:
        UsageError: it does not exist, cannot be called, or checks nothing.
    """
    model = load_object(reference, "a parser", _ADVICE)
    if is_typeddict(model) or isinstance(model, NewType) or get_origin(model) is not None:
        name = reference.rpartition(":")[2]
        raise UsageError(
            f"{reference} checks nothing at run time: give pydantic.TypeAdapter({name}) a name and check that"
        )
    if special := _special_parser(model):
        return special
    for method in ("model_validate", "parse_obj", "validate_python"):
        call = getattr(model, method, None)
        if callable(call):
            return _call_with_body(call)
    if not callable(model):
        raise UsageError(f"{reference} is not a parser: it is of type {type(model).__name__}, which cannot be called")
    return _call_with_kwargs(model) if _needs_kwargs(model) else _call_with_body(model)


def _special_parser(model: Any) -> Parse | None:  # noqa: ANN401 - a user's object
    """Return the parser of a model that has to be validated by a method, not by a call; ``None`` for other models."""
    if hasattr(model, "__struct_fields__"):
        return lambda body: sys.modules["msgspec"].convert(body, model)
    if not hasattr(model, "_declared_fields"):
        return None
    if hasattr(model, "is_valid"):
        return lambda body: model(data=body).is_valid(raise_exception=True)
    return _call_with_body((model() if isinstance(model, type) else model).load)


class ParserTransport:
    """A transport to a parser: 200 for an accepted body, 422 for a rejected one, 500 for a crash.

    Args:
        parse: the parser; raises to reject a body.
        target: the target, for the record.
        clock: monotonic clock in seconds.
    """

    def __init__(self, parse: Parse, target: Target, clock: Callable[[], float]) -> None:
        self._parse, self._target, self._clock = parse, target, clock
        self._lock = threading.Lock()

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Parse a body once; see :class:`tcop_mock.domain.delivery.Transport`."""
        raised: list[BaseException] = []

        def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            has_lock = self._lock.acquire(timeout=_LOCK_TIMEOUT_S)
            try:
                self._parse(json.loads(request.body))
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - any error becomes part of the attempt
                raised.append(problem)
            finally:
                if has_lock:
                    self._lock.release()
            start_response(_status(raised), [])
            return []

        transport = WsgiTransport(app, self._target, max_body_bytes=0, clock=self._clock)
        attempt = await transport(request, deadline_s=deadline_s, intended_s=intended_s)
        if not raised:
            return attempt
        return replace(attempt, parse_errors=parse_errors(raised[0], request.body), detail=_raise_location(raised[0]))


def parse_errors(problem: BaseException, body: bytes) -> tuple[ParseError, ...]:
    """Return why a body was not accepted, as a limited number of lines."""
    verb = "broke with" if isinstance(problem, _CRASH_ERRORS) else "refused with"
    values = set(islice(_leaves(json.loads(body)), _MAX_LEAVES))
    named_lines = dict.fromkeys(islice(_exception_lines(problem), _MAX_REASONS))
    lines = [(f"{verb} {line}" if name else f"refused: {line}") for name, line in named_lines]
    return tuple(ParseError(line, _mask_values(values, line)) for line in lines)


def _exception_lines(problem: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the name and text of an exception, or of each of its parts."""
    name = "" if isinstance(problem, SchemaError) else type(problem).__name__
    errors = getattr(problem, "errors", None)
    details = _pydantic_errors(errors) if callable(errors) else ()
    if details:
        for detail in details:
            location = ".".join(map(str, detail["loc"]))
            yield name, _shorten(": ".join(filter(None, (name, location, str(detail["msg"])))))
    elif isinstance(problem, BaseExceptionGroup):
        for part in problem.exceptions:
            yield from _exception_lines(part)
    else:
        text = str(getattr(problem, "message", None) or problem)
        yield name, _shorten(f"{name}: {text}" if text else name)


def _pydantic_errors(errors: Callable[[], Any]) -> list[dict[str, Any]]:
    """Return the errors of an exception like pydantic's, or an empty list for other exceptions."""
    try:
        details = [detail for detail in errors() if "loc" in detail and "msg" in detail]
    except Exception:  # noqa: BLE001 - not a pydantic error; the message of the exception is used instead
        return []
    return details


def _shorten(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _MAX_REASON_CHARS]).split())
    return line if len(line) <= _MAX_REASON_CHARS else f"{line[:_MAX_REASON_CHARS]}…"


def _leaves(value: object) -> Iterator[str]:
    """Yield the values in a body as an error may quote them."""
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _leaves(child)
    else:
        yield str(value)


def _mask_values(values: set[str], line: str) -> str:
    def mask(match: re.Match[str]) -> str:
        quoted = next((group for group in match.groups() if group is not None), match[0])
        return "…" if quoted in values else match[0]

    return _NUMBER.sub(mask, _QUOTED.sub(mask, line))


def _raise_location(problem: BaseException) -> str:
    """Return where an exception was raised: the innermost line outside libraries."""
    frames = traceback.extract_tb(problem.__traceback__)
    own_frames = [frame for frame in frames if "site-packages" not in frame.filename and frame.filename != __file__]
    if not own_frames or "tcop_mock" in own_frames[-1].filename:
        return ""
    return (
        f"raised in {own_frames[-1].name}, line {own_frames[-1].lineno} of {own_frames[-1].filename.rpartition('/')[2]}"
    )


def _status(raised: list[BaseException]) -> str:
    if not raised:
        return "200 OK"
    crashed = isinstance(raised[0], _CRASH_ERRORS)
    status = HTTPStatus.INTERNAL_SERVER_ERROR if crashed else HTTPStatus.UNPROCESSABLE_ENTITY
    return f"{status.value} {status.phrase}"


def _call_with_body(call: Parse) -> Parse:
    def parse(body: object) -> None:
        _finish(call(body))

    return parse


def _call_with_kwargs(call: Callable[..., object]) -> Parse:
    def parse(body: Any) -> None:  # noqa: ANN401 - a parsed body
        _finish(call(**body))

    return parse


def _finish(result: object) -> None:
    """Run the coroutine of an asynchronous callable.

    Raises:
        ValueError: the callable returned ``False``.
    """
    if (asyncio.run(result) if inspect.iscoroutine(result) else result) is False:
        raise ValueError("it returned False")


def _needs_kwargs(model: Callable[..., object]) -> bool:
    if isinstance(model, type) and (is_dataclass(model) or hasattr(model, "__attrs_attrs__")):
        return True
    if isinstance(model, type) and issubclass(model, tuple) and hasattr(model, "_fields"):
        return True
    try:
        inspect.signature(model).bind({})
    except TypeError:
        return True
    except ValueError:
        return False
    return False
