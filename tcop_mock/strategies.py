"""Hypothesis strategies of TCOP callbacks, for property tests of receivers and parsers.

>>> from hypothesis import given
>>> from tcop_mock.strategies import bodies
>>> @given(bodies("cvm/*"))
... def test_the_parser_takes_every_callback(body):
...     parse(body)

Hypothesis reduces a failing test to a small body: it prefers shapes with short bodies, and the first of the given
forms, languages and states.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.sampling import supports
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.shape import Lang, without_unpublished
from tcop_mock.errors import UsageError, enum_member

try:
    from hypothesis import strategies
except ModuleNotFoundError as missing:
    raise ImportError('tcop_mock.strategies needs Hypothesis: pip install "tcop-mock[hypothesis]"') from missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.domain.callback import Callback
    from tcop_mock.domain.shape import Shape

_MAX_SERIAL = (1 << 32) - 1


class _Kind(NamedTuple):
    """Properties of a callback, apart from its values."""

    shape: Shape
    state: State
    lang: Lang
    form: Form


def callbacks(
    *globs: str,
    states: Sequence[State | str] = (State.FIRING, State.RESOLVED),
    langs: Sequence[Lang | str] = (Lang.EN, Lang.ZH),
    forms: Sequence[Form | str] = (Form.DOCUMENTED,),
    profile: str = DEFAULT_PROFILE,
    catalog: Catalog | None = None,
) -> strategies.SearchStrategy[Callback]:
    """Return a strategy of callbacks: ``.to_bytes()`` is the body, ``.to_dict()`` its JSON.

    Shapes that have no such state or form are left out: events do not repeat.

    Args:
        globs: ids of shapes, or globs of them; all shapes if empty.
        states: ``firing``, ``repeated``, ``resolved``.
        langs: ``en`` or ``zh``, the languages of names and other texts.
        forms: ``documented``, ``observed``, ``eventbridge``, ``cloudevents``.
        profile: generation of the callback contract.
        catalog: the catalogue of the shapes; by default the shipped one.

    Raises:
        UnknownNameError: no such shape, state, language, form or profile; suggests similar names.
        UsageError: no shape has such a state or form.
    """
    catalog = catalog or Catalog.load()
    shapes = {shape.id: shape for glob in globs or ("*",) for shape in without_unpublished(catalog.match(glob))}
    kinds = [
        _Kind(shape, state, lang, form)
        for shape in shapes.values()
        for form in [enum_member(Form, "form", form) for form in forms]
        for lang in [enum_member(Lang, "language", lang) for lang in langs]
        for state in [enum_member(State, "state", state) for state in states]
        if supports(shape, {state}, form)
    ]
    if not kinds:
        raise UsageError(f"no shape that matches {', '.join(globs) or '*'} has such a state or form")
    wire_format = load_profile(profile).wire_format

    @lru_cache
    def generator(lang: Lang, form: Form) -> Generator:
        return Generator(0, lang, form=form, wire_format=wire_format)

    def draw(kind: _Kind, serial: int) -> Callback:
        drawn_by = generator(kind.lang, kind.form)
        return drawn_by.callback(drawn_by.alarm(kind.shape, serial, required_state=kind.state), kind.state)

    def smallest_first() -> strategies.SearchStrategy[_Kind]:
        """Order the shapes by the first body of each: Hypothesis shrinks to the first element."""
        sizes: dict[str, int] = {}
        for kind in kinds:
            if kind.shape.id not in sizes:
                sizes[kind.shape.id] = len(draw(kind, 0).to_bytes())
        return strategies.sampled_from(sorted(kinds, key=lambda kind: sizes[kind.shape.id]))

    return strategies.builds(draw, strategies.deferred(smallest_first), strategies.integers(0, _MAX_SERIAL))


def bodies(
    *globs: str,
    states: Sequence[State | str] = (State.FIRING, State.RESOLVED),
    langs: Sequence[Lang | str] = (Lang.EN, Lang.ZH),
    forms: Sequence[Form | str] = (Form.DOCUMENTED,),
    profile: str = DEFAULT_PROFILE,
    catalog: Catalog | None = None,
) -> strategies.SearchStrategy[dict[str, Any]]:
    """Return a strategy of the JSON trees of callbacks; arguments and errors are those of :func:`callbacks`."""
    drawn = callbacks(*globs, states=states, langs=langs, forms=forms, profile=profile, catalog=catalog)
    return drawn.map(lambda callback: callback.to_dict())
