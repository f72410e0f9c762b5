"""Ways to put one mistake into ``careful``, the receiver that keeps the contract."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import json
import re
import sqlite3
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from receiver_factories import CREDENTIALS

from tcop_mock.catalog.loader import Catalog
from tcop_mock.server.demo_receivers import correct_receiver, with_basic_auth
from tcop_mock.server.http_server import ReceivedRequest, Reply

if TYPE_CHECKING:
    from tcop_mock.server.http_server import Handler

AlarmBody: TypeAlias = dict[str, Any]
ReplyChange: TypeAlias = Callable[[ReceivedRequest, Reply], Reply | None]
"""Gives another reply in place of ``careful``'s, or nothing."""

INTERNAL_ERROR = Reply(500, b"internal error\n")
UNPROCESSABLE = Reply(422, b"unprocessable\n")
MISSING = object()
MAX_LEVELS = 500
ANY_SPELLING_KEYS = frozenset({"appid", "instanceid", "uinstanceid", "uninstanceid"})
"""Dimensions that every product may spell in any of these ways: another clause's business (TCM305)."""


def with_changed_reply(change: ReplyChange) -> Handler:
    """Return ``careful`` with some of its replies changed."""

    def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        return change(request, reply) or reply

    return handler


def rejecting(is_rejected: Callable[[AlarmBody], bool], rejection: Reply = INTERNAL_ERROR) -> Handler:
    """Return ``careful`` that refuses some of the callbacks that it would take."""

    def change(request: ReceivedRequest, reply: Reply) -> Reply | None:
        return rejection if reply.status == 200 and is_rejected(json.loads(request.body.decode("utf-8-sig"))) else None

    return with_changed_reply(change)


def value_at(alarm: AlarmBody, path: str) -> Any:
    """Return the value at a dotted path, or ``ABSENT``."""
    value: Any = alarm
    for key in path.split("."):
        value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
    return value


def keys_at(alarm: AlarmBody, path: str) -> set[str]:
    """Return the keys of the object at a dotted path."""
    value = value_at(alarm, path)
    return set(value) if isinstance(value, dict) else set()


def requiring(path: str, kind: str | None = None) -> Handler:
    """Return ``careful`` that raises KeyError where a key is absent, from callbacks of one kind or both."""
    kinds = {kind} if kind else {"metric", "event"}
    return rejecting(lambda alarm: value_at(alarm, "alarmType") in kinds and value_at(alarm, path) is MISSING)


def requiring_type(path: str, expected_type: type) -> Handler:
    """Return ``careful`` that refuses a metric alarm in which a value is there and of another type."""

    def has_wrong_type(alarm: AlarmBody) -> bool:
        value = value_at(alarm, path)
        return (
            value_at(alarm, "alarmType") == "metric" and value is not MISSING and not isinstance(value, expected_type)
        )

    return rejecting(has_wrong_type, UNPROCESSABLE)


def rejecting_recover_time(status: str, *unreadable: object) -> Handler:
    """Return ``careful`` that parses ``recoverTime`` in one state and cannot read some of its values."""
    return rejecting(
        lambda alarm: str(value_at(alarm, "alarmStatus")) == status and value_at(alarm, "recoverTime") in unreadable
    )


@cache
def catalogue_keys() -> tuple[frozenset[str], dict[Any, frozenset[str]]]:
    """Return the namespaces of the catalogue, and by kind and policy type the keys of dimensions in lower case."""
    shapes = list(Catalog.load())
    namespaces = {shape.namespace for shape in shapes} | {
        metric.namespace for shape in shapes for metric in shape.metrics
    }
    dimensions: dict[Any, frozenset[str]] = {}
    for shape in shapes:
        shape_key = (shape.kind.value, shape.policy.type)
        dimensions[shape_key] = dimensions.get(shape_key, ANY_SPELLING_KEYS) | {key.lower() for key in shape.dimensions}
    return frozenset(filter(None, namespaces)), dimensions


def has_unknown_product(alarm: AlarmBody) -> bool:
    """Say whether the namespace is there and in no catalogue entry."""
    return value_at(alarm, "alarmObjInfo.namespace") not in catalogue_keys()[0] | {MISSING}


def has_unknown_dimension(alarm: AlarmBody) -> bool:
    """Say whether a product of the catalogue has a key in its dimensions that no entry of its policy type has."""
    shape_key = (value_at(alarm, "alarmType"), value_at(alarm, "alarmPolicyInfo.policyType"))
    known = catalogue_keys()[1].get(shape_key)
    return known is not None and not {key.lower() for key in keys_at(alarm, "alarmObjInfo.dimensions")} <= known


def breaks_json_formatting(alarm: AlarmBody) -> bool:
    """Say whether a JSON text built by formatting is broken by the object's name."""
    try:
        json.loads(f'{{"text": "{value_at(alarm, "alarmObjInfo.dimensions.objName")}"}}')
    except ValueError:
        return True
    return False


def breaks_second_formatting(alarm: AlarmBody) -> bool:
    """Say whether a message that is formatted a second time is broken by the policy's name."""
    try:
        f"{value_at(alarm, 'alarmPolicyInfo.policyName')} in {{}}".format("gz")
    except (ValueError, KeyError, IndexError, AttributeError):
        return True
    return False


def breaks_sql(alarm: AlarmBody) -> bool:
    """Say whether an SQL statement built by formatting is broken by the policy's name."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute(f"SELECT '{value_at(alarm, 'alarmPolicyInfo.policyName')}'")
        except (sqlite3.Error, sqlite3.Warning):
            return True
    return False


def has_unreadable_number(alarm: AlarmBody) -> bool:
    """Say whether the current value or the threshold is there and ``float()`` cannot read it."""
    try:
        for key in ("calcValue", "currentValue"):
            value = value_at(alarm, f"alarmPolicyInfo.conditions.{key}")
            float("0" if value is MISSING else value)
    except (ValueError, TypeError):
        return True
    return False


def reject_duplicate_keys(request: ReceivedRequest, reply: Reply) -> Reply | None:
    """Refuse a body in which an object has a key twice."""

    def unique_keys(pairs: list[tuple[str, Any]]) -> AlarmBody:
        if len({key for key, _ in pairs}) < len(pairs):
            raise KeyError
        return dict(pairs)

    if reply.status != 200:
        return None
    try:
        json.loads(request.body.decode("utf-8-sig"), object_pairs_hook=unique_keys)
    except KeyError:
        return INTERNAL_ERROR
    return None


def malformation(body: bytes) -> str:
    """Say what is wrong with a body: ``empty``, ``encoding``, ``json``, ``depth``, the type of its root, or nothing."""
    if not body.strip():
        return "empty"
    if body.count(b"[") + body.count(b"{") > MAX_LEVELS:
        return "depth"  # not left to the parser: how deep it goes differs from Python to Python
    try:
        root = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "encoding"
    except ValueError:
        return "json"
    return "" if isinstance(root, dict) else type(root).__name__


def answering_malformed(status: int, *malformations: str) -> Handler:
    """Return ``careful`` that answers bodies with these flaws with another status."""
    return with_changed_reply(
        lambda request, reply: (
            Reply(status) if reply.status == 400 and malformation(request.body) in malformations else None
        )
    )


def show_traceback(request: ReceivedRequest, reply: Reply) -> Reply | None:
    """Answer a body that is no JSON with the trace of the parser."""
    if reply.status != 400:
        return None
    try:
        json.loads(request.body)
    except (ValueError, RecursionError):
        return Reply(400, traceback.format_exc().encode())
    return None


def dead_after(*malformations: str) -> Handler:
    """Return a receiver that refuses its first body with one of these flaws and answers nothing from then on."""
    is_dead = False

    async def handler(request: ReceivedRequest) -> Reply:
        nonlocal is_dead
        if is_dead:
            await asyncio.Event().wait()
        is_dead = malformation(request.body) in malformations
        return correct_receiver(request)

    return handler


def slow(seconds: float) -> Handler:
    """Return ``careful`` that takes some seconds for each request, any number at a time."""

    async def handler(request: ReceivedRequest) -> Reply:
        await asyncio.sleep(seconds)
        return correct_receiver(request)

    return handler


def slow_one_at_a_time(seconds: float) -> Handler:
    """Return ``careful`` that takes some seconds for each request, one at a time."""
    lock, slow_handler = asyncio.Lock(), slow(seconds)

    async def handler(request: ReceivedRequest) -> Reply:
        async with lock:
            reply = slow_handler(request)
            assert inspect.isawaitable(reply)
            return await reply

    return handler


def busy_while_serving(busy: Reply) -> Handler:
    """Return ``careful`` that has another reply for whoever comes while it serves somebody."""
    is_serving = False

    async def handler(request: ReceivedRequest) -> Reply:
        nonlocal is_serving
        if is_serving:
            return busy
        is_serving = True
        try:
            await asyncio.sleep(0.012)
            return correct_receiver(request)
        finally:
            is_serving = False

    return handler


def rate_limited(count: int, per_s: float) -> Handler:
    """Return ``careful`` that answers 429 to more than so many requests in so many seconds."""
    served_at_s: deque[float] = deque()

    def handler(request: ReceivedRequest) -> Reply:
        now_s = asyncio.get_running_loop().time()  # which may be virtual
        while served_at_s and now_s - served_at_s[0] > per_s:
            served_at_s.popleft()
        if len(served_at_s) >= count:
            return Reply(429, headers=(("Retry-After", "1"),))
        served_at_s.append(now_s)
        return correct_receiver(request)

    return handler


def resolves_slowly(seconds: float) -> Handler:
    """Return ``careful`` that takes some seconds for each resolve."""

    async def handler(request: ReceivedRequest) -> Reply:
        if re.search(rb'"alarmStatus": ?"?0', request.body):
            await asyncio.sleep(seconds)
        return correct_receiver(request)

    return handler


def replying_when(condition: Callable[[ReceivedRequest], bool], reply: Reply) -> Handler:
    """Return ``careful`` that gives one reply to all requests of some kind."""
    return with_changed_reply(lambda request, _: reply if condition(request) else None)


def presented_credentials(request: ReceivedRequest) -> tuple[str, str]:
    """Return user and password as they came, empty where none did."""
    token = request.header("authorization").partition(" ")[2]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password


def guarded_except(is_let_in: Callable[[ReceivedRequest], bool]) -> Handler:
    """Return ``careful`` behind authentication that some requests need not pass, if their bodies are good."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    def handler(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
        reply = correct_receiver(request)
        return reply if reply.status == 200 and is_let_in(request) else guard(request)

    return handler


def parse_before_auth(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
    """Refuse a bad body before asking who sends it."""
    reply = correct_receiver(request)
    return reply if reply.status == 400 else with_basic_auth(correct_receiver, CREDENTIALS)(request)


def guarded_comparing(is_valid: Callable[[tuple[str, str]], bool]) -> Handler:
    """Return ``careful`` behind authentication that compares user and password in a way of its own."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)
    return lambda request: correct_receiver(request) if is_valid(presented_credentials(request)) else guard(request)


def accepted_with(body: Callable[[ReceivedRequest], str]) -> Handler:
    """Return ``careful`` behind authentication that says more in what it accepts."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    async def handler(request: ReceivedRequest) -> Reply:
        reply = guard(request)
        assert inspect.isawaitable(reply)
        answer = await reply
        return replace(answer, body=body(request).encode()) if answer.status == 200 else answer

    return handler


def rejected_with(body: Callable[[ReceivedRequest], str]) -> Handler:
    """Return ``careful`` behind authentication that says more in its refusals."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    async def handler(request: ReceivedRequest) -> Reply:
        reply = guard(request)
        assert inspect.isawaitable(reply)
        answer = await reply
        return replace(answer, body=body(request).encode()) if answer.status == 401 else answer

    return handler


def split_at_every_colon(request: ReceivedRequest) -> Reply:
    """Take credentials apart in a way that a colon in the password breaks."""
    pair = base64.b64decode(request.header("authorization").partition(" ")[2]).decode()
    if not pair:
        return Reply(401)
    user, password = pair.split(":")
    is_valid = (user, password) == (CREDENTIALS.user.reveal(), CREDENTIALS.password.reveal())
    return correct_receiver(request) if is_valid else Reply(401)


def read_as_latin_1(request: ReceivedRequest) -> Reply:
    """Compare credentials in another encoding than they were sent in."""
    pair = base64.b64decode(request.header("authorization").partition(" ")[2]).decode("latin-1")
    is_valid = pair == f"{CREDENTIALS.user.reveal()}:{CREDENTIALS.password.reveal()}"
    return correct_receiver(request) if is_valid else Reply(401)
