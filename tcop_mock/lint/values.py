"""Rules about what is drawn: values, templates, ids, the documentation's sample, and every callback there is."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING

from tcop_mock.catalog import undrawable
from tcop_mock.errors import EntryError, TcopMockError
from tcop_mock.generate import Generator
from tcop_mock.generate.cells import Words
from tcop_mock.generate.generators import drawer
from tcop_mock.generate.plan import BUILT_IN, Plan, misnamed
from tcop_mock.generate.policies import comes, forms
from tcop_mock.generate.sample import could_draw
from tcop_mock.generate.template import leaves, paths
from tcop_mock.model.alarm import State
from tcop_mock.model.problem import Problem
from tcop_mock.model.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.generate.cells import Piece
    from tcop_mock.generate.generators import Drawer
    from tcop_mock.lint.entry import Entry
    from tcop_mock.model.form import Form
    from tcop_mock.model.shape import Shape

_SEED = 0
_ID = re.compile(r"id$", re.IGNORECASE)
_MOST_COMBINATIONS = 4096
_MOST_BYTES = 4096
"""Receivers are held to bodies of 4 KiB (TCM115); no captured one was longer."""


def misfits(entry: Entry) -> Iterator[Problem]:
    """Yield values that cannot be drawn, templates that name no value, and values that none names."""
    shape, drawers = entry.shape, dict[str, "Drawer | None"]()
    for name, spec in shape.values.items():
        drawers[name] = None
        if undrawable(spec):
            continue  # told as a contradiction
        try:
            drawers[name] = drawer(shape, name, _SEED)
        except TcopMockError as problem:
            yield Problem(f"values.{name}", problem.problem if isinstance(problem, EntryError) else f"{problem}")
    yield from misnamed(shape, drawers)


def constant_ids(entry: Entry) -> Iterator[Problem]:
    """Yield what makes an id the same in all alarms: incidents of two objects would be taken for one."""
    plan = Plan(entry.shape)
    for key, leaf in leaves(entry.shape.dimensions):
        if not _ID.search(key):
            continue
        named = list(paths(leaf))
        if not named:
            yield Problem(f"dimensions.{key}", "is an id, and the same in all alarms", "name a value in it")
        for path in named:
            name, _, part = path.partition(".")
            if path not in BUILT_IN and not any(map(_varies, plan.slots[name].pieces(Lang.EN, part))):
                told = f"draws one thing only, and the id {key} is made of {path}"
                yield Problem(f"values.{name}", told, "let it draw more, or write it into the template")


def _varies(piece: Piece) -> bool:
    return len(set(piece.texts)) > 1 if isinstance(piece, Words) else not isinstance(piece, str)


def unchecked_sample(entry: Entry) -> Iterator[Problem]:
    """Yield that the sample is not checked: each combination of what is picked would be a pattern of its own."""
    combinations = _combinations(entry.shape)
    if entry.shape.sample and combinations > _MOST_COMBINATIONS:
        told = f"is not checked: picks give {combinations} combinations, {_MOST_COMBINATIONS} are the most"
        yield Problem("sample.agrees", told, "pick from tables, so that what belongs together is one choice")


def wrong_about_the_sample(entry: Entry) -> Iterator[Problem]:
    """Yield ``agrees`` that is not true: whether the templates could have drawn the documentation's sample."""
    shape = entry.shape
    if shape.sample is None or _combinations(shape) > _MOST_COMBINATIONS:
        return
    agrees = could_draw(shape, shape.sample.dimensions, placeholder=shape.sample.placeholder)
    if agrees is not shape.sample.agrees:
        told = "could have been drawn" if agrees else "could not have been drawn: keys, order, types or values differ"
        yield Problem(
            "sample.agrees", f"is {str(not agrees).lower()}, and the sample {told}", f"write {agrees}".lower()
        )


def _combinations(shape: Shape) -> int:
    return math.prod(len(slot.drawer.choices) or 1 for slot in Plan(shape).slots.values())


def fails(entry: Entry) -> Iterator[Problem]:
    """Yield why a metric or an event cannot be told in a form, a language and a state that it has, each reason once."""
    told: set[str] = set()
    for form in forms(entry.shape):
        for lang in Lang:
            for name, draw in _draws(entry.shape, form, lang, *State):
                try:
                    draw()
                except TcopMockError as problem:
                    if f"{problem}" not in told:
                        told.add(f"{problem}")
                        yield Problem("", f"{name} as {form} in {lang}: {problem}")


def oversized(entry: Entry) -> Iterator[Problem]:
    """Yield the longest body where it is longer than what receivers are held to."""
    bodies = [
        (len(draw()), form)
        for form in forms(entry.shape)
        for lang in Lang
        for _, draw in _draws(entry.shape, form, lang, State.FIRING)
    ]
    most, form = max(bodies)
    if most > _MOST_BYTES:
        told = f"the {form} body has {most} bytes; receivers are held to {_MOST_BYTES}"
        yield Problem("", told, "shorten names and texts")


def _draws(shape: Shape, form: Form, lang: Lang, *states: State) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield for each metric or event and each of these states that it has: its name, and what draws the body."""
    generator = Generator(_SEED, lang, form=form)

    def draw(name: str, state: State) -> bytes:
        alarm = generator.alarm(shape, metric=name, reaching=state)
        return generator.callback(alarm, state).body()

    for subject in shape.metrics or shape.events:
        for state in states:
            if comes(shape, {state}, form) and (state is not State.RESOLVED or getattr(subject, "recoverable", True)):
                yield subject.name, partial(draw, subject.name, state)
