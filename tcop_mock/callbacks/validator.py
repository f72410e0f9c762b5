"""Validator of callback bodies: shape, generation, problems, deviations and implausible values of a body.

Problems cannot occur in any TCOP callback, whatever its form, generation or product. Deviations are undocumented:
unknown fields, products and metrics, and JSON types of other generations. Implausible are units, ranges and durations
of known metrics, times, and ids that do not fit.
"""

from __future__ import annotations

import itertools
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.classifier import (
    CLS,
    DDOS,
    EVENTBRIDGE,
    PROMETHEUS,
    TEMPLATE,
    TIME_FIELDS,
    UNKNOWN,
    Classification,
    Generation,
    ShapeClassifier,
    field_paths,
    find_event_form,
    find_generation,
    find_nested_callback,
    is_cloud_event,
)
from tcop_mock.callbacks.json_schemas import accept_schema, documented_schema, inline_refs, open_schema
from tcop_mock.callbacks.notification_template import TemplateBody, find_template_body
from tcop_mock.callbacks.strict_json import Issue, ParsedBody, parse_body, path_of
from tcop_mock.catalog.profiles import load_profile, load_profiles
from tcop_mock.catalog.schema_check import KEY_PRESENCE_RULES, SchemaChecker, short_repr
from tcop_mock.domain.alarm import ALARM_LEVELS
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.callback_view import CallbackView, parse_time, state_of, string_or_none
from tcop_mock.domain.shape import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tcop_mock.catalog.schema_check import SchemaViolation
    from tcop_mock.domain.callback import WireFormat
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.shape import Metric, Shape

_EMPTY_TIMES = ("0", 0, "")
_CONDITIONS_PATH = "alarmPolicyInfo.conditions"

_OUTLIER_FACTOR = 10

"""Factor above the largest plausible value from which a value is reported."""
TEMPLATE_PROFILE = "template"
MAX_ISSUES = 100
"""Maximum number of problems, and of deviations, reported for one body."""
_SUBJECT_NOUNS = {"metricName": "metric", "eventName": "event"}
_NOT_A_CALLBACK = (
    "is not an alarm callback: it has none of alarmStatus, alarmObjInfo and alarmPolicyInfo "
    "(a body of your own template? --profile template)"
)
_NOT_OF_TENCENT = "no source of Tencent Cloud, whose events come from <product>.cloud.tencent"
_OF_CLS = "is an alarm of CLS (Cloud Log Service), which sends its own callbacks; it is not an alarm callback of TCOP"
_LIST = "is a list; TCOP never posts a list, each callback is a request of its own"
_NESTED = "holds an alarm callback, which TCOP posts alone: give what is in here as a body of its own"
_MAX_SHAPES = 5


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


def implausible_times(tree: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
    """Yield what does not fit between ``alarmStatus``, ``firstOccurTime`` and ``recoverTime``."""
    times, prefix = (tree, "") if "recoverTime" in tree else (CallbackView(tree).policy, "alarmPolicyInfo.")
    if "recoverTime" not in times:
        return
    state, recovered_at = state_of(tree), times["recoverTime"]
    remarks = []
    if state is State.FIRING and recovered_at not in _EMPTY_TIMES:
        remarks.append("is set although the alarm is not resolved")
    elif state is State.RESOLVED and recovered_at in _EMPTY_TIMES:
        remarks.append("is not set although the alarm is resolved")
    view = CallbackView(tree)
    if view.recovered_at and view.first_occurred_at and view.recovered_at < view.first_occurred_at:
        remarks.append("is before firstOccurTime")
    if remarks:
        yield Issue(f"{prefix}recoverTime", ", and ".join(remarks))


def implausible_ids(tree: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
    """Yield what does not fit between ``sessionId``, ``alertId`` and ``alarmLevel``."""
    session_id, alert_id, level = (string_or_none(tree.get(key)) for key in ("sessionId", "alertId", "alarmLevel"))
    if level is not None and level not in ALARM_LEVELS:
        yield Issue("alarmLevel", f"is {short_repr(level)}, not {', '.join(ALARM_LEVELS[:-1])} or {ALARM_LEVELS[-1]}")
    if not alert_id or not session_id or alert_id == session_id:
        return
    start, _, level_of_id = alert_id.rpartition("_")
    if start != session_id or not level_of_id:
        yield Issue("alertId", "is neither the sessionId nor the sessionId followed by _ and a level")
    elif level is not None and level_of_id != level:
        yield Issue("alertId", f"ends with the level {short_repr(level_of_id)}, and alarmLevel is {short_repr(level)}")


class ValidationResult(NamedTuple):
    """Result of validating a body."""

    kind: str
    """``metric``, ``event``, ``prometheus``, ``eventbridge``, ``ddos``, ``cls``, ``template`` or ``unknown``."""
    shape: str | None = None
    """Id of the best matching shape."""
    also_fits: tuple[str, ...] = ()
    """Ids of other shapes that match equally well."""
    state: State | None = None
    problems: tuple[Issue, ...] = ()
    deviations: tuple[Issue, ...] = ()
    profile: str | None = None
    """Name of the profile that a metric alarm is compared with: the one that fits best, or the given one."""
    form: Form | None = None
    """The form that it is compared with."""
    found: tuple[tuple[str, str], ...] = ()
    """Names and values of a body that was rendered from a template."""

    @property
    def is_valid(self) -> bool:
        """Whether it could have come from TCOP."""
        return not self.problems


class CallbackValidator:
    """Validates bodies against a catalogue and its profiles; checkers of a shape are created once.

    Args:
        shapes: the catalogue.
        profile: profile whose documentation is compared; ``None``: for each body the one that fits best.
    """

    def __init__(self, shapes: Iterable[Shape], profile: Profile | None = None) -> None:
        self._shapes = {shape.id: shape for shape in shapes}
        self._classifier = ShapeClassifier(self._shapes.values())
        self._takes_any_text = profile is not None and profile.name == TEMPLATE_PROFILE
        self._published = [one for one in load_profiles() if one.name != TEMPLATE_PROFILE]
        self._profiles = [profile] if profile else self._published
        self._event_profile = profile or load_profile()
        self._default_wire_format = load_profile().wire_format
        self._accept_validator = cache(self._make_accept_validator)
        self._printed_validator = cache(self._make_printed_validator)
        self._schema_paths = cache(self._find_documented_paths)
        self._open_validator = cache(lambda kind: SchemaChecker(inline_refs(open_schema(kind))))

    def validate(self, raw: bytes) -> ValidationResult:
        """Validate the bytes of a body. Never raises."""
        return self.validate_parsed(parse_body(raw), raw)

    def validate_parsed(self, parsed: ParsedBody, raw: bytes = b"") -> ValidationResult:
        """Validate a body that was parsed already; its bytes are needed if it is not JSON."""
        if not parsed.is_json:
            template_body = find_template_body(raw)
            result = (
                _template_result(template_body)
                if template_body
                else ValidationResult(UNKNOWN, problems=parsed.problems)
            )
        else:
            result = self.validate_tree(parsed.tree)
            result = result._replace(
                problems=(*_cap(parsed.problems), *result.problems),
                deviations=(*parsed.deviations, *result.deviations),
            )
        if not self._takes_any_text or result.is_valid:
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
            return _unknown_result(tree)
        if classification.kind == CLS:
            shape_id = next((shape.id for shape in classification.shapes), None)
            return ValidationResult(CLS, shape_id, problems=(Issue("", _OF_CLS),))
        generation = self._generation(classification.kind, tree)
        shapes = _by_order_of_keys(classification.shapes, tree, generation.form)
        shape = shapes[0] if shapes else None
        if shape is None or (generation.form is Form.CLOUDEVENTS and shape.cloud_event is None):
            open_kind = _open_kind(classification.kind, generation.form)
            problems = _cap(map(_issue, self._open_validator(open_kind).violations(tree)))
            deviations: tuple[Issue, ...] = () if shape else (_unknown_product(classification, tree),)
        else:
            problems = _cap(map(_issue, self._accept_validator(shape.id).violations(tree)))
            deviations = (*_cap(self._deviations(shape, generation, tree)), *implausible_values(shape, tree))
        deviations = (*deviations, *implausible_times(tree), *implausible_ids(tree))
        return ValidationResult(
            classification.kind,
            shape.id if shape else None,
            tuple(other.id for other in shapes[1:]),
            _state_of(classification.kind, tree),
            problems,
            _not_covered_by(deviations, problems),
            generation.profile.name if classification.kind == AlarmKind.METRIC else None,
            None if classification.kind == PROMETHEUS else generation.form,
        )

    def _generation(self, kind: str, tree: Any) -> Generation:  # noqa: ANN401 - any JSON value
        if kind == AlarmKind.METRIC:
            return find_generation(tree, self._profiles)
        if is_cloud_event(tree):
            return Generation(self._event_profile, Form.CLOUDEVENTS)
        form = Form.EVENTBRIDGE if kind == EVENTBRIDGE else find_event_form(tree)
        return Generation(self._event_profile, form)

    def _make_accept_validator(self, shape_id: str) -> SchemaChecker:
        return SchemaChecker(inline_refs(accept_schema(self._shapes[shape_id])))

    def _make_printed_validator(self, shape_id: str, form: Form, wire: WireFormat) -> SchemaChecker:
        return SchemaChecker(documented_schema(self._shapes[shape_id], form, wire))

    def _find_documented_paths(self, shape_id: str, form: Form, wire: WireFormat) -> frozenset[str]:
        return frozenset(_schema_paths(documented_schema(self._shapes[shape_id], form, wire)))

    def _undocumented_paths(self, shape_id: str, wire: WireFormat) -> frozenset[str]:
        """Return the paths that captured bodies of a profile have, and no page of this profile or the default one."""
        documented = self._schema_paths(shape_id, Form.DOCUMENTED, wire)
        default = self._schema_paths(shape_id, Form.DOCUMENTED, self._default_wire_format)
        return self._schema_paths(shape_id, Form.OBSERVED, wire) - documented - default

    def _deviations(self, shape: Shape, generation: Generation, tree: Any) -> Iterator[Issue]:  # noqa: ANN401 - any JSON value
        if shape.unpublished:
            yield Issue("", shape.unpublished)
            return
        profile, form = generation
        is_observed = form is Form.OBSERVED
        printed_validator = self._printed_validator(shape.id, form, profile.wire_format)
        undocumented = self._undocumented_paths(shape.id, profile.wire_format) if is_observed else frozenset()
        policy = CallbackView(tree).policy
        for violation in printed_validator.violations(tree):
            path, key = path_of(violation.path), str(violation.path[-1]) if violation.path else ""
            if violation.rule == "required":
                if not (is_observed and path in undocumented) and not (path in TIME_FIELDS and path in policy):
                    yield _issue(violation)
            elif violation.rule == "additionalProperties":
                yield self._unknown_key(violation, shape, generation)
            elif violation.rule == "enum" and key in _SUBJECT_NOUNS:
                yield Issue(path, f"is not a known {_SUBJECT_NOUNS[key]} of {shape.id}")
            else:
                yield _issue(violation)
        if is_observed:
            present = [path for path in _tree_paths(tree) if path in undocumented]
            yield from (
                _undocumented(path) for path in present if not any(path.startswith(f"{other}.") for other in present)
            )

    def _unknown_key(self, violation: SchemaViolation, shape: Shape, generation: Generation) -> Issue:
        path = path_of(violation.path)
        if generation.form is Form.DOCUMENTED and path in self._undocumented_paths(
            shape.id, generation.profile.wire_format
        ):
            return _undocumented(path)
        others = [one.name for one in self._published if path in field_paths(one.wire_format.observed)]
        others += [one.name for one in self._published if path in field_paths(one.wire_format.documented)]
        if others:
            names = ", ".join(sorted(set(others)))
            return Issue(path, f"is not a field of profile {generation.profile.name}, but one of {names}")
        return _issue(violation)


def _undocumented(path: str) -> Issue:
    if path == "alarmLevel":
        return Issue(path, "is undocumented, but alarms of policies with levels have it")
    return Issue(path, "is undocumented, but captured callbacks contain it")


def _unknown_result(tree: Any) -> ValidationResult:  # noqa: ANN401 - any JSON value
    """Return the result for a body that is not an alarm callback: one of a template, or anything else."""
    if is_cloud_event(tree):
        source = f"is {short_repr(tree['source'])}" if "source" in tree else "is missing"
        return ValidationResult(UNKNOWN, problems=(Issue("source", f"{source}, {_NOT_OF_TENCENT}"),))
    if isinstance(tree, list):
        return ValidationResult(UNKNOWN, problems=(Issue("", _LIST),))
    place = find_nested_callback(tree)
    if place is not None:
        return ValidationResult(UNKNOWN, problems=(Issue(place, _NESTED),))
    template_body = find_template_body(tree)
    if template_body:
        return _template_result(template_body)
    message = _NOT_A_CALLBACK if isinstance(tree, dict) else f"is {short_repr(tree)}, not an object"
    return ValidationResult(UNKNOWN, problems=(Issue("", message),))


def _template_result(template_body: TemplateBody) -> ValidationResult:
    deviations = [Issue("", f"a receiver cannot get from it: {', '.join(template_body.missing)}")]
    if template_body.unrendered:
        names = ", ".join(template_body.unrendered)
        deviations.append(Issue("", f"has variables that were not replaced: {names}"))
    return ValidationResult(
        TEMPLATE, state=template_body.state, deviations=tuple(deviations), found=template_body.found
    )


def _open_kind(kind: str, form: Form) -> str:
    """Return the name of the schema of all bodies of a kind."""
    if form is Form.CLOUDEVENTS:
        return "cloudevents"
    return AlarmKind.EVENT.value if kind == EVENTBRIDGE else kind


def _by_order_of_keys(shapes: tuple[Shape, ...], tree: Any, form: Form) -> tuple[Shape, ...]:  # noqa: ANN401 - any JSON value
    """Return shapes that match equally well: first those whose documented or captured keys the body has.

    Captured bodies have their keys in alphabetical order, documented ones in that of the page.
    """
    if len(shapes) < 2:  # noqa: PLR2004 - nothing to sort
        return shapes
    keys = list(CallbackView(tree).dimensions)

    def is_other(shape: Shape) -> bool:
        documented = list(shape.dimensions)
        captured = sorted({*documented, *shape.observed.dimensions})
        return keys != (captured if form is Form.OBSERVED and shape.observed.dimensions else documented)

    return tuple(sorted(shapes, key=is_other))


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
    """Return the deviation of an unknown shape: the catalogue lacks the product, or these dimensions of it."""
    if classification.product:
        shape_ids = [shape.id for shape in classification.product]
        more = f" and {len(shape_ids) - _MAX_SHAPES} more" if len(shape_ids) > _MAX_SHAPES else ""
        known_shapes = f"{', '.join(shape_ids[:_MAX_SHAPES])}{more}"
        return Issue("alarmObjInfo.dimensions", f"has the keys of no known shape of this product ({known_shapes})")
    for path in ("alarmObjInfo.namespace", "alarmPolicyInfo.policyType", "alarmPolicyInfo.conditions.productName"):
        value: Any = tree
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value:
            return Issue(path, f"is {short_repr(value)}, a product that is not in the catalogue")
    path = "source" if is_cloud_event(tree) else ""
    return Issue(path, "is of a product that is not in the catalogue")


def _state_of(kind: str, tree: Any) -> State | None:  # noqa: ANN401 - any JSON value
    """Return the state of a body; EventBridge's standard events have it under ``status``, and DDoS events have none."""
    if is_cloud_event(tree):
        return None if kind == DDOS else state_of({"alarmStatus": tree.get("status")})
    return state_of(tree)


def _schema_paths(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, child in schema.get("properties", {}).items():
        yield f"{prefix}{key}"
        yield from _schema_paths(child, f"{prefix}{key}.")


def _tree_paths(tree: Any, prefix: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON value
    for key, child in tree.items() if isinstance(tree, dict) else ():
        yield f"{prefix}{key}"
        yield from _tree_paths(child, f"{prefix}{key}.")
