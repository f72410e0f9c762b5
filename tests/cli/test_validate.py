"""``validate``: shapes, problems and deviations of bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli import arguments
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from commands import CommandResult, RunCommand

CVM = "cvm/basic-monitoring"
STATUS = '"1" or "0" or 1 or 0 (1 firing, 0 resolved; a string or an integer)'
_CVM_SHAPES = 4
NO_CALLBACK = (
    "is not an alarm callback: it has none of alarmStatus, alarmObjInfo and alarmPolicyInfo "
    "(a body of your own template? --profile template)"
)


def drawn(tcop: RunCommand, *arguments: str) -> bytes:
    """Return what emit writes."""
    return tcop("emit", *arguments, "--seed", "1", "-q").stdout.encode()


def kept(done: CommandResult) -> bool:
    """Tell whether a document keeps its schema."""
    Draft202012Validator(read_schema("validate-report")).validate(done.document)
    return True


@pytest.mark.proof
@pytest.mark.parametrize(
    "shapes, profile, form",
    [
        ("*", "2023", "documented"),
        ("c[dfv]*", "2019-ack", "observed"),
        ("c*", "2025", "eventbridge"),
        ("anti*", "template", "cloudevents"),
    ],
)
def test_all_that_is_emitted_is_valid(tcop: RunCommand, shapes: str, profile: str, form: str) -> None:
    """Every emitted callback is valid, and the documented forms have no deviation."""
    bodies = drawn(tcop, shapes, "--profile", profile, "--form", form)
    done = tcop("validate", "-", "--profile", profile, stdin=bodies)
    reported = done.stdout.splitlines()
    assert done.exit_code == 0
    assert {line.split()[0] for line in reported[:-1]} <= ({"deviation"} if form == "observed" else set())
    assert reported[-1].endswith(" valid, 0 invalid") or reported == [
        "valid: ddos callback of antiddos/events, form cloudevents"
    ]


@pytest.mark.proof
@pytest.mark.parametrize("output", ["ndjson", "http", "curl"])
def test_whatever_emit_writes_of_many_is_read(tcop: RunCommand, output: str) -> None:
    """Lines, requests and commands: none is passed over."""
    done = tcop("validate", "-", stdin=drawn(tcop, "cvm/*", "-n", "2", "--format", output))
    assert (done.exit_code, done.stdout) == (
        0,
        f"{2 * _CVM_SHAPES} bodies of {_CVM_SHAPES} shapes: {2 * _CVM_SHAPES} valid, 0 invalid\n",
    )


def test_one_body_is_reported_in_full(tcop: RunCommand) -> None:
    """The kind of the body comes first, then its problems, then its deviations."""
    body = drawn(tcop, CVM, "--set", 'durationTime="long"', "--set", "alarmStatus=1")
    done = tcop("validate", "-", stdin=body)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"invalid: metric callback of {CVM}, firing, profile 2023",
        'problem    durationTime: is "long", which does not match ^[0-9]+$ (a whole number, as such or in quotes)',
        'deviation  alarmStatus: is 1, not "1" or "0"',
    ]


def test_quiet_reports_problems_only(tcop: RunCommand) -> None:
    """--quiet leaves out what is not a reason to fail."""
    body = drawn(tcop, CVM, "--set", "alarmStatus=1")
    assert tcop("validate", "-", "-q", stdin=body).stdout == ""
    bodies = body + drawn(tcop, CVM, "--set", "alarmStatus=5")
    lines = tcop("validate", "-", "-q", stdin=bodies).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["problem", "2"]


def test_a_shape_that_fits_as_well_is_reported(tcop: RunCommand) -> None:
    """If two shapes fit a body equally well, both are named."""
    done = tcop("validate", "-", stdin=drawn(tcop, CVM, "--form", "observed"))
    assert done.stdout.splitlines()[:2] == [
        f"valid: metric callback of {CVM}, firing, profile 2023, form observed",
        "also fits  cvm/basic-monitoring-named",
    ]


@pytest.mark.proof
def test_many_bodies_are_reported_by_what_they_have_in_common(tcop: RunCommand) -> None:
    """Each problem is printed once, with its first place and its count."""
    bodies = drawn(tcop, CVM, "-n", "3") + drawn(tcop, CVM, "-n", "2", "--set", "alarmStatus=5") + b"{\n"
    done = tcop("validate", "-", stdin=bodies)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"problem    alarmStatus: is 5, not {STATUS} (line 4 and 1 more)",
        "problem    is not JSON: it is cut off at character 2 (line 6)",
        "6 bodies of 1 shape: 3 valid, 3 invalid",
    ]


def test_too_many_kinds_of_problems_are_counted(tcop: RunCommand) -> None:
    """The text stays readable; the document has a thousand of each."""
    bodies = b"".join(b'{"alarmStatus":"1","x%d":{}}\n' % at for at in range(60)) + b"".join(
        b'{"alarmObjInfo":{"dimensions":[%d]}}\n' % at for at in range(1100)
    )
    lines = tcop("validate", "-", stdin=bodies).stdout.splitlines()
    assert len(lines) < 110
    bodies = b"".join(b'{"%d":1,"%d":2}\n' % (at, at) for at in range(1100))
    lines = tcop("validate", "-", stdin=bodies).stdout.splitlines()
    assert lines[-2] == "problem    … 950 more kinds"
    done = tcop("validate", "-", "--json", stdin=bodies)
    assert (len(done.document["problems"]), len(done.document["bodies"]), done.document["count"]) == (1000, 1000, 1100)
    assert kept(done)


@pytest.mark.proof
@pytest.mark.parametrize("edit", ["alarmStatus=1", "alarmStatus=5", "sessionId=null"])
def test_json_of_one_body(tcop: RunCommand, edit: str) -> None:
    """The document has the kind, the shape, and all notes."""
    done = tcop("validate", "-", "--json", stdin=drawn(tcop, CVM, "--set", edit))
    document = done.document
    assert kept(done)
    assert (document["kind"], document["shape"], document["count"]) == ("metric", CVM, 1)
    assert done.exit_code == (0 if document["valid"] else 1)
    [note] = document["problems"] + document["deviations"]
    assert note["path"] == edit.partition("=")[0]
    assert "bodies" not in document


def test_json_of_many_bodies(tcop: RunCommand) -> None:
    """The document has what all bodies share, and a row for each body with something to report."""
    bodies = drawn(tcop, CVM) + drawn(tcop, "mysql/events", "--set", 'recoverTime="2001-01-01 00:00:00"')
    done = tcop("validate", "-", "--json", stdin=drawn(tcop, CVM) + bodies)
    assert kept(done)
    assert (done.document["kind"], done.document["shape"]) == (None, None)
    assert [(row["at"], row["kind"], row["valid"]) for row in done.document["bodies"]] == [("line 3", "event", True)]
    assert done.document["invalid"] == 0


def test_no_callback_at_all(tcop: RunCommand) -> None:
    """A body that is not a callback is a problem, unless the profile is that of templates."""
    done = tcop("validate", "-", stdin=b'{"text":"CPU is high"}')
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "invalid: not a callback",
        f"problem    {NO_CALLBACK}",
    ]
    done = tcop("validate", "-", "--profile", "template", stdin=b"CPU is high")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "valid: body of a template")


def test_what_a_body_holds_is_inert(tcop: RunCommand) -> None:
    """Control characters of a body do not reach the terminal."""
    body = json.loads(drawn(tcop, CVM)) | {"\x1b[31mred\u202e": 1}
    out = tcop("validate", "-", stdin=json.dumps(body).encode()).stdout
    assert "\\x1b[31mred\\u202e: is an unknown key" in out


def test_a_file_is_read(tcop: RunCommand, tmp_path: Path) -> None:
    """FILE may be any file that can be read."""
    file = tmp_path / "body.json"
    file.write_bytes(drawn(tcop, CVM))
    assert tcop("validate", str(file)).exit_code == 0
    assert tcop("validate", str(tmp_path)).error_message == (f"file {str(tmp_path)!r} cannot be read: Is a directory")
    done = tcop("validate", "nosuch.json")
    assert (done.exit_code, done.error_message) == (2, "file 'nosuch.json' cannot be read: No such file or directory")


def test_users_own_shapes_are_recognised(tcop: RunCommand, tmp_path: Path) -> None:
    """A product of the user's own catalogue is not a stranger."""
    (tmp_path / "acme.toml").write_text(
        'title = "Acme - queue"\nkind = "metric"\nnamespace = "qce/acme"\nregional = true\nsource = "a capture"\n'
        'assumed = []\n[policy]\ntype = "acme_queue"\nname = "Acme - queue"\n[values]\n'
        'queue = { generator = "resource_id", prefix = "acme" }\n[dimensions]\nqueueId = "{queue}"\n[[metrics]]\n'
        'metricName = "depth"\nmetricShowName = "Depth"\nunit = "Count"\nsource = "ours"\n',
        encoding="utf-8",
    )
    body = drawn(tcop, "acme", "--catalog", str(tmp_path))
    assert tcop("validate", "-", stdin=body).stdout.startswith(
        "valid: metric callback, firing, profile 2023\ndeviation  alarmObjInfo"
    )
    assert (
        tcop("validate", "-", "--catalog", str(tmp_path), stdin=body).stdout
        == "valid: metric callback of acme, firing, profile 2023\n"
    )


def test_skipped_parts_are_named_and_do_not_count(tcop: RunCommand) -> None:
    """A line each, up to fifty, then their number; a file that has no other part is exit code 2."""
    callback = {"method": "POST", "url": "http://h/", "postData": {"text": drawn(tcop, CVM).decode()}}
    page = {"request": {"method": "GET", "url": "http://h/?secret=1"}}
    har = json.dumps({"log": {"entries": [page] * 52 + [{"request": callback}]}}).encode()
    done = tcop("validate", "-", stdin=har)
    assert (done.exit_code, done.stdout.splitlines()) == (0, [f"valid: metric callback of {CVM}, firing, profile 2023"])
    lines = done.stderr.splitlines()
    assert lines[0] == "entry 1 was skipped: GET http://h/: callbacks are sent by POST"
    assert lines[-1] == "2 more were skipped"
    assert len(lines) == 51
    done = tcop("validate", "-", stdin=json.dumps({"log": {"entries": [page]}}).encode())
    assert done.exit_code == 2
    assert done.error_message.startswith("-: there is nothing to validate (entry 1 was skipped: ")
    done = tcop("validate", "-", stdin=b'{"version": 1, "url": "http://h"}')
    assert (done.exit_code, done.error_message) == (2, "-: there is nothing to validate")


def test_a_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, no internal error."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="standard input is closed: give a file"):
        arguments.read_input("-")


@pytest.mark.proof
def test_a_given_profile_is_the_one_that_is_compared(tcop: RunCommand) -> None:
    """Without --profile an old body has no deviation, and its profile is named."""
    body = drawn(tcop, CVM, "--profile", "2019-ack")
    done = tcop("validate", "-", stdin=body)
    assert (done.exit_code, done.stdout) == (0, f"valid: metric callback of {CVM}, firing, profile 2019-ack\n")
    lines = tcop("validate", "-", "--profile", "2023", stdin=body).stdout.splitlines()
    assert lines[0].endswith(", profile 2023")
    assert len({line.partition(": ")[0] for line in lines[1:]}) == len(lines[1:]) > 1


def test_a_list_of_callbacks_is_no_callback(tcop: RunCommand) -> None:
    """Each element is validated, and one line says that TCOP never posts a list."""
    line = "the file is a JSON list; TCOP never posts a list, each callback is a request of its own"
    bodies = [json.loads(drawn(tcop, CVM)) for _ in range(2)]
    done = tcop("validate", "-", stdin=json.dumps(bodies).encode())
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [f"problem    {line}", "2 bodies of 1 shape: 2 valid, 0 invalid"]
    done = tcop("validate", "-", "--json", stdin=json.dumps(bodies[:1]).encode())
    assert (done.exit_code, done.document["valid"], done.document["invalid"]) == (1, False, 0)
    assert done.document["problems"] == [{"path": "", "message": line}]
    assert kept(done)


def test_an_event_from_elsewhere_is_a_problem(tcop: RunCommand) -> None:
    """A CloudEvent is EventBridge's only with a source of Tencent Cloud."""
    done = tcop("validate", "-", stdin=b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{}}')
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "invalid: not a callback",
        'problem    source: is "s", no source of Tencent Cloud, whose events come from <product>.cloud.tencent',
    ]


def test_the_body_of_a_template_is_reported(tcop: RunCommand) -> None:
    """The values that a receiver finds, and those that it cannot get, are listed without a flag."""
    done = tcop("validate", "-", stdin=b'{"policy_name":"cpu","object":"web-1","status":"Trigger"}')
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            "valid: body of a template, firing",
            "found      object: web-1",
            "found      policy: cpu",
            "found      status: Trigger",
            "deviation  a receiver cannot get from it: time of the trigger, sessionId, dimensions of the object",
        ],
    )
    done = tcop("validate", "-", "--json", stdin=b'{"policy_name":"cpu","object":"web-1","status":"Trigger"}')
    assert done.document["found"] == {"object": "web-1", "policy": "cpu", "status": "Trigger"}
    assert kept(done)


def test_several_files_are_one_report(tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places begin with the file; one bad file is enough for exit code 1, and no file hides another."""
    monkeypatch.chdir(tmp_path)
    good, bad = drawn(tcop, CVM), drawn(tcop, CVM, "--set", "alarmStatus=5")
    (tmp_path / "good.json").write_bytes(good)
    (tmp_path / "bad one.json").write_bytes(bad)
    (tmp_path / "c.ndjson").write_bytes(good + bad)
    (tmp_path / "list.json").write_bytes(b"[" + good + b"]")
    (tmp_path / "page.har").write_text(
        json.dumps(
            {
                "log": {
                    "entries": [
                        {"request": {"method": "GET", "url": "http://h/"}},
                        {"request": {"method": "POST", "url": "http://h/", "postData": {"text": good.decode()}}},
                    ]
                }
            }
        ),
        encoding="utf-8",
    )
    done = tcop("validate", "good.json", "bad one.json", "c.ndjson", "list.json", "page.har", "-", stdin=bad)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "problem    list.json is a JSON list; TCOP never posts a list, each callback is a request of its own",
        f"problem    alarmStatus: is 5, not {STATUS} (bad one.json and 2 more)",
        "7 bodies of 1 shape: 4 valid, 3 invalid",
    ]
    assert done.stderr.splitlines()[0].startswith("page.har: entry 1 was skipped: GET http://h/")
    done = tcop("validate", "good.json", "c.ndjson", "-", "--json", stdin=bad)
    assert kept(done)
    assert (done.document["count"], done.document["shape"]) == (4, CVM)
    assert [row["at"] for row in done.document["bodies"]] == ["c.ndjson, line 2", "stdin"]
    done = tcop("validate", "good.json", "good.json")
    assert (done.exit_code, done.stdout) == (0, "2 bodies of 1 shape: 2 valid, 0 invalid\n")


def test_a_file_without_a_body_among_others_is_named(tcop: RunCommand, tmp_path: Path) -> None:
    """Exit code 2, as for one file."""
    (tmp_path / "good.json").write_bytes(drawn(tcop, CVM))
    (tmp_path / "none.json").write_bytes(b'{"version": 1, "url": "http://h"}')
    done = tcop("validate", str(tmp_path / "good.json"), str(tmp_path / "none.json"))
    assert (done.exit_code, done.error_message) == (2, f"{tmp_path / 'none.json'}: there is nothing to validate")
