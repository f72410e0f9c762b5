"""``send``: callbacks delivered as TCOP does."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from conforming_receivers import SERVERS
from receiver_factories import CREDENTIALS, server_factory, with_userinfo

from tcop_mock.errors import UsageError
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

CVM = "cvm/basic-monitoring"


@pytest.mark.parametrize("call", [f"send {CVM} --to", "replay TCM302/1 --to", "check"], ids=["send", "replay", "check"])
def test_another_machine_is_named_before_it_gets_requests(
    tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A mistyped host would get real requests."""

    def stop(*_arguments: object, **_options: object) -> None:
        raise UsageError("before the first request")

    for module in ("send", "check"):
        monkeypatch.setattr(f"tcop_mock.cli.{module}.open_transport", stop)
    warning = "warning: hooks.example is not this machine: its receiver gets real requests"
    done = tcop(*call.split(), "http://u:p@hooks.example/tcop")
    assert warning in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1] == "tcop-mock: before the first request"
    assert "not this machine" not in tcop(*call.split(), "127.0.0.1:9").stderr


SEED = ("--seed", "7")
NOT_OVERRIDDEN = ("accept", "retry_on", "pauses_s", "retry_after", "answer_cap_bytes", "headers", "redirects")
ASSUMED = (
    "profile 2023; assumed: attempts, accept, retry_on, pauses_s, retry_after, timeout_s, answer_cap_bytes, "
    "headers, redirects (--dry-run prints the texts)\n"
)
SECRETS = {CREDENTIALS.password.reveal(), "p%C3%A4", "7Kq2", CREDENTIALS.token().reveal()}
"""No spelling of the password may show."""


class Recorder:
    """Answers with the statuses in turn, the last one forever, and keeps what it got."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[ReceivedRequest] = []
        self._statuses = statuses

    def __call__(self, request: ReceivedRequest) -> Reply:
        """Take one request."""
        self.received.append(request)
        return Reply(self._statuses[min(len(self.received), len(self._statuses)) - 1])

    def opening(self, path: str = "") -> ReceiverFactory:
        """Return what opens it."""
        return server_factory(lambda: self, path=path)


def test_the_bytes_that_emit_writes_are_delivered(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """The command posts exactly the bytes that emit writes for the same seed and options, as JSON."""
    recorder = Recorder(204)
    url = opened(recorder.opening("/hook?tenant=1"))
    options = ("--state", "resolved", "--lang", "zh", "--set", "alarmStatus=0", "--unset", "alarmObjInfo.region", *SEED)
    done = tcop("send", CVM, "--to", url, *options)
    [request] = recorder.received
    assert request.body.decode() + "\n" == tcop("emit", CVM, *options).stdout
    assert (request.method, request.path) == ("POST", "/hook?tenant=1")
    assert request.header("content-type") == "application/json"
    assert (done.exit_code, done.stderr) == (0, f"seed 7\n{ASSUMED}")
    first, last = done.stdout.splitlines()
    assert first.startswith("attempt 1: acked 204 after ")
    assert last == f"{CVM} resolved to {url}: accepted"


def test_a_lifecycle_is_delivered_in_order(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """Each callback of a life is a delivery of its own, in order."""
    recorder = Recorder(200)
    done = tcop("send", CVM, "--to", opened(recorder.opening()), "--lifecycle", "fire,repeat:2,resolve", "--json")
    assert [json.loads(request.body)["alarmStatus"] for request in recorder.received] == ["1", "1", "1", "0"]
    assert [delivery["accepted"] for delivery in done.document["deliveries"]] == [True] * 4


@pytest.mark.parametrize("body", [b'{"a": "\xe5\x91\x8a"}', b"{", b"\xff\x00", b"x" * 100_000], ids=len)
def test_a_file_is_sent_as_it_is(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path, body: bytes
) -> None:
    """The bytes of a FILE, or of standard input, go out unchanged, whether they are JSON or not."""
    recorder = Recorder(200)
    url = opened(recorder.opening())
    (tmp_path / "body").write_bytes(body)
    from_file = tcop("send", str(tmp_path / "body"), "--to", url)
    from_stdin = tcop("send", "-", "--to", url, stdin=body)
    assert [request.body for request in recorder.received] == [body, body]
    assert (from_file.exit_code, from_stdin.exit_code, from_file.stderr) == (0, 0, ASSUMED)
    assert from_stdin.stdout.endswith(f"standard input to {url}/: accepted\n")


def test_a_refused_callback_is_pushed_again(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A failed push is repeated with the same bytes until it is accepted; each attempt is reported."""
    recorder = Recorder(500, 404, 302, 200)
    done = tcop("send", CVM, "--to", opened(recorder.opening()), "--time-scale", "0")
    assert len({request.body for request in recorder.received}) == 1
    reported = [line.split(" after ")[0] for line in done.stdout.splitlines()]
    assert reported[:4] == [
        "attempt 1: rejected 500",
        "attempt 2: rejected 404",
        "attempt 3: redirected 302",
        "attempt 4: acked 200",
    ]
    assert done.exit_code == 0


@pytest.mark.parametrize("attempts", [None, 1, 2, 6])
def test_attempts_are_bounded(tcop: RunCommand, opened: Callable[[ReceiverFactory], str], attempts: int | None) -> None:
    """A callback that is never accepted is pushed as often as the profile or --attempts says, and the code is 1."""
    recorder = Recorder(503)
    options = () if attempts is None else ("--attempts", str(attempts))
    done = tcop("send", CVM, "--to", opened(recorder.opening()), "--time-scale", "0", *options)
    assert len(recorder.received) == (attempts or 4)
    assert done.stdout.endswith(": not accepted\n")
    assert done.exit_code == 1


def test_one_refused_callback_of_many_makes_1(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """The code is 1 if any of the callbacks was not accepted."""
    url = opened(Recorder(200, 500, 200).opening())
    assert tcop("send", CVM, "--to", url, "--lifecycle", "fire,repeat,resolve", "--attempts", "1").exit_code == 1


def test_pauses_are_scaled(tcop: RunCommand, closed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile's pauses of 1, 2 and 4 s are times --time-scale."""
    slept: list[float] = []
    passing = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await passing(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    tcop("send", CVM, "--to", closed_url, "--time-scale", "2.5")
    assert slept == [2.5, 5.0, 10.0]


def test_the_deadline_is_total(tcop: RunCommand, silent: socket.socket) -> None:
    """An attempt at a receiver that does not answer ends with its --timeout."""
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
    done = tcop("send", CVM, "--to", url, "--timeout", "50ms", "--attempts", "1", "--json")
    [[attempt]] = [delivery["attempts"] for delivery in done.document["deliveries"]]
    assert (attempt["outcome"], attempt["status"], attempt["connected"]) == ("timed_out", None, True)
    assert 0.05 <= attempt["duration_s"] < 5
    assert done.exit_code == 1


def test_json_is_the_documented_document(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """With --json standard output is one document of the fixed form."""
    done = tcop("send", CVM, "--to", opened(Recorder(500, 200).opening()), "--time-scale", "0", "--json", *SEED)
    assert list(done.document) == ["version", "target", "profile", "seed", "assumptions", "probe", "deliveries"]
    assert (done.document["profile"], done.document["seed"], done.document["probe"]) == ("2023", 7, None)
    assert len(done.document["assumptions"]) == 9
    [delivery] = done.document["deliveries"]
    assert (done.document["version"], delivery["accepted"]) == (1, True)
    keys = ["outcome", "status", "started_s", "duration_s", "connected", "bytes", "truncated", "trace"]
    assert [list(attempt) for attempt in delivery["attempts"]] == [keys, keys]
    assert [(attempt["outcome"], attempt["status"]) for attempt in delivery["attempts"]] == [
        ("rejected", 500),
        ("acked", 200),
    ]
    assert (done.exit_code, done.stderr) == (0, f"seed 7\n{ASSUMED}")


def test_a_target_that_refuses_is_reported(tcop: RunCommand, closed_url: str) -> None:
    """A target at which nobody listens is reported per attempt, and the code is 1."""
    done = tcop("send", CVM, "--to", closed_url, "--attempts", "1")
    assert re.match(r"attempt 1: refused after 0\.\d{3} s: .*127\.0\.0\.1", done.stdout)
    assert done.exit_code == 1


def test_a_target_that_does_not_resolve_is_reported(tcop: RunCommand, no_names: str) -> None:
    """A host name that does not resolve is reported per attempt, and the code is 1."""
    done = tcop("send", CVM, "--to", no_names, "--attempts", "1")
    assert re.match(r"attempt 1: dns after 0\.\d{3} s: nosuch does not resolve: Name or service not known", done.stdout)
    assert done.exit_code == 1


def test_credentials_are_sent_and_never_shown(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Userinfo of --to, of @FILE and of TCOP_MOCK_TARGET goes out as a Basic header; no output holds the password."""
    recorder = Recorder(200)
    url = with_userinfo(opened(recorder.opening()), CREDENTIALS)
    (tmp_path / "target").write_text(f"{url}\n", encoding="utf-8")
    done = [tcop("send", CVM, "--to", url, *more) for more in ([], ["--json"], ["--dry-run"], ["--dry-run", "--json"])]
    done.append(tcop("send", CVM, "--to", f"@{tmp_path / 'target'}"))
    monkeypatch.setenv("TCOP_MOCK_TARGET", url)
    done.append(tcop("send", CVM))
    monkeypatch.setenv("TCOP_MOCK_TARGET", f"@{tmp_path / 'target'}")
    done.append(tcop("send", CVM))
    assert [one.exit_code for one in done] == [0] * 7
    assert {request.header("authorization") for request in recorder.received} == {
        f"Basic {CREDENTIALS.token().reveal()}"
    }
    assert len(recorder.received) == 5
    assert [secret for one in done for secret in SECRETS if secret in one.stdout + one.stderr] == []


def test_a_target_without_scheme_is_http(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """HOST:PORT/PATH, the form that TCOP's console takes, is http."""
    recorder = Recorder(200)
    url = opened(recorder.opening("/hook"))
    assert tcop("send", CVM, "--to", url.removeprefix("http://")).stdout.endswith(f"to {url}: accepted\n")


def test_dry_run_sends_nothing(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """--dry-run shows the body, the headers and the rules, with control characters escaped, and sends nothing."""
    recorder = Recorder(200)
    url = opened(recorder.opening())
    done = tcop("send", "-", "--to", url, "--dry-run", "--attempts", "2", "--timeout", "3s", stdin=b'{"a":\x1b}\xff')
    reported = done.stdout.splitlines()
    assert [line.split(":")[1] for line in reported[3:]] == [f" {key}" for key in NOT_OVERRIDDEN]
    assert reported[:3] == [
        f"would POST 8 bytes (standard input) to {url}/",
        "  Content-Type: application/json; at most 2 attempts, 3 s each",
        '  {"a":\\x1b}\\xff',
    ]
    assert (done.exit_code, done.stderr, recorder.received) == (0, "", [])


def test_dry_run_shows_the_whole_body(tcop: RunCommand) -> None:
    """A long body is shown to its end."""
    shown = tcop("send", CVM, "--to", "h", "--dry-run", *SEED).stdout.splitlines()[2]
    assert shown.strip() == tcop("emit", CVM, *SEED).stdout.strip()


def test_dry_run_as_json_delivers_nothing(tcop: RunCommand) -> None:
    """With --json the document has no delivery, and what would be sent is on standard error."""
    done = tcop("send", CVM, "--to", "h", "--dry-run", "--json")
    assert (done.exit_code, done.document["deliveries"]) == (0, [])
    assert "would POST" in done.stderr


def test_insecure_is_loud(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """--insecure says on standard error that no certificate is verified."""
    done = tcop("send", CVM, "--to", opened(SERVERS["answers-200"]), "--insecure", *SEED)
    assert done.stderr == f"seed 7\nwarning: the receiver's certificate is not verified (--insecure)\n{ASSUMED}"


USAGE = "write [http://][USER:PASSWORD@]HOST[:PORT][/PATH]"
REFUSED = {
    "nosuch --to h": ("unknown shape 'nosuch'", "(and 'nosuch' is not a file)"),
    "cvm/basic --to h": ("did you mean 'cvm/basic-monitoring'", "is not a file"),
    ". --to h": ("unknown shape '.'", "is not a file"),
    "- --to h": ("standard input is empty: there is nothing to send",),
    "empty --to h": ("empty is empty: there is nothing to send",),
    "body --to h --state firing": ("a given body is sent as it is", "need an ID"),
    "body --to h --set a=1": ("a given body is sent as it is",),
    "- --to h --lang zh": ("a given body is sent as it is",),
    CVM: ("no target: give --to URL, or set TCOP_MOCK_TARGET",),
    f"{CVM} --to ftp://h/": ("'ftp://h/'", "the scheme must be http or https, not 'ftp'", USAGE),
    f"{CVM} --to http://": ("the host is missing", USAGE),
    f"{CVM} --to http://h:99999/": ("the port must be a number from 1 to 65535", USAGE),
    f"{CVM} --to @": ("target '@' does not name a file; write @FILE",),
    f"{CVM} --to @nosuch": ("file 'nosuch' cannot be read: No such file or directory",),
    f"{CVM} --to @empty": ("target file 'empty' is empty; write the URL into it",),
    f"{CVM} --to @latin": ("target file 'latin' is not UTF-8",),
    f"{CVM} --to h --attempts 0": ("Invalid value for '--attempts'", "--help`"),
    f"{CVM} --to h --timeout 0": ("Invalid value for '--timeout': it must be more than 0",),
    f"{CVM} --to h --timeout 5x": ("'5x' is not a duration; write 500ms, 30s, 10m or bare seconds",),
    f"{CVM} --to h --time-scale -1": ("Invalid value for '--time-scale'",),
    f"{CVM} --to h --time-scale nan": ("--time-scale nan: write a number, as in 0.01",),
    f"{CVM} --to h --time-scale inf": ("Invalid value for '--time-scale'",),
    f"{CVM} --to h --retry-on 5xx,timedout": ("'timedout' is not an outcome; did you mean 'timed_out'", "or none"),
    f"{CVM} --to h --retry-on nil,x": ("'nil' is not an outcome; one of rejected, ",),
    f"{CVM} --to h --pause 1s,soon": ("'soon' is not a duration",),
    f"{CVM} --to h --notify daily": ("'daily' is not single, continuous:TIME or exponential:TIME",),
    f"{CVM} --to h --notify single:5m": ("'single:5m' is not single",),
    f"{CVM} --to h --notify continuous:7m": ("no policy repeats every 7m; one of 5m, 10m, 15m, 30m, 1h, 2h",),
    f"{CVM} --to h --notify single --lifecycle fire,repeat": ("its alarmNotifyType is singleAlarm",),
    f"{CVM} --to h --integration-key k": ("--integration-key goes with --target pagerduty",),
    f"{CVM} --to h --target pagerduty": ("--target pagerduty needs --integration-key KEY, @FILE, or",),
    f"{CVM} --to h --target pagerduty --integration-key @empty": ("integration key file 'empty' is empty",),
    "list --to h --target wecom": ("list is not a JSON object: --target wecom sends callbacks only",),
    "body --to h --target wecom --lang zh --state firing": ("a given body is sent as it is",),
    "text --to h --target wecom": ("text is not a JSON object: --target wecom sends callbacks only",),
    f"{CVM} --to h --metric x": (f"unknown metric 'x' in {CVM}",),
}


@pytest.mark.parametrize("arguments, parts", REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_sent_is_refused(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, arguments: str, parts: tuple[str, ...]
) -> None:
    """A wrong source, target or value gives one line that says what to write, code 2, and nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    for name, text in {"body": "{}", "list": "[]", "text": "x"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "latin").write_bytes(b"http://h\xe4/")
    done = tcop("send", *arguments.split())
    assert [part for part in parts if part not in done.error_message] == []
    assert done.exit_code == 2


@pytest.mark.parametrize("command", [["send", CVM, "--to"], ["check"]])
@pytest.mark.parametrize("where", ["ftp://{}@h/", "http://{}@h:x/", "http://{}@/", "http://{}@h /", "{}@h:0x"])
def test_a_bad_target_does_not_give_its_password_away(tcop: RunCommand, command: list[str], where: str) -> None:
    """The line that refuses a target holds neither user nor password."""
    done = tcop(*command, where.format("alice:s3cr3t"))
    assert done.exit_code == 2
    assert "s3cr3t" not in done.error_message
    assert "alice" not in done.error_message
    assert base64.b64encode(b"alice:s3cr3t").decode() not in done.error_message


def test_a_life_is_reported_with_its_times(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A week of repeats and a second life play at once; each callback has its own times, and is that old."""
    recorder = Recorder(200)
    life = ("--lifecycle", "fire,repeat:10,resolve,fire,resolve", "--notify", "exponential:12h")
    done = tcop("send", CVM, "--to", opened(recorder.opening()), *life, "--json", *SEED)
    bodies = [json.loads(request.body) for request in recorder.received]
    first = datetime.fromisoformat(bodies[0]["firstOccurTime"])
    ages = [
        (datetime.fromisoformat(body["firstOccurTime"]) - first).total_seconds() + int(body["durationTime"])
        for body in bodies
    ]
    assert [one["at_s"] for one in done.document["deliveries"]] == ages
    assert ages[:5] == [0, 43_200, 129_600, 216_000, 302_400]
    assert ages == sorted(ages)
    assert len({body["sessionId"] for body in bodies}) == len(bodies) == 14
    assert [one["name"] for one in done.document["deliveries"]][-2:] == [f"{CVM} firing", f"{CVM} resolved"]


def test_what_the_profile_assumes_can_be_said_otherwise(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """--retry-on, --pause, --accept, --attempts and --timeout replace assumptions, which are shown no more."""
    recorder = Recorder(404, 503, 202, 200)
    url = opened(recorder.opening())
    rules = (
        "--retry-on",
        "5xx",
        "--pause",
        "0s,1ms",
        "--attempts",
        "9",
        "--timeout",
        "9s",
        "--accept",
        "200",
        "--retry-after",
        "honoured",
        "--json",
    )
    outcomes = []
    for _ in range(3):
        [delivery] = tcop("send", CVM, "--to", url, *rules).document["deliveries"]
        outcomes.append([attempt["status"] for attempt in delivery["attempts"]])
    assert outcomes == [[404], [503, 202], [200]]
    reported = tcop("send", CVM, "--to", url, *rules).document["assumptions"]
    assert not [text for text in reported if "pushed again" in text or "pauses" in text or "POSTs" in text]
    assert len(reported) == 3
    done = tcop("send", CVM, "--to", url, "--retry-on", "none")
    assert "retry_on" not in done.stderr


def test_a_url_is_verified_before_it_is_pushed_to(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """In profile 2021-verify a probe comes first; nothing is pushed unless it gets exactly 200."""
    recorder = Recorder(200, 500, 200, 202, 200)
    url = opened(recorder.opening())
    done = tcop("send", CVM, "--to", url, "--profile", "2021-verify", "--time-scale", "0")
    assert [request.body == b"{}" for request in recorder.received] == [True, False, False]
    assert [line.split(" after ")[0] for line in done.stdout.splitlines()] == [
        "attempt 1: acked 200",
        f"URL verification to {url}/: accepted",
        "attempt 1: rejected 500",
        "attempt 2: acked 200",
        f"{CVM} firing to {url}/: accepted",
    ]
    refused = tcop("send", CVM, "--to", url, "--profile", "2021-verify", "--json")
    assert (refused.exit_code, refused.document["deliveries"]) == (1, [])
    assert refused.document["probe"]["accepted"] is False
    assert "the response to the URL verification is not 200, so TCOP would send nothing: stopped" in refused.stderr
    shown = tcop("send", CVM, "--to", url, "--profile", "2021-verify", "--dry-run")
    assert shown.stdout.startswith(f"would first POST 2 bytes (URL verification) to {url}/, once\n")
    assert len(recorder.received) == 4
    assert tcop("send", CVM, "--to", url, "--profile", "2021-verify", "--no-verify").exit_code == 0
    assert len(recorder.received) == 5


KEY = "0123456789abcdef0123456789ABCDEF"


def test_pagerduty_gets_events(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A life is triggers and a resolve of one dedup_key; the integration key is in them and in no output."""
    recorder = Recorder(202)
    target = ("--to", opened(recorder.opening("/v2/enqueue")), "--target", "pagerduty")
    life = ("--lifecycle", "fire,repeat,resolve", "--seed", "7")
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    done = [
        tcop("send", CVM, *target, *life, "--integration-key", f"@{tmp_path / 'key'}", *more)
        for more in ([], ["--dry-run"])
    ]
    monkeypatch.setenv("TCOP_MOCK_INTEGRATION_KEY", KEY)
    (tmp_path / "body").write_bytes(tcop("emit", CVM, "--seed", "7").stdout.encode())
    done.append(tcop("send", str(tmp_path / "body"), *target, "--json"))
    assert [one.exit_code for one in done] == [0, 0, 0]
    assert [one for one in done if KEY in one.stdout + one.stderr] == []
    assert '"routing_key":"***"' in done[1].stdout
    events = [json.loads(request.body) for request in recorder.received]
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve", "trigger"]
    assert len({event["dedup_key"] for event in events}) == 1
    assert {event["routing_key"] for event in events} == {KEY}
    assert "assumed: pagerduty: texts, severity" in done[1].stdout


def test_wecom_gets_messages_and_says_what_it_thinks_of_them(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """A robot's 200 with an errcode is a failed push; its key is shown nowhere; messages are in either language."""
    received: list[ReceivedRequest] = []

    def robot(request: ReceivedRequest) -> Reply:
        received.append(request)
        return Reply(200, b'{"errcode":%d,"errmsg":"?"}' % (45009 if len(received) == 1 else 0))

    url = opened(server_factory(lambda: robot, path="/cgi-bin/webhook/send?debug=1&key=693a91f6-7xxx"))
    done = tcop("send", CVM, "--to", url, "--target", "wecom", "--time-scale", "0", *SEED)
    assert [line.split(" after ")[0] for line in done.stdout.splitlines()][:2] == [
        "attempt 1: rejected 200",
        "attempt 2: acked 200",
    ]
    assert ": the robot answers errcode 45009" in done.stdout
    assert done.stdout.endswith("/cgi-bin/webhook/send?debug=1&key=***: accepted\n")
    body = tcop("emit", CVM, *SEED).stdout.encode()
    chinese = tcop("send", "-", "--to", url, "--target", "wecom", "--lang", "zh", "--json", stdin=body)
    assert chinese.exit_code == 0
    assert "693a91f6" not in done.stdout + done.stderr + chinese.stdout + chinese.stderr
    english, _, zh = (json.loads(request.body)["markdown"]["content"] for request in received)
    assert '<font color="warning">Alarm triggered</font>' in english
    assert "告警触发" in zh


def test_more_messages_than_a_minute_bears_wait_for_their_turn(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long is reported before it is waited."""
    waited_s: list[float] = []

    async def sleep(pause_s: float) -> None:
        waited_s.append(pause_s)

    url = opened(SERVERS["answers-200"])
    monkeypatch.setattr("tcop_mock.cli.send.asyncio.sleep", sleep)
    done = tcop("send", CVM, "--to", url, "--lifecycle", "fire,resolve", "--pace", "1/min")
    assert done.exit_code == 0
    assert "waiting 60 s: at most 1/min (--pace)\n" in done.stderr
    assert 59.0 < max(waited_s) <= 60.0


def test_none_lifts_the_pace_of_a_robot(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeCom's 20 messages a minute are a default: ``--pace none`` sends 22 without a wait, 2/s waits half a second."""
    waited_s: list[float] = []

    async def sleep(pause_s: float) -> None:
        waited_s.append(pause_s)

    url = opened(SERVERS["answers-200"])
    monkeypatch.setattr("tcop_mock.cli.send.asyncio.sleep", sleep)
    call = ("send", CVM, "--to", url, "--target", "wecom", "--accept", "2xx", "--lifecycle", "fire,repeat:20,resolve")
    assert tcop(*call, "--notify", "continuous:5m", "--pace", "none").exit_code == 0
    assert not any(waited_s)
    done = tcop(*call, "--notify", "continuous:5m")
    assert "at most 20/min (--pace)" in done.stderr
    assert 50.0 < max(waited_s) <= 60.0


def test_an_interrupted_run_reports_what_was_delivered(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two callbacks: the document has the first, and the code is 130."""
    recorder = Recorder(200)
    url = opened(recorder.opening())

    passing = asyncio.sleep

    async def interrupted(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():  # the receiver has a thread of its own
            raise KeyboardInterrupt
        await passing(seconds)

    monkeypatch.setattr(asyncio, "sleep", interrupted)
    done = tcop("send", CVM, "--to", url, "--lifecycle", "fire,resolve", "--time-scale", "1", "--json")
    assert done.exit_code == 130
    assert [one["name"] for one in json.loads(done.stdout)["deliveries"]] == [f"{CVM} firing"]
