"""``tcop_mock.parametrize``: one test for each shape and state."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tcop_mock.catalog import Catalog
from tcop_mock.errors import UsageError
from tcop_mock.generate.policies import comes
from tcop_mock.model.alarm import State
from tcop_mock.model.form import Form
from tcop_mock.model.shape import Lang
from tcop_mock.testing.drawing import Sample, word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    Test = TypeVar("Test", bound=Callable[..., Any] | type)

_ARGUMENT = "tcop_callback"


class ShapesError(pytest.Collector.CollectError):
    """Shapes that are not there: told in one line when the test's module is collected."""


def parametrize(
    *globs: str,
    states: Sequence[State | str] = (State.FIRING,),
    langs: Sequence[Lang | str] = (Lang.EN,),
    forms: Sequence[Form | str | None] = (None,),
    catalog: Catalog | None = None,
) -> Callable[[Test], Test]:
    """Run a test once for each shape and state; its argument ``tcop_callback`` is the callback.

    The ids read ``cvm/basic-monitoring-resolved``; language and form stand behind where there are several. Callbacks
    are drawn when the test is run, from its id and ``--tcop-seed``. Of several shapes, those that have no such state
    or form are left out: events do not repeat.

    Args:
        globs: ids of shapes, or globs of them; all shapes where there is none.
        states: ``firing``, ``repeated``, ``resolved``.
        langs: ``en``, ``zh``.
        forms: ``documented``, ``observed``, ...; that of the test's mark where it is not given.
        catalog: where the shapes are; the shipped one where it is not given.

    Raises:
        ShapesError: nothing matches a glob, or no shape has such a state or form; names near misses.
    """
    try:
        samples = _samples(globs or ("*",), states, langs, forms, catalog or Catalog.load())
    except UsageError as problem:
        raise ShapesError(f"tcop_mock.parametrize: {problem}") from None

    ids = [_id(sample, with_lang=len(langs) > 1, with_form=len(forms) > 1) for sample in samples]

    def marked(test: Test) -> Test:
        given: Test = pytest.mark.parametrize(_ARGUMENT, samples, ids=ids, indirect=True)(test)
        return given

    return marked


def _samples(
    globs: Sequence[str],
    states: Sequence[State | str],
    langs: Sequence[Lang | str],
    forms: Sequence[Form | str | None],
    catalog: Catalog,
) -> list[Sample]:
    chosen = {shape.id: shape for glob in globs for shape in catalog.match(glob)}
    named = (
        [word(State, "state", state) for state in states],
        [word(Lang, "language", lang) for lang in langs],
        [word(Form, "form", form) if form else None for form in forms],
    )
    every = itertools.starmap(Sample, itertools.product(chosen.values(), *named))
    samples = [one for one in every if comes(one.shape, {one.state}, one.form or Form.DOCUMENTED)]
    if not samples:
        raise UsageError(f"no shape that matches {', '.join(globs)} has such a state or form")
    return samples


def _id(sample: Sample, *, with_lang: bool, with_form: bool) -> str:
    parts = [sample.shape.id, sample.state.value]
    parts += [sample.lang.value] if with_lang else []
    parts += [sample.form.value] if with_form and sample.form else []
    return "-".join(parts)
