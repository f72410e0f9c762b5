"""Rules about what is drawn: values, templates, ids, the documentation's sample, and every callback there is."""

from __future__ import annotations

import math
import re
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
    from collections.abc import Iterator

    from tcop_mock.generate.cells import Piece
    from tcop_mock.generate.generators import Drawer
    from tcop_mock.lint.entry import Entry
    from tcop_mock.model.alarm import Callback
    from tcop_mock.model.form import Form
    from tcop_mock.model.shape import Shape

_SEED = 0
_ID = re.compile(r"id$", re.IGNORECASE)
_MOST_CHOICES = 4096
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


def wrong_about_the_sample(entry: Entry) -> Iterator[Problem]:
    """Yield ``agrees`` that is not true: whether the templates could have drawn the documentation's sample."""
    shape = entry.shape
    if shape.sample is None:
        return
    choices = math.prod(len(slot.drawer.choices) or 1 for slot in Plan(shape).slots.values())
    if choices > _MOST_CHOICES:
        told = f"is not checked: what is picked gives {choices} combinations, {_MOST_CHOICES} are the most"
        yield Problem("sample.agrees", told, "pick from tables, so that what belongs together is one choice")
        return
    agrees = could_draw(shape, shape.sample.dimensions, placeholder=shape.sample.placeholder)
    if agrees is not shape.sample.agrees:
        told = "could have been drawn" if agrees else "could not have been drawn: keys, order, types or values differ"
        yield Problem(
            "sample.agrees", f"is {str(not agrees).lower()}, and the sample {told}", f"write {agrees}".lower()
        )


def fails(entry: Entry) -> Iterator[Problem]:
    """Yield why a metric or an event cannot be told in a form, a language and a state that it must have."""
    told: set[str] = set()
    for form in forms(entry.shape):
        for lang in Lang:
            try:
                for callback in _callbacks(entry.shape, form, lang, *State):
                    callback.body()
            except TcopMockError as problem:
                if f"{problem}" not in told:
                    told.add(f"{problem}")
                    yield Problem("", f"cannot be drawn as {form} in {lang}: {problem}")


def oversized(entry: Entry) -> Iterator[Problem]:
    """Yield the longest body where it is longer than what receivers are held to."""
    bodies = [
        (len(callback.body()), form)
        for form in forms(entry.shape)
        for lang in Lang
        for callback in _callbacks(entry.shape, form, lang, State.FIRING)
    ]
    most, form = max(bodies)
    if most > _MOST_BYTES:
        told = f"the {form} body has {most} bytes; receivers are held to {_MOST_BYTES}"
        yield Problem("", told, "shorten names and texts")


def _callbacks(shape: Shape, form: Form, lang: Lang, *states: State) -> Iterator[Callback]:
    """Yield a callback of each metric or event in each of these states that it has."""
    generator = Generator(_SEED, lang, form=form)
    for subject in shape.metrics or shape.events:
        for state in states:
            if comes(shape, {state}, form) and (state is not State.RESOLVED or getattr(subject, "recoverable", True)):
                alarm = generator.alarm(shape, metric=subject.name, reaching=state)
                yield generator.callback(alarm, state)
