"""Which callbacks to draw, as ``emit`` and ``send`` are told."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import Generator, LifecyclePoint, parse_lifecycle
from tcop_mock.callbacks.json_edit import with_value, without_value
from tcop_mock.callbacks.notification_template import ASSUMED, NotificationTemplate
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, supports
from tcop_mock.cli import flags
from tcop_mock.cli.options import read_text
from tcop_mock.contract.mutators import find_mutator
from tcop_mock.domain.alarm import Form, State
from tcop_mock.domain.shape import AlarmKind, Lang
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tcop_mock.cli.options import Common
    from tcop_mock.contract.mutators import Mutator
    from tcop_mock.domain.alarm import RepeatPolicy
    from tcop_mock.domain.shape import Shape


_CHUNK = 4096


class Drawn(NamedTuple):
    """One callback, drawn and edited."""

    shape: Shape
    state: State
    body: bytes
    """As it goes over the wire."""


class Told(NamedTuple):
    """One callback of a life, and when it is told."""

    drawn: Drawn
    at_s: int
    """Seconds after the alarm fired for the first time."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw of a shape; without arguments, what is drawn where no option says otherwise."""

    state: str | None = None
    lifecycle: str | None = None
    metric: str | None = None
    event: str | None = None
    threshold: bool = True
    notify: RepeatPolicy | None = None
    lang: str = Lang.EN.value
    form: str = Form.DOCUMENTED.value
    edits: tuple[tuple[str, Any], ...] = ()
    removals: tuple[str, ...] = ()
    mutate: str | None = None
    template: NotificationTemplate | None = None

    def callbacks(self, shapes: Sequence[Shape], common: Common, count: int) -> Iterator[Drawn]:
        """Draw ``count`` alarms of each shape, each in the states that were asked for.

        Of several shapes, those that can have no such state or form are passed over (events never repeat).

        Raises:
            UsageError: a name, a path or a state that the shape does not have.
        """
        moments = self._moments()
        for shape, bodies in self._bodies(shapes, common, moments):
            for first in range(0, count, _CHUNK):
                drawn = [each.bodies(first, min(_CHUNK, count - first)) for each in bodies]
                for life in zip(*drawn, strict=True):
                    for moment, body in zip(moments, life, strict=True):
                        yield Drawn(shape, moment.state, self._finished(shape, moment.state, body))

    def rehearse(self, shapes: Sequence[Shape], common: Common, count: int) -> None:
        """Draw what :meth:`callbacks` would, as far as it can fail, so that nothing is written before an error.

        Raises:
            UsageError: as there.
        """
        for shape, bodies in self._bodies(shapes, common, self._moments()):
            for each, moment in zip(bodies, self._moments(), strict=True):
                each.validate(count)
                self._finished(shape, moment.state, each.body(0))

    def lives(self, shapes: Sequence[Shape], common: Common) -> Iterator[list[Told]]:
        """Draw one alarm of each shape, with the times at which its callbacks are told.

        Raises:
            UsageError: as :meth:`callbacks`.
        """
        moments = self._moments()
        for shape, bodies in self._bodies(shapes, common, moments):
            yield [
                Told(Drawn(shape, moment.state, self._finished(shape, moment.state, each.body(0))), each.sent_at_s(0))
                for moment, each in zip(moments, bodies, strict=True)
            ]

    def tell_assumed(self, common: Common) -> None:
        """Tell what no source says of what is drawn, beyond the profile."""
        for line in ASSUMED if self.template else ():
            common.tell(f"assumed: {line}")

    def _bodies(
        self, shapes: Sequence[Shape], common: Common, moments: Sequence[LifecyclePoint]
    ) -> Iterator[tuple[Shape, list[BodyRenderer]]]:
        """Yield each shape with what writes its callbacks, moment by moment."""
        form, states = Form(self.form), {moment.state for moment in moments}
        if self.template and (self.mutate or self.edits or self.removals or form is not Form.DOCUMENTED):
            raise UsageError("--template writes the whole body: leave --form, --set, --unset and --mutate out")
        able = [shape for shape in shapes if len(shapes) == 1 or supports(shape, states, form)]
        if not able:
            raise UsageError("none of these shapes has such a state or form: events do not repeat, and not all recover")
        edit = self._edited if self.edits or self.removals else None
        generator = Generator(common.seed, Lang(self.lang), form=form, wire_format=common.profile.wire_format)
        for shape in able:
            self._require_kind(shape)
            threshold = self.threshold and (self._mutator is None or self._mutator.has_threshold)
            ask = AlarmOptions(self.metric, self.event, threshold, self.notify, _furthest(shape, moments))
            yield shape, [BodyRenderer(generator, shape, moment, options=ask, edit=edit) for moment in moments]

    def _require_kind(self, shape: Shape) -> None:
        if shape.kind is AlarmKind.METRIC and self.event is not None:
            raise UsageError(f"{shape.id} has metrics and no events: --event does not go with it, --metric does")
        if shape.kind is AlarmKind.EVENT and self.metric is not None:
            raise UsageError(f"{shape.id} has events and no metrics: --metric does not go with it, --event does")

    def _moments(self) -> tuple[LifecyclePoint, ...]:
        if self.lifecycle is None:
            usual = self._mutator.state if self._mutator else State.FIRING
            return (LifecyclePoint(State(self.state or usual)),)
        if self.state is not None:
            raise UsageError("--state and --lifecycle exclude each other: give one moment or a whole life")
        moments = parse_lifecycle(self.lifecycle)
        if not moments:
            raise UsageError(f"lifecycle {self.lifecycle!r} has no callback; write fire,repeat:3,resolve")
        return moments

    @property
    def _mutator(self) -> Mutator | None:
        return find_mutator(self.mutate) if self.mutate else None

    def _finished(self, shape: Shape, state: State, body: bytes) -> bytes:
        """Return a body as its mutator or template leaves it, which may be no JSON."""
        if self.template:
            return self.template.render(shape, state, Lang(self.lang), json.loads(body))
        return self._mutator.change(json.loads(body)) if self._mutator else body

    def _edited(self, tree: dict[str, Any]) -> dict[str, Any]:
        for path, value in self.edits:
            tree = with_value(tree, path, value)
        for path in self.removals:
            tree = without_value(tree, path)
        return tree


DRAWING_FLAGS = tuple(str(option.name) for option in flags.drawing())
"""What the flags that say which callbacks to draw are called where they are handed in."""


def with_drawing(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a verb one ``drawing`` in place of the flags that say which callbacks to draw."""

    @functools.wraps(verb)
    def gathered(  # noqa: PLR0913 - click hands them in one by one
        *,
        state: str | None,
        lifecycle: str | None,
        metric: str | None,
        event: str | None,
        no_threshold: bool,
        notify: RepeatPolicy | None,
        lang: str,
        form: str,
        sets: tuple[str, ...],
        unset: tuple[str, ...],
        mutate: str | None,
        template: str | None,
        **given: Any,  # noqa: ANN401 - click's values
    ) -> Any:  # noqa: ANN401 - click's values
        edits = tuple(map(parse_edit, sets))
        own = NotificationTemplate(read_text(template), template) if template else None
        drawing = Drawing(
            state, lifecycle, metric, event, not no_threshold, notify, lang, form, edits, unset, mutate, own
        )
        return verb(drawing=drawing, **given)

    return gathered


def parse_edit(text: str) -> tuple[str, Any]:
    """Return path and value of ``--set PATH=JSON``.

    Raises:
        UsageError: it is nothing of the kind.
    """
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UsageError(f"--set {text!r}: write PATH=JSON, as in alarmStatus=1")
    try:
        tree = json.loads(value)
        json.dumps(tree, ensure_ascii=False, allow_nan=False).encode()  # NaN and half a surrogate pair are no JSON
    except (ValueError, RecursionError):
        quoted = json.dumps(value, ensure_ascii=False)
        raise UsageError(
            f"--set {path}: {value!r} is no JSON; a text needs its quotes: --set '{path}={quoted}'"
        ) from None
    return path, tree


def _furthest(shape: Shape, moments: Sequence[LifecyclePoint]) -> State:
    """Return the state that asks most of an alarm: a metric's repeats, an event's recovery."""
    states = {moment.state for moment in moments}
    if State.REPEATED in states:
        return State.REPEATED
    return State.RESOLVED if State.RESOLVED in states and shape.kind is AlarmKind.EVENT else State.FIRING
