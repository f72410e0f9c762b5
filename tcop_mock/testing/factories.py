"""Callbacks for tests, drawn from the seed of the run and the id of the test."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tcop_mock.callbacks.generator import Generator, parse_lifecycle
from tcop_mock.callbacks.sampling import supports
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import Lang, without_unpublished
from tcop_mock.errors import UsageError, enum_member
from tcop_mock.testing.options import test_seed
from tcop_mock.testing.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeVar

    from tcop_mock.callbacks.generator import LifecyclePoint
    from tcop_mock.domain.alarm import Alarm, RepeatPolicy
    from tcop_mock.domain.callback import Callback, WireFormat
    from tcop_mock.domain.shape import Shape

    Test = TypeVar("Test", bound=Callable[..., Any] | type)


DEFAULT_SHAPE = "cvm/basic-monitoring"

_DEFAULT_LIFECYCLE = "fire,repeat:2,resolve"

_STATES_BY_CAPABILITY = (State.FIRING, State.RESOLVED, State.REPEATED)

"""Order of states for sampled alarms: all fire, fewer resolve, and those that repeat also resolve."""


class CallbackParameter(NamedTuple):
    """One parameter of ``tcop_mock.parametrize``."""

    shape: Shape
    state: State
    lang: Lang
    form: Form | None


@dataclass(slots=True)
class CallbackSource:
    """Samples the alarms of a test.

    Args:
        seed: seed of the test.
        catalog: the shapes.
        form: default form of the callbacks.
        wire: wire format of the profile.
    """

    seed: int
    catalog: Catalog
    form: Form
    wire: WireFormat
    _generators: dict[tuple[Lang, Form], Generator] = field(default_factory=dict)
    _serials: defaultdict[str, Iterator[int]] = field(default_factory=lambda: defaultdict(itertools.count))

    def lifecycle(  # noqa: PLR0913 - each is one thing that a test can ask for
        self,
        shape: Shape,
        points: tuple[LifecyclePoint, ...],
        *,
        lang: Lang | str,
        form: Form | str | None,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        notify: RepeatPolicy | None = None,
    ) -> tuple[Callback, ...]:
        """Draw the next alarm of a shape at some moments of its life."""
        generator = self._generator(
            enum_member(Lang, "language", lang), enum_member(Form, "form", form) if form else self.form
        )
        alarm: Alarm = generator.alarm(
            shape,
            next(self._serials[shape.id]),
            metric=metric,
            event=event,
            has_threshold=threshold,
            repeat_policy=notify,
            required_state=max((moment.state for moment in points), key=_STATES_BY_CAPABILITY.index),
        )
        return tuple(generator.callback(alarm, *moment) for moment in points)

    def for_parameter(self, parameter: CallbackParameter | None) -> Callback:
        """Draw the callback that a parameter asks for."""
        if parameter is None:
            parameter = CallbackParameter(self.catalog.get(DEFAULT_SHAPE), State.FIRING, Lang.EN, None)
        [callback] = self.lifecycle(
            parameter.shape, lifecycle_points(parameter.state), lang=parameter.lang, form=parameter.form
        )
        return callback

    def _generator(self, lang: Lang, form: Form) -> Generator:
        if (lang, form) not in self._generators:
            self._generators[lang, form] = Generator(self.seed, lang, form=form, wire_format=self.wire)
        return self._generators[lang, form]


@dataclass(frozen=True, slots=True)
class AlarmFactory:
    """Gives callbacks, each of another alarm; the same ones in each run of the test."""

    source: CallbackSource

    def __repr__(self) -> str:
        return f"<AlarmFactory, seed {self.source.seed}>"

    def __call__(  # noqa: PLR0913 - each is one thing that a test can ask for
        self,
        shape: str = DEFAULT_SHAPE,
        state: State | str = State.FIRING,
        *,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        notify: RepeatPolicy | None = None,
        lang: Lang | str = Lang.EN,
        form: Form | str | None = None,
    ) -> Callback:
        """Return a callback: ``.body()`` is its bytes, ``.to_wire()`` its tree, ``.alarm`` what it is about.

        Args:
            shape: id of the product's shape, as ``tcop-mock list`` prints it.
            state: ``firing``, ``repeated`` or ``resolved``.
            metric: metric by name; by default a random one.
            event: event by name; by default a random one.
            threshold: ``False`` for an alarm without a threshold.
            notify: repetition of its notification; by default random.
            lang: ``en`` or ``zh``, the language of names and other texts.
            form: ``documented``, ``observed``, ``eventbridge`` or ``cloudevents``; by default that of the mark.

        Raises:
            UnknownNameError: no such shape, state, metric, event, language or form; suggests similar names.
            UsageError: alarms of the shape have no such state or form.
        """
        [callback] = self.source.lifecycle(
            self.source.catalog.get(shape),
            lifecycle_points(enum_member(State, "state", state)),
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

    source: CallbackSource

    def __repr__(self) -> str:
        return f"<LifecycleFactory, seed {self.source.seed}>"

    def __call__(  # noqa: PLR0913 - each is one thing that a test can ask for
        self,
        shape: str = DEFAULT_SHAPE,
        steps: str = _DEFAULT_LIFECYCLE,
        *,
        metric: str | None = None,
        event: str | None = None,
        threshold: bool = True,
        notify: RepeatPolicy | None = None,
        lang: Lang | str = Lang.EN,
        form: Form | str | None = None,
    ) -> tuple[Callback, ...]:
        """Return the callbacks of one alarm, in order.

        The other arguments are those of :class:`AlarmFactory`.

        Args:
            shape: id of the product's shape.
            steps: ``fire``, ``repeat``, ``repeat:3``, ``resolve``, with commas between them.
            metric: metric by name.
            event: event by name.
            threshold: whether it has a threshold.
            notify: repetition of its notification.
            lang: language of names and other texts.
            form: form of the bodies.

        Raises:
            UnknownNameError: no such shape, metric, event, language or form; suggests similar names.
            UsageError: an unknown step, an impossible order, or a state that the shape does not have.
        """
        return self.source.lifecycle(
            self.source.catalog.get(shape),
            parse_lifecycle(steps),
            lang=lang,
            form=form,
            metric=metric,
            event=event,
            threshold=threshold,
            notify=notify,
        )


def callback_source(node: pytest.Item, catalog: Catalog) -> CallbackSource:
    """Return the generator of a test."""
    settings = settings_of(node)
    return CallbackSource(test_seed(node, settings.seed), catalog, Form(settings.form), settings.profile.wire_format)


def lifecycle_points(state: State) -> tuple[LifecyclePoint, ...]:
    """Return the moment of an alarm's life at which it is in a state for the first time."""
    return parse_lifecycle({State.FIRING: "fire", State.REPEATED: "repeat", State.RESOLVED: "resolve"}[state])


_ARGUMENT = "tcop_callback"


class ShapesError(pytest.Collector.CollectError):
    """Unknown shapes: one line reports them when the test's module is collected."""


def parametrize(
    *globs: str,
    states: Sequence[State | str] = (State.FIRING,),
    langs: Sequence[Lang | str] = (Lang.EN,),
    forms: Sequence[Form | str | None] = (None,),
    catalog: Catalog | None = None,
) -> Callable[[Test], Test]:
    """Run a test once for each shape and state; its argument ``tcop_callback`` is the callback.

    The ids are like ``cvm/basic-monitoring-resolved``; language and form follow if there are several. Callbacks
    are generated when the test runs, from its id and ``--tcop-seed``. Of several shapes, those without the state or
    form are left out: events do not repeat.

    Args:
        globs: ids of shapes, or globs of them; all shapes if empty.
        states: ``firing``, ``repeated``, ``resolved``.
        langs: ``en``, ``zh``.
        forms: ``documented``, ``observed``, ...; by default that of the test's mark.
        catalog: the catalogue of the shapes; by default the shipped one.

    Raises:
        ShapesError: nothing matches a glob, or no shape has such a state or form; suggests similar names.
    """
    try:
        parameters = _parameters(globs or ("*",), states, langs, forms, catalog or Catalog.load())
    except UsageError as problem:
        raise ShapesError(f"tcop_mock.parametrize: {problem}") from None

    ids = [_id(parameter, with_lang=len(langs) > 1, with_form=len(forms) > 1) for parameter in parameters]

    def decorate(test: Test) -> Test:
        parametrized: Test = pytest.mark.parametrize(_ARGUMENT, parameters, ids=ids, indirect=True)(test)
        return parametrized

    return decorate


def _parameters(
    globs: Sequence[str],
    states: Sequence[State | str],
    langs: Sequence[Lang | str],
    forms: Sequence[Form | str | None],
    catalog: Catalog,
) -> list[CallbackParameter]:
    shapes = {shape.id: shape for glob in globs for shape in without_unpublished(catalog.match(glob))}
    members = (
        [enum_member(State, "state", state) for state in states],
        [enum_member(Lang, "language", lang) for lang in langs],
        [enum_member(Form, "form", form) if form else None for form in forms],
    )
    combinations = itertools.starmap(CallbackParameter, itertools.product(shapes.values(), *members))
    parameters = [one for one in combinations if supports(one.shape, {one.state}, one.form or Form.DOCUMENTED)]
    if not parameters:
        raise UsageError(f"no shape that matches {', '.join(globs)} has such a state or form")
    return parameters


def _id(parameter: CallbackParameter, *, with_lang: bool, with_form: bool) -> str:
    parts = [parameter.shape.id, parameter.state.value]
    parts += [parameter.lang.value] if with_lang else []
    parts += [parameter.form.value] if with_form and parameter.form else []
    return "-".join(parts)
