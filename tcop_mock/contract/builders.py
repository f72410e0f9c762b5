"""Players: what a clause sends. Each turns a clause's ``[play]`` table into scenes; none sends anything itself.

A file of ``contracts/clauses/`` names a player and gives its parameters as keyword arguments.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tcop_mock.contract.builders_effects import stories
from tcop_mock.contract.builders_http import (
    BROKEN_JSON,
    beside_a_slow_one,
    chunked,
    headers,
    keep_alive,
    methods,
    notices,
    query,
    segments,
    truncated,
)
from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.contract.credentials import NOBODY, TITLES, can_offer, offering, unmistakable
from tcop_mock.contract.mutations import changed, raw_body, retyped, written
from tcop_mock.domain.alarm import Form, State
from tcop_mock.domain.contract import Case, Offer, Pace, Play, Scene
from tcop_mock.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tcop_mock.contract.case_factory import Workshop
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Credentials

_LIFE = frozenset({State.FIRING, State.RESOLVED})


def catalogue(
    shop: Workshop,
    *,
    shapes: Sequence[str] = ("*",),
    states: Sequence[str] = (State.FIRING, State.RESOLVED),
    needs_plain: bool = False,
    deadline_factor: float = 1.0,
) -> Play:
    """Post every shape in every state that it can be in; resolves come last, each of an alarm that was posted firing.

    Where requests cost nothing (``shop.thorough``), also while it repeats, and as captured callbacks look.

    Args:
        shop: makes the cases.
        shapes: globs of shape ids.
        states: states to post.
        needs_plain: leave the clause out where not even a plain callback is taken.
        deadline_factor: how many deadlines an attempt may take.
    """
    cases = [
        writer.case(f"{shape.id} {state}{told}", tree, shape)
        for writer, told in _writers(shop)
        for shape, state, tree in _lives(writer, shapes, states)
    ]
    control = shop.plain() if needs_plain else None
    return Play((Scene(tuple(cases), control),), deadline_factor=deadline_factor)


def _writers(shop: Workshop) -> Iterator[tuple[Workshop, str]]:
    """Yield who writes the catalogue's callbacks, and what their titles say of it."""
    yield shop, ""
    if shop.thorough:
        yield shop.writing(Form.OBSERVED), f" ({Form.OBSERVED})"


def _lives(shop: Workshop, shapes: Sequence[str], states: Sequence[str]) -> list[tuple[Shape, State, dict[str, Any]]]:
    """Return what is told of alarms of each shape: the one that is resolved has fired, and all resolves come last."""
    lives = []
    for shape in shop.shapes(shapes):
        drawn = {state: shop.alarm(shape, reaching=state) for state in _reachable(shape, states, repeats=shop.thorough)}
        if drawn.keys() >= _LIFE:
            drawn[State.FIRING] = drawn[State.RESOLVED]
        trees = {state: shop.tree(alarm, state) for state, alarm in drawn.items()}
        fired, resolved = (trees.get(state, {}).get("alarmPolicyInfo", {}) for state in (State.FIRING, State.RESOLVED))
        if "policyId" in fired and "policyId" in resolved:
            resolved["policyId"] = fired["policyId"]
        lives += [(shape, state, tree) for state, tree in trees.items()]
    return sorted(lives, key=lambda life: life[1] is State.RESOLVED)


def _reachable(shape: Shape, states: Sequence[str], *, repeats: bool) -> Iterator[State]:
    for state in map(State, states):
        if state is not State.RESOLVED or shape.recovers:
            yield state
    if repeats and shape.metrics:
        yield State.REPEATED


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
            ``set`` (path to value), ``null`` (paths), ``unset`` (paths), ``fill`` (paths, text and bytes: repeat the
            text in all of these places until the body is that long), ``threshold = false``; how it is written:
            ``ascii = true`` (``\u`` escapes), ``order`` (``sorted``, ``reversed``), ``indent``, ``twice`` (a key),
            ``encoding``, ``bom = true``, ``cut`` (a text, which loses its last byte); and ``besides``, statuses that
            are fine for this one.
        shape: the usual shape.
        given: path to value of what the unchanged body has as well; a variant may have its own.
    """
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for variant in variants:
        full = {"shape": shape, "state": State.FIRING, "given": given or {}, **variant}
        alike.setdefault("{shape} {state} {given}".format_map(full), []).append(full)
    return Play(tuple(_varied(shop, group) for group in alike.values()))


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
            alarm = shop.alarm(shape, reaching=state)
            cases = _possible(partial(_retyped, shop, alarm, state, field["path"]), field["types"])
            scenes.append(Scene(cases, spellings=True))
    return Play(tuple(scenes))


def bodies(shop: Workshop, *, bodies: Sequence[Mapping[str, Any]], then_plain: bool = False) -> Play:
    """Post raw bodies, after a plain callback.

    Args:
        shop: makes the cases.
        bodies: tables of ``title`` and of ``text``, ``hex``, or what is nested (``open``, ``inner``, ``close``,
            ``times``).
        then_plain: send them in turn, judge none of them, and judge a plain callback after them.
    """
    cases = tuple(Case(raw["title"], shop.push(raw_body(raw)), judged=not then_plain) for raw in bodies)
    if then_plain:
        scene = Scene((*cases, shop.plain("a plain callback after all of these")))
        return Play((scene,), pace=Pace.IN_TURN)
    return Play((Scene(cases, shop.plain()),))


def plain(shop: Workshop, *, count: int, asker: str = "") -> Play:
    """Post some plain callbacks, each an alarm of another policy.

    Args:
        shop: makes the cases.
        count: how many.
        asker: what is offered (see :func:`credentials`) to learn whether it is credentials that are refused.
    """
    cases = tuple(shop.plain(f"plain callback {number}") for number in range(1, count + 1))
    right = shop.credentials or NOBODY
    if not asker or not can_offer(right, Offer(asker)):
        return Play((Scene(cases),))
    offered = offering(right, Offer(asker), shop.sentinel)
    asking = _showing(shop.plain(f"a callback with {TITLES[Offer(asker)]}"), Offer(asker), offered)
    return Play((Scene(cases, asker=asking),))


def credentials(shop: Workshop, *, offers: Sequence[str], bodies: Sequence[str] = ("plain",)) -> Play:
    """Post with other credentials than the right ones, after posting with the right ones.

    Args:
        shop: makes the cases.
        offers: names of :class:`~tcop_mock.domain.contract.Offer`; those that the right password does not allow are
            left out (one of another case, where it has no letters).
        bodies: ``plain`` (a callback) and ``malformed`` (broken JSON; alone, it is left out where a callback with
            these credentials is let in).
    """
    right, scenes = shop.credentials or NOBODY, []
    for offer in map(Offer, offers):
        if not can_offer(right, offer):
            continue
        offered = offering(right, offer, shop.sentinel)
        plain = _showing(shop.plain(f"a callback with {TITLES[offer]}"), offer, offered)
        broken = _showing(Case(f"broken JSON with {TITLES[offer]}", shop.push(BROKEN_JSON)), offer, offered)
        cases = {"plain": plain, "malformed": broken}
        gate = None if "plain" in bodies or offer is Offer.RIGHT else plain
        scenes.append(Scene(tuple(cases[body] for body in bodies), shop.plain(), gate))
    shown = [case.push.credentials for scene in scenes for case in scene.cases if case.push.credentials]
    return Play(tuple(scenes), sentinels=(shop.sentinel, *unmistakable(shown)))


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
    for player in (
        bodies,
        burst,
        beside_a_slow_one,
        catalogue,
        chunked,
        credentials,
        headers,
        keep_alive,
        methods,
        notices,
        plain,
        query,
        segments,
        spellings,
        stories,
        truncated,
        variants,
    )
}


def _varied(shop: Workshop, variants: Sequence[Mapping[str, Any]]) -> Scene:
    """Return the scene of variants of one shape and state: all of the same alarm, and its control, too."""
    shape, state, given = shop.catalog.get(variants[0]["shape"]), State(variants[0]["state"]), variants[0]["given"]
    alarm = shop.alarm(shape, reaching=state)

    def case(variant: Mapping[str, Any]) -> Case:
        threshold = variant.get("threshold", True)
        told = alarm if threshold else shop.alarm(shape, reaching=state, threshold=False, like=alarm)
        tree = changed(changed(shop.tree(told, state), {"set": given}), variant)
        push = shop.push(written(tree, variant))
        return Case(variant["title"], push, shape.id, besides=tuple(variant.get("besides", ())))

    return Scene(_possible(case, variants), case({"title": f"{shape.id} {state}"}))


def _possible(case: Callable[[Any], Case], ways: Sequence[Any]) -> tuple[Case, ...]:
    """Return the cases of these ways, without those that change what callbacks of the profile do not have."""
    cases = []
    for way in ways:
        with contextlib.suppress(UnknownNameError):
            cases.append(case(way))
    return tuple(cases)


def _retyped(shop: Workshop, alarm: Alarm, state: State, path: str, kind: str) -> Case:
    title = f"{alarm.shape_id} {state} with {path.rpartition('.')[2]} as {kind}"
    return shop.case(title, retyped(shop.tree(alarm, state), path, kind), shop.catalog.get(alarm.shape_id))


def _showing(case: Case, offer: Offer, offered: Credentials | None) -> Case:
    return replace(case, offer=offer, push=replace(case.push, credentials=offered))
