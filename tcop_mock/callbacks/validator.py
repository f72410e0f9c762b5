"""Validator of callback bodies: the shape, the problems and the deviations of a body.

Problems cannot occur in any TCOP callback, whatever its form, generation or product. Deviations are undocumented:
unknown fields, products and metrics, and JSON types of other generations.
"""

from __future__ import annotations

import itertools
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.classifier import DDOS, EVENTBRIDGE, TEMPLATE, UNKNOWN, Classification, ShapeClassifier
from tcop_mock.callbacks.json_schemas import accept_schema, documented_schema, inline_refs, open_schema
from tcop_mock.callbacks.strict_json import Issue, ParsedBody, parse_body, path_of
from tcop_mock.catalog.schema_errors import KEY_PRESENCE_RULES, iter_violations, short_repr, validator
from tcop_mock.domain.alarm import Form, State
from tcop_mock.domain.callback_view import CallbackView, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tcop_mock.catalog.schema_errors import Checker, SchemaViolation
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.shape import Metric, Shape


_CONDITIONS_PATH = "alarmPolicyInfo.conditions"

_OUTLIER_FACTOR = 10

"""Factor above the largest plausible value from which a value is reported."""


def implausible_values(shape: Shape, body: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
    """Yield implausible values of a body for a metric of a shape; nothing if the metric is unknown.

    Reported are units other than the documented or captured ones, values far out of range, and a duration other than
    the time from the first occurrence to the recovery (in captured callbacks they are equal).
    """
    view = CallbackView(body)
    conditions = view.conditions
    name = conditions.get("metricName")
    metric = next((metric for metric in shape.metrics if metric.name == name), None)
    if metric is not None:
        yield from _unknown_units(metric, conditions)
        yield from _outliers(metric, conditions)
        yield from _wrong_durations(
            body if "durationTime" in body else view.policy, "" if "durationTime" in body else "alarmPolicyInfo."
        )


def _unknown_units(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Issue]:
    known_units = {text for unit in (metric.unit, metric.observed_unit) if unit for text in (unit.en, unit.zh)}
    for key in ("calcUnit", "unit"):
        unit = conditions.get(key)
        if isinstance(unit, str) and unit not in known_units:
            expected = " or ".join(map(short_repr, sorted(known_units)))
            yield Issue(f"{_CONDITIONS_PATH}.{key}", f"is {short_repr(unit)}; the unit of {metric.name} is {expected}")


def _outliers(metric: Metric, conditions: Mapping[str, Any]) -> Iterator[Issue]:
    if metric.calc_type is None:
        return
    for key in ("calcValue", "currentValue", "historyValue"):
        number = _decimal_or_none(conditions.get(key))
        if number is not None and (number > Decimal(str(metric.high)) * _OUTLIER_FACTOR or number < 0 <= metric.low):
            expected = f"{metric.low:g} to {metric.high:g} {metric.unit.en}".strip()
            yield Issue(
                f"{_CONDITIONS_PATH}.{key}",
                f"is {short_repr(conditions[key])}, far outside the range of {metric.name} ({expected})",
            )


def _decimal_or_none(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _wrong_durations(times: Mapping[str, Any], prefix: str) -> Iterator[Issue]:
    first_occurred_at, recovered_at = (parse_time(times.get(key)) for key in ("firstOccurTime", "recoverTime"))
    duration_s = _decimal_or_none(times.get("durationTime"))
    if first_occurred_at is None or recovered_at is None or duration_s is None:
        return
    elapsed_s = int((recovered_at - first_occurred_at).total_seconds())
    if elapsed_s >= 0 and duration_s != elapsed_s:
        message = f"is {short_repr(times['durationTime'])}; from firstOccurTime to recoverTime it is {elapsed_s} s"
        yield Issue(f"{prefix}durationTime", message)


TEMPLATE_PROFILE = "template"

MAX_ISSUES = 100

"""Maximum number of problems, and of deviations, reported for one body."""

_FORMS = {EVENTBRIDGE: Form.EVENTBRIDGE, DDOS: Form.CLOUDEVENTS}

_OPEN_SCHEMA_KINDS = {EVENTBRIDGE: "event", DDOS: "cloudevents"}

_SUBJECT_NOUNS = {"metricName": "metric", "eventName": "event"}

_STATES = {"1": State.FIRING, "0": State.RESOLVED}

_NOT_A_CALLBACK = (
    "is not an alarm callback: it has none of alarmStatus, alarmObjInfo and alarmPolicyInfo "
    "(a body of your own template? --profile template)"
)

_EMPTY_TIMES = ("0", 0, "")

_MAX_SHAPES = 5


class ValidationResult(NamedTuple):
    """Result of validating a body."""

    kind: str
    """``metric``, ``event``, ``eventbridge``, ``ddos``, ``template`` or ``unknown``."""
    shape: str | None = None
    """Id of the best matching shape."""
    also_fits: tuple[str, ...] = ()
    """Ids of other shapes that match equally well."""
    state: State | None = None
    problems: tuple[Issue, ...] = ()
    deviations: tuple[Issue, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether it could have come from TCOP."""
        return not self.problems


class CallbackValidator:
    """Validates bodies against a catalogue and a profile; what a shape needs is created once.

    Args:
        shapes: the catalogue.
        profile: profile whose documentation is compared.
    """

    def __init__(self, shapes: Iterable[Shape], profile: Profile) -> None:
        self._shapes = {shape.id: shape for shape in shapes}
        self._classifier = ShapeClassifier(self._shapes.values())
        self._profile = profile
        self._validators = cache(self._make_validators)
        self._captured_paths = cache(self._find_captured_paths)
        self._open_validator = cache(
            lambda kind: validator(inline_refs(open_schema(_OPEN_SCHEMA_KINDS.get(kind, kind))))
        )

    def validate(self, raw: bytes) -> ValidationResult:
        """Validate the bytes of a body. Never raises."""
        return self.validate_parsed(parse_body(raw))

    def validate_parsed(self, parsed: ParsedBody) -> ValidationResult:
        """Validate a body that was parsed already."""
        if not parsed.is_json:
            result = ValidationResult(UNKNOWN, problems=parsed.problems)
        else:
            result = self.validate_tree(parsed.tree)
            result = result._replace(
                problems=(*_cap(parsed.problems), *result.problems),
                deviations=(*parsed.deviations, *result.deviations),
            )
        if self._profile.name != TEMPLATE_PROFILE or result.is_valid:
            return result
        return result._replace(
            kind=TEMPLATE if result.kind == UNKNOWN else result.kind,
            problems=(),
            deviations=(*result.problems, *result.deviations),
        )

    def validate_tree(self, tree: Any) -> ValidationResult:  # noqa: ANN401 - any JSON value
        """Validate a body that is a JSON value already."""
        classification = self._classifier.classify(tree)
        if classification.kind == UNKNOWN:
            message = _NOT_A_CALLBACK if isinstance(tree, dict) else f"is {short_repr(tree)}, not an object"
            return ValidationResult(UNKNOWN, problems=(Issue("", message),))
        if not classification.shapes:
            problems = _cap(map(_issue, iter_violations(self._open_validator(classification.kind), tree)))
            deviations = (_unknown_product(classification, tree), *_implausible_times(tree))
            return ValidationResult(
                classification.kind, None, (), _state_of(tree), problems, _not_covered_by(deviations, problems)
            )
        shape, *others = classification.shapes
        accept_validator, printed_validator = self._validators(
            shape.id, _FORMS.get(classification.kind, Form.DOCUMENTED)
        )
        problems = _cap(map(_issue, iter_violations(accept_validator, tree)))
        deviations = (
            *_cap(self._deviation(violation, shape) for violation in iter_violations(printed_validator, tree)),
            *_implausible_times(tree),
            *implausible_values(shape, tree),
        )
        other_ids = tuple(other.id for other in others)
        return ValidationResult(
            classification.kind, shape.id, other_ids, _state_of(tree), problems, _not_covered_by(deviations, problems)
        )

    def _make_validators(self, shape_id: str, form: Form) -> tuple[Checker, Checker]:
        """Return the validators for problems and for deviations."""
        shape = self._shapes[shape_id]
        return validator(inline_refs(accept_schema(shape))), validator(
            documented_schema(shape, form, self._profile.wire_format)
        )

    def _find_captured_paths(self, shape_id: str) -> frozenset[str]:
        """Return the paths of captured bodies."""
        return frozenset(
            _schema_paths(documented_schema(self._shapes[shape_id], Form.OBSERVED, self._profile.wire_format))
        )

    def _deviation(self, violation: SchemaViolation, shape: Shape) -> Issue:
        path, key = path_of(violation.path), str(violation.path[-1]) if violation.path else ""
        if violation.rule == "additionalProperties" and path in self._captured_paths(shape.id):
            return Issue(path, "is undocumented, but captured callbacks contain it")
        if violation.rule == "enum" and key in _SUBJECT_NOUNS:
            return Issue(path, f"is not a known {_SUBJECT_NOUNS[key]} of {shape.id}")
        return _issue(violation)


def _issue(violation: SchemaViolation) -> Issue:
    hint = f" ({violation.description})" if violation.description and violation.rule not in KEY_PRESENCE_RULES else ""
    return Issue(path_of(violation.path), violation.message + hint)


def _cap(all_issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Return the first issues and a note if there are more, because a body may have a million of them."""
    capped = tuple(itertools.islice(all_issues, MAX_ISSUES + 1))
    return (*capped[:MAX_ISSUES], Issue("", f"more than {MAX_ISSUES} of these")) if len(capped) > MAX_ISSUES else capped


def _not_covered_by(deviations: Iterable[Issue], problems: Iterable[Issue]) -> tuple[Issue, ...]:
    """Return the deviations at other places than problems."""
    problem_paths = {problem.path for problem in problems}
    return tuple(deviation for deviation in deviations if deviation.path not in problem_paths)


def _unknown_product(classification: Classification, tree: Any) -> Issue:  # noqa: ANN401 - any JSON value
    """Return what the catalogue does not contain: the product, or these dimensions of it."""
    if classification.product:
        shape_ids = [shape.id for shape in classification.product]
        more = f" and {len(shape_ids) - _MAX_SHAPES} more" if len(shape_ids) > _MAX_SHAPES else ""
        known_shapes = f"{', '.join(shape_ids[:_MAX_SHAPES])}{more}"
        return Issue("alarmObjInfo.dimensions", f"has the keys of no known shape of this product ({known_shapes})")
    for path in ("alarmObjInfo.namespace", "alarmPolicyInfo.policyType", "alarmPolicyInfo.conditions.productName"):
        value: Any = tree
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return Issue(path, f"is {short_repr(value)}, a product that is not in the catalogue")
    return Issue("type" if classification.kind == DDOS else "", "is of a product that is not in the catalogue")


def _state_of(tree: Any) -> State | None:  # noqa: ANN401 - any JSON value
    return _STATES.get(str(tree.get("alarmStatus")))


def _implausible_times(tree: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
    """Yield inconsistencies between valid times."""
    times, prefix = (tree, "") if "recoverTime" in tree else (tree.get("alarmPolicyInfo"), "alarmPolicyInfo.")
    if not isinstance(times, dict) or "recoverTime" not in times:
        return
    state, recovered_at, first_occurred_at = _state_of(tree), times["recoverTime"], times.get("firstOccurTime")
    path = f"{prefix}recoverTime"
    if state is State.FIRING and recovered_at not in _EMPTY_TIMES:
        yield Issue(path, "is set although the alarm is not resolved")
    elif state is State.RESOLVED and recovered_at in _EMPTY_TIMES:
        yield Issue(path, "is not set although the alarm is resolved")
    elif (
        state is State.RESOLVED
        and isinstance(recovered_at, str)
        and isinstance(first_occurred_at, str)
        and recovered_at < first_occurred_at
    ):
        yield Issue(path, "is before firstOccurTime")


def _schema_paths(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, child in schema.get("properties", {}).items():
        yield f"{prefix}{key}"
        yield from _schema_paths(child, f"{prefix}{key}.")
