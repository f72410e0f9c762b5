"""Request builders. Each turns the ``[requests]`` table of a clause into a ``ClauseTest``; none sends anything.

A file of ``contracts/clauses/`` names a builder and passes the other keys as keyword arguments.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.contract.builders_effects import effect_scenarios
from tcop_mock.contract.builders_http import (
    BROKEN_JSON,
    anonymous_reuse,
    chunked,
    during_slow_sender,
    header_variants,
    http_methods,
    keep_alive,
    query_string,
    segmented_body,
    template_notices,
    truncated_body,
)
from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.contract.credentials import (
    NO_CREDENTIALS,
    VARIANT_TITLES,
    distinctive_secrets,
    make_credentials,
    variant_exists,
)
from tcop_mock.contract.mutations import apply_mutation, change_type, raw_body, serialize_variant
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.contract import CaseGroup, ClauseTest, CredentialVariant, RequestCase, SendOrder
from tcop_mock.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.shape import Shape
    from tcop_mock.domain.target import Credentials

_FIRING_AND_RESOLVED = frozenset({State.FIRING, State.RESOLVED})


def every_shape(  # noqa: PLR0913 - the keys of a clause file
    factory: CaseFactory,
    *,
    shapes: Sequence[str] = ("*",),
    states: Sequence[str] = (State.FIRING, State.RESOLVED),
    forms: Sequence[str] = (),
    with_control: bool = False,
    deadline_factor: float = 1.0,
) -> ClauseTest:
    """Post every shape in every state that it can have. Resolves come last, each for an alarm that was posted firing.

    Unpublished shapes and retired ones are posted only if the globs match no others.

    If requests are cheap (``factory.exhaustive``), also post the repeated state and, without ``forms``, the observed
    form.

    Args:
        factory: makes the cases.
        shapes: globs of shape ids.
        states: states to post.
        forms: forms to post, ``eventbridge`` in both spellings of its keys; shapes without a form are skipped. By
            default the form of the factory.
        with_control: skip the clause if the receiver rejects even a plain callback.
        deadline_factor: maximum duration of an attempt in multiples of the deadline.
    """
    cases = [
        variant_factory.case(f"{shape.id} {state}{suffix}", tree, shape)
        for variant_factory, suffix in _factories(factory, forms)
        for shape, state, tree in _callbacks(variant_factory, shapes, states)
    ]
    control = factory.plain_case() if with_control else None
    return ClauseTest((CaseGroup(tuple(cases), control),), deadline_factor=deadline_factor)


def _factories(factory: CaseFactory, forms: Sequence[str]) -> Iterator[tuple[CaseFactory, str]]:
    """Yield the factories of the catalogue's callbacks, each with the suffix of its case titles."""
    if not forms:
        yield factory.with_form(Form.DOCUMENTED), ""
    for form in map(Form, forms or ([Form.OBSERVED] if factory.exhaustive else [])):
        suffix = "" if form is Form.DOCUMENTED else f" ({form})"
        yield factory.with_form(form), suffix
        if form is Form.EVENTBRIDGE:
            yield factory.with_form(form, has_capitalized_keys=True), f" ({form}, keys in capitals)"


def _callbacks(
    factory: CaseFactory, shapes: Sequence[str], states: Sequence[str]
) -> list[tuple[Shape, State, dict[str, Any]]]:
    """Return callbacks of each shape. A resolved alarm was posted firing before; all resolves come last."""
    callbacks = []
    matched = factory.match_shapes(shapes)
    for shape in [shape for shape in matched if not shape.retired] or matched:
        if factory.generator.form not in forms_of(shape):
            continue
        alarms = {
            state: factory.alarm(shape, required_state=state)
            for state in _reachable_states(shape, states, with_repeats=factory.exhaustive)
        }
        if alarms.keys() >= _FIRING_AND_RESOLVED:
            alarms[State.FIRING] = alarms[State.RESOLVED]
        trees = {state: factory.tree(alarm, state) for state, alarm in alarms.items()}
        firing_policy, resolved_policy = (
            trees.get(state, {}).get("alarmPolicyInfo", {}) for state in (State.FIRING, State.RESOLVED)
        )
        if "policyId" in firing_policy and "policyId" in resolved_policy:
            resolved_policy["policyId"] = firing_policy["policyId"]
        callbacks += [(shape, state, tree) for state, tree in trees.items()]
    return sorted(callbacks, key=lambda callback: callback[1] is State.RESOLVED)


def _reachable_states(shape: Shape, states: Sequence[str], *, with_repeats: bool) -> Iterator[State]:
    for state in map(State, states):
        if state is not State.RESOLVED or shape.can_resolve:
            yield state
    if with_repeats and shape.metrics:
        yield State.REPEATED


def mutations(
    factory: CaseFactory,
    *,
    mutations: Sequence[Mapping[str, Any]],
    shape: str = "",
    base_values: Mapping[str, Any] | None = None,
) -> ClauseTest:
    r"""Post bodies with one change each, after the unchanged body as control.

    Args:
        factory: makes the cases.
        mutations: tables with a ``title`` and these optional keys. ``shape``, ``state``: other than the default.
            ``set`` (path to value), ``null`` (paths), ``unset`` (paths), ``has_threshold = false``, ``fill`` (repeat
            ``text`` at all ``paths`` until the body has ``min_bytes``): change the tree.
            ``ascii_only = true`` (``\u`` escapes), ``key_order`` (``sorted``, ``reversed``), ``indent``,
            ``duplicate_key``, ``encoding``, ``bom = true``, ``drop_last_byte_of`` (a text), ``drop_last_bytes`` (a
            number): change the serialization.
            ``also_accept``: further statuses that pass for this case. ``base_values``: replace the argument.
        shape: id of the default shape; empty: that of plain callbacks.
        base_values: values by path that the unchanged body has, too.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for mutation in mutations:
        completed = {
            "shape": shape or factory.plain_shape,
            "state": State.FIRING,
            "base_values": base_values or {},
            **mutation,
        }
        groups.setdefault("{shape} {state} {base_values}".format_map(completed), []).append(completed)
    return ClauseTest(tuple(_mutation_group(factory, group) for group in groups.values()))


def scalar_types(factory: CaseFactory, *, fields: Sequence[Mapping[str, Any]]) -> ClauseTest:
    """Post a value in several JSON types. A receiver that accepts one type has to accept the others.

    Args:
        factory: makes the cases.
        fields: tables of ``path`` and ``types`` (``string``, ``integer``, ``number``); optional: ``shape`` and
            ``states``, by default those of a plain firing callback.
    """
    groups = []
    for shape_id, field in (pair for table in fields for pair in _shapes_of(factory, table)):
        shape = factory.catalog.get(shape_id)
        for state in map(State, field.get("states", (State.FIRING,))):
            alarm = factory.alarm(shape, required_state=state)
            cases = _applicable_cases(partial(_case_with_type, factory, alarm, state, field["path"]), field["types"])
            groups.append(CaseGroup(cases, any_accepted=True))
    return ClauseTest(tuple(groups))


def _shapes_of(factory: CaseFactory, field: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a field with its shape; by default the usual plain shape, and that of the run if it is another one."""
    default = (PLAIN_SHAPE, factory.plain_shape)
    yield from ((shape_id, field) for shape_id in dict.fromkeys([field["shape"]] if "shape" in field else default))


def raw_bodies(
    factory: CaseFactory, *, bodies: Sequence[Mapping[str, Any]], assert_plain_after: bool = False
) -> ClauseTest:
    """Post raw bodies, after a plain callback as control.

    Args:
        factory: makes the cases.
        bodies: tables of ``title`` and ``text``, ``hex``, or nesting (``open``, ``inner``, ``close``, ``depth``).
        assert_plain_after: send them sequentially, assert none of them, and assert a plain callback after them.
    """
    cases = tuple(
        RequestCase(table["title"], factory.request(raw_body(table)), is_asserted=not assert_plain_after)
        for table in bodies
    )
    if assert_plain_after:
        group = CaseGroup((*cases, factory.plain_case("a plain callback after all of these")))
        return ClauseTest((group,), send_order=SendOrder.SEQUENTIAL)
    return ClauseTest((CaseGroup(cases, factory.plain_case()),))


def plain(factory: CaseFactory, *, count: int, auth_probe: str = "") -> ClauseTest:
    """Post plain callbacks, each with its own policy.

    Args:
        factory: makes the cases.
        count: number of callbacks.
        auth_probe: a credential variant. Its response shows whether the receiver rejects the credentials.
    """
    cases = tuple(factory.plain_case(f"plain callback {number}") for number in range(1, count + 1))
    valid = factory.credentials or NO_CREDENTIALS
    if not auth_probe or not variant_exists(valid, CredentialVariant(auth_probe)):
        return ClauseTest((CaseGroup(cases),))
    presented = make_credentials(valid, CredentialVariant(auth_probe), factory.unique_secret)
    probe_case = _with_credentials(
        factory.plain_case(f"a callback with {VARIANT_TITLES[CredentialVariant(auth_probe)]}"),
        CredentialVariant(auth_probe),
        presented,
    )
    return ClauseTest((CaseGroup(cases, auth_probe=probe_case),))


def credential_variants(
    factory: CaseFactory, *, variants: Sequence[str], bodies: Sequence[str] = ("plain",)
) -> ClauseTest:
    """Post with credential variants, after posting with the valid credentials.

    Args:
        factory: makes the cases.
        variants: names of :class:`~tcop_mock.domain.contract.CredentialVariant`. Variants that the valid
            password does not allow are skipped, such as the other case of a password without letters.
        bodies: ``plain`` (a callback) and ``malformed`` (broken JSON). Without ``plain``, a variant is skipped if
            the receiver accepts a callback with it, and ``bearer`` if it accepts a wrong password.
    """
    valid, groups = factory.credentials or NO_CREDENTIALS, []
    for variant in map(CredentialVariant, variants):
        if not variant_exists(valid, variant):
            continue
        presented = make_credentials(valid, variant, factory.unique_secret)
        plain_case = _with_credentials(
            factory.plain_case(f"a callback with {VARIANT_TITLES[variant]}"), variant, presented
        )
        malformed_case = _with_credentials(
            RequestCase(f"broken JSON with {VARIANT_TITLES[variant]}", factory.request(BROKEN_JSON)), variant, presented
        )
        cases = {"plain": plain_case, "malformed": malformed_case}
        negative_control = None if "plain" in bodies or variant is CredentialVariant.RIGHT else plain_case
        if variant is CredentialVariant.BEARER:
            negative_control = _wrong_password_case(factory)
        groups.append(CaseGroup(tuple(cases[body] for body in bodies), factory.plain_case(), negative_control))
    presented_credentials = [
        case.request.credentials for group in groups for case in group.cases if case.request.credentials
    ]
    return ClauseTest(
        tuple(groups), unique_secrets=(factory.unique_secret, *distinctive_secrets(presented_credentials))
    )


def authorization_headers(factory: CaseFactory, *, headers: Sequence[Mapping[str, Any]]) -> ClauseTest:
    """Post a plain callback with other Authorization headers, after one with the valid credentials as control.

    The cases are skipped if the receiver accepts a wrong password.

    Args:
        factory: makes the cases.
        headers: tables of ``title`` and ``value``; optional: ``fill``, a text that is repeated after the value until
            it has ``bytes``.
    """
    cases = []
    for header in headers:
        length, fill = header.get("bytes", 0), header.get("fill", " ")
        value = f"{header['value']}{fill * length}"[: max(length, len(header["value"]))]
        case = _with_credentials(factory.plain_case(header["title"]), CredentialVariant.MALFORMED, None)
        request = replace(case.request, headers=(*case.request.headers, ("Authorization", value)))
        cases.append(replace(case, request=request))
    return ClauseTest((CaseGroup(tuple(cases), factory.plain_case(), _wrong_password_case(factory)),))


def burst(factory: CaseFactory, *, count: int, duration_s: float) -> ClauseTest:
    """Post many alarms on a schedule that does not wait for responses, after a single one as control.

    Args:
        factory: makes the cases.
        count: number of alarms.
        duration_s: time over which their starts are spread evenly.
    """
    cases = tuple(factory.plain_case(f"callback {number} of {count} in a burst") for number in range(1, count + 1))
    return ClauseTest(
        (CaseGroup(cases, factory.plain_case()),), send_order=SendOrder.BURST, burst_duration_s=duration_s
    )


def process_callbacks(
    factory: CaseFactory, *, variants: Sequence[str] = (), with_broken_body: bool = False
) -> ClauseTest:
    """Post callbacks to a receiver whose process is measured, a plain one first.

    Args:
        factory: makes the cases.
        variants: credential variants of further callbacks.
        with_broken_body: whether to post a body that is not JSON, too.
    """
    cases, valid = [factory.plain_case("the receiver")], factory.credentials or NO_CREDENTIALS
    for variant in map(CredentialVariant, variants):
        presented = make_credentials(valid, variant, factory.unique_secret)
        case = factory.plain_case(f"a plain callback with {VARIANT_TITLES[variant]}")
        cases.append(_with_credentials(case, variant, presented))
    if with_broken_body:
        case = factory.plain_case("a callback without its end")
        cases.append(replace(case, request=replace(case.request, body=case.request.body[:-1]), is_changed=True))
    return ClauseTest((CaseGroup(tuple(cases)),), is_about_process=True)


BUILDERS: dict[str, Callable[..., ClauseTest]] = {
    builder.__name__: builder
    for builder in (
        authorization_headers,
        raw_bodies,
        burst,
        during_slow_sender,
        every_shape,
        chunked,
        credential_variants,
        header_variants,
        keep_alive,
        anonymous_reuse,
        http_methods,
        template_notices,
        plain,
        query_string,
        segmented_body,
        scalar_types,
        effect_scenarios,
        process_callbacks,
        truncated_body,
        mutations,
    )
}


def _mutation_group(factory: CaseFactory, mutations: Sequence[Mapping[str, Any]]) -> CaseGroup:
    """Return the group of mutations of one shape and state. All cases and the control are about the same alarm."""
    shape, state, base_values = (
        factory.catalog.get(mutations[0]["shape"]),
        State(mutations[0]["state"]),
        mutations[0]["base_values"],
    )
    alarm = factory.alarm(shape, required_state=state)

    def make_case(mutation: Mapping[str, Any]) -> RequestCase:
        has_threshold = mutation.get("has_threshold", True)
        mutated_alarm = (
            alarm if has_threshold else factory.alarm(shape, required_state=state, has_threshold=False, like=alarm)
        )
        tree = apply_mutation(apply_mutation(factory.tree(mutated_alarm, state), {"set": base_values}), mutation)
        request = factory.request(serialize_variant(tree, mutation))
        firing = factory.firing_of(mutated_alarm, tree) if state is State.RESOLVED and not factory.template else None
        also_accept = tuple(mutation.get("also_accept", ()))
        return RequestCase(mutation["title"], request, shape.id, also_accept=also_accept, firing=firing)

    try:
        control = replace(make_case({"title": f"{shape.id} {state}"}), is_changed=bool(base_values))
    except UnknownNameError:
        return CaseGroup(())
    return CaseGroup(_applicable_cases(make_case, mutations), control)


def _applicable_cases(make_case: Callable[[Any], RequestCase], arguments: Sequence[Any]) -> tuple[RequestCase, ...]:
    """Return the cases for these arguments. Skip cases that change a field that callbacks of the profile lack."""
    cases = []
    for argument in arguments:
        with contextlib.suppress(UnknownNameError):
            cases.append(make_case(argument))
    return tuple(cases)


def _case_with_type(factory: CaseFactory, alarm: Alarm, state: State, path: str, type_name: str) -> RequestCase:
    title = f"{alarm.shape_id} {state} with {path.rpartition('.')[2]} as {type_name}"
    tree = factory.tree(alarm, state)
    firing = factory.firing_of(alarm, tree) if state is State.RESOLVED and not factory.template else None
    case = factory.case(title, change_type(tree, path, type_name), factory.catalog.get(alarm.shape_id))
    return replace(case, firing=firing)


def _wrong_password_case(factory: CaseFactory) -> RequestCase:
    variant = CredentialVariant.WRONG_PASSWORD
    presented = make_credentials(factory.credentials or NO_CREDENTIALS, variant, factory.unique_secret)
    return _with_credentials(factory.plain_case(f"a callback with {VARIANT_TITLES[variant]}"), variant, presented)


def _with_credentials(case: RequestCase, variant: CredentialVariant, presented: Credentials | None) -> RequestCase:
    scheme = "Bearer" if variant is CredentialVariant.BEARER else "Basic"
    request = replace(case.request, credentials=presented, auth_scheme=scheme)
    return replace(case, credential_variant=variant, request=request)
