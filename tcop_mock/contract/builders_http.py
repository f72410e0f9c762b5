"""Players that try the connection and the head of the request: framing, segments, methods, headers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.contract.mutations import changed
from tcop_mock.domain.alarm import State
from tcop_mock.domain.contract import Case, Offer, Pace, Play, Scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tcop_mock.contract.case_factory import Workshop

BROKEN_JSON = b'{"sessionId":"broken","alarmStatus":'
_ASCII = 0x80
"""Where bytes of characters begin that UTF-8 writes in several."""
_MORE_BYTES = 20
_DRIP_S = 0.1


def headers(shop: Workshop, *, variants: Sequence[Mapping[str, Any]]) -> Play:
    """Post a plain callback with other headers, after one with the usual ones.

    Args:
        shop: makes the cases.
        variants: tables of ``title`` and ``headers`` (name to value), which take the place of those of the same name.
    """
    cases = []
    for variant in variants:
        case, own = shop.plain(variant["title"]), tuple(variant["headers"].items())
        names = {name.lower() for name, _ in own}
        kept = tuple(pair for pair in case.push.headers if pair[0].lower() not in names)
        cases.append(replace(case, push=replace(case.push, headers=(*kept, *own))))
    return Play((Scene(tuple(cases), shop.plain()),))


def notices(shop: Workshop, *, template: str, shapes: Sequence[str], headers: Mapping[str, str]) -> Play:
    """Post notices of the user's own template, with headers of their own, of alarms that fire and of some that end.

    Args:
        shop: makes the cases.
        template: what is taken where the user has given none.
        shapes: globs of shape ids.
        headers: name to value.
    """
    cases = []
    for shape in shop.shapes(shapes):
        for state in (State.FIRING, State.RESOLVED) if shape.recovers else (State.FIRING,):
            tree = shop.tree(shop.alarm(shape, reaching=state), state)
            push = shop.push(shop.notice(tree, shape, template))
            push = replace(push, headers=(*push.headers, *headers.items()))
            cases.append(Case(f"a notice of {shape.id} {state}", push, shape.id))
    return Play((Scene(tuple(cases)),))


def chunked(shop: Workshop) -> Play:
    """Post a plain callback in chunks, in one and in several, after one with its length told."""
    one, several = shop.plain("a body in one chunk"), shop.plain("a body in chunks of 100 bytes")
    cases = (
        replace(one, push=replace(one.push, chunked=True)),
        replace(several, push=replace(several.push, chunked=True, segments=(100,))),
    )
    return Play((Scene(cases, shop.plain()),))


def query(shop: Workshop, *, query: str) -> Play:
    """Post a plain callback to the URL with a query behind it, after one to the URL as it is."""
    case = shop.plain("a query behind the URL")
    return Play((Scene((replace(case, push=replace(case.push, query=query)),), shop.plain()),))


def keep_alive(shop: Workshop) -> Play:
    """Post a plain callback on a connection on which another request has been answered.

    That is a callback, broken JSON, and a callback without credentials, where the receiver wants some.
    """
    befores = [shop.plain("a callback"), Case("broken JSON", shop.push(BROKEN_JSON))]
    if shop.credentials:
        stranger = shop.plain("a callback without credentials")
        befores.append(replace(stranger, push=replace(stranger.push, credentials=None), offer=Offer.NONE))
    scenes = []
    for before in befores:
        after = shop.plain(f"a plain callback on the connection of {before.title}")
        cases = (
            replace(before, push=replace(before.push, keeps=True), judged=False),
            replace(after, push=replace(after.push, reuses=True)),
        )
        scenes.append(Scene(cases, shop.plain()))
    return Play(tuple(scenes), pace=Pace.IN_TURN)


def truncated(shop: Workshop) -> Play:
    """Promise more of a body than is sent, and close our side."""
    half, whole = shop.plain("half a body"), shop.plain("a whole body, of which more is promised")
    more = ("Content-Length", str(len(whole.push.body) + _MORE_BYTES))
    cases = (
        replace(half, push=replace(half.push, cut=len(half.push.body) // 2)),
        replace(whole, push=replace(whole.push, cut=len(whole.push.body), headers=(*whole.push.headers, more))),
    )
    return Play((Scene(cases, shop.plain()),))


def beside_a_slow_one(shop: Workshop) -> Play:
    """Post a plain callback while another sender writes its body byte by byte."""
    slow = shop.plain("a sender that drips")
    dripping = replace(slow, push=replace(slow.push, segments=(1,), gap_s=_DRIP_S))
    cases = (shop.plain("a plain callback beside a sender that drips"),)
    return Play((Scene(cases, shop.plain(), meanwhile=dripping),))


def methods(shop: Workshop, *, methods: Sequence[str], with_callback: Sequence[str] = ()) -> Play:
    """Send requests of other methods than POST.

    Args:
        shop: makes the cases.
        methods: to be sent without a body.
        with_callback: to be sent with a callback as body.
    """
    cases = [Case(f"a {method} request", replace(shop.push(b""), method=method, headers=())) for method in methods]
    for method in with_callback:
        case = shop.plain(f"a {method} request with a callback in it")
        cases.append(replace(case, push=replace(case.push, method=method)))
    return Play((Scene(tuple(cases), shop.plain()),))


def segments(shop: Workshop, *, segments: Sequence[Mapping[str, Any]]) -> Play:
    """Post a body in separate TCP segments, after posting one with the same text in a single write.

    Args:
        shop: makes the cases.
        segments: tables of ``title``; ``set`` (path to value) where it is not the plain body; and ``sizes`` (bytes of
            each segment of the body; the last one repeats), without which the body is cut inside its first character
            of several bytes.
    """
    shape, scenes = shop.catalog.get(PLAIN_SHAPE), []
    alarm = shop.alarm(shape)
    for cut in segments:
        control, case = (shop.case(cut["title"], changed(shop.tree(alarm, State.FIRING), cut), shape) for _ in range(2))
        sizes = cut.get("sizes") or (_inside_a_character(case.push.body), len(case.push.body))
        scenes.append(Scene((replace(case, push=replace(case.push, segments=tuple(sizes))),), control))
    return Play(tuple(scenes))


def _inside_a_character(body: bytes) -> int:
    """Return how many bytes there are up to and with the first of a character that has several."""
    return next(at for at, byte in enumerate(body) if byte >= _ASCII) + 1
