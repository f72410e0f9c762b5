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

from receivers import CREDENTIALS

from tcop_mock.catalog.loader import Catalog
from tcop_mock.server.demo_receivers import careful, guarded
from tcop_mock.server.http_server import Received, Reply

if TYPE_CHECKING:
    from tcop_mock.server.http_server import Handler

Alarm: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[Received, Reply], Reply | None]
"""Gives another reply in place of ``careful``'s, or nothing."""

FAULT = Reply(500, b"internal error\n")
UNPROCESSABLE = Reply(422, b"unprocessable\n")
ABSENT = object()
MOST_LEVELS = 500
ANY_SPELLING = frozenset({"appid", "instanceid", "uinstanceid", "uninstanceid"})
"""Dimensions that every product may spell in any of these ways: another clause's business (TCM305)."""


def changed(change: Change) -> Handler:
    """Return ``careful`` with some of its replies changed."""

    def handler(request: Received) -> Reply:
        reply = careful(request)
        return change(request, reply) or reply

    return handler


def refusing(wrong: Callable[[Alarm], bool], refusal: Reply = FAULT) -> Handler:
    """Return ``careful`` that refuses some of the callbacks that it would take."""

    def change(request: Received, reply: Reply) -> Reply | None:
        return refusal if reply.status == 200 and wrong(json.loads(request.body.decode("utf-8-sig"))) else None

    return changed(change)


def at(alarm: Alarm, path: str) -> Any:
    """Return the value at a dotted path, or ``ABSENT``."""
    value: Any = alarm
    for key in path.split("."):
        value = value.get(key, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def keys(alarm: Alarm, path: str) -> set[str]:
    """Return the keys of the object at a dotted path."""
    value = at(alarm, path)
    return set(value) if isinstance(value, dict) else set()


def needing(path: str, kind: str | None = None) -> Handler:
    """Return ``careful`` that raises KeyError where a key is absent, from callbacks of one kind or both."""
    kinds = {kind} if kind else {"metric", "event"}
    return refusing(lambda alarm: at(alarm, "alarmType") in kinds and at(alarm, path) is ABSENT)


def typed(path: str, kind: type) -> Handler:
    """Return ``careful`` that refuses a metric alarm in which a value is there and of another type."""

    def wrong(alarm: Alarm) -> bool:
        value = at(alarm, path)
        return at(alarm, "alarmType") == "metric" and value is not ABSENT and not isinstance(value, kind)

    return refusing(wrong, UNPROCESSABLE)


def recovering(status: str, *unreadable: object) -> Handler:
    """Return ``careful`` that parses ``recoverTime`` in one state and cannot read some of its values."""
    return refusing(lambda alarm: str(at(alarm, "alarmStatus")) == status and at(alarm, "recoverTime") in unreadable)


@cache
def catalogue() -> tuple[frozenset[str], dict[Any, frozenset[str]]]:
    """Return the namespaces of the catalogue, and by kind and policy type the keys of dimensions in lower case."""
    shapes = list(Catalog.load())
    spaces = {shape.namespace for shape in shapes} | {metric.namespace for shape in shapes for metric in shape.metrics}
    dimensions: dict[Any, frozenset[str]] = {}
    for shape in shapes:
        place = (shape.kind.value, shape.policy.type)
        dimensions[place] = dimensions.get(place, ANY_SPELLING) | {key.lower() for key in shape.dimensions}
    return frozenset(filter(None, spaces)), dimensions


def unknown_product(alarm: Alarm) -> bool:
    """Say whether the namespace is there and in no catalogue entry."""
    return at(alarm, "alarmObjInfo.namespace") not in catalogue()[0] | {ABSENT}


def unknown_dimension(alarm: Alarm) -> bool:
    """Say whether a product of the catalogue has a key in its dimensions that no entry of its policy type has."""
    place = (at(alarm, "alarmType"), at(alarm, "alarmPolicyInfo.policyType"))
    known = catalogue()[1].get(place)
    return known is not None and not {key.lower() for key in keys(alarm, "alarmObjInfo.dimensions")} <= known


def unescaped(alarm: Alarm) -> bool:
    """Say whether a JSON text built by formatting is broken by the object's name."""
    try:
        json.loads(f'{{"text": "{at(alarm, "alarmObjInfo.dimensions.objName")}"}}')
    except ValueError:
        return True
    return False


def formatted_twice(alarm: Alarm) -> bool:
    """Say whether a message that is formatted a second time is broken by the policy's name."""
    try:
        f"{at(alarm, 'alarmPolicyInfo.policyName')} in {{}}".format("gz")
    except (ValueError, KeyError, IndexError, AttributeError):
        return True
    return False


def unquoted(alarm: Alarm) -> bool:
    """Say whether an SQL statement built by formatting is broken by the policy's name."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute(f"SELECT '{at(alarm, 'alarmPolicyInfo.policyName')}'")
        except (sqlite3.Error, sqlite3.Warning):
            return True
    return False


def no_number(alarm: Alarm) -> bool:
    """Say whether the current value or the threshold is there and ``float()`` cannot read it."""
    try:
        for key in ("calcValue", "currentValue"):
            value = at(alarm, f"alarmPolicyInfo.conditions.{key}")
            float("0" if value is ABSENT else value)
    except (ValueError, TypeError):
        return True
    return False


def twice_the_same_key(request: Received, reply: Reply) -> Reply | None:
    """Refuse a body in which an object has a key twice."""

    def strict(pairs: list[tuple[str, Any]]) -> Alarm:
        if len({key for key, _ in pairs}) < len(pairs):
            raise KeyError
        return dict(pairs)

    if reply.status != 200:
        return None
    try:
        json.loads(request.body.decode("utf-8-sig"), object_pairs_hook=strict)
    except KeyError:
        return FAULT
    return None


def flaw(body: bytes) -> str:
    """Say what is wrong with a body: ``empty``, ``encoding``, ``json``, ``depth``, the type of its root, or nothing."""
    if not body.strip():
        return "empty"
    if body.count(b"[") + body.count(b"{") > MOST_LEVELS:
        return "depth"  # not left to the parser: how deep it goes differs from Python to Python
    try:
        root = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "encoding"
    except ValueError:
        return "json"
    return "" if isinstance(root, dict) else type(root).__name__


def answering(status: int, *flaws: str) -> Handler:
    """Return ``careful`` that answers bodies with these flaws with another status."""
    return changed(
        lambda request, reply: Reply(status) if reply.status == 400 and flaw(request.body) in flaws else None
    )


def telling_all(request: Received, reply: Reply) -> Reply | None:
    """Answer a body that is no JSON with the trace of the parser."""
    if reply.status != 400:
        return None
    try:
        json.loads(request.body)
    except (ValueError, RecursionError):
        return Reply(400, traceback.format_exc().encode())
    return None


def dead_after(*flaws: str) -> Handler:
    """Return a receiver that refuses its first body with one of these flaws and answers nothing from then on."""
    dead = False

    async def handler(request: Received) -> Reply:
        nonlocal dead
        if dead:
            await asyncio.Event().wait()
        dead = flaw(request.body) in flaws
        return careful(request)

    return handler


def slow(seconds: float) -> Handler:
    """Return ``careful`` that takes some seconds for each request, any number at a time."""

    async def handler(request: Received) -> Reply:
        await asyncio.sleep(seconds)
        return careful(request)

    return handler


def in_turn(seconds: float) -> Handler:
    """Return ``careful`` that takes some seconds for each request, one at a time."""
    turn, work = asyncio.Lock(), slow(seconds)

    async def handler(request: Received) -> Reply:
        async with turn:
            reply = work(request)
            assert inspect.isawaitable(reply)
            return await reply

    return handler


def one_or_busy(busy: Reply) -> Handler:
    """Return ``careful`` that has another reply for whoever comes while it serves somebody."""
    serving = False

    async def handler(request: Received) -> Reply:
        nonlocal serving
        if serving:
            return busy
        serving = True
        try:
            await asyncio.sleep(0.012)
            return careful(request)
        finally:
            serving = False

    return handler


def limited_to(count: int, per_s: float) -> Handler:
    """Return ``careful`` that answers 429 to more than so many requests in so many seconds."""
    served: deque[float] = deque()

    def handler(request: Received) -> Reply:
        now_s = asyncio.get_running_loop().time()  # which tests may make pass
        while served and now_s - served[0] > per_s:
            served.popleft()
        if len(served) >= count:
            return Reply(429, headers=(("Retry-After", "1"),))
        served.append(now_s)
        return careful(request)

    return handler


def resolves_slowly(seconds: float) -> Handler:
    """Return ``careful`` that takes some seconds for each resolve."""

    async def handler(request: Received) -> Reply:
        if re.search(rb'"alarmStatus": ?"?0', request.body):
            await asyncio.sleep(seconds)
        return careful(request)

    return handler


def whenever(condition: Callable[[Received], bool], instead: Reply) -> Handler:
    """Return ``careful`` that gives one reply to all requests of some kind."""
    return changed(lambda request, _: instead if condition(request) else None)


def offered(request: Received) -> tuple[str, str]:
    """Return user and password as they came, empty where none did."""
    token = request.header("authorization").partition(" ")[2]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password


def guarded_but(let_in: Callable[[Received], bool]) -> Handler:
    """Return ``careful`` behind authentication that some requests need not pass, if their bodies are good."""
    guard = guarded(careful, CREDENTIALS)

    def handler(request: Received) -> Reply | Awaitable[Reply]:
        reply = careful(request)
        return reply if reply.status == 200 and let_in(request) else guard(request)

    return handler


def parsing_first(request: Received) -> Reply | Awaitable[Reply]:
    """Refuse a bad body before asking who sends it."""
    reply = careful(request)
    return reply if reply.status == 400 else guarded(careful, CREDENTIALS)(request)


def guarded_like(right: Callable[[tuple[str, str]], bool]) -> Handler:
    """Return ``careful`` behind authentication that compares user and password in a way of its own."""
    guard = guarded(careful, CREDENTIALS)
    return lambda request: careful(request) if right(offered(request)) else guard(request)


def accepted_with(body: Callable[[Received], str]) -> Handler:
    """Return ``careful`` behind authentication that says more in what it accepts."""
    guard = guarded(careful, CREDENTIALS)

    async def handler(request: Received) -> Reply:
        reply = guard(request)
        assert inspect.isawaitable(reply)
        answer = await reply
        return replace(answer, body=body(request).encode()) if answer.status == 200 else answer

    return handler


def refused_with(body: Callable[[Received], str]) -> Handler:
    """Return ``careful`` behind authentication that says more in its refusals."""
    guard = guarded(careful, CREDENTIALS)

    async def handler(request: Received) -> Reply:
        reply = guard(request)
        assert inspect.isawaitable(reply)
        answer = await reply
        return replace(answer, body=body(request).encode()) if answer.status == 401 else answer

    return handler


def split_at_every_colon(request: Received) -> Reply:
    """Take credentials apart in a way that a colon in the password breaks."""
    pair = base64.b64decode(request.header("authorization").partition(" ")[2]).decode()
    if not pair:
        return Reply(401)
    user, password = pair.split(":")
    right = (user, password) == (CREDENTIALS.user.reveal(), CREDENTIALS.password.reveal())
    return careful(request) if right else Reply(401)


def read_as_latin_1(request: Received) -> Reply:
    """Compare credentials in another encoding than they were sent in."""
    pair = base64.b64decode(request.header("authorization").partition(" ")[2]).decode("latin-1")
    right = pair == f"{CREDENTIALS.user.reveal()}:{CREDENTIALS.password.reveal()}"
    return careful(request) if right else Reply(401)
