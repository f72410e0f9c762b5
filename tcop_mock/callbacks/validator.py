"""Judge one body: what it is, what is wrong with it, and what deviates from the pages.

Problems are what no callback of TCOP has, in any form, generation or product. Deviations are what no page documents:
fields, products and metrics that nobody knows, JSON types of other generations.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.classifier import DDOS, EVENTBRIDGE, TEMPLATE, UNKNOWN, Recognised, Recogniser
from tcop_mock.callbacks.json_schemas import accept_schema, inlined, open_schema, printed_schema
from tcop_mock.callbacks.strict_json import Note, Parsed, parse, path_of
from tcop_mock.catalog.schema_errors import ABOUT_KEYS, flaws, shown, validator
from tcop_mock.domain.alarm import Form, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tcop_mock.catalog.schema_errors import Checker, Flaw
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.shape import Metric, Shape


_CONDITIONS = "alarmPolicyInfo.conditions"

_FAR = 10

"""How many times the greatest value that makes sense is another order of magnitude."""

_TIME = "%Y-%m-%d %H:%M:%S"


def odd_values(shape: Shape, body: Any) -> Iterator[Note]:  # noqa: ANN401 - any JSON value
    """Yield which values of a body are odd for a metric of a shape; none, where the metric is not known.

    Another unit than the metric's page or captured callbacks have, a value far beyond what makes sense, a duration that
    is not the time between the first occurrence and the recovery (in captured callbacks it is exactly that).
    """
    policy = _table(body, "alarmPolicyInfo")
    conditions = _table(policy, "conditions")
    name = conditions.get("metricName")
    metric = next((metric for metric in shape.metrics if metric.name == name), None)
    if metric is not None:
        yield from _units(metric, conditions)
        yield from _far(metric, conditions)
        yield from _duration(
            body if "durationTime" in body else policy, "" if "durationTime" in body else "alarmPolicyInfo."
        )


def _units(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Note]:
    known = {text for unit in (metric.unit, metric.observed_unit) if unit for text in (unit.en, unit.zh)}
    for key in ("calcUnit", "unit"):
        unit = conditions.get(key)
        if isinstance(unit, str) and unit not in known:
            told = " or ".join(map(shown, sorted(known)))
            yield Note(f"{_CONDITIONS}.{key}", f"is {shown(unit)}; the unit of {metric.name} is {told}")


def _far(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Note]:
    if metric.calc_type is None:
        return
    for key in ("calcValue", "currentValue", "historyValue"):
        number = _number(conditions.get(key))
        if number is not None and (number > Decimal(str(metric.high)) * _FAR or number < 0 <= metric.low):
            told = f"{metric.low:g} to {metric.high:g} {metric.unit.en}".strip()
            yield Note(
                f"{_CONDITIONS}.{key}", f"is {shown(conditions[key])}, far from what {metric.name} can be ({told})"
            )


def _number(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _duration(times: Mapping[str, Any], prefix: str) -> Iterator[Note]:
    first, over = (_moment(times.get(key)) for key in ("firstOccurTime", "recoverTime"))
    seconds = _number(times.get("durationTime"))
    if first is None or over is None or seconds is None:
        return
    between = int((over - first).total_seconds())
    if between >= 0 and seconds != between:
        told = f"is {shown(times['durationTime'])}; from firstOccurTime to recoverTime it is {between} s"
        yield Note(f"{prefix}durationTime", told)


def _moment(value: Any) -> datetime | None:  # noqa: ANN401 - any JSON value
    try:
        return datetime.strptime(value, _TIME)  # noqa: DTZ007 - Beijing time without offset
    except (TypeError, ValueError):
        return None


def _table(tree: Any, key: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    found = tree.get(key)
    return found if isinstance(found, dict) else {}


TEMPLATE_PROFILE = "template"

MOST_NOTES = 100

"""Problems, and deviations, that are told of one body."""

_FORMS = {EVENTBRIDGE: Form.EVENTBRIDGE, DDOS: Form.CLOUDEVENTS}

_OPEN_KINDS = {EVENTBRIDGE: "event", DDOS: "cloudevents"}

_NAMES = {"metricName": "metric", "eventName": "event"}

_STATES = {"1": State.FIRING, "0": State.RESOLVED}

_NOT_A_CALLBACK = (
    "is no alarm callback: it has none of alarmStatus, alarmObjInfo and alarmPolicyInfo "
    "(a body of your own template? --profile template)"
)

_NO_TIME = ("0", 0, "")

_MOST_SHAPES = 5


class BodyVerdict(NamedTuple):
    """What a body is, and what is to be said of it."""

    kind: str
    """``metric``, ``event``, ``eventbridge``, ``ddos``, ``template`` or ``unknown``."""
    shape: str | None = None
    """Id of the shape that it fits best."""
    also_fits: tuple[str, ...] = ()
    """Ids of shapes that it fits as well."""
    state: State | None = None
    problems: tuple[Note, ...] = ()
    deviations: tuple[Note, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether it could have come from TCOP."""
        return not self.problems


class BodyJudge:
    """Judges bodies by a catalogue and a profile; what is needed for a shape is made once.

    Args:
        shapes: the catalogue.
        profile: whose documentation bodies are compared with.
    """

    def __init__(self, shapes: Iterable[Shape], profile: Profile) -> None:
        self._shapes = {shape.id: shape for shape in shapes}
        self._recogniser = Recogniser(self._shapes.values())
        self._profile = profile
        self._checkers = cache(self._checkers_of)
        self._captured = cache(self._captured_of)
        self._open = cache(lambda kind: validator(inlined(open_schema(_OPEN_KINDS.get(kind, kind)))))

    def judge(self, raw: bytes) -> BodyVerdict:
        """Judge a body, whatever its bytes are; nothing is raised."""
        return self.judge_parsed(parse(raw))

    def judge_parsed(self, parsed: Parsed) -> BodyVerdict:
        """Judge a body that was read already."""
        if not parsed.is_json:
            verdict = BodyVerdict(UNKNOWN, problems=parsed.problems)
        else:
            verdict = self.judge_tree(parsed.tree)
            verdict = verdict._replace(
                problems=(*_few(parsed.problems), *verdict.problems),
                deviations=(*parsed.deviations, *verdict.deviations),
            )
        if self._profile.name != TEMPLATE_PROFILE or verdict.valid:
            return verdict
        return verdict._replace(
            kind=TEMPLATE if verdict.kind == UNKNOWN else verdict.kind,
            problems=(),
            deviations=(*verdict.problems, *verdict.deviations),
        )

    def judge_tree(self, tree: Any) -> BodyVerdict:  # noqa: ANN401 - any JSON value
        """Judge a body that is a JSON value already."""
        found = self._recogniser.recognise(tree)
        if found.kind == UNKNOWN:
            why = _NOT_A_CALLBACK if isinstance(tree, dict) else f"is {shown(tree)}, not an object"
            return BodyVerdict(UNKNOWN, problems=(Note("", why),))
        if not found.shapes:
            problems = _few(map(_note, flaws(self._open(found.kind), tree)))
            deviations = (_stranger(found, tree), *_odd_times(tree))
            return BodyVerdict(found.kind, None, (), _state(tree), problems, _besides(deviations, problems))
        shape, *others = found.shapes
        accept, printed = self._checkers(shape.id, _FORMS.get(found.kind, Form.DOCUMENTED))
        problems = _few(map(_note, flaws(accept, tree)))
        deviations = (
            *_few(self._deviation(flaw, shape) for flaw in flaws(printed, tree)),
            *_odd_times(tree),
            *odd_values(shape, tree),
        )
        ids = tuple(other.id for other in others)
        return BodyVerdict(found.kind, shape.id, ids, _state(tree), problems, _besides(deviations, problems))

    def _checkers_of(self, shape_id: str, form: Form) -> tuple[Checker, Checker]:
        """Return what checks what a body has to keep, and what a page prints."""
        shape = self._shapes[shape_id]
        return validator(inlined(accept_schema(shape))), validator(printed_schema(shape, form, self._profile.wire))

    def _captured_of(self, shape_id: str) -> frozenset[str]:
        """Return the paths of captured bodies."""
        return frozenset(_paths(printed_schema(self._shapes[shape_id], Form.OBSERVED, self._profile.wire)))

    def _deviation(self, flaw: Flaw, shape: Shape) -> Note:
        path, key = path_of(flaw.path), str(flaw.path[-1]) if flaw.path else ""
        if flaw.rule == "additionalProperties" and path in self._captured(shape.id):
            return Note(path, "captured callbacks have it, no page does")
        if flaw.rule == "enum" and key in _NAMES:
            return Note(path, f"is no {_NAMES[key]} of {shape.id} that is known")
        return _note(flaw)


def _note(flaw: Flaw) -> Note:
    hint = f" ({flaw.wanted})" if flaw.wanted and flaw.rule not in ABOUT_KEYS else ""
    return Note(path_of(flaw.path), flaw.message + hint)


def _few(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Return the first hundred notes, and that there are more: a body may be made to have a million."""
    some = tuple(itertools.islice(notes, MOST_NOTES + 1))
    return (*some[:MOST_NOTES], Note("", f"more than {MOST_NOTES} of these")) if len(some) > MOST_NOTES else some


def _besides(deviations: Iterable[Note], problems: Iterable[Note]) -> tuple[Note, ...]:
    """Return deviations at other places than problems."""
    told = {problem.path for problem in problems}
    return tuple(note for note in deviations if note.path not in told)


def _stranger(found: Recognised, tree: Any) -> Note:  # noqa: ANN401 - any JSON value
    """Say what is not in the catalogue: the product, or these dimensions of it."""
    if found.product:
        ids = [shape.id for shape in found.product]
        more = f" and {len(ids) - _MOST_SHAPES} more" if len(ids) > _MOST_SHAPES else ""
        known = f"{', '.join(ids[:_MOST_SHAPES])}{more}"
        return Note("alarmObjInfo.dimensions", f"has the keys of no known shape of this product ({known})")
    for path in ("alarmObjInfo.namespace", "alarmPolicyInfo.policyType", "alarmPolicyInfo.conditions.productName"):
        value: Any = tree
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return Note(path, f"is {shown(value)}, a product that is not in the catalogue")
    return Note("type" if found.kind == DDOS else "", "is of a product that is not in the catalogue")


def _state(tree: Any) -> State | None:  # noqa: ANN401 - any JSON value
    return _STATES.get(str(tree.get("alarmStatus")))


def _odd_times(tree: Any) -> Iterator[Note]:  # noqa: ANN401 - any JSON value
    """Yield what is odd about times that are well-formed each by itself."""
    times, prefix = (tree, "") if "recoverTime" in tree else (tree.get("alarmPolicyInfo"), "alarmPolicyInfo.")
    if not isinstance(times, dict) or "recoverTime" not in times:
        return
    state, over, first = _state(tree), times["recoverTime"], times.get("firstOccurTime")
    path = f"{prefix}recoverTime"
    if state is State.FIRING and over not in _NO_TIME:
        yield Note(path, "is told by an alarm that is not resolved")
    elif state is State.RESOLVED and over in _NO_TIME:
        yield Note(path, "is not told by an alarm that is resolved")
    elif state is State.RESOLVED and isinstance(over, str) and isinstance(first, str) and over < first:
        yield Note(path, "is before firstOccurTime")


def _paths(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, child in schema.get("properties", {}).items():
        yield f"{prefix}{key}"
        yield from _paths(child, f"{prefix}{key}.")
