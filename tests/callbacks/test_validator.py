"""The validator: every generated body is recognised and valid, and any other input gets a result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.callbacks import strict_json
from tcop_mock.callbacks.generator import Generator, LifecyclePoint
from tcop_mock.callbacks.json_tree import with_value, without_value
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, forms_of
from tcop_mock.callbacks.strict_json import MAX_BYTES, MAX_DEPTH, MAX_PARSE_ISSUES, Issue, parse_body
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.shape import AlarmKind, Lang

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
PROFILES = ("2019-ack", "2021-verify", "2023", "2025")
JUDGES = {name: CallbackValidator(CATALOG, load_profile(name)) for name in (*PROFILES, "template")}
JUDGE = JUDGES["2023"]
FINDER = CallbackValidator(CATALOG)
CVM = CATALOG.get("cvm/basic-monitoring")
CONDITIONS = "alarmPolicyInfo.conditions"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=12,
)
KEYS = (
    "sessionId",
    "alarmStatus",
    "alarmType",
    "alarmObjInfo",
    "alarmPolicyInfo",
    "recoverTime",
    "specversion",
    "type",
)


def body_of(shape: Shape, state: State = State.FIRING, form: Form = Form.DOCUMENTED) -> Any:
    """Return one body."""
    return json.loads(
        BodyRenderer(
            Generator(3, form=form), shape, LifecyclePoint(state), options=AlarmOptions(required_state=state)
        ).body(0)
    )


def drawn(shape: Shape, form: Form, profile: str) -> Iterator[tuple[State, bytes]]:
    """Yield firing and resolved bodies, in both languages, with and without a threshold."""
    states = [State.FIRING, *([State.RESOLVED] if shape.can_resolve else [])]
    for at, (state, lang) in enumerate((state, lang) for state in states for lang in Lang):
        generator = Generator(at, lang, form=form, wire_format=load_profile(profile).wire_format)
        yield (
            state,
            BodyRenderer(
                generator,
                shape,
                LifecyclePoint(state),
                options=AlarmOptions(has_threshold=at % 2 == 0, required_state=state),
            ).body(at),
        )


@pytest.mark.proof
@pytest.mark.parametrize("shape", list(CATALOG), ids=[shape.id for shape in CATALOG])
def test_generated_bodies_are_recognised_and_valid(shape: Shape) -> None:
    """Bodies of every form and generation are valid; documented ones do not deviate from their own page."""
    expected = (Issue("", shape.unpublished),) if shape.unpublished else ()
    for at, form in enumerate(forms_of(shape)):
        profile = PROFILES[(len(shape.id) + at) % len(PROFILES)]
        for state, body in drawn(shape, form, profile):
            verdict = JUDGES[profile].validate(body)
            assert verdict.is_valid is (shape.kind is not AlarmKind.CLS)
            if shape.kind is AlarmKind.CLS:
                assert (verdict.kind, verdict.shape) == ("cls", shape.id)
                continue
            assert shape.id in (verdict.shape, *verdict.also_fits)
            assert len(verdict.also_fits) <= ("cvm/basic" in shape.id)
            cloud_kind = "ddos" if shape.id.startswith("antiddos/") else "eventbridge"
            kinds = {Form.EVENTBRIDGE: "eventbridge", Form.CLOUDEVENTS: cloud_kind}
            assert verdict.kind == kinds.get(form, shape.kind)
            assert verdict.state is (None if verdict.kind == "ddos" else state)
            assert form is Form.OBSERVED or verdict.deviations == expected
            found = FINDER.validate(body)
            assert (found.problems, found.kind, found.form) == ((), verdict.kind, verdict.form)
            assert (found.shape, found.also_fits) == (verdict.shape, verdict.also_fits)
            assert form is Form.OBSERVED or (found.profile, found.deviations) == (verdict.profile, expected)


@given(JSON)
def test_any_json_gets_a_result(value: object) -> None:
    """No JSON value raises an error, and only callbacks are valid."""
    verdict = JUDGE.validate(json.dumps(value).encode())
    assert (verdict.kind, verdict.is_valid) == ("unknown", False)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)), st.sampled_from(PROFILES))
def test_any_fields_get_a_result(value: object, profile: str) -> None:
    """A body with our keys and arbitrary values raises no error."""
    assert not JUDGES[profile].validate(json.dumps(value).encode()).is_valid


@given(st.binary(max_size=60))
def test_any_bytes_get_a_result(raw: bytes) -> None:
    """Bytes that are not JSON raise no error; with the template profile they are a template's body."""
    assert not JUDGE.validate(raw).is_valid
    verdict = JUDGES["template"].validate(raw)
    assert verdict.is_valid
    assert verdict.kind == "template"
    assert verdict.deviations == JUDGE.validate(raw).problems


NO_JSON = {
    "nothing": (b"", "is empty"),
    "blanks": (b" \n", "is blank"),
    "a cut body": (b'{"sessionId":"x', "is not JSON: unterminated string starting at (line 1, column 14: '\"x')"),
    "a body cut between": (b'{"sessionId":', "is not JSON: it is cut off at character 13"),
    "words": (b"alarm!", "is not JSON: expecting value (line 1, column 1: 'alarm!')"),
    "a line tabulation": (b"{}\x0b", "is not JSON: extra data (line 1, column 3: '\\x0b')"),
    "a no-break space": (b"{}\xc2\xa0", "is not JSON: extra data (line 1, column 3: '\\xa0')"),
    "two bodies": (b"{}{}", "is not JSON: extra data (line 1, column 3: '{}')"),
    "a form": (b"a=1&b=2", "is not JSON: expecting value (line 1, column 1: 'a=1&b=2')"),
    "Western letters": (b'{"a":"\xe9"}', "is not UTF-8: byte 6 is 0xe9"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "is not UTF-8: it looks like UTF-16"),
    "UTF-16 without a mark": ('{"ä":1}'.encode("utf-16-be"), "is not UTF-8: it looks like UTF-16 or UTF-32"),
    "a long number": (b"[" + b"9" * 5000 + b"]", "has a number of more than 4300 digits"),
    "depth": (b"[" * 100_000, f"nests deeper than {MAX_DEPTH} objects and lists"),
    "a line break in a text": (b'{"a":"\n"}', "is not JSON: invalid control character at (line 1, column 7: '\\n\"}')"),
}


@pytest.mark.parametrize("raw, why", NO_JSON.values(), ids=NO_JSON)
def test_invalid_json_is_a_problem(raw: bytes, why: str) -> None:
    """The one problem says what is wrong and where."""
    verdict = JUDGE.validate(raw)
    assert (verdict.kind, verdict.problems) == ("unknown", (Issue("", why),))


def test_a_too_long_body_is_not_parsed() -> None:
    """Nothing is parsed beyond the limit."""
    [problem] = JUDGE.validate(b" " * (MAX_BYTES + 1)).problems
    assert problem.message == "is longer than 64 MiB and was not read; a callback has about 800 bytes"


ODD = {
    "a key twice": (
        b'{"a":{"b":1,"b":2}}',
        Issue("a.b", "the key occurs twice; parsers differ in which value they use"),
    ),
    "NaN": (b'{"a":NaN}', Issue("a", "is NaN, which is not JSON")),
    "infinity": (b'{"a":[1e999,-Infinity]}', Issue("a.1", "is -Infinity, which is not JSON")),
    "half a pair": (b'{"a":["\\ud800"]}', Issue("a.0", "has half a surrogate pair: UTF-8 cannot write it")),
    "half a pair in a key": (
        b'{"a":{"\\udfff":1}}',
        Issue("a", "a key has half a surrogate pair: UTF-8 cannot write it"),
    ),
    "some depth": (b"[" * 300 + b"]" * 300, Issue("", f"nests deeper than {MAX_DEPTH} objects and lists")),
}


@pytest.mark.parametrize("raw, note", ODD.values(), ids=ODD)
def test_ambiguous_json_is_a_problem(raw: bytes, note: Issue) -> None:
    """JSON that parsers read differently is reported with its path."""
    assert note in parse_body(raw).problems
    assert note in JUDGE.validate(raw).problems


def test_a_huge_number_is_not_an_infinity() -> None:
    """Valid JSON is not reported, only what JSON does not have."""
    assert parse_body(b'{"a":[1e999,-Infinity],"b":"\\ud83d\\ude00"}').problems == (
        Issue("a.1", "is -Infinity, which is not JSON"),
    )


def test_many_issues_are_reported_in_part() -> None:
    """The number of issues and the length of reported keys are bounded."""
    twice = b"[%b]" % b",".join([b'{"a":1,"a":2}'] * 1000)
    assert len(parse_body(twice).problems) == MAX_PARSE_ISSUES
    [note] = JUDGE.validate_tree(body_of(CVM) | {"k" * 100_000: 1}).deviations
    assert note == Issue("k" * 200, "is an unknown key")


def test_a_large_body_needs_a_second_pass_only_for_issues(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without issues costs no more than Python's decoder."""
    monkeypatch.delattr(strict_json, "_walk_tree")
    assert parse_body(b'{"a":[1,{"b":"\xc3\xbc"}]}').problems == ()
    with pytest.raises(NameError):
        parse_body(b'{"a":NaN}')


def test_a_byte_order_mark_is_a_deviation() -> None:
    """It is reported, and the body after it is parsed."""
    verdict = JUDGE.validate(b"\xef\xbb\xbf" + json.dumps(body_of(CVM)).encode())
    assert verdict.shape == CVM.id
    assert verdict.deviations == (Issue("", "begins with a byte order mark, which is not allowed in JSON"),)


PROBLEMS = {
    "another status": (
        "alarmStatus",
        7,
        'is 7, not "1" or "0" or 1 or 0 (1 firing, 0 resolved; a string or an integer)',
    ),
    "dimensions in a list": ("alarmObjInfo.dimensions", [], "is a list, not an object"),
    "a dimension that is a table": ("alarmObjInfo.dimensions.objId", {}, "is an object, not a string"),
    "no time": ("firstOccurTime", "now", 'is "now", which does not match ^[0-9]{4}-'),
    "no recovery": ("recoverTime", "never", 'is "never" (a time like 2017-03-09 07:50:00, or 0 while the alarm lasts)'),
    "a negative duration": ("durationTime", -5, "is -5, less than 0 (a whole number"),
    "an empty name": (f"{CONDITIONS}.metricName", "", "is empty"),
    "a value that is a word": (f"{CONDITIONS}.currentValue", "high", 'is "high", which does not match'),
    "a session that is null": ("sessionId", None, "is null, not a string"),
    "a boolean status": ("alarmStatus", True, "is true, not"),
    "a long status": ("alarmStatus", "x" * 5000, "is 'xxxxxxxx"),
}


@pytest.mark.parametrize("path, value, message", PROBLEMS.values(), ids=PROBLEMS)
def test_a_problem_is_reported_with_its_path(path: str, value: object, message: str) -> None:
    """An impossible value is one problem, without a deviation at the same place."""
    verdict = JUDGE.validate_tree(with_value(body_of(CVM), path, value))
    [problem] = verdict.problems
    assert problem.path == path
    assert problem.message.startswith(message)
    assert len(problem.message) < 300
    assert path not in [note.path for note in verdict.deviations]


@pytest.mark.parametrize(
    "path", ["sessionId", "alarmStatus", "alarmObjInfo.dimensions", "alarmObjInfo.dimensions.objId", CONDITIONS]
)
def test_a_missing_field_is_a_problem(path: str) -> None:
    """A field that every callback of the shape has is required."""
    verdict = JUDGE.validate_tree(without_value(body_of(CVM), path))
    assert verdict.problems == (Issue(path, "is missing"),)


def test_the_number_of_issues_is_bounded() -> None:
    """At most a hundred issues are reported, and a last one states that there are more."""
    body = body_of(CVM) | {f"odd{number}": number for number in range(100_000)}
    assert len(JUDGE.validate_tree(body).deviations) == 101
    assert JUDGE.validate_tree(body).deviations[-1] == Issue("", "more than 100 of these")
    twice = "{" + ",".join(f'"{number}":1,"{number}":2' for number in range(200)) + "}"
    assert len(JUDGE.validate(twice.encode()).problems) == 102


DEVIATIONS = {
    "an unknown field": ("brandNew", 1, Issue("brandNew", "is an unknown key")),
    "an unknown dimension": (
        "alarmObjInfo.dimensions.zone",
        "x",
        Issue("alarmObjInfo.dimensions.zone", "is an unknown key"),
    ),
    "a slip of the pen": (
        "alarmObjInfo.uinn",
        "1",
        Issue("alarmObjInfo.uinn", "is an unknown key; did you mean 'uin'?"),
    ),
    "a field of captures": (
        "policyDetailURL",
        "x",
        Issue("policyDetailURL", "is undocumented, but captured callbacks contain it"),
    ),
    "another metric": (
        f"{CONDITIONS}.metricName",
        "m",
        Issue(f"{CONDITIONS}.metricName", f"is not a known metric of {CVM.id}"),
    ),
    "an integer status": ("alarmStatus", 1, Issue("alarmStatus", 'is 1, not "1" or "0"')),
    "an early recovery": (
        "recoverTime",
        "2001-01-01 00:00:00",
        Issue("recoverTime", "is set although the alarm is not resolved, and is before firstOccurTime"),
    ),
    "a duration as a text": ("durationTime", "60", Issue("durationTime", "is a string, not an integer")),
}


@pytest.mark.parametrize("path, value, note", DEVIATIONS.values(), ids=DEVIATIONS)
def test_a_deviation_is_not_a_problem(path: str, value: object, note: Issue) -> None:
    """Undocumented values are reported, and the body is valid."""
    verdict = JUDGE.validate_tree(with_value(body_of(CVM), path, value, create=True))
    assert (verdict.is_valid, verdict.shape) == (True, CVM.id)
    assert verdict.deviations == (note,)


def test_times_that_do_not_fit_are_deviations() -> None:
    """A resolved alarm has a recoverTime after its start; in the oldest generation inside alarmPolicyInfo."""
    body = body_of(CVM, State.RESOLVED)
    for value, message in (
        ("0", "is not set although the alarm is resolved"),
        ("2001-01-01 00:00:00", "is before firstOccurTime"),
    ):
        assert JUDGE.validate_tree(with_value(body, "recoverTime", value)).deviations == (
            Issue("recoverTime", message),
        )
    old = json.loads(
        BodyRenderer(
            Generator(3, wire_format=load_profile("2019-ack").wire_format), CVM, LifecyclePoint(State.RESOLVED)
        ).body(0)
    )
    path = "alarmPolicyInfo.recoverTime"
    verdict = JUDGES["2019-ack"].validate_tree(with_value(old, path, "0"))
    assert verdict.deviations == (Issue(path, "is not set although the alarm is resolved"),)
    odd = without_value(without_value(body_of(CVM), "recoverTime"), "alarmPolicyInfo")
    assert JUDGE.validate_tree(odd).problems == (Issue("alarmPolicyInfo", "is missing"),)


def test_an_unknown_product_is_a_deviation() -> None:
    """Unknown products, and unknown dimensions of known products, are reported at the field that identifies them."""
    body: Any = with_value(body_of(CVM), "alarmObjInfo.dimensions", {"gpuId": "gpu-1", "node": 4})
    verdict = JUDGE.validate_tree(body)
    message = "has the keys of no known shape of this product ("
    assert (verdict.is_valid, verdict.kind, verdict.shape) == (True, "metric", None)
    assert verdict.deviations[0].path == "alarmObjInfo.dimensions"
    assert verdict.deviations[0].message.startswith(message)
    assert verdict.deviations[0].message.endswith("cvm/basic-monitoring, cvm/basic-monitoring-named)")
    body["alarmObjInfo"]["namespace"] = "qce/lb_public"
    body["alarmPolicyInfo"].pop("policyType")
    assert JUDGE.validate_tree(body).deviations[0].message.endswith(" and 2 more)")
    body["alarmPolicyInfo"]["policyType"] = "brand_new"
    body["alarmObjInfo"]["namespace"] = "qce/brandnew"
    unknown = 'is "qce/brandnew", a product that is not in the catalogue'
    assert JUDGE.validate_tree(body).deviations == (Issue("alarmObjInfo.namespace", unknown),)
    del body["alarmObjInfo"]["namespace"], body["alarmPolicyInfo"]["policyType"]
    assert JUDGE.validate_tree(body).deviations == (Issue("", "is of a product that is not in the catalogue"),)
    body["alarmStatus"] = 3
    assert [note.path for note in JUDGE.validate_tree(body).problems] == ["alarmStatus"]


def test_a_cloud_event_is_recognised_by_its_source() -> None:
    """DDoS events are one kind, events of other products of the cloud another, and all others come from elsewhere."""
    body = body_of(CATALOG.get("antiddos/events"), form=Form.CLOUDEVENTS)
    assert JUDGE.validate_tree(with_value(body, "type", "antiddos:ErrorEvent:New")).shape == "antiddos/events"
    other: Any = with_value(with_value(body, "type", "x:y:z"), "source", "x.cloud.tencent")
    verdict = JUDGE.validate_tree(other)
    assert (verdict.is_valid, verdict.kind, verdict.shape) == (True, "eventbridge", None)
    assert verdict.deviations == (Issue("source", "is of a product that is not in the catalogue"),)
    verdict = JUDGE.validate_tree(with_value(other, "source", "com.example.shop"))
    assert (verdict.is_valid, verdict.kind) == (False, "unknown")
    assert [note.path for note in verdict.problems] == ["source"]
    verdict = JUDGE.validate_tree(without_value(other, "source"))
    assert verdict.problems[0].message.startswith("is missing, no source of Tencent Cloud")


@pytest.mark.proof
@pytest.mark.parametrize("lost", ["alarmPolicyInfo.policyType", "alarmObjInfo.namespace", "alarmType"])
def test_a_shape_is_recognised_without_one_of_its_features(lost: str) -> None:
    """The remaining features identify the shape."""
    for shape in CATALOG:
        body = body_of(shape)
        is_there = not shape.in_object_info or lost == "alarmType"
        if shape.kind is AlarmKind.METRIC and is_there:
            body = without_value(body, lost)
        verdict = JUDGE.validate_tree(body)
        assert shape.id in (verdict.shape, *verdict.also_fits)


def test_other_spellings_are_recognised() -> None:
    """A key in another case, or a documented alias of a key, is that key."""
    shape = next(shape for shape in CATALOG if shape.aliases)
    name, (other, *_) = next(iter(shape.aliases.items()))
    body: Any = body_of(shape)
    body["alarmObjInfo"]["dimensions"][other] = body["alarmObjInfo"]["dimensions"].pop(name)
    assert JUDGE.validate_tree(body).shape == shape.id
    body = body_of(CVM)
    body["alarmObjInfo"]["dimensions"]["UNINSTANCEID"] = body["alarmObjInfo"]["dimensions"].pop("unInstanceId")
    assert JUDGE.validate_tree(body).shape == CVM.id
