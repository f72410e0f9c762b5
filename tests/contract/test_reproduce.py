"""The commands of a finding run, and send the same request."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from verdict_samples import FAILED, FINDING, make_verdict

from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.findings import evidence
from tcop_mock.contract.reproduce import (
    Flag,
    ReproductionContext,
    check_command,
    curl_command,
    curl_commands,
    replay_command,
    shown_cases,
)
from tcop_mock.domain.contract import CaseGroup, ClauseTest, CredentialVariant, RequestCase, SendOrder
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.domain.verdict import ReproducedRequest
from tcop_mock.inputs.documents import parse_request
from tcop_mock.inputs.reader import read_inputs
from tcop_mock.inputs.requests import InputRequest
from tcop_mock.reports.json import check_document, json_text

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target.parse("http://127.0.0.1:9/hook?a=1&b=it's")
GUARDED = Target.parse("http://alice:s3cr3t%40home@127.0.0.1:9/hook")
FAKE_CURL = """#!{python}
import json, os, sys
raw = sys.argv.index("--data-raw") + 1 if "--data-raw" in sys.argv else 0
body = os.fsencode(sys.argv[raw]) if raw else sys.stdin.buffer.read() if "@-" in sys.argv else b""
json.dump({{"arguments": sys.argv[1:], "body": body.hex()}}, open({out!r}, "w"))
"""
BODIES = {
    "compact JSON": b'{"alarmStatus":"1"}',
    "Chinese and emoji": '{"name":"核心交易 🚨"}'.encode(),
    "quotes, dollars and backticks": b'{"a":"$(reboot) `id` \\" it\'s $HOME \\\\n"}',
    "lines": b'{\n "a": 1\n}',
    "the end mark": b'"TCOP_BODY\nTCOP_BODY"',
    "a bidi override": '{"a":"\u202ex"}'.encode(),
    "control characters": b'{"a":"\x00\x01\x7f\r"}',
    "not UTF-8": b'{"a":"\xff\xfe"}',
    "a percent sign and a backslash that are no UTF-8": b"%s\\\xff",
    "a mebibyte": b'{"extension":"' + b"0123456789abcdef" * 65_535 + b'"}',
    "nothing": b"",
}


def _run(command: str, folder: Path) -> dict[str, Any]:
    """Run a command in bash with a fake curl that records its arguments and input."""
    out = folder / "seen.json"
    fake = folder / "curl"
    fake.write_text(FAKE_CURL.format(python=sys.executable, out=str(out)))
    fake.chmod(0o755)
    env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "TCOP_USER": "alice", "TCOP_PASSWORD": "s3cr3t@home"}
    subprocess.run(["bash", "-c", command], env=env, check=True, timeout=30)  # noqa: S603 - our own command
    seen: dict[str, Any] = json.loads(out.read_text())
    return seen


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_curl_line_sends_the_same_body(body: bytes, tmp_path: Path) -> None:
    """The command passes the case's bytes, the URL and the headers to curl."""
    line = curl_command(RequestCase("x", OutgoingRequest(body)), TARGET)
    seen = _run(line, tmp_path)
    assert bytes.fromhex(seen["body"]) == body
    assert len(line) < 12_000
    assert TARGET.url in seen["arguments"]
    assert "Content-Type: application/json" in seen["arguments"]


def test_other_methods_are_sent_without_a_body(tmp_path: Path) -> None:
    """A GET is sent as GET, without data."""
    seen = _run(curl_command(RequestCase("x", OutgoingRequest(b"", method="GET", headers=())), TARGET), tmp_path)
    assert seen["arguments"] == ["-sS", "-i", "-X", "GET", TARGET.url]


def test_a_query_and_chunks_are_sent_as_the_case_has_them(tmp_path: Path) -> None:
    """The query is appended to the target's query; curl chunks the body if a header asks for it."""
    seen = _run(
        curl_command(RequestCase("x", OutgoingRequest(b"{}", query="from=tcop", chunked=True)), TARGET), tmp_path
    )
    assert f"{TARGET.url}&from=tcop" in seen["arguments"]
    assert "Transfer-Encoding: chunked" in seen["arguments"]


def test_a_secret_in_the_query_is_not_shown() -> None:
    """A token in the URL is a credential: the commands take it from the environment, or leave it to the reader."""
    target = Target.parse("http://127.0.0.1:9/hook?token=s3cret&a=1")
    case = RequestCase("x", OutgoingRequest(b"{}", query="from=tcop"))
    context = ReproductionContext(find_clause(load_clauses(), "TCM302"), target, 1, "2023")
    curl = curl_commands([case], context)
    assert curl.startswith("# write the secret of the URL in place of ***\ncurl ")
    assert "'http://127.0.0.1:9/hook?token=***&a=1&from=tcop'" in curl
    assert check_command(context).startswith('tcop-mock check "$TCOP_MOCK_TARGET" --clauses TCM302')


@pytest.mark.parametrize(
    "offer, shown",
    [
        (CredentialVariant.RIGHT, "alice:s3cr3t@home"),
        (CredentialVariant.WRONG_USER, "tcop-mock-stranger:s3cr3t@home"),
        (CredentialVariant.WRONG_PASSWORD, "alice:tcop-mock-wrong"),
        (CredentialVariant.EMPTY_PASSWORD, "alice:"),
        (CredentialVariant.NONE, None),
    ],
)
def test_credentials_come_from_the_environment(offer: CredentialVariant, shown: str | None, tmp_path: Path) -> None:
    """The line contains no credentials; bash inserts the case's variant when it runs."""
    case = RequestCase("x", OutgoingRequest(b"{}", credentials=GUARDED.credentials), credential_variant=offer)
    line = curl_command(case, GUARDED)
    assert "s3cr3t" not in line
    assert "alice" not in line
    arguments = _run(line, tmp_path)["arguments"]
    assert (arguments[arguments.index("-u") + 1] if shown else None) == shown
    assert ("-u" in arguments) is (shown is not None)


def test_our_own_line_names_clause_seed_and_profile() -> None:
    """The second command checks the one clause with the same seed, quoted for a shell."""
    clause = find_clause(load_clauses(), "TCM302")
    words = shlex.split(check_command(ReproductionContext(clause, TARGET, 7, "2023", ("my shapes",))))
    flags = ["--clauses", "TCM302", "--seed", "7", "--profile", "2023", "--catalog", "my shapes"]
    assert words == ["tcop-mock", "check", TARGET.url, *flags]
    assert '"$TCOP_MOCK_TARGET"' in check_command(ReproductionContext(clause, GUARDED, 7, "2023"))


FLAGS = (
    Flag("--insecure"),
    Flag("--pace", "300/min"),
    Flag("--observe-call", "state of 'it':look", observes_effects=True),
    Flag("--effect-timeout", "2s", observes_effects=True),
)


def test_our_own_line_has_the_flags_that_the_clause_needs() -> None:
    """Connection flags are always included; observer flags only for clauses about effects."""
    clauses = load_clauses()
    for code, flags in {
        "TCM302": ["--insecure", "--pace", "300/min"],
        "TCM505": ["--insecure", "--pace", "300/min", "--observe-call", "state of 'it':look", "--effect-timeout", "2s"],
    }.items():
        words = shlex.split(
            check_command(ReproductionContext(find_clause(clauses, code), TARGET, 7, "2023", flags=FLAGS))
        )
        assert words[words.index("2023") + 1 :] == flags


@pytest.mark.parametrize(
    "flag",
    [
        Flag("--observe-url", "http://u:s3cret@127.0.0.1/state", observes_effects=True),
        Flag("--observe-url", "http://127.0.0.1/state?token=s3cret", observes_effects=True),
        Flag("--observe-url", "http://127.0.0.1/state?of={token}&api_key=s3cret", observes_effects=True),
        Flag("--observe-cmd", "curl -H 'X-Key: s3cret' http://127.0.0.1/state", observes_effects=True),
        Flag("--restart-cmd", "systemctl restart alarms-s3cret", observes_effects=True),
    ],
)
def test_a_flag_that_holds_a_secret_is_left_to_the_environment(flag: Flag) -> None:
    """Secrets are taken from a variable named like the flag."""
    line = check_command(ReproductionContext(find_clause(load_clauses(), "TCM505"), TARGET, 7, "2023", flags=(flag,)))
    assert "s3cret" not in line
    assert line.endswith(f' {flag.name} "${flag.name[2:].replace("-", "_").upper()}"')


@pytest.mark.parametrize("query", ["", "?of={token}", "?of={token}&also={token}"])
def test_a_url_that_holds_no_secret_is_shown(query: str) -> None:
    """Only the flags of the clause are included."""
    flag = Flag("--observe-url", f"http://127.0.0.1:8080/state/{{token}}{query}", observes_effects=True)
    words = shlex.split(
        check_command(ReproductionContext(find_clause(load_clauses(), "TCM505"), TARGET, 7, "2023", flags=(flag,)))
    )
    assert words[-2:] == [flag.name, flag.value]


@pytest.mark.parametrize(
    "target, flags, comment",
    [
        ("app:app/hook", (), "# curl needs a server: http://127.0.0.1:8000 is where you may serve the app"),
        (str(TARGET), (Flag("--run", "go run ."),), "# curl needs a server: start the receiver at port 9"),
    ],
)
def test_a_comment_says_that_nothing_listens(
    tmp_path: Path, target: str, flags: tuple[Flag, ...], comment: str
) -> None:
    """An app has no address, and the receiver of --run has ended; a shell and ``replay`` take the comment."""
    context = ReproductionContext(find_clause(load_clauses(), "TCM302"), Target.parse(target), 7, "2023", flags=flags)
    first, command = (text := curl_commands([ONE], context)).split("\n", 1)
    assert first == comment
    assert command == curl_command(ONE, context.target)
    assert bytes.fromhex(_run(text, tmp_path)["body"]) == ONE.request.body
    [item] = read_inputs(io.BytesIO(text.encode()), "x")
    assert isinstance(item, InputRequest)
    assert item.body == ONE.request.body


def test_a_receiver_that_listens_needs_no_comment() -> None:
    """Several cases are one command each; more than a few, or one that curl cannot send, are none."""
    context = ReproductionContext(find_clause(load_clauses(), "TCM302"), TARGET, 7, "2023")
    assert curl_commands([ONE, ONE], context) == "\n".join([curl_command(ONE, TARGET)] * 2)
    cut = replace(ONE, request=replace(ONE.request, truncate_at=1))
    assert [curl_commands(cases, context) for cases in ([], [ONE] * 5, [ONE, cut])] == ["", "", ""]


def test_a_certificate_that_is_not_verified_is_not_verified_again(tmp_path: Path) -> None:
    """Neither curl nor a replay sends them."""
    assert _run(curl_command(ONE, TARGET, insecure=True), tmp_path)["arguments"][:3] == ["-sS", "-i", "-k"]
    source = ReproductionContext(
        find_clause(load_clauses(), "TCM302"), TARGET, 7, "2023", test=ClauseTest((CaseGroup((ONE,)),)), flags=FLAGS
    )
    assert replay_command(ONE, source).endswith(" --insecure")


ONE, OTHER = RequestCase("one", OutgoingRequest(b"1")), RequestCase("other", OutgoingRequest(b"2"))
SILENT = RequestCase("only prepares", OutgoingRequest(b""), is_asserted=False)
REUSING = RequestCase("reuses", OutgoingRequest(b"", reuse_connection=True))


def test_a_case_that_shows_it_alone_is_named_to_replay() -> None:
    """The command has replay's case number; the target of a receiver with credentials comes from the environment."""
    source = ReproductionContext(
        find_clause(load_clauses(), "TCM302"),
        TARGET,
        7,
        "2023",
        ("my shapes",),
        ClauseTest((CaseGroup((ONE,)), CaseGroup((OTHER,)))),
    )
    words = shlex.split(replay_command(OTHER, source))
    flags = ["--attempts", "1", "--seed", "7", "--profile", "2023", "--catalog", "my shapes"]
    assert words == ["tcop-mock", "replay", "TCM302/2", "--to", TARGET.url, *flags]
    assert ' --to "$TCOP_MOCK_TARGET" ' in replay_command(ONE, source._replace(target=GUARDED))


@pytest.mark.parametrize(
    "case, play",
    [
        (ONE, None),
        (OTHER, ClauseTest((CaseGroup((ONE,)),))),
        (ONE, ClauseTest((CaseGroup((ONE,)),), send_order=SendOrder.BURST)),
        (ONE, ClauseTest((CaseGroup((ONE,)),), send_order=SendOrder.SEQUENTIAL)),
        (ONE, ClauseTest((CaseGroup((ONE,), background=OTHER),))),
        (REUSING, ClauseTest((CaseGroup((REUSING,)),))),
    ],
    ids=["unknown", "of another clause", "burst", "in turn", "beside another", "on a connection"],
)
def test_what_requests_in_turn_do_not_show_is_not_replayed(case: RequestCase, play: ClauseTest | None) -> None:
    """A finding that depends on requests that are in flight with it has no replay."""
    assert (
        replay_command(case, ReproductionContext(find_clause(load_clauses(), "TCM302"), TARGET, 7, "2023", test=play))
        == ""
    )


@pytest.mark.parametrize(
    "request_",
    [
        OutgoingRequest('{"名":"\u202e"}'.encode()),
        OutgoingRequest(b"\xff\x00", method="PUT", headers=(("X-Tag", "1"),), chunked=True, segment_sizes=(1, 1)),
        OutgoingRequest(b"", query="a=1", keep_alive=True, reuse_connection=True),
        OutgoingRequest(b"[" * 10_000, truncate_at=5_000),
    ],
)
def test_a_report_holds_the_requests_of_its_findings(request_: OutgoingRequest) -> None:
    """Any body, method, header, framing and cut is read back from a JSON report; a secret header is not in it."""
    shown = replace(request_, headers=(*request_.headers, ("Authorization", "Bearer s3cr3t")))
    reproduced = ReproducedRequest(
        "http://127.0.0.1:9/hook?a=b", shown, CredentialVariant.WRONG_USER, is_asserted=False
    )
    finding = replace(FINDING, reproduction=replace(FINDING.reproduction, requests=(reproduced,)))
    text = json_text(check_document(make_verdict(replace(FAILED, findings=(finding,)))))
    [document] = json.loads(text)["clauses"][0]["findings"][0]["reproduce"]["requests"]
    assert parse_request(document) == replace(reproduced, request=request_)
    assert "s3cr3t" not in text


@pytest.mark.parametrize(
    "request_",
    [
        OutgoingRequest(b"{}", truncate_at=1),
        OutgoingRequest(b"{}", segment_sizes=(1,)),
        OutgoingRequest(b"{}", chunked=True, segment_sizes=(1,)),
        OutgoingRequest(b"{}", keep_alive=True),
        OutgoingRequest(b"{}", reuse_connection=True),
        OutgoingRequest(b"{}", hang_up_after_s=0.1),
    ],
)
def test_what_curl_cannot_send_has_no_curl_line(request_: OutgoingRequest) -> None:
    """The line would send another request and show nothing."""
    assert curl_command(RequestCase("x", request_), TARGET) == ""


def test_curl_does_not_wait_for_the_body_of_a_response_to_head() -> None:
    """A HEAD is asked for by its own flag."""
    assert curl_command(RequestCase("x", OutgoingRequest(b"", method="HEAD", headers=())), TARGET) == (
        f"curl -sS -i --head {shlex.quote(TARGET.url)}"
    )


ANSWERED = Attempt(Outcome.ACKED, 0.0, 0.0, 0.0, status=200)


@pytest.mark.parametrize(
    "request_, expected",
    [
        (
            OutgoingRequest(b"abcd", truncate_at=2),
            ["> ab", "> (2 of 4 bytes of the body were sent; then the sender closed its side)"],
        ),
        (
            OutgoingRequest(b"abcd", truncate_at=4, headers=(("Content-Length", "9"),)),
            ["> abcd", "> (4 of 9 bytes of the body were sent; then the sender closed its side)"],
        ),
        (
            OutgoingRequest(b"abcd", segment_sizes=(9,)),
            ["> (the body was sent in a segment of its own, after the head)"],
        ),
        (
            OutgoingRequest(b"abcd", segment_sizes=(2,)),
            ["> (the body was sent in 2 segments of 2 bytes, after the head)"],
        ),
        (OutgoingRequest(b"abcd", segment_sizes=(1, 9)), ["> (the body was sent in 2 segments, after the head)"]),
        (OutgoingRequest(b"abcd", chunked=True), ["> (the body was sent in 1 chunk)"]),
        (OutgoingRequest(b"abcd", chunked=True, segment_sizes=(1,)), ["> (the body was sent in 4 chunks of 1 bytes)"]),
        (OutgoingRequest(b"abcd", keep_alive=True), ["> Connection: keep-alive"]),
        (OutgoingRequest(b"abcd", reuse_connection=True), ["> (sent on the connection of the request before it)"]),
    ],
)
def test_evidence_is_what_was_on_the_wire(request_: OutgoingRequest, expected: list[str]) -> None:
    """Each header stands once, and what was cut or split is reported in numbers."""
    lines = evidence(RequestCase("x", request_), ANSWERED, TARGET).splitlines()
    assert set(expected) <= set(lines)
    names = [line.partition(":")[0].lower() for line in lines[1 : lines.index(">")]]
    assert len(names) == len(set(names))


def test_curl_sends_other_schemes_and_lower_case_names() -> None:
    """Curl writes Basic and its own names, so the header is written out, without the credentials."""
    target = Target.parse("http://alice:s3cret@127.0.0.1:9/")
    request = OutgoingRequest(b"{}", credentials=target.credentials)
    bearer = RequestCase("x", replace(request, auth_scheme="Bearer"), credential_variant=CredentialVariant.BEARER)
    userinfo = '"$TCOP_USER:$TCOP_PASSWORD"'
    assert f'"Authorization: Bearer $(printf %s {userinfo} | base64 -w0)"' in curl_command(bearer, target)
    lower = curl_command(RequestCase("x", replace(request, lower_case_names=True)), target)
    assert f'"authorization: Basic $(printf %s {userinfo} | base64 -w0)"' in lower
    assert "'content-type: application/json' -H 'content-length: 2'" in lower
    empty = RequestCase("x", replace(request, credentials=None, headers=(("Authorization", ""),)))
    assert "-H 'Authorization;'" in curl_command(empty, target)


RUN_FLAG = Flag("--run", "uvicorn app:app --port {port}")


def test_a_receiver_that_the_run_started_is_started_again() -> None:
    """The command has the path, not the old port; for the same reason there is no replay."""
    clause = find_clause(load_clauses(), "TCM302")
    source = ReproductionContext(clause, TARGET, 7, "2023", test=ClauseTest((CaseGroup((ONE,)),)), flags=(RUN_FLAG,))
    words = shlex.split(check_command(source))
    assert words[:3] == ["tcop-mock", "check", TARGET.path]
    assert words[-2:] == list(RUN_FLAG[:2])
    assert replay_command(ONE, source) == ""


def test_a_command_or_a_database_with_a_secret_is_left_to_the_environment() -> None:
    """A database without one is shown."""
    clause = find_clause(load_clauses(), "TCM505")
    shown = Flag("--observe-sql", "sqlite:///app.db", observes_effects=True)
    hidden = Flag("--observe-sql", "postgresql://me:s3cret@h/db", observes_effects=True)
    lines = [
        check_command(ReproductionContext(clause, TARGET, 7, "2023", flags=(flag,)))
        for flag in (Flag("--run", "A=s3cret x"), Flag("--run", "x --password s3cret"), hidden, shown)
    ]
    assert [line.rpartition(" --")[2] for line in lines] == [
        'run "$RUN"',
        'run "$RUN"',
        'observe-sql "$OBSERVE_SQL"',
        "observe-sql sqlite:///app.db",
    ]


LATE = Attempt(Outcome.TIMED_OUT, intended_s=0.0, started_s=0.0, ended_s=5.0)
SLOW = Attempt(Outcome.ACKED, intended_s=0.0, started_s=0.0, ended_s=1.5, status=200)
ENDLESS = Attempt(Outcome.ACKED, intended_s=0.0, started_s=0.0, ended_s=0.1, status=200, body_truncated=True)


def test_curl_ends_as_the_attempt_did() -> None:
    """It gives up at the deadline, shows how long a slow answer took, and stops at an answer without an end."""
    source = ReproductionContext(find_clause(load_clauses(), "TCM102"), TARGET, 7, "2023", deadline_s=5.0)
    late, slow = curl_commands([ONE], source, LATE), curl_commands([ONE], source, SLOW)
    assert " -m 5 -w '\\n%{time_total} s\\n' -X POST " in late
    assert " -i -w '\\n%{time_total} s\\n' -X POST " in slow
    assert curl_commands([ONE], source, ENDLESS).endswith("--data-raw 1 | head -c 70000")
    assert curl_commands([ONE], source._replace(deadline_s=0.0), LATE) == curl_command(ONE, TARGET)


@pytest.mark.parametrize(
    "code, case, test, shown",
    [
        ("TCM302", OTHER, None, (OTHER,)),
        ("TCM302", OTHER, ClauseTest((CaseGroup((ONE,)),)), (OTHER,)),
        ("TCM302", REUSING, ClauseTest((CaseGroup((ONE,)),)), ()),
        ("TCM515", OTHER, ClauseTest((CaseGroup((ONE,)),), send_order=SendOrder.BURST), ()),
        ("TCM409", OTHER, ClauseTest((CaseGroup((ONE,)),)), ()),
    ],
    ids=["unknown", "met elsewhere", "on a connection", "beside others", "after others"],
)
def test_a_case_that_another_clause_met_is_shown_alone(
    code: str, case: RequestCase, test: ClauseTest | None, shown: tuple[RequestCase, ...]
) -> None:
    """A plain callback that is late is late alone; one that fails beside others, or after them, is not."""
    source = ReproductionContext(find_clause(load_clauses(), code), TARGET, 7, "2023", test=test)
    assert shown_cases(case, source) == shown
