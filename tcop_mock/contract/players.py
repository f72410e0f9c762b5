"""Players: what a clause sends. Each turns a clause's ``[play]`` table into scenes; none sends anything itself.

A file of ``contracts/clauses/`` names a player and gives its parameters as keyword arguments.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.changes import changed, raw_body, retyped
from tcop_mock.contract.workshop import PLAIN_SHAPE
from tcop_mock.generate.edits import with_value
from tcop_mock.model.alarm import State
from tcop_mock.model.case import Case, Offer, Pace, Play, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tcop_mock.contract.workshop import Workshop
    from tcop_mock.model.delivery import Push
    from tcop_mock.model.shape import Shape

_LEAST_TOKEN_CHARS = 12
"""A shorter one could stand in an answer by chance."""
_BROKEN_JSON = b'{"sessionId":"broken","alarmStatus":'


def catalogue(
    shop: Workshop,
    *,
    shapes: Sequence[str] = ("*",),
    states: Sequence[str] = (State.FIRING, State.RESOLVED),
    needs_plain: bool = False,
    deadline_factor: float = 1.0,
) -> Play:
    """Post every shape in every state that it can be in, each an alarm of its own.

    Args:
        shop: makes the cases.
        shapes: globs of shape ids.
        states: states to post.
        needs_plain: leave the clause out where not even a plain callback is taken.
        deadline_factor: how many deadlines an attempt may take.
    """
    cases = [
        _stated(shop, shape, state)
        for shape in shop.shapes(shapes)
        for state in map(State, states)
        if state is not State.RESOLVED or shape.recovers
    ]
    control = shop.plain() if needs_plain else None
    return Play((Scene(tuple(cases), control),), deadline_factor=deadline_factor)


def variants(
    shop: Workshop,
    *,
    variants: Sequence[Mapping[str, Any]],
    shape: str = PLAIN_SHAPE,
    given: Mapping[str, Any] | None = None,
) -> Play:
    r"""Post a body with one thing changed, after the same body unchanged.

    Args:
        shop: makes the cases.
        variants: tables of ``title``; ``shape`` and ``state`` where they are not the usual ones; and what changes:
            ``set`` (path to value), ``unset`` (paths), ``fill`` (path, text and bytes: repeat the text until the body
            is that long), ``threshold = false``, ``ascii = true`` (write ``\u`` escapes).
        shape: the usual shape.
        given: path to value of what the unchanged body has as well.
    """
    by_control: dict[tuple[str, State], list[Case]] = {}
    for variant in variants:
        key = (variant.get("shape", shape), State(variant.get("state", State.FIRING)))
        by_control.setdefault(key, []).append(_varied(shop, *key, {"given": given, **variant}))
    scenes = [
        Scene(tuple(cases), _varied(shop, *key, {"given": given, "title": " ".join(key)}))
        for key, cases in by_control.items()
    ]
    return Play(tuple(scenes))


def spellings(shop: Workshop, *, fields: Sequence[Mapping[str, Any]]) -> Play:
    """Post a value in several JSON types; who takes it in one has to take it in the others.

    Args:
        shop: makes the cases.
        fields: tables of ``path`` and ``types`` (``string``, ``integer``, ``number``), and of ``shape`` and ``states``
            where they are not a plain firing callback's.
    """
    scenes = []
    for field in fields:
        shape = shop.catalog.get(field.get("shape", PLAIN_SHAPE))
        for state in map(State, field.get("states", (State.FIRING,))):
            cases = tuple(_retyped(shop, shape, state, field["path"], kind) for kind in field["types"])
            scenes.append(Scene(cases, spellings=True))
    return Play(tuple(scenes))


def bodies(shop: Workshop, *, bodies: Sequence[Mapping[str, str]], then_plain: bool = False) -> Play:
    """Post raw bodies, after a plain callback.

    Args:
        shop: makes the cases.
        bodies: tables of ``title`` and ``text`` or ``hex``.
        then_plain: send them in turn, judge none of them, and judge a plain callback after them.
    """
    cases = tuple(Case(raw["title"], shop.push(raw_body(raw)), judged=not then_plain) for raw in bodies)
    if then_plain:
        return Play(
            (
                Scene(
                    (*cases, shop.plain("a plain callback after all of these")),
                ),
            ),
            pace=Pace.IN_TURN,
        )
    return Play((Scene(cases, shop.plain()),))


def methods(shop: Workshop, *, methods: Sequence[str]) -> Play:
    """Send requests of other methods than POST, without a body."""
    cases = [Case(f"a {method} request", replace(shop.push(b""), method=method, headers=())) for method in methods]
    return Play((Scene(tuple(cases), shop.plain()),))


def segments(shop: Workshop, *, segments: Sequence[Mapping[str, Any]]) -> Play:
    """Post the plain body in separate TCP segments, after posting one in a single write.

    Args:
        shop: makes the cases.
        segments: tables of ``title`` and ``sizes`` (bytes of each segment of the body; the last one repeats).
    """
    cases = []
    for cut in segments:
        case = shop.plain(cut["title"])
        cases.append(replace(case, push=replace(case.push, segments=tuple(cut["sizes"]))))
    return Play((Scene(tuple(cases), shop.plain()),))


def credentials(shop: Workshop, *, offers: Sequence[str], bodies: Sequence[str] = ("plain",)) -> Play:
    """Post with other credentials than the right ones, after posting with the right ones.

    Args:
        shop: makes the cases.
        offers: names of :class:`~tcop_mock.model.case.Offer`.
        bodies: ``plain`` (a callback) and ``malformed`` (broken JSON; alone, it is left out where a callback with
            these credentials is let in).
    """
    sentinel = f"sentinel-{shop.alarm(shop.catalog.get(PLAIN_SHAPE)).policy_id}"
    scenes = []
    for offer in map(Offer, offers):
        plain = shop.offering(shop.plain(f"a callback with {_OFFERED[offer]}"), offer, sentinel)
        broken = Case(f"broken JSON with {_OFFERED[offer]}", shop.push(_BROKEN_JSON))
        cases = {"plain": plain, "malformed": shop.offering(broken, offer, sentinel)}
        gate = None if "plain" in bodies or offer is Offer.RIGHT else plain
        scenes.append(Scene(tuple(cases[body] for body in bodies), shop.plain(), gate))
    return Play(tuple(scenes), sentinels=(sentinel, *_tokens(case for scene in scenes for case in scene.cases)))


def burst(shop: Workshop, *, count: int, over_s: float) -> Play:
    """Post many alarms on a schedule that waits for no answer, after a single one.

    Args:
        shop: makes the cases.
        count: how many.
        over_s: time in which they start, evenly.
    """
    cases = tuple(shop.plain(f"callback {number} of {count} in a burst") for number in range(1, count + 1))
    return Play((Scene(cases, shop.plain()),), pace=Pace.BURST, over_s=over_s)


PLAYERS: dict[str, Callable[..., Play]] = {
    player.__name__: player
    for player in (catalogue, variants, spellings, bodies, methods, segments, credentials, burst)
}

_OFFERED = {
    Offer.RIGHT: "the right credentials",
    Offer.NONE: "no credentials",
    Offer.WRONG_USER: "a wrong user",
    Offer.WRONG_PASSWORD: "a wrong password",
    Offer.EMPTY_PASSWORD: "an empty password",
}


def _stated(shop: Workshop, shape: Shape, state: State) -> Case:
    return shop.case(f"{shape.id} {state}", shop.tree(shape, state), shape)


def _varied(shop: Workshop, shape_id: str, state: State, variant: Mapping[str, Any]) -> Case:
    shape = shop.catalog.get(shape_id)
    tree: Any = shop.tree(shape, state, threshold=variant.get("threshold", True))
    for path, value in (variant["given"] or {}).items():
        tree = with_value(tree, path, value, create=True)
    return shop.case(variant["title"], changed(tree, variant), shape, ascii_only=variant.get("ascii", False))


def _retyped(shop: Workshop, shape: Shape, state: State, path: str, kind: str) -> Case:
    title = f"{shape.id} {state} with {path.rpartition('.')[2]} as {kind}"
    return shop.case(title, retyped(shop.tree(shape, state), path, kind), shape)


def _tokens(cases: Iterable[Case]) -> list[str]:
    pushes: list[Push] = [case.push for case in cases]
    tokens = [push.credentials.token().reveal() for push in pushes if push.credentials]
    return [token for token in tokens if len(token) >= _LEAST_TOKEN_CHARS]
