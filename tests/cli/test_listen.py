"""``listen``: the receiver."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from typing import TYPE_CHECKING

import branch_coverage
import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli.listen import Listener
from tcop_mock.cli.options import CommonOptions
from tcop_mock.reports.recording import Recording
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.server.stubs import StubServices

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand

    Start = Callable[..., subprocess.Popen[str]]

CVM = "cvm/basic-monitoring"
SECRET = "pä:ss/w%rd-7Kq2"
USERINFO = "alarms:p%C3%A4%3Ass%2Fw%25rd-7Kq2@"
RECORD = Draft202012Validator(read_schema("recording"))
_BOUND_S = 30


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    return str(json.loads(line)["url"]) if line.startswith("{") else line


def _finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    return process.communicate(timeout=_BOUND_S)


def test_callbacks_are_reported_recorded_and_acknowledged(start: Start, tcop: RunCommand, tmp_path: Path) -> None:
    """A life sent by ``send``: each callback on two lines; the recording keeps its bytes and no password."""
    listening = start("listen", "--auth", f"alarms:{SECRET}", "--record", "r.jsonl", "--count", "4")
    target = _url(listening).replace("://", f"://{USERINFO}") + "/hook?key=hidden"
    sent = tcop("send", CVM, "--to", target, "--lifecycle", "fire,repeat:2,resolve", "--seed", "3", "--json")
    out, err = _finish(listening)
    assert (sent.exit_code, listening.returncode) == (0, 0)
    lines = out.splitlines()
    assert [line.split(" ", 1)[1] for line in lines[::2]] == ["POST /hook?key=*** 200, credentials: right"] * 4
    assert lines[1::2] == [
        f"  valid: metric callback of {CVM}, {state}, profile 2023" for state in ("firing",) * 3 + ("resolved",)
    ]
    assert err.splitlines()[-1] == "4 requests received"
    recorded = (tmp_path / "r.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in recorded.splitlines()]
    for record in records:
        RECORD.validate(record)
    drawn = tcop("emit", CVM, "--lifecycle", "fire,repeat:2,resolve", "--seed", "3").stdout.splitlines()
    assert [record["body"] for record in records] == drawn
    for text in (out, err, recorded, sent.stdout, sent.stderr):
        assert not any(part in text for part in ("7Kq2", "p%C3", "hidden", "YWxhcm1z"))


def test_a_lost_answer_is_a_duplicate(start: Start, tcop: RunCommand, tmp_path: Path) -> None:
    """The request whose answer is lost is recorded, and comes again with the same bytes."""
    listening = start("listen", "--json", "--record", "r.jsonl", "--count", "2", "--fault", "reset-after-request:1")
    sent = tcop("send", CVM, "--to", _url(listening), "--time-scale", "0")
    out, _ = _finish(listening)
    assert sent.exit_code == 0
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["fault"], first["status"], second["fault"], second["status"]) == (
        "reset-after-request",
        None,
        None,
        200,
    )
    assert first["body"] == second["body"]
    assert out == (tmp_path / "r.jsonl").read_text(encoding="utf-8")


def test_wrong_credentials_are_refused_and_reported(start: Start, tcop: RunCommand) -> None:
    """401, and the word wrong; none where none came; given where none are asked for."""
    for options, userinfo, summary in (
        (("--auth", "a:right-password"), "a:wrong-password@", "401, credentials: wrong"),
        (("--auth", "a:right-password"), "", "401"),
        ((), "a:b@", "200, credentials: given"),
    ):
        listening = start("listen", *options, "--count", "1")
        tcop("send", CVM, "--to", _url(listening).replace("://", f"://{userinfo}"), "--attempts", "1")
        out, err = _finish(listening)
        assert out.splitlines()[0].endswith(f"POST / {summary}")
        assert "password" not in out + err


def test_what_is_no_callback_is_reported_with_its_problems(start: Start, tcop: RunCommand) -> None:
    """Problems and deviations stand below the request, bounded; bytes that are no UTF-8 are kept as base64."""
    listening = start("listen", "--count", "2", "--record", "r.jsonl", "--quiet")
    url = _url(listening)
    bad = json.dumps({"alarmStatus": 7, "alarmObjInfo": {}, "alarmPolicyInfo": {}}).encode()
    tcop("send", "-", "--to", url, "--attempts", "1", stdin=bad)
    tcop("send", "-", "--to", url, "--attempts", "1", stdin=b"\xff\x00")
    out, err = _finish(listening)
    assert "  invalid: " in out
    assert "  problem    alarmStatus" in out
    assert " POST / 400" in out
    assert err == ""


@pytest.mark.proof
def test_bytes_that_are_no_text_are_kept(start: Start, tcop: RunCommand) -> None:
    """A body that is not UTF-8 is recorded as base64."""
    listening = start("listen", "--count", "1", "--json")
    tcop("send", "-", "--to", _url(listening), "--attempts", "1", stdin=b"\xff\x00")
    [record] = map(json.loads, _finish(listening)[0].splitlines())
    RECORD.validate(record)
    assert (record["body_base64"], record["status"]) == ("/wA=", 400)


@pytest.mark.proof
def test_stand_ins_answer_under_their_paths(start: Start, tcop: RunCommand) -> None:
    """Messages of our targets are accepted; no output and no recording shows a key."""
    listening = start("listen", "--count", "3", "--json", "--record", "r.jsonl")
    url, key = _url(listening), "0123456789abcdef0123456789abcdef"
    pagerduty = tcop(
        "send", CVM, "--to", f"{url}/pagerduty/v2/enqueue", "--target", "pagerduty", "--integration-key", key
    )
    wecom = tcop("send", CVM, "--to", f"{url}/wecom/cgi-bin/webhook/send?key={key}", "--target", "wecom")
    tcop("send", "-", "--to", f"{url}/feishu/open-apis/bot/v2/hook/{key}", "--attempts", "1", stdin=b"{}")
    out, err = _finish(listening)
    assert (pagerduty.exit_code, wecom.exit_code) == (0, 0)
    records = [json.loads(line) for line in out.splitlines()]
    assert [(record["as"], record["status"]) for record in records] == [
        ("pagerduty", 202),
        ("wecom", 200),
        ("feishu", 200),
    ]
    assert records[0]["note"].startswith("trigger tcop-")
    assert [record["note"] for record in records[1:]] == ["errcode 0", "code 9499"]
    assert key not in out + err


def test_another_end_may_be_the_usual_one(start: Start, tcop: RunCommand) -> None:
    """``--service`` answers where the path names none; what it makes of the request stands beside it."""
    listening = start("listen", "--service", "slack", "--count", "1")
    done = tcop("send", "-", "--to", _url(listening), "--attempts", "1", stdin=b"[]")
    assert done.exit_code == 1
    assert _finish(listening)[0].endswith("POST / 400: slack invalid_payload\n")


@pytest.mark.proof
def test_a_script_says_what_goes_wrong(start: Start, tcop: RunCommand, tmp_path: Path) -> None:
    """A line for each request in turn."""
    (tmp_path / "script").write_text("ok\nstatus:503\n", encoding="utf-8")
    listening = start("listen", "--fault-file", "script", "--count", "3")
    url = _url(listening)
    for _ in range(2):
        assert tcop("send", CVM, "--to", url, "--time-scale", "0").exit_code == 0
    out = _finish(listening)[0]
    assert [line.split("POST / ")[1] for line in out.splitlines() if "POST" in line] == [
        "200",
        "503 (status:503)",
        "200",
    ]


@pytest.mark.proof
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(start: Start, number: int) -> None:
    """Ctrl-C is how it usually ends: what came is counted, and all is well."""
    listening = start("listen")
    _url(listening)
    listening.send_signal(number)
    assert _finish(listening)[1].splitlines()[-1] == "0 requests received"
    assert listening.returncode == 0


@pytest.mark.proof
def test_a_recording_survives_a_kill(start: Start, tcop: RunCommand, tmp_path: Path) -> None:
    """Each acknowledged request is in the file as a whole line, and a second run appends to it."""
    for options in ([], ["--fsync"]):
        listening = start("listen", "--record", "r.jsonl", *options)
        assert tcop("send", CVM, "--to", _url(listening)).exit_code == 0
        listening.kill()
        _finish(listening)
    records = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(records) == 2


def test_fewer_than_asked_for_is_reported(tcop: RunCommand) -> None:
    """Time over before count: exit code 1."""
    done = tcop("listen", "--count", "1", "--max-time", "50ms")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, "0 requests received")
    assert tcop("listen", "--max-time", "50ms").exit_code == 0


def test_requests_that_cannot_be_read_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    """A sender that speaks TLS ends the search for lost callbacks; a flood of such requests is not a flood of lines."""
    common = CommonOptions(quiet=False, as_json=False)
    listener = Listener(common, StubServices("webhook"), None, None, None)
    for _ in range(30):
        listener.count_unreadable("a TLS handshake came")
    assert listener.exit_code() == 0
    lines = capfd.readouterr().err.splitlines()
    assert lines == ["warning: a TLS handshake came"] * 20 + ["0 requests received, 30 could not be read"]


class Feed:
    """A listener that receives requests without a network, at times that the test sets."""

    def __init__(self, recording: Recording | None = None, *, as_json: bool = False) -> None:
        self.now_s = 0.0
        common = CommonOptions(quiet=False, as_json=as_json)
        self.listener = Listener(common, StubServices("webhook"), None, recording, None, clock=lambda: self.now_s)

    def receive(self, *batches: int, body: bytes = b"{}") -> None:
        """Receive so many requests in each batch."""
        request = ReceivedRequest("POST", "/", (("host", "x"),), body, 0.0)
        for count in batches:
            for _ in range(count):
                self.listener._record(request, None, Reply(200))
            self.listener._commit()


def test_a_flood_is_counted_and_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """After 500 requests 20 a second are shown and validated; a line a second and the end count the others."""
    feed = Feed()
    feed.receive(*[100] * 7)
    for _ in range(8):
        feed.now_s += 0.25
        feed.receive(100)
    assert feed.listener.exit_code() == 0
    out, err = capfd.readouterr()
    shown = [line for line in out.splitlines() if " POST / 200" in line]
    assert len(shown) == 500 + 40
    assert [line for line in out.splitlines() if "more" in line] == [
        "  … 485 requests more, not shown",
        "  … 380 requests more, not shown",
    ]
    assert err == (
        "1500 requests received, 960 not shown and not validated "
        "(too many came at once; tcop-mock validate reads a recording)\n"
    )


def test_a_flood_is_recorded_in_batches_and_printed_whole(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request is a line of the file and of ``--json``; each batch is one write; only the first are validated."""
    file, writes = tmp_path / "r.jsonl", []
    recording = Recording(file)
    monkeypatch.setattr(recording, "write", lambda lines, write=recording.write: writes.append(write(lines)))
    Feed(recording, as_json=True).receive(400, 200)
    recording.close()
    assert len(writes) == 2
    text = file.read_text(encoding="utf-8")
    assert capfd.readouterr().out == text
    records = [json.loads(line) for line in text.splitlines()]
    assert [record["valid"] for record in records] == [False] * 500 + [None] * 100
    RECORD.validate(records[-1])


@pytest.mark.parametrize("connections, shown", [(8, 10), (9, 1)])
def test_many_senders_do_not_wait_for_bodies_to_be_validated(
    connections: int, shown: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """After each validation there is a pause, unless so few are connected that they can wait."""
    feed = Feed()
    feed.listener._connections = lambda: connections
    feed.listener.clock = itertools.count(0.0, 0.01).__next__
    feed.receive(10)
    assert "".join(capfd.readouterr().out).count("POST") == shown
    assert feed.listener.unshown == 10 - shown


def test_it_listens_outside_the_main_thread(tcop: RunCommand) -> None:
    """Without signals the command still ends by time."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(tcop("listen", "--max-time", "50ms").exit_code))
    thread.start()
    thread.join(_BOUND_S)
    assert codes == [0]


def test_who_has_read_enough_ends_it(start: Start, tcop: RunCommand) -> None:
    """``| head -1``: nobody reads on and nothing is recorded, so there is nothing left to do."""
    listening = start("listen", **branch_coverage.command_environment())
    url = _url(listening)
    assert listening.stdout is not None
    listening.stdout.close()
    tcop("send", CVM, "--to", url, "--attempts", "1")
    assert listening.wait(_BOUND_S) == 0


def test_a_recording_goes_on_when_nobody_reads(start: Start, tcop: RunCommand, tmp_path: Path) -> None:
    """With ``--record`` a closed standard output does not end the command."""
    listening = start("listen", "--record", "r.jsonl", "--count", "2", **branch_coverage.command_environment())
    url = _url(listening)
    assert listening.stdout is not None
    listening.stdout.close()
    for _ in range(2):
        assert tcop("send", CVM, "--to", url, "--attempts", "1").exit_code == 0
    assert listening.wait(_BOUND_S) == 0
    assert len((tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_what_cannot_be_recorded_is_not_acknowledged(start: Start, tcop: RunCommand) -> None:
    """A full disk ends it with exit code 2, and the callback comes again elsewhere."""
    listening = start("listen", "--record", "/dev/full", **branch_coverage.command_environment())
    done = tcop("send", CVM, "--to", _url(listening), "--attempts", "1")
    assert done.exit_code == 1
    _, err = _finish(listening)
    assert listening.returncode == 2
    assert "--record cannot be written: No space left on device" in err


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ("--auth nocolon", "--auth: write USER:PASSWORD, @FILE with it, or set TCOP_MOCK_AUTH"),
        ("--fsync", "--fsync: write --record FILE, too"),
        ("--record /no/such/file", "--record '/no/such/file' cannot be written: No such file or directory"),
        ("--fault rest", "--fault 'rest': unknown fault 'rest'; did you mean 'reset'?"),
        ("--fault-file /no/such", "file '/no/such' cannot be read: No such file or directory"),
        ("--host 203.0.113.1", "cannot listen on 203.0.113.1:0: "),
        ("--port 70000", "Invalid value for '--port': 70000 is not in the range"),
    ],
)
def test_mistakes_are_reported_in_one_line(tcop: RunCommand, arguments: str, complaint: str) -> None:
    """Exit code 2, nothing on standard output."""
    done = tcop("listen", "--quiet", *arguments.split())
    assert done.exit_code == 2
    assert complaint in done.error_message
