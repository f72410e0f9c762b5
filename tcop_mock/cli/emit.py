"""The work of emit, and the generation of callbacks for emit and send."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.generator import Generator, LifecyclePoint, parse_lifecycle
from tcop_mock.callbacks.json_tree import with_value, without_value
from tcop_mock.callbacks.notification_template import ASSUMED, NotificationTemplate
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, supports
from tcop_mock.cli.arguments import add_headers, read_text, resolve_target
from tcop_mock.cli.choices import SCRIPT_FORMATS
from tcop_mock.cli.connections import read_connection
from tcop_mock.cli.settings import configured_target
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import AlarmKind, Lang, without_unpublished
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tcop_mock.cli.options import CommonOptions, GenerationOptions, ReachOptions
    from tcop_mock.contract.mutators import Mutator
    from tcop_mock.domain.shape import Shape

_DEFAULT_RECEIVER = "http://127.0.0.1:8080/"
_CHUNK = 4096


class GeneratedCallback(NamedTuple):
    """A generated and edited callback."""

    shape: Shape
    state: State
    body: bytes
    """Bytes as they are sent."""


class TimedCallback(NamedTuple):
    """A callback of a lifecycle and its time."""

    callback: GeneratedCallback
    at_s: int
    """Seconds after the alarm fired for the first time."""


@dataclass(frozen=True, slots=True)
class CallbackSource:
    """Generates callbacks by the options."""

    options: GenerationOptions
    common: CommonOptions
    edits: tuple[tuple[str, Any], ...] = ()
    template: NotificationTemplate | None = None

    @classmethod
    def build(cls, options: GenerationOptions, common: CommonOptions) -> CallbackSource:
        """Parse the edits and read the template.

        Raises:
            UsageError: an edit is invalid, or the template cannot be read.
        """
        template = NotificationTemplate(read_text(options.template), options.template) if options.template else None
        return cls(options, common, tuple(map(parse_edit, options.sets)), template)

    def callbacks(self, shapes: Sequence[Shape], count: int) -> Iterator[GeneratedCallback]:
        """Generate ``count`` alarms of each shape, each in all requested states.

        Of several shapes, those without such a state or form are skipped (events never repeat).

        Raises:
            UsageError: the shape does not have a name, a path or a state.
        """
        moments = self._moments()
        for shape, bodies in self._bodies(shapes, moments):
            for first in range(0, count, _CHUNK):
                rendered = [each.bodies(first, min(_CHUNK, count - first)) for each in bodies]
                for lifecycle in zip(*rendered, strict=True):
                    for moment, body in zip(moments, lifecycle, strict=True):
                        yield GeneratedCallback(shape, moment.state, self._finished(shape, moment.state, body))

    def validate(self, shapes: Sequence[Shape], count: int) -> None:
        """Raise the errors of :meth:`callbacks`, before anything is written.

        Raises:
            UsageError: as there.
        """
        for shape, bodies in self._bodies(shapes, self._moments()):
            for each, moment in zip(bodies, self._moments(), strict=True):
                each.validate(count)
                self._finished(shape, moment.state, each.body(0))

    def lifecycles(self, shapes: Sequence[Shape]) -> Iterator[list[TimedCallback]]:
        """Generate one alarm of each shape, with the times of its callbacks.

        Raises:
            UsageError: as :meth:`callbacks`.
        """
        moments = self._moments()
        for shape, bodies in self._bodies(shapes, moments):
            yield [
                TimedCallback(
                    GeneratedCallback(shape, moment.state, self._finished(shape, moment.state, each.body(0))),
                    each.sent_at_s(0),
                )
                for moment, each in zip(moments, bodies, strict=True)
            ]

    def print_assumptions(self) -> None:
        """Print the assumptions that the template adds to those of the profile."""
        for line in ASSUMED if self.template else ():
            self.common.info(f"assumed: {line}")

    def _bodies(
        self, shapes: Sequence[Shape], moments: Sequence[LifecyclePoint]
    ) -> Iterator[tuple[Shape, list[BodyRenderer]]]:
        """Yield each shape with one renderer per requested moment."""
        form, states = Form(self.options.form), {moment.state for moment in moments}
        if self.template and (self.options.mutate or self.edits or self.options.unset or form is not Form.DOCUMENTED):
            raise UsageError("--template writes the whole body: leave --form, --set, --unset and --mutate out")
        able = [shape for shape in shapes if len(shapes) == 1 or supports(shape, states, form)]
        if not able:
            raise UsageError("none of these shapes has such a state or form: events do not repeat, and not all recover")
        edit = self._edited if self.edits or self.options.unset else None
        generator = Generator(
            self.common.seed, Lang(self.options.lang), form=form, wire_format=self.common.profile.wire_format
        )
        for shape in able:
            self._require_kind(shape)
            threshold = not self.options.no_threshold and (self._mutator is None or self._mutator.has_threshold)
            ask = AlarmOptions(
                self.options.metric, self.options.event, threshold, self.options.notify, _furthest(shape, moments)
            )
            yield shape, [BodyRenderer(generator, shape, moment, options=ask, edit=edit) for moment in moments]

    def _require_kind(self, shape: Shape) -> None:
        name = self.options.metric or self.options.event
        if name is not None and not (shape.metrics or shape.events):
            raise UsageError(f"{shape.id} has neither metrics nor events: leave --metric and --event out")
        if shape.kind is AlarmKind.METRIC and self.options.event is not None:
            raise UsageError(f"{shape.id} has metrics and no events: --event does not go with it, --metric does")
        if shape.kind is AlarmKind.EVENT and self.options.metric is not None:
            raise UsageError(f"{shape.id} has events and no metrics: --metric does not go with it, --event does")

    def _moments(self) -> tuple[LifecyclePoint, ...]:
        if self.options.lifecycle is None:
            default = self._mutator.state if self._mutator else State.FIRING
            return (LifecyclePoint(State(self.options.state or default)),)
        if self.options.state is not None:
            raise UsageError("--state and --lifecycle exclude each other: give one state or a whole lifecycle")
        moments = parse_lifecycle(self.options.lifecycle)
        if not moments:
            raise UsageError(f"lifecycle {self.options.lifecycle!r} has no callback; write fire,repeat:3,resolve")
        return moments

    @property
    def _mutator(self) -> Mutator | None:
        if not self.options.mutate:
            return None
        from tcop_mock.contract.mutators import find_mutator  # noqa: PLC0415 - it reads the clauses, which takes long

        return find_mutator(self.options.mutate)

    def _finished(self, shape: Shape, state: State, body: bytes) -> bytes:
        """Return the body after template or mutator; it may not be JSON."""
        if self.template:
            return self.template.render(shape, state, Lang(self.options.lang), json.loads(body))
        return self._mutator.change(json.loads(body)) if self._mutator else body

    def _edited(self, tree: dict[str, Any]) -> dict[str, Any]:
        for path, value in self.edits:
            tree = with_value(tree, path, value)
        for path in self.options.unset:
            tree = without_value(tree, path)
        return tree


def emit(  # noqa: PLR0913 - one parameter an option
    pattern: str,
    *,
    count: int,
    generation: GenerationOptions,
    output_format: str | None,
    pretty: bool,
    to: str | None,
    reach: ReachOptions,
    common: CommonOptions,
) -> None:
    """Print callbacks: one body, one per line, or a script that posts them."""
    source = CallbackSource.build(generation, common)
    shapes = without_unpublished(common.catalog().match(pattern))
    if output_format in SCRIPT_FORMATS and (common.as_json or pretty):
        raise UsageError(f"--format {output_format} is not JSON: leave --json and --pretty out")
    given = ["--to"] if to else []
    given += [f"--{name.rstrip('s') if name == 'headers' else name}" for name, value in asdict(reach).items() if value]
    if given and output_format not in SCRIPT_FORMATS:
        raise UsageError(
            f"{given[0]}: add --format {'|'.join(sorted(SCRIPT_FORMATS))}, which it goes with; "
            "`tcop-mock send` posts at once"
        )
    many = count > 1 or len(shapes) > 1 or generation.lifecycle is not None
    if many and (output_format == "json" or pretty) and not common.as_json:
        raise UsageError("several bodies go one a line: leave --format json and --pretty out, or use --json")
    source.validate(shapes, count)
    callbacks = source.callbacks(shapes, count)
    if output_format in SCRIPT_FORMATS:
        from tcop_mock.reports.scripts import NamedBody, request_script  # noqa: PLC0415 - most output is not a script

        letters = (NamedBody(f"{one.shape.id} {one.state}", one.body) for one in callbacks)
        rules = add_headers(common.profile.delivery, reach.headers)
        connection = read_connection(reach, opens_files=False)
        parts = request_script(
            output_format, letters, _receiver(to), rules, insecure=reach.insecure, connection=connection
        )
    elif common.as_json:
        parts = _document(callbacks, common.seed)
    else:
        parts = (_indented(one.body) if pretty else one.body + b"\n" for one in callbacks)
    first = next(parts)  # everything that can fail has failed by now, and nothing is printed yet
    source.print_assumptions()
    common.info(f"seed {common.seed}")
    sys.stdout.buffer.writelines(itertools.chain([first], parts))


def _receiver(to: str | None) -> Target:
    if not to and not configured_target():
        return Target.parse(_DEFAULT_RECEIVER)
    target = resolve_target(to, flag="--to URL")
    if target.app:
        raise UsageError(f"--to {target}: an app in this process has no address; write its URL")
    return target


def _indented(body: bytes) -> bytes:
    return json.dumps(_tree(body), ensure_ascii=False, indent=2).encode() + b"\n"


def _tree(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except ValueError:
        raise UsageError("this body is not JSON: leave --json and --pretty out") from None


def _document(callbacks: Iterable[GeneratedCallback], seed: int) -> Iterator[bytes]:
    """Yield one JSON document as a stream, with a line per callback."""
    head = b'{"version": 1, "seed": %d, "callbacks": [\n' % seed
    for shape, state, body in callbacks:
        _tree(body)
        item = f'{{"shape": {json.dumps(shape.id, ensure_ascii=False)}, "state": "{state}", "body": '
        yield head + item.encode() + body + b"}"
        head = b",\n"
    yield b"\n]}\n"


def parse_edit(text: str) -> tuple[str, Any]:
    """Return path and value of ``--set PATH=JSON``.

    Raises:
        UsageError: the text is invalid.
    """
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UsageError(f"--set {text!r}: write PATH=JSON, as in alarmStatus=1")
    try:
        tree = json.loads(value, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        argument = shlex.quote(f"{path}={json.dumps(value, ensure_ascii=False)}")
        raise UsageError(f"--set {path}: {value!r} is not JSON; a string needs its quotes: --set {argument}") from None
    try:
        json.dumps(tree, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise UsageError(f"--set {path}: half a surrogate pair cannot be sent, because bodies are UTF-8") from None
    except ValueError:
        raise UsageError(f"--set {path}: {value!r} has a number that is too great for a 64-bit float") from None
    return path, tree


def _reject_constant(name: str) -> None:
    """Reject ``NaN`` and infinite numbers, which Python reads and JSON lacks."""
    raise ValueError(name)


def _furthest(shape: Shape, moments: Sequence[LifecyclePoint]) -> State:
    """Return the state for which the alarm must be sampled: a repeat of a metric, a recovery of an event."""
    states = {moment.state for moment in moments}
    if State.REPEATED in states:
        return State.REPEATED
    return State.RESOLVED if State.RESOLVED in states and shape.kind is AlarmKind.EVENT else State.FIRING
