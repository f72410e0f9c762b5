"""Callbacks for tests, drawn from the seed of the run and the id of the test."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tcop_mock.callbacks.generator import Generator, parse_lifecycle
from tcop_mock.callbacks.sampling import comes
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.alarm import Form, State
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.testing.options import seed_of
from tcop_mock.testing.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from enum import StrEnum
    from typing import Any, TypeVar

    from tcop_mock.callbacks.generator import Moment
    from tcop_mock.domain.alarm import Alarm, Callback, Notify, Wire
    from tcop_mock.domain.shape import Shape

    Word = TypeVar("Word", bound=StrEnum)
    Test = TypeVar("Test", bound=Callable[..., Any] | type)


USUAL_SHAPE = "cvm/basic-monitoring"

_USUAL_LIFE = "fire,repeat:2,resolve"

_HARDEST = (State.FIRING, State.RESOLVED, State.REPEATED)

"""Each alarm fires, fewer recover, and those that repeat do recover."""


class Sample(NamedTuple):
    """One parameter of ``tcop_mock.parametrize``."""

    shape: Shape
    state: State
    lang: Lang
    form: Form | None


@dataclass(slots=True)
class Artist:
    """Draws alarms of a test.

    Args:
        seed: of the test.
        catalog: the shapes.
        form: in which callbacks are written, where a call does not say.
        wire: of the profile.
    """

    seed: int
    catalog: Catalog
    form: Form
    wire: Wire
    _generators: dict[tuple[Lang, Form], Generator] = field(default_factory=dict)
    _serials: defaultdict[str, Iterator[int]] = field(default_factory=lambda: defaultdict(itertools.count))

    def life(  # noqa: PLR0913 - each is one thing that a test can ask for
        self,
        shape: Shape,
        moments: tuple[Moment, ...],
        *,
        lang: Lang | str,
        form: Form | str | None,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        notify: Notify | None = None,
    ) -> tuple[Callback, ...]:
        """Draw the next alarm of a shape at some moments of its life."""
        generator = self._generator(word(Lang, "language", lang), word(Form, "form", form) if form else self.form)
        alarm: Alarm = generator.alarm(
            shape,
            next(self._serials[shape.id]),
            metric=metric,
            event=event,
            threshold=threshold,
            notify=notify,
            reaching=max((moment.state for moment in moments), key=_HARDEST.index),
        )
        return tuple(generator.callback(alarm, *moment) for moment in moments)

    def of_parameter(self, sample: Sample | None) -> Callback:
        """Draw the callback that a parameter asks for."""
        if sample is None:
            sample = Sample(self.catalog.get(USUAL_SHAPE), State.FIRING, Lang.EN, None)
        [callback] = self.life(sample.shape, moments_of(sample.state), lang=sample.lang, form=sample.form)
        return callback

    def _generator(self, lang: Lang, form: Form) -> Generator:
        if (lang, form) not in self._generators:
            self._generators[lang, form] = Generator(self.seed, lang, form=form, wire=self.wire)
        return self._generators[lang, form]


@dataclass(frozen=True, slots=True)
class AlarmFactory:
    """Gives callbacks, each of another alarm; the same ones in each run of the test."""

    artist: Artist

    def __call__(  # noqa: PLR0913 - each is one thing that a test can ask for
        self,
        shape: str = USUAL_SHAPE,
        state: State | str = State.FIRING,
        *,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        notify: Notify | None = None,
        lang: Lang | str = Lang.EN,
        form: Form | str | None = None,
    ) -> Callback:
        """Return a callback: ``.body()`` is its bytes, ``.to_wire()`` its tree, ``.alarm`` what it is about.

        Args:
            shape: id of the product's shape, as ``tcop-mock list`` prints it.
            state: ``firing``, ``repeated`` or ``resolved``.
            metric: metric by name; drawn where it is not given.
            event: event by name; drawn where it is not given.
            threshold: ``False`` for an alarm without a threshold.
            notify: whether and how often it is told again; drawn where it is not given.
            lang: ``en`` or ``zh``, of names and other human text.
            form: ``documented``, ``observed``, ``eventbridge`` or ``cloudevents``; the mark's where it is not given.

        Raises:
            UnknownNameError: no such shape, state, metric, event, language or form; names near misses.
            UsageError: alarms of the shape have no such state or form.
        """
        [callback] = self.artist.life(
            self.artist.catalog.get(shape),
            moments_of(word(State, "state", state)),
            lang=lang,
            form=form,
            metric=metric,
            event=event,
            threshold=threshold,
            notify=notify,
        )
        return callback


@dataclass(frozen=True, slots=True)
class LifecycleFactory:
    """Gives the callbacks of alarms' lives, in order."""

    artist: Artist

    def __call__(  # noqa: PLR0913 - each is one thing that a test can ask for
        self,
        shape: str = USUAL_SHAPE,
        steps: str = _USUAL_LIFE,
        *,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        notify: Notify | None = None,
        lang: Lang | str = Lang.EN,
        form: Form | str | None = None,
    ) -> tuple[Callback, ...]:
        """Return the callbacks of one alarm's life.

        Args:
            shape: as in :class:`AlarmFactory`, and so are all others but this:
            steps: ``fire``, ``repeat``, ``repeat:3``, ``resolve``, with commas between them.
            metric: metric by name.
            event: event by name.
            threshold: whether it has a threshold.
            notify: whether and how often it is told again.
            lang: of human text.
            form: of the bodies.

        Raises:
            UnknownNameError: no such shape, metric, event, language or form; names near misses.
            UsageError: a step that is none, an order that no alarm has, or a state that the shape does not have.
        """
        return self.artist.life(
            self.artist.catalog.get(shape),
            parse_lifecycle(steps),
            lang=lang,
            form=form,
            metric=metric,
            event=event,
            threshold=threshold,
            notify=notify,
        )


def artist(node: pytest.Item, catalog: Catalog) -> Artist:
    """Return who draws for a test."""
    settings = settings_of(node)
    return Artist(seed_of(node, settings.seed), catalog, Form(settings.form), settings.profile.wire)


def moments_of(state: State) -> tuple[Moment, ...]:
    """Return the moment of an alarm's life at which it is in a state for the first time."""
    return parse_lifecycle({State.FIRING: "fire", State.REPEATED: "repeat", State.RESOLVED: "resolve"}[state])


def word(kind: type[Word], what: str, text: str) -> Word:
    """Return the member of an enumeration that a user has named.

    Raises:
        UnknownNameError: there is none; names near misses.
    """
    try:
        return kind(text)
    except ValueError:
        known = [one.value for one in kind]
        raise UnknownNameError(what, str(text), known, listing=f"one of {', '.join(known)}") from None


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
