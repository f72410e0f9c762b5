"""The fast renderers give the same bytes as ``Callback.to_bytes``."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcop_mock.callbacks.generator import (
    POLICIES_IN_ROTATION,
    Generator,
    LifecyclePoint,
    position_of,
    serial_for_policy,
)
from tcop_mock.callbacks.json_tree import with_value, without_value
from tcop_mock.callbacks.pieces import Marker, has_marker_chars
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, forms_of
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import AlarmKind, Lang, ObservedFields, ValueSpec
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
CVM = CATALOG.get("cvm/basic-monitoring")
PROFILES = ("2019-ack", "2021-verify", "2023", "2025", "template")
SEEDS = st.integers(min_value=-(2**63), max_value=2**63)
SERIALS = st.integers(min_value=0, max_value=10**6)
OCCURRENCES = st.integers(min_value=1, max_value=12)
MOMENTS = st.builds(
    LifecyclePoint, st.sampled_from(State), OCCURRENCES, st.lists(OCCURRENCES, max_size=2).map(tuple), st.just("")
)


def able(shape: Shape, state: State) -> bool:
    """Return whether some alarm of the shape can have the state."""
    return state is State.FIRING or shape.kind is AlarmKind.METRIC or (state is State.RESOLVED and shape.can_resolve)


@pytest.mark.parametrize("shape", list(CATALOG), ids=[shape.id for shape in CATALOG])
@settings(max_examples=6)
@given(
    SEEDS,
    SERIALS,
    MOMENTS,
    st.sampled_from(Lang),
    st.sampled_from(PROFILES),
    st.booleans(),
    st.data(),
)
def test_one_body_many_bodies_and_the_callback_are_the_same_bytes(  # noqa: PLR0917, PLR0913 - all that can vary
    shape: Shape,
    seed: int,
    serial: int,
    moment: LifecyclePoint,
    lang: Lang,
    profile: str,
    threshold: bool,  # noqa: FBT001 - drawn
    data: st.DataObject,
) -> None:
    """For all options, the three ways to a body give the same bytes."""
    if not able(shape, moment.state):
        return
    form = data.draw(st.sampled_from(forms_of(shape)))
    generator = Generator(seed, lang, form=form, wire_format=load_profile(profile).wire_format)
    alarm = generator.alarm(shape, serial, has_threshold=threshold, required_state=moment.state)
    callback = generator.callback(alarm, *moment)
    expected = callback.to_bytes()
    bodies = BodyRenderer(
        generator, shape, moment, options=AlarmOptions(has_threshold=threshold, required_state=moment.state)
    )
    reported = callback.alarm.first_occurred_at + timedelta(seconds=callback.duration_s)
    assert alarm.first_occurred_at + timedelta(seconds=bodies.sent_at_s(serial)) == reported
    assert bodies.body(serial) == expected
    first = max(0, serial - 2)
    assert bodies.bodies(first, 4)[serial - first] == expected


@given(SEEDS, st.integers(min_value=0, max_value=70_000), st.integers(min_value=0, max_value=700))
@settings(max_examples=25)
def test_any_range_is_part_of_the_same_sequence(seed: int, first: int, count: int) -> None:
    """The start and end of a range, inside a block or over several, change no body in it."""
    bodies = BodyRenderer(Generator(seed), CVM)
    drawn = bodies.bodies(first, count)
    assert len(drawn) == count
    for at in {0, count // 3, count - 1} if count else ():
        assert drawn[at] == bodies.body(first + at)


def test_a_second_call_gives_the_same() -> None:
    """The second call uses the compiled bodies of the first."""
    bodies = BodyRenderer(Generator(5), CVM)
    assert bodies.bodies(0, 2 * POLICIES_IN_ROTATION) == bodies.bodies(0, POLICIES_IN_ROTATION) + bodies.bodies(
        POLICIES_IN_ROTATION, POLICIES_IN_ROTATION
    )


@given(SERIALS)
def test_each_serial_has_its_own_position(serial: int) -> None:
    """16 consecutive alarms are of 16 policies, and no two alarms share a row."""
    row = [position_of(serial - serial % POLICIES_IN_ROTATION + lane) for lane in range(POLICIES_IN_ROTATION)]
    assert len({place.policy for place in row}) == POLICIES_IN_ROTATION
    assert len({position_of(serial + step) for step in range(300)}) == 300


def test_serials_for_distinct_policies() -> None:
    """No two serials for distinct policies are of the same policy."""
    numbers = range(0, 60_000, 7)
    assert len({position_of(serial_for_policy(number)).policy for number in numbers}) == len(numbers)


def test_alarms_of_one_policy_differ_in_their_objects() -> None:
    """Alarms of a policy share account, policy, metric and region, but neither object nor session."""
    trees = [
        json.loads(body)
        for body in BodyRenderer(Generator(5), CVM).bodies(0, 200 * POLICIES_IN_ROTATION)[::POLICIES_IN_ROTATION]
    ]

    def seen(*path: str) -> set[str]:
        found: set[str] = set()
        for tree in trees:
            node: Any = tree
            for key in path:
                node = node[key]
            found.add(json.dumps(node))
        return found

    assert len(seen("alarmPolicyInfo", "policyId")) == len(seen("alarmObjInfo", "uin")) == 1
    assert len(seen("alarmPolicyInfo", "conditions", "metricName")) == 1
    assert len(seen("alarmObjInfo", "dimensions")) == len(seen("sessionId")) == 200
    assert len(seen("alarmPolicyInfo", "conditions", "currentValue")) > 50


def test_edits_are_in_every_body() -> None:
    """An edit before rendering applies to all bodies and changes nothing else."""

    def edit(tree: Any) -> Any:
        return without_value(with_value(tree, "alarmObjInfo.dimensions.objId", [1, "é"]), "alarmPolicyInfo.policyName")

    plain = [json.loads(body) for body in BodyRenderer(Generator(5), CVM).bodies(0, 40)]
    edited = [json.loads(body) for body in BodyRenderer(Generator(5), CVM, edit=edit).bodies(0, 40)]
    assert edited == [edit(tree) for tree in plain]


def test_an_edit_that_fits_not_every_body_is_found_by_validation() -> None:
    """A path that only some bodies have is an error before the first body is written."""
    bodies = BodyRenderer(Generator(1), CVM, edit=lambda tree: without_value(tree, "alarmObjInfo.nosuch"))
    with pytest.raises(UnknownNameError, match=r"unknown path 'alarmObjInfo\.nosuch'"):
        bodies.validate(1)


def test_an_unsupported_state_is_an_error() -> None:
    """Events do not repeat, however many bodies are requested."""
    events = CATALOG.get("cvm/events")
    with pytest.raises(UsageError, match="event alarms never repeat"):
        BodyRenderer(Generator(1), events, LifecyclePoint(State.REPEATED)).bodies(0, 1)


@pytest.mark.parametrize("form", [Form.EVENTBRIDGE, Form.CLOUDEVENTS])
def test_an_unsupported_form_is_an_error(form: Form) -> None:
    """EventBridge posts no metric alarms; the error lists the supported forms."""
    message = f"cvm/basic-monitoring has no form {form}; it comes as documented, observed"
    with pytest.raises(UsageError, match=message):
        BodyRenderer(Generator(1, form=form), CVM)
    with pytest.raises(UsageError, match=message):
        Generator(1, form=form).alarm(CVM)


@pytest.mark.parametrize(
    "spec",
    [
        ValueSpec("integer", {"low": -70_000, "high": 10**15}),
        ValueSpec("integer", {"low": 3, "high": 9}),
        ValueSpec("pick", {"from": ['quote " and \\', "新\n", "\u2028"]}),
        ValueSpec("pick", {"from": [1, 2.5, True, "x"]}),
        ValueSpec("pick", {"from": [{"k": "a", "n": 1}, {"k": "bb", "n": 22}]}),
        ValueSpec("digits", {"length": 1}),
        ValueSpec("ipv4", {"network": "0.0.0.0/0"}),
    ],
    ids=str,
)
def test_any_value_is_rendered_alike_everywhere(spec: ValueSpec) -> None:
    """Strings with JSON escapes, numbers of any width and tables, as text and with their own type."""
    table = isinstance(spec.params.get("from", [""])[0], dict)
    texts = ["{a.k}", "{a.n}-{a.k}", "<{a.n}:{a.k}>"] if table else ["{a}", "<{a}", "{a}{a}"]
    typed = {"typed": {"value": "a.n" if table else "a"}}
    dimensions = {f"text{at}": text for at, text in enumerate(texts)} | typed | {"fixed": "plain", "number": 7}
    shape = replace(CVM, values={"a": spec}, dimensions=dimensions, dimensions_zh={}, observed=ObservedFields())
    generator = Generator(11)
    bodies = BodyRenderer(generator, shape).bodies(0, 600)
    for serial in range(0, 600, 23):
        assert bodies[serial] == generator.callback(generator.alarm(shape, serial), State.FIRING).to_bytes()


def test_copies_keep_markers() -> None:
    """An edit copies its tree; the copy has the same markers."""
    marker = Marker(3)
    assert copy.deepcopy({"a": [marker]})["a"][0] is marker
    assert has_marker_chars(marker)
    assert has_marker_chars(f"{marker}")
    assert f"{marker}" != str(marker)
    assert not has_marker_chars("any text")


@pytest.mark.parametrize("name", PROFILES)
def test_the_default_format_is_that_of_profile_2023(name: str) -> None:
    """Without a profile, a generator writes the format of the default profile."""
    assert (load_profile(name).wire_format == Generator(1).wire_format) is (name in {"2023", "template"})


def test_one_body_of_each_set_of_fields_is_validated() -> None:
    """Policies whose bodies have the same fields are not compiled again: an edit fits both or neither."""
    events = Catalog.load().get("cvm/events")
    options = AlarmOptions(event=events.events[0].name)
    edited: list[Any] = []

    def edit(tree: Any) -> Any:
        edited.append(tree)
        return tree

    BodyRenderer(Generator(1), events, options=options, edit=edit).validate(POLICIES_IN_ROTATION * 200)
    assert 0 < len(edited) < POLICIES_IN_ROTATION
