"""``replay``: recorded requests are sent again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from mutant_receivers import MUTANTS
from receiver_factories import CREDENTIALS, server_factory

from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

CVM = "cvm/basic-monitoring"


class Keeper:
    """Takes everything and keeps it."""

    def __init__(self, opened: Callable[[ReceiverFactory], str], *, guarded: bool = False) -> None:
        self.received: list[ReceivedRequest] = []
        self.url = opened(server_factory(lambda: self, CREDENTIALS if guarded else None))

    def __call__(self, request: ReceivedRequest) -> Reply:
        """Take one request."""
        self.received.append(request)
        return Reply(200)

    @property
    def bodies(self) -> list[bytes]:
        """Return the received bodies."""
        return [request.body for request in self.received]


def _record(method: str, body: str, second: int) -> str:
    received = f"2026-11-23T22:31:{second:02d}+00:00"
    rest = {"path": "/", "headers": [["x-team", "sre"]], "auth": "none", "as": "webhook"}
    return json.dumps({"version": 1, "received": received, "method": method, "body": body, **rest})


def test_a_recording_is_sent_byte_for_byte(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path
) -> None:
    """Requests keep order, methods and headers, and get the credentials of the new target."""
    file, keeper = tmp_path / "r.jsonl", Keeper(opened, guarded=True)
    lines = [_record("POST", '{ "a" : 1 }', 0), _record("PUT", "no json", 1)]
    file.write_text("\n".join(lines) + '\n{"torn', encoding="utf-8")
    done = tcop("replay", str(file), "--to", keeper.url)
    assert done.exit_code == 0
    assert [(one.method, one.body) for one in keeper.received] == [("POST", b'{ "a" : 1 }'), ("PUT", b"no json")]
    token = CREDENTIALS.token().reveal()
    assert {(one.header("x-team"), one.header("authorization")) for one in keeper.received} == {
        ("sre", f"Basic {token}")
    }
    assert f"warning: {file}: line 3 is torn" in done.stderr
    assert f"{file} line 1 to " in done.stdout
    assert token not in done.stdout + done.stderr


def test_gaps_are_kept_at_the_scale_that_is_asked_for(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path
) -> None:
    """The document says when each was reported, in seconds after the first."""
    file, keeper = tmp_path / "r.jsonl", Keeper(opened)
    file.write_text("\n".join(_record("POST", "{}", second) for second in (0, 30, 10)), encoding="utf-8")
    done = tcop("replay", str(file), "--to", keeper.url, "--json", "--time-scale", "0.001")
    assert [row["at_s"] for row in done.document["deliveries"]] == [0.0, 30.0, 10.0]


def test_what_check_found_is_sent_again(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path
) -> None:
    """A report's findings, and a case of a clause: the bytes that broke the receiver, by the same seed."""
    seen: list[bytes] = []

    def breaks(request: ReceivedRequest) -> Reply:
        seen.append(request.body)
        return Reply(500 if b'"recoverTime":0,' in request.body or b'"recoverTime":0}' in request.body else 200)

    report = tmp_path / "report.json"
    broken, keeper = opened(server_factory(lambda: breaks)), Keeper(opened)
    judged = ("check", broken, "--clauses", "TCM302", "--seed", "7", "--report", f"json={report}", "--quiet")
    assert tcop(*judged).exit_code == 1
    assert tcop("replay", str(report), "--to", keeper.url, "--quiet").exit_code == 0
    assert keeper.bodies[0] in seen
    assert b'"recoverTime":0' in keeper.bodies[0]
    done = tcop("replay", "TCM302/2", "--to", keeper.url, "--seed", "7", "--quiet")
    assert done.stdout.splitlines()[1].startswith("TCM302 recoverTime 0 (a number) while firing to http://")
    assert keeper.bodies[-1] in seen
    assert tcop("replay", "tcm302", "--to", broken, "--seed", "7", "--attempts", "1", "--quiet").exit_code == 1


UNREAD = {
    "a log": b"2026-11-30 14:00:00 INFO Authorization: Bearer SECRET body={}\n",
    "HTTPie": b"http POST http://h/ Authorization:SECRET\n",
    "a head alone": b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    "a form of another site": b"curl http://h/login -d 'user=a&password=SECRET'",
    "a report without requests": b'{"version": 1, "clauses": [{"code": "TCM302", "findings": '
    b'[{"title": "t", "reproduce": {"curl": "curl h -d {}"}}]}]}',
}


@pytest.mark.parametrize("text", UNREAD.values(), ids=UNREAD)
def test_what_is_not_recognised_is_not_sent(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], text: bytes
) -> None:
    """Exit code 2 and one line without the secret; nothing reaches the receiver."""
    keeper = Keeper(opened)
    done = tcop("replay", "-", "--to", keeper.url, stdin=text)
    assert done.exit_code == 2
    assert "SECRET" not in done.stderr
    assert done.error_message.startswith("-: ")
    assert keeper.received == []


def test_parts_that_are_not_sent_are_reported(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A line each, up to twenty, then their number."""
    keeper = Keeper(opened)
    done = tcop("replay", "-", "--to", keeper.url, stdin=b"{}\n" + b"no json\n" * 25)
    assert done.exit_code == 0
    assert keeper.bodies == [b"{}"]
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings[0] == "warning: -: line 2 is not JSON, and was left out"
    assert warnings[-1] == "warning: -: 5 more warnings are not shown"
    assert len(warnings) == 21


def test_a_callback_inside_of_another_document_is_named(tcop: RunCommand) -> None:
    """The document is sent whole, and the warning says which part of it is the callback; one alone has no warning."""
    text = b'{"alarmObjInfo": {}, "alarmPolicyInfo": {}}\n{"msg": {"alarmObjInfo": {}, "alarmPolicyInfo": {}}}\n'
    done = tcop("replay", "-", "--to", "http://127.0.0.1:1/", "--dry-run", stdin=text)
    assert done.exit_code == 0
    assert [line for line in done.stderr.splitlines() if line.startswith("warning: ")] == [
        "warning: -: line 2: 'msg' holds an alarm callback; the whole body is sent, so cut out the callback"
    ]
    single = tcop("replay", "-", "--to", "http://127.0.0.1:1/", "--dry-run", stdin=text.splitlines()[1])
    assert "warning: -: 'msg' holds an alarm callback;" in single.stderr


def test_a_dry_run_names_long_pauses_and_times_that_stay(tcop: RunCommand) -> None:
    """With --time-scale 1 a recording takes as long as it took; years beyond 9999 cannot be written."""
    bodies = [json.dumps({"firstOccurTime": time}) for time in ("2026-01-30 06:00:00", "9999-12-31 23:59:59")]
    times = ("2026-01-30T06:00:00Z", "2026-11-30T06:00:00")
    entries = [
        {
            "startedDateTime": time,
            "request": {"method": "POST", "url": "x", "postData": {"mimeType": "application/json", "text": body}},
        }
        for time, body in zip(times, bodies, strict=True)
    ]
    har = json.dumps({"log": {"entries": entries}}).encode()
    done = tcop("replay", "-", "--to", "h", "--dry-run", "--time-scale", "1", "--now", stdin=har)
    assert done.exit_code == 0
    assert "warning: -: the last request is sent 304 days, 0:00:00 after the first" in done.stderr
    assert "warning: -: times that cannot be shifted stay as they are: 1 (--now)" in done.stderr
    assert "304 days" not in tcop("replay", "-", "--to", "h", "--dry-run", stdin=har).stderr


def test_a_dry_run_shows_no_secret_header(tcop: RunCommand) -> None:
    """Neither those of the file, which are not sent, nor those that are given."""
    curl = b"curl h -H 'X-Auth-Token: SECRET' -H 'X-Team: sre' -d '{}'"
    done = tcop("replay", "-", "--to", "h", "--dry-run", "--header", "X-Api-Key: SECRET", stdin=curl)
    assert "SECRET" not in done.stdout + done.stderr
    assert "X-Api-Key: ***; X-Team: sre" in done.stdout
    assert "headers that hold secrets are not sent: x-auth-token" in done.stderr


def test_a_case_shows_the_credentials_of_its_offer(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """None for none; what is shown in the clear is masked."""
    keeper = Keeper(opened, guarded=True)
    tcop("replay", "TCM201", "--to", keeper.url)
    tcop("replay", "TCM202/1", "--to", keeper.url)
    none, wrong = keeper.received
    assert none.header("authorization") == ""
    assert wrong.header("authorization") not in ("", f"Basic {CREDENTIALS.token().reveal()}")


def test_a_case_on_a_connection_is_sent_after_the_one_that_opens_it(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """The exit code follows from the case alone: what prepares it may be rejected."""
    keeper = Keeper(opened)
    done = tcop("replay", "TCM110/4", "--to", keeper.url, "--seed", "7", "--quiet")
    assert [body[:20] for body in keeper.bodies] == [b'{"sessionId":"broken', keeper.bodies[1][:20]]
    assert done.exit_code == 0
    broken = opened(MUTANTS["TCM110-leaves-rejected-bodies-unread"])
    assert tcop("replay", "TCM110/4", "--to", broken, "--seed", "7", "--quiet").exit_code == 1


def test_a_case_is_sent_without_the_verification_of_the_url(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """Check sends none before it either, and a receiver that refuses it would get nothing else."""
    keeper = Keeper(opened)
    done = tcop("replay", "TCM107/1", "--to", keeper.url, "--profile", "2021-verify", "--seed", "7", "--dry-run")
    assert "URL verification" not in done.stdout
    assert "assumed: probe" not in done.stdout
    tcop("replay", "TCM107/1", "--to", keeper.url, "--profile", "2021-verify", "--seed", "7")
    assert len(keeper.received) == 1


@pytest.mark.parametrize("case", ["TCM407", "TCM515/2", "TCM501", "TCM501/1"])
def test_a_clause_that_needs_requests_together_is_left_to_check(tcop: RunCommand, case: str) -> None:
    """One request after the other would be answered well by a receiver that breaks the clause."""
    done = tcop("replay", case, "--to", "127.0.0.1:9")
    assert done.exit_code == 2
    assert done.error_message == (
        f"requests of {case[:6]} show nothing one by one; run `tcop-mock check TARGET --clauses {case[:6]}`"
    )


def test_bodies_are_retimed_and_edited(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A body from standard input is changed by --set first, then by --now."""
    keeper = Keeper(opened)
    body = tcop("emit", CVM, "--seed", "7").stdout.encode()
    asked = ("--now", "--set", 'alarmPolicyInfo.policyName="other"', "--unset", "alarmObjInfo.region")
    assert tcop("replay", "-", "--to", keeper.url, *asked, stdin=body).exit_code == 0
    [sent] = map(json.loads, keeper.bodies)
    was = json.loads(body)
    assert sent["alarmPolicyInfo"]["policyName"] == "other"
    assert "region" not in sent["alarmObjInfo"]
    assert sent["firstOccurTime"] > was["firstOccurTime"]
    assert sent["sessionId"] == was["sessionId"]


@pytest.mark.parametrize(
    "arguments, stdin, complaint",
    [
        ("TCM302/99 --to h", b"", "TCM302 has 7 cases; write TCM302/1 to TCM302/7"),
        ("TCM999 --to h", b"", "unknown clause 'TCM999'"),
        ("no-such-file --to h", b"", "file 'no-such-file' cannot be read: No such file or directory"),
        ("- --to h", b"", "-: there is nothing to replay: the file is empty"),
        ("- --to h --set a=1", b"[]", "- is not a JSON object: --set and --unset change values by path"),
        ("- --to h --set a", b"{}", "--set 'a': write PATH=JSON"),
        ("- --to h --set b.c=1", b'{"a":1}', "unknown path 'b.c' in the body"),
        ("-", b"{}", "no target: give --to URL"),
    ],
)
def test_mistakes_are_reported_in_one_line(tcop: RunCommand, arguments: str, stdin: bytes, complaint: str) -> None:
    """Exit code 2, and nothing was sent."""
    done = tcop("replay", *arguments.split(), "--quiet", stdin=stdin)
    assert done.exit_code == 2
    assert complaint in done.error_message
