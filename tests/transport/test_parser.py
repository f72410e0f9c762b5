"""Parsers as targets: bodies that they accept and reject, and the reasons."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pydantic
import pytest

from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Parser, Target
from tcop_mock.errors import UsageError
from tcop_mock.transport.open import open_transport
from tcop_mock.transport.parser import ParserTransport, model_parser, parse_errors, schema_parser

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BODY: dict[str, Any] = {"sessionId": "s-1", "alarmStatus": "1", "info": {"port": 4430, "names": ["a", "b"]}}


def _post(parse: Callable[[Any], object], body: object = BODY, deadline_s: float = 10.0) -> Attempt:
    post = ParserTransport(parse, Target.for_parser(Parser.MODEL, "m:f"), time.perf_counter)
    return asyncio.run(post(OutgoingRequest(json.dumps(body).encode()), deadline_s=deadline_s))


def _raising(problem: BaseException) -> Callable[[Any], NoReturn]:
    def parse(_body: object) -> NoReturn:
        raise problem

    return parse


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Callable[[Any], object]]:
    """Give what a name in a module of this text is, as a parser."""
    module = f"parsers_of_{tmp_path.name.replace('-', '_')}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def call(text: str, name: str) -> Callable[[Any], object]:
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        return model_parser(f"{module}:{name}")

    return call


def test_what_does_not_raise_is_taken() -> None:
    """A parser that returns answers 200 and has nothing against the body."""
    attempt = _post(lambda body: body["sessionId"])
    assert (attempt.outcome, attempt.status, attempt.parse_errors, attempt.detail) == (Outcome.ACKED, 200, (), "")


@pytest.mark.parametrize(
    "problem, status, text",
    [
        (ValueError("time data '1' does not match"), 422, "refused with ValueError: time data '1' does not match"),
        (KeyError("region"), 500, "broke with KeyError: 'region'"),
        (SystemExit(2), 422, "refused with SystemExit: 2"),
        (ValueError(), 422, "refused with ValueError"),
        (ValueError("a\x1b[31m\n b"), 422, "refused with ValueError: a [31m b"),
    ],
)
def test_what_raises_says_why(problem: BaseException, status: int, text: str) -> None:
    """A usual programming error is a 500, any other exception a 422; the message is one printable line."""
    attempt = _post(_raising(problem))
    assert attempt.status == status
    assert [reason.message for reason in attempt.parse_errors] == [text]
    assert attempt.detail.startswith("raised in parse, line ")
    assert attempt.detail.endswith(" of test_parser.py")


def test_a_reason_is_bounded() -> None:
    """A long text of an exception is shortened."""
    [reason] = _post(_raising(ValueError("x" * 100_000))).parse_errors
    assert len(reason.message) < 400


def test_a_parser_that_hangs_is_late() -> None:
    """The deadline holds for parsers, too."""
    attempt = _post(lambda _body: time.sleep(0.5), deadline_s=0.05)
    assert attempt.outcome is Outcome.TIMED_OUT


def test_a_cause_knows_nothing_of_the_body() -> None:
    """The values of a body are taken out of what its reason has in common with others; keys and short numbers stay."""
    body = json.dumps(BODY).encode()
    reported = "port 4430 is over 1024, 'a' or \"s-1\" in 'names' 1"
    assert (
        parse_errors(ValueError(reported), body)[0].cause
        == "refused with ValueError: port … is over 1024, … or … in 'names' 1"
    )


class _MessagesError(Exception):
    message = "said in a message"


class _OddError(ValueError):
    def errors(self) -> list[int]:
        return [1]


class _Model(pydantic.BaseModel):
    session: str
    port: int


def _pydantic_error() -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        _Model.model_validate({"port": "x"})
    return caught.value


@pytest.mark.parametrize(
    "problem, texts",
    [
        (_MessagesError("not that"), ["refused with _MessagesError: said in a message"]),
        (_OddError("not what it looks like"), ["refused with _OddError: not what it looks like"]),
        (
            ExceptionGroup("several", [ValueError("one"), ExceptionGroup("more", [KeyError("two")])]),
            ["refused with ValueError: one", "refused with KeyError: 'two'"],
        ),
    ],
)
def test_exceptions_of_other_libraries_say_what_they_mean(problem: Exception, texts: list[str]) -> None:
    """A ``message`` goes before the whole text, the parts of a group before the group."""
    assert [reason.message for reason in parse_errors(problem, b"{}")] == texts


def test_each_error_of_a_pydantic_model_is_a_reason() -> None:
    """Place and message of each, without the input and the link."""
    reported = [reason.message for reason in parse_errors(_pydantic_error(), b"{}")]
    assert reported == [
        "refused with ValidationError: session: Field required",
        "refused with ValidationError: port: Input should be a valid integer, unable to parse string as an integer",
    ]


MODELS = """
import dataclasses, typing
import pydantic

class V2(pydantic.BaseModel):
    sessionId: str
    info: dict[str, typing.Any]

class V1:
    @classmethod
    def parse_obj(cls, body):
        return body["sessionId"]

adapter = pydantic.TypeAdapter(dict[str, typing.Any])

@dataclasses.dataclass
class Data:
    sessionId: str
    alarmStatus: str
    info: dict

class Tuple(typing.NamedTuple):
    sessionId: str
    alarmStatus: str
    info: dict

class Attrs:
    __attrs_attrs__ = ()
    def __init__(self, sessionId, alarmStatus=None, info=None):
        assert sessionId == "s-1"

class Plain:
    def __init__(self, body):
        self.session = body["sessionId"]

def keys(sessionId, alarmStatus, info):
    return sessionId

def whole(body):
    return body["sessionId"]

async def later(body):
    return body["sessionId"]

builtin = dict
number = 5
"""


@pytest.mark.parametrize(
    "name", ["V2", "V1", "adapter", "Data", "Tuple", "Attrs", "Plain", "keys", "whole", "later", "builtin"]
)
def test_a_model_is_called_as_its_kind_wants(named: Callable[[str, str], Callable[[Any], object]], name: str) -> None:
    """Pydantic models validate, dataclasses and their like get keys, whatever else the body; each can refuse, too."""
    parse = named(MODELS, name)
    assert _post(parse).status == 200
    assert name == "builtin" or not _post(parse, {"sessionIdd": 1} if name != "adapter" else [1]).accepted


UNCHECKED = """
import sys, types, typing

class Typed(typing.TypedDict):
    sessionId: str

Session = typing.NewType("Session", dict)
annotation = dict[str, typing.Any]
union = int | str

class Struct:
    __struct_fields__ = ("sessionId",)

class Serializer:
    _declared_fields = {}
    def __init__(self, body=None, data=None):
        self.data = data
    def is_valid(self, raise_exception):
        if "sessionId" not in self.data:
            raise ValueError("sessionId is required")

class Schema:
    _declared_fields = {}
    def load(self, body):
        return body["sessionId"]

schema = Schema()

def convert(body, kind):
    if not kind.__struct_fields__[0] in body:
        raise ValueError("Object missing required field")

sys.modules["msgspec"] = types.SimpleNamespace(convert=convert)

def says_no(body):
    return "sessionId" in body
"""


@pytest.mark.parametrize("name", ["Struct", "Serializer", "Schema", "schema", "says_no"])
def test_a_model_that_a_call_would_not_check_is_checked(
    named: Callable[[str, str], Callable[[Any], object]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Structs of msgspec, schemas of marshmallow, serializers of Django, and callables that return False."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    parse = named(UNCHECKED, name)
    assert _post(parse).status == 200
    assert not _post(parse, {"sessionIdd": 1}).accepted


@pytest.mark.parametrize("name", ["Typed", "Session", "annotation", "union"])
def test_a_model_that_checks_nothing_is_an_error(
    named: Callable[[str, str], Callable[[Any], object]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that checks nothing would say that the contract is kept."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(UsageError, match=r"checks nothing at run time: give pydantic.TypeAdapter\("):
        named(UNCHECKED, name)


def test_what_is_no_parser_is_an_error(named: Callable[[str, str], Callable[[Any], object]]) -> None:
    """A name that is not there, and what cannot be called, are reported in a line."""
    with pytest.raises(UsageError, match=r"has no attribute 'nope'; write --model module:callable"):
        named(MODELS, "nope")
    with pytest.raises(UsageError, match="is not a parser: it is of type int, which cannot be called"):
        named(MODELS, "number")


SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["sessionId", "region"],
    "properties": {
        "alarmStatus": {"enum": ["0", "1"]},
        "sessionId": {"minLength": 5},
        "info": {
            "additionalProperties": False,
            "patternProperties": {"^na": True},
            "properties": {"port": {"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 2}]}},
        },
    },
}


def test_a_schema_says_path_and_message(tmp_path: Path) -> None:
    """Each thing that a schema has against a body is a reason, with the path of the value."""
    file = tmp_path / "s.json"
    file.write_text(json.dumps(SCHEMA), encoding="utf-8")
    parse = schema_parser(str(file))
    assert [reason.message for reason in _post(parse).parse_errors] == [
        "refused: region: is missing",
        "refused: sessionId: has 3 characters, fewer than 5",
        "refused: info.port: is an integer, not a string",
    ]
    good = BODY | {"region": "gz", "sessionId": "session", "info": {"names": [], "port": "443"}}
    assert _post(parse, good).accepted
    [reason] = _post(parse, good | {"info": {"port": "44"}}).parse_errors
    assert "is valid under each of" in reason.message
    assert (
        _post(parse, good | {"info": {"extra": 1}}).parse_errors[0].message == "refused: info.extra: is an unknown key"
    )


def test_a_schema_is_opened_by_its_target(tmp_path: Path) -> None:
    """The port of a target that is a schema holds bodies to it."""
    file = tmp_path / "s.json"
    file.write_text('{"maxProperties": 1, "description": "x"}', encoding="utf-8")
    with open_transport(Target.for_parser(Parser.SCHEMA, str(file)), 1000) as post:
        attempt = asyncio.run(post(OutgoingRequest(b'{"a": 1, "b": 2}'), deadline_s=10.0))
    assert attempt.parse_errors[0].message == "refused: {'a': 1, 'b': 2} has too many properties"


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "is not JSON: "),
        ("[]", "is not a JSON Schema: it is a list, not an object"),
        ('{"type": "strnig"}', "is not a JSON Schema: type: is "),
        ('{"properties": {"a": {"pattern": "["}}}', "is not a JSON Schema: properties.a.pattern: "),
        ('{"type": 1}', "is not a JSON Schema: "),
        (
            '{"$ref": "http://example.com/a.json"}',
            'refers to "http://example.com/a.json", which is not in it; nothing ',
        ),
        ('{"properties": {"a": {"$ref": "#/$defs/nope"}}}', 'refers to "#/$defs/nope", which is not in it'),
        ('{"$ref": "#"}', "refers to itself endlessly"),
        (
            '{"openapi": "3.1.0", "components": {"schemas": {"A": {}}}}',
            "is an OpenAPI document, not a JSON Schema: give",
        ),
        ('{"swagger": "2.0", "definitions": {}}', "is an OpenAPI document, not a JSON Schema: give one schema of it"),
        ('{"asyncapi": "3.0.0"}', "is an AsyncAPI document, not a JSON Schema"),
        ('{"Alarm": {"type": "object"}}', "has no keyword of JSON Schema at its top, so it would accept every body"),
        ('{"title": "any"}', "would accept every body"),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    """A file that is not a schema, or not a whole one, is reported in a line; nothing is fetched."""
    file = tmp_path / "s.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        schema_parser(str(file))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_schema_may_name_what_is_in_it(tmp_path: Path) -> None:
    """References into the file, and to its parts with an id, are found; `true` takes all."""
    schema = {
        "$id": "https://example.com/root.json",
        "$defs": {"name": {"$id": "name.json", "type": "string"}, "any": True},
        "properties": {
            "a": {"$ref": "name.json"},
            "b": {"$ref": "#/$defs/any"},
        },
    }
    (tmp_path / "s.json").write_text(json.dumps(schema), encoding="utf-8")
    (tmp_path / "true.json").write_text("true", encoding="utf-8")
    assert (
        _post(schema_parser(str(tmp_path / "s.json")), {"a": 1}).parse_errors[0].message
        == "refused: a: is an integer, not a string"
    )
    assert _post(schema_parser(str(tmp_path / "true.json")), [1]).accepted


def test_a_schema_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        schema_parser(str(tmp_path / "s.json"))
