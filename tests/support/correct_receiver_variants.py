"""Variants of ``correct_receiver``, the receiver that keeps the contract, with one bug each."""

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
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from tcop_mock.server.messages import Handler

AlarmBody: TypeAlias = dict[str, Any]
ReplyChange: TypeAlias = Callable[[ReceivedRequest, Reply], Reply | None]
"""Returns a replacement for the reply of ``correct_receiver``, or None."""

INTERNAL_ERROR = Reply(500, b"internal error\n")
UNPROCESSABLE = Reply(422, b"unprocessable\n")
MISSING = object()
UNREADABLE = ("\0", "\0")
"""User and password of a header that is not proper Basic."""
MAX_LEVELS = 500
ANY_SPELLING_KEYS = frozenset({"appid", "instanceid", "uinstanceid", "uninstanceid"})
"""Dimensions that every product may spell in any of these ways (TCM305)."""


def html_reply(text: str) -> Reply:
    """Return a reply with a text as HTML."""
    return Reply(200, text.encode("utf-8", "replace"), (("Content-Type", "text/html; charset=utf-8"),))


def with_changed_reply(change: ReplyChange) -> Handler:
    """Return ``correct_receiver`` with some replies changed."""

    def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        return change(request, reply) or reply

    return handler


def rejecting(is_rejected: Callable[[AlarmBody], bool], rejection: Reply = INTERNAL_ERROR) -> Handler:
    """Return a variant that rejects some valid callbacks."""

    def change(request: ReceivedRequest, reply: Reply) -> Reply | None:
        return rejection if reply.status == 200 and is_rejected(json.loads(request.body.decode("utf-8-sig"))) else None

    return with_changed_reply(change)


def value_at(alarm: AlarmBody, path: str) -> Any:
    """Return the value at a dotted path, or ``MISSING``."""
    value: Any = alarm
    for key in path.split("."):
        value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
    return value


def keys_at(alarm: AlarmBody, path: str) -> set[str]:
    """Return the keys of the object at a dotted path."""
    value = value_at(alarm, path)
    return set(value) if isinstance(value, dict) else set()


def requiring(path: str, kind: str | None = None) -> Handler:
    """Return a variant that responds 500 if a key is missing, for callbacks of one kind or both."""
    kinds = {kind} if kind else {"metric", "event"}
    return rejecting(lambda alarm: value_at(alarm, "alarmType") in kinds and value_at(alarm, path) is MISSING)


def requiring_type(path: str, expected_type: type) -> Handler:
    """Return a variant that rejects metric alarms in which a value has another type."""

    def has_wrong_type(alarm: AlarmBody) -> bool:
        value = value_at(alarm, path)
        return (
            value_at(alarm, "alarmType") == "metric" and value is not MISSING and not isinstance(value, expected_type)
        )

    return rejecting(has_wrong_type, UNPROCESSABLE)


def rejecting_recover_time(status: str, *unreadable: object) -> Handler:
    """Return a variant that parses ``recoverTime`` in one state and fails on some values."""
    return rejecting(
        lambda alarm: str(value_at(alarm, "alarmStatus")) == status and value_at(alarm, "recoverTime") in unreadable
    )


@cache
def catalogue_keys() -> tuple[frozenset[str], dict[Any, frozenset[str]]]:
    """Return the catalogue's namespaces, and the lower-case keys of dimensions by kind and policy type."""
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
    """Return whether the namespace is present but in no catalogue entry."""
    return value_at(alarm, "alarmObjInfo.namespace") not in catalogue_keys()[0] | {MISSING}


def has_unknown_dimension(alarm: AlarmBody) -> bool:
    """Return whether a known product has a dimension that no entry of its policy type has."""
    shape_key = (value_at(alarm, "alarmType"), value_at(alarm, "alarmPolicyInfo.policyType"))
    known = catalogue_keys()[1].get(shape_key)
    return known is not None and not {key.lower() for key in keys_at(alarm, "alarmObjInfo.dimensions")} <= known


def has_null_dimension(alarm: AlarmBody) -> bool:
    """Return whether the value of a dimension is null, so that no method of a text can be called."""
    dimensions = value_at(alarm, "alarmObjInfo.dimensions")
    return isinstance(dimensions, dict) and None in dimensions.values()


def breaks_json_formatting(alarm: AlarmBody) -> bool:
    """Return whether the object's name breaks a JSON text built by string formatting."""
    try:
        json.loads(f'{{"text": "{value_at(alarm, "alarmObjInfo.dimensions.objName")}"}}')
    except ValueError:
        return True
    return False


def breaks_second_formatting(alarm: AlarmBody) -> bool:
    """Return whether the policy's name breaks a message that is formatted a second time."""
    try:
        f"{value_at(alarm, 'alarmPolicyInfo.policyName')} in {{}}".format("gz")
    except (ValueError, KeyError, IndexError, AttributeError):
        return True
    return False


def breaks_sql(alarm: AlarmBody) -> bool:
    """Return whether the policy's name breaks an SQL statement built by string formatting."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute(f"SELECT '{value_at(alarm, 'alarmPolicyInfo.policyName')}'")
        except (sqlite3.Error, sqlite3.Warning):
            return True
    return False


def has_unreadable_number(alarm: AlarmBody) -> bool:
    """Return whether ``float()`` fails on the current value or the threshold."""
    try:
        for key in ("calcValue", "currentValue"):
            value = value_at(alarm, f"alarmPolicyInfo.conditions.{key}")
            float("0" if value is MISSING else value)
    except (ValueError, TypeError):
        return True
    return False


def reject_duplicate_keys(request: ReceivedRequest, reply: Reply) -> Reply | None:
    """Reject a body with a duplicate key in an object."""

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
    """Return the flaw of a body: ``empty``, ``encoding``, ``json``, ``depth``, its root's type; or an empty text."""
    if not body.strip():
        return "empty"
    if body.count(b"[") + body.count(b"{") > MAX_LEVELS:
        return "depth"  # counted here, because the depth limit of the parser depends on the Python version
    try:
        root = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "encoding"
    except ValueError:
        return "json"
    return "" if isinstance(root, dict) else type(root).__name__


def answering_malformed(status: int, *malformations: str) -> Handler:
    """Return a variant that responds to bodies with these flaws with another status."""
    return with_changed_reply(
        lambda request, reply: (
            Reply(status) if reply.status == 400 and malformation(request.body) in malformations else None
        )
    )


def show_traceback(request: ReceivedRequest, reply: Reply) -> Reply | None:
    """Respond to a body that is not JSON with the traceback of the parser."""
    if reply.status != 400:
        return None
    try:
        json.loads(request.body)
    except (ValueError, RecursionError):
        return Reply(400, traceback.format_exc().encode())
    return None


def dead_after(*malformations: str) -> Handler:
    """Return a receiver that rejects its first body with one of these flaws and never responds again."""
    is_dead = False

    async def handler(request: ReceivedRequest) -> Reply:
        nonlocal is_dead
        if is_dead:
            await asyncio.Event().wait()
        is_dead = malformation(request.body) in malformations
        return correct_receiver(request)

    return handler


def slow(seconds: float) -> Handler:
    """Return a variant that needs some seconds per request and serves requests concurrently."""

    async def handler(request: ReceivedRequest) -> Reply:
        await asyncio.sleep(seconds)
        return correct_receiver(request)

    return handler


def slow_one_at_a_time(seconds: float) -> Handler:
    """Return a variant that needs some seconds per request and serves one request at a time."""
    lock, slow_handler = asyncio.Lock(), slow(seconds)

    async def handler(request: ReceivedRequest) -> Reply:
        async with lock:
            reply = slow_handler(request)
            assert inspect.isawaitable(reply)
            return await reply

    return handler


def busy_while_serving(busy: Reply) -> Handler:
    """Return a variant that sends another reply to requests that arrive while it serves one."""
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
    """Return a variant that responds 429 after ``count`` requests in ``per_s`` seconds."""
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
    """Return a variant that needs some seconds for each resolve."""

    async def handler(request: ReceivedRequest) -> Reply:
        if re.search(rb'"alarmStatus": ?"?0', request.body):
            await asyncio.sleep(seconds)
        return correct_receiver(request)

    return handler


def replying_when(condition: Callable[[ReceivedRequest], bool], reply: Reply) -> Handler:
    """Return a variant that sends one reply to all requests that meet a condition."""
    return with_changed_reply(lambda request, _: reply if condition(request) else None)


def presented_credentials(request: ReceivedRequest) -> tuple[str, str]:
    """Return user and password as received; empty if there are none, ``UNREADABLE`` if the header is malformed."""
    if not request.header("authorization"):
        return "", ""
    scheme, _, token = request.header("authorization").partition(" ")
    try:
        user, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except ValueError:
        return UNREADABLE
    return (user, password) if colon and scheme.lower() == "basic" else UNREADABLE


def guarded_breaking(read: Callable[[str], object]) -> Handler:
    """Return a variant with authentication that first reads the header in a way that fails for some."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    def handler(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
        header = request.header("authorization")
        try:
            if header:
                read(header)
        except (ValueError, TypeError, IndexError):
            return INTERNAL_ERROR
        return guard(request)

    return handler


def guarded_except(is_let_in: Callable[[ReceivedRequest], bool]) -> Handler:
    """Return a variant with authentication that lets some requests with valid bodies bypass it."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    def handler(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
        reply = correct_receiver(request)
        return reply if reply.status == 200 and is_let_in(request) else guard(request)

    return handler


def parse_before_auth(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
    """Reject a malformed body before checking the credentials."""
    reply = correct_receiver(request)
    return reply if reply.status == 400 else with_basic_auth(correct_receiver, CREDENTIALS)(request)


def guarded_comparing(is_valid: Callable[[tuple[str, str]], bool]) -> Handler:
    """Return a variant with authentication that compares user and password with a custom function."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)
    return lambda request: correct_receiver(request) if is_valid(presented_credentials(request)) else guard(request)


def accepted_with(body: Callable[[ReceivedRequest], str]) -> Handler:
    """Return a variant with authentication that sends another body when it accepts."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    def handler(request: ReceivedRequest) -> Reply:
        answer = guard(request)
        assert isinstance(answer, Reply)
        return replace(answer, body=body(request).encode()) if answer.status == 200 else answer

    return handler


def rejected_with(body: Callable[[ReceivedRequest], str]) -> Handler:
    """Return a variant with authentication that sends another body when it rejects."""
    guard = with_basic_auth(correct_receiver, CREDENTIALS)

    def handler(request: ReceivedRequest) -> Reply:
        answer = guard(request)
        assert isinstance(answer, Reply)
        return replace(answer, body=body(request).encode()) if answer.status == 401 else answer

    return handler


def split_at_every_colon(request: ReceivedRequest) -> Reply:
    """Split the credentials at every colon, which fails on a colon in the password."""
    pair = base64.b64decode(request.header("authorization").partition(" ")[2]).decode()
    if not pair:
        return Reply(401)
    user, password = pair.split(":")
    is_valid = (user, password) == (CREDENTIALS.user.reveal(), CREDENTIALS.password.reveal())
    return correct_receiver(request) if is_valid else Reply(401)


def expecting(user: str, password: str, encoding: str = "utf-8") -> Handler:
    """Return a variant with authentication that accepts only this pair, after decoding the token."""

    def handler(request: ReceivedRequest) -> Reply:
        pair = base64.b64decode(request.header("authorization").partition(" ")[2]).decode(encoding, "replace")
        return correct_receiver(request) if pair == f"{user}:{password}" else Reply(401)

    return handler
