"""``emit``: callbacks on standard output and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.json_tree import all_paths, value_at
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import Form
from tcop_mock.domain.shape import AlarmKind, without_unpublished

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand

CATALOG = Catalog.load()
IDS = [shape.id for shape in CATALOG]
CVM = "cvm/basic-monitoring"
CONDITIONS = "alarmPolicyInfo.conditions"


@pytest.mark.parametrize("shape_id", IDS)
def test_one_body_is_all_there_is_on_stdout(tcop: RunCommand, shape_id: str) -> None:
    """Standard output has one compact body in a line, standard error the seed, and the seed gives the same bytes."""
    first = tcop("emit", shape_id)
    assert first.exit_code == 0
    assert first.stderr.startswith("seed ")
    assert len(first.bodies) == 1
    again = tcop("emit", shape_id, "--seed", first.stderr.split()[1], "--quiet")
    assert (again.stdout, again.stderr) == (first.stdout, "")


def test_without_a_seed_every_call_has_its_own(tcop: RunCommand) -> None:
    """Two calls without --seed draw from different seeds."""
    assert tcop("emit", CVM).stderr != tcop("emit", CVM).stderr


@pytest.mark.proof
def test_the_bytes_do_not_depend_on_the_process(start: Callable[..., subprocess.Popen[str]], tcop: RunCommand) -> None:
    """Processes with different hash seeds write the same bytes."""
    command = ("emit", "*", "-n", "2", "--seed", "7", "--lang", "zh", "-q")
    processes = [start(*command, PYTHONHASHSEED=seed) for seed in ("1", "4242")]
    outs = {process.communicate(timeout=60)[0] for process in processes}
    assert outs == {tcop(*command).stdout}


def test_n_alarms_go_one_a_line(tcop: RunCommand) -> None:
    """-n writes so many alarms, each with ids of its own, and the first is the one without -n."""
    done = tcop("emit", CVM, "-n", "5", "--seed", "7")
    assert len({body["sessionId"] for body in done.bodies}) == 5
    assert done.stdout.startswith(tcop("emit", CVM, "--seed", "7").stdout)


def test_a_glob_draws_of_every_shape(tcop: RunCommand) -> None:
    """A glob writes an alarm of each shape, in the order of the ids."""
    done = tcop("emit", "cvm/*", "--seed", "7")
    matched = [shape_id for shape_id in IDS if shape_id.startswith("cvm/")]
    assert done.stdout == "".join(tcop("emit", shape_id, "--seed", "7").stdout for shape_id in matched)


@pytest.mark.parametrize(
    "state, status, notify_types",
    [
        ("firing", "1", {"singleAlarm", "continuousAlarm", "exponentialAlarm"}),
        ("repeated", "1", {"continuousAlarm", "exponentialAlarm"}),
        ("resolved", "0", {"singleAlarm", "continuousAlarm", "exponentialAlarm"}),
    ],
)
def test_a_state_can_be_asked_for(tcop: RunCommand, state: str, status: str, notify_types: set[str]) -> None:
    """A callback has the status of its state, a time of recovery only if resolved, a repeating type if repeated."""
    for body in tcop("emit", CVM, "--state", state, "-n", "8").bodies:
        assert body["alarmStatus"] == status
        assert (body["recoverTime"] == "0") == (state != "resolved")
        assert value_at(body, f"{CONDITIONS}.alarmNotifyType") in notify_types


@pytest.mark.proof
@pytest.mark.parametrize("state", ["firing", "repeated", "resolved"])
def test_a_glob_passes_over_what_has_no_such_state(tcop: RunCommand, state: str) -> None:
    """A glob leaves out shapes that never reach the state: events do not repeat, and some never resolve."""
    done = tcop("emit", "*", "--state", state, "--json")
    able = [
        shape.id
        for shape in without_unpublished(CATALOG)
        if shape.kind is AlarmKind.METRIC or state == "firing" or (state == "resolved" and shape.can_resolve)
    ]
    assert [row["shape"] for row in done.document["callbacks"]] == able
    assert {row["state"] for row in done.document["callbacks"]} == {state}


@pytest.mark.parametrize("form", [Form.EVENTBRIDGE, Form.CLOUDEVENTS])
def test_a_glob_passes_over_what_has_no_such_form(tcop: RunCommand, form: Form) -> None:
    """A glob leaves out shapes without the wanted form."""
    drawn = tcop("emit", "*", "--form", form.value, "--json").document["callbacks"]
    assert [row["shape"] for row in drawn] == [shape.id for shape in CATALOG if form in forms_of(shape)]
    marks = {Form.EVENTBRIDGE: ("alarmType", "event"), Form.CLOUDEVENTS: ("specversion", "1.0")}
    key, value = marks[form]
    assert {row["body"][key] for row in drawn} == {value}


def test_a_lifecycle_is_one_alarm(tcop: RunCommand) -> None:
    """A whole life is one alarm: new sessions, the same object and start, growing durations, one resolve."""
    bodies = tcop("emit", CVM, "--lifecycle", "fire,repeat:2,resolve").bodies
    assert [body["alarmStatus"] for body in bodies] == ["1", "1", "1", "0"]
    assert len({body["sessionId"] for body in bodies}) == 4
    assert len({(body["firstOccurTime"], value_at(body, "alarmObjInfo.dimensions.objId")) for body in bodies}) == 1
    durations = [body["durationTime"] for body in bodies]
    assert durations == sorted(durations)


def test_metric_and_event_can_be_named(tcop: RunCommand) -> None:
    """--metric and --event take the one that is named, whatever the seed."""
    metric = CATALOG.get(CVM).metrics[-1].name
    event = CATALOG.get("cvm/events").events[-1].name
    reported = tcop("emit", CVM, "--metric", metric, "-n", "5").bodies
    assert {value_at(body, f"{CONDITIONS}.metricName") for body in reported} == {metric}
    reported = tcop("emit", "cvm/events", "--event", event, "-n", "5").bodies
    assert {value_at(body, f"{CONDITIONS}.eventName") for body in reported} == {event}


def test_lang_changes_human_text_only(tcop: RunCommand) -> None:
    """--lang zh gives Chinese names of metric and policy type; ids and keys stay."""
    english, chinese = (tcop("emit", CVM, "--seed", "7", "--lang", lang).bodies[0] for lang in ("en", "zh"))
    assert list(all_paths(english)) == list(all_paths(chinese))
    for path in ("alarmPolicyInfo.policyTypeCName", f"{CONDITIONS}.metricShowName"):
        assert value_at(english, path).isascii()
        assert not value_at(chinese, path).isascii()
    assert value_at(english, "alarmPolicyInfo.policyId") == value_at(chinese, "alarmPolicyInfo.policyId")


def test_no_threshold_leaves_threshold_fields_out(tcop: RunCommand) -> None:
    """With --no-threshold a callback has no field that compares a value with a limit."""
    [with_them] = tcop("emit", CVM, "--seed", "7").bodies
    [without] = tcop("emit", CVM, "--seed", "7", "--no-threshold").bodies
    left_out = set(with_them["alarmPolicyInfo"]["conditions"]) - set(without["alarmPolicyInfo"]["conditions"])
    assert {"calcType", "calcValue"} <= left_out


@pytest.mark.parametrize(
    "edit, path, value",
    [
        ("alarmStatus=1", "alarmStatus", 1),
        ('recoverTime=""', "recoverTime", ""),
        ("alarmObjInfo.dimensions=null", "alarmObjInfo.dimensions", None),
        ('alarmObjInfo.dimensions={"a":["b"]}', "alarmObjInfo.dimensions.a.0", "b"),
        ('alarmObjInfo.dimensions.objName="a=b 告警"', "alarmObjInfo.dimensions.objName", "a=b 告警"),
    ],
)
def test_set_changes_one_value(tcop: RunCommand, edit: str, path: str, value: Any) -> None:
    """--set puts a JSON value at a path, with its type."""
    [body] = tcop("emit", CVM, "--set", edit).bodies
    assert value_at(body, path) == value
    assert type(value_at(body, path)) is type(value)


def test_an_edit_is_in_the_bodies_of_all_policies(tcop: RunCommand) -> None:
    """--set goes into each of many bodies, of one metric or of all."""
    for asked in ((), ("--metric", "cpu_usage")):
        bodies = tcop("emit", CVM, "-n", "40", *asked, "--set", "alarmStatus=1").bodies
        assert [body["alarmStatus"] for body in bodies] == [1] * 40


def test_edits_are_done_in_turn(tcop: RunCommand) -> None:
    """--set and --unset may be repeated; values are set before others are left out."""
    [plain] = tcop("emit", CVM, "--seed", "7").bodies
    edits = ("--unset", "alarmObjInfo.region", "--unset", "sessionId", "--set", "alarmType=1", "--set", "alarmType=2")
    [body] = tcop("emit", CVM, "--seed", "7", *edits).bodies
    assert set(all_paths(plain)) - set(all_paths(body)) == {"alarmObjInfo.region", "sessionId"}
    assert body["alarmType"] == 2


def test_mutate_changes_a_body_as_a_clause_does(tcop: RunCommand) -> None:
    """--mutate draws the callback that the clause changes, unless another is asked for, and changes it."""
    [body] = tcop("emit", CVM, "--mutate", "recover-time-empty-while-resolved").bodies
    assert (body["alarmStatus"], body["recoverTime"]) == ("0", "")
    [body] = tcop("emit", CVM, "--mutate", "recover-time-empty-while-resolved", "--state", "firing").bodies
    assert (body["alarmStatus"], body["recoverTime"]) == ("1", "")
    [body] = tcop("emit", CVM, "--mutate", "no-threshold-fields", "--set", "sessionId=5").bodies
    assert (body["sessionId"], "calcType" in body["alarmPolicyInfo"]["conditions"]) == (5, False)
    [first, second] = tcop("emit", CVM, "--mutate", "alarm-status-as-integer", "--lifecycle", "fire,resolve").bodies
    assert (first["alarmStatus"], second["alarmStatus"]) == (1, 0)
    assert tcop("emit", CVM, "--mutate", "empty-body").stdout == "\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("cvm/events --mutate vport-as-string", "unknown path 'alarmObjInfo.dimensions.vport' in the body"),
        ("* --mutate no-region", "unknown path 'alarmObjInfo.region' in the body"),
        ("cvm/events --mutate emojy", "unknown mutator 'emojy'; did you mean 'emoji'?"),
        (
            "cvm/events --mutate empty-body --json",
            "this body is not JSON: leave --json and --pretty",
        ),
        ("cvm/events --mutate empty-body --pretty", "this body is not JSON: leave --json and"),
    ],
)
def test_a_mutator_that_does_not_fit_is_refused(tcop: RunCommand, arguments: str, message: str) -> None:
    """A body without the path, an unknown name, a document that cannot hold it: one line, nothing written."""
    done = tcop("emit", *arguments.split())
    assert (done.exit_code, done.error_message.startswith(message)) == (2, True)


def test_pretty_indents_the_same_body(tcop: RunCommand) -> None:
    """--pretty changes blanks only."""
    pretty = tcop("emit", CVM, "--seed", "7", "--pretty")
    assert len(pretty.stdout.splitlines()) > 10
    assert pretty.document == tcop("emit", CVM, "--seed", "7").document


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_one_body_is_the_same_in_both_formats(tcop: RunCommand, form: str) -> None:
    """A single body is a line, by either name."""
    assert tcop("emit", CVM, "--seed", "7", "--format", form).stdout == tcop("emit", CVM, "--seed", "7").stdout


def test_json_wraps_the_bodies(tcop: RunCommand) -> None:
    """With --json one versioned document has the seed and each body with its shape and state."""
    done = tcop("emit", CVM, "--json", "--lifecycle", "fire,resolve", "-n", "2", "--seed", "7")
    assert {key: done.document[key] for key in ("version", "seed")} == {"version": 1, "seed": 7}
    rows = done.document["callbacks"]
    assert [(row["shape"], row["state"]) for row in rows] == [(CVM, "firing"), (CVM, "resolved")] * 2
    assert [row["body"] for row in rows] == tcop(
        "emit", CVM, "--lifecycle", "fire,resolve", "-n", "2", "--seed", "7"
    ).bodies


NO_MANY = "several bodies go one a line: leave --format json and --pretty out, or use --json"
REFUSED = {
    "nosuch": "unknown shape 'nosuch'; `tcop-mock list` shows all shapes",
    "cvm/basic": "unknown shape 'cvm/basic'; did you mean 'cvm/basic-monitoring' or 'cvm/basic-monitoring-named'?",
    "zzz/*": "unknown shape 'zzz/*'; `tcop-mock list` shows all shapes",
    f"{CVM} --metric cpu_usge": f"unknown metric 'cpu_usge' in {CVM}; did you mean 'cpu_usage'",
    f"{CVM} --event ping_unreachable": f"{CVM} has metrics and no events: --event does not go with it",
    "prometheus/alerts --metric cpu": "prometheus/alerts has neither metrics nor events: leave --metric and",
    "cvm/events --event ping_unreachabel": "unknown event 'ping_unreachabel' in cvm/events; did you mean",
    "cvm/events --metric cpu_usage": "cvm/events has events and no metrics: --metric does not go with it",
    "cvm/events --state repeated": "cvm/events: no repeated callback: event alarms never repeat",
    "m* --form cloudevents": "none of these shapes has such a state or form",
    "*/events --state repeated": "none of these shapes has such a state or form: events do not repeat",
    f"{CVM} --lifecycle fire,repat": "'repat' is not a step; did you mean 'repeat'?",
    f"{CVM} --lifecycle=": "'' is not a step",
    f"{CVM} --lifecycle repeat:0": "lifecycle 'repeat:0' has no callback; write fire,repeat:3,resolve",
    f"{CVM} --lifecycle fire --state firing": "--state and --lifecycle exclude each other",
    f"{CVM} --set alarmStatu=1": "unknown path 'alarmStatu' in the body; did you mean 'alarmStatus'",
    f"{CVM} --set alarmStatus=on": """'on' is not JSON; a string needs its quotes: --set 'alarmStatus="on"'""",
    f"{CVM} --set alarmStatus=NaN": "--set alarmStatus: 'NaN' is not JSON",
    f"{CVM} --set alarmStatus=it's": """'--set alarmStatus: "it\'s" is not JSON; a string needs its quotes: --set """[
        1:
    ]
    + """'alarmStatus="it'"'"'s"'""",
    f"{CVM} --set alarmStatus=1e999": "'1e999' has a number that is too great for a 64-bit float",
    f'{CVM} --set alarmStatus="\\ud800"': "half a surrogate pair cannot be sent, because bodies are UTF-8",
    f"{CVM} --set alarmStatus={'[' * 100_000}": "is not JSON",
    f"{CVM} --set alarmStatus": "--set 'alarmStatus': write PATH=JSON, as in alarmStatus=1",
    f"{CVM} --set =1": "--set '=1': write PATH=JSON",
    f"{CVM} --unset alarmObjInfo.regoin": "unknown path 'alarmObjInfo.regoin' in the body; did you mean",
    f"{CVM} -n 2 --format json": NO_MANY,
    f"{CVM} -n 2 --pretty": NO_MANY,
    "cvm/* --pretty": NO_MANY,
    f"{CVM} --lifecycle fire --pretty": NO_MANY,
    f"{CVM} --profile 2203": "unknown profile '2203'; did you mean '2023'?",
    f"{CVM} --profile x": "unknown profile 'x'; one of 2019-ack, 2021-verify, 2023, 2025, template",
}


@pytest.mark.parametrize("arguments, complaint", REFUSED.items(), ids=[key[:60] for key in REFUSED])
def test_what_cannot_be_drawn_is_refused(tcop: RunCommand, arguments: str, complaint: str) -> None:
    """A wrong name, path or combination gives one line that says what to write, code 2, and nothing on stdout."""
    done = tcop("emit", *arguments.split())
    assert complaint in done.error_message
    assert done.exit_code == 2


MIXED = """
title = "Acme - queue"
kind = "metric"
namespace = "qce/acme"
regional = true
source = "ours"
[policy]
type = "acme_queue"
name = "Acme - queue"
[dimensions]
objId = "queue-1"
[[metrics]]
metricName = "depth"
metricShowName = "Depth"
unit = "Count"
source = "ours"
[[metrics]]
metricName = "age"
metricShowName = "Age"
unit = "s"
calcType = ">"
calcValue = "5"
range = [0, 10]
source = "ours"
"""


@pytest.mark.parametrize("arguments", ["*", "acme -n 200", "acme --json -n 200"])
def test_nothing_is_written_before_an_error(tcop: RunCommand, tmp_path: Path, arguments: str) -> None:
    """An edit that only a later body refuses, of another shape or metric, is shown before the first body is written."""
    (tmp_path / "acme.toml").write_text(MIXED, encoding="utf-8")
    edit = ("--catalog", str(tmp_path), "--unset", f"{CONDITIONS}.calcValue")
    seed = next(seed for seed in map(str, range(50)) if tcop("emit", "acme", "--seed", seed, *edit).exit_code == 0)
    done = tcop("emit", *arguments.split(), "--seed", seed, *edit)
    assert f"unknown path '{CONDITIONS}.calcValue' in the body" in done.error_message
    assert done.exit_code == 2
