"""``check``: the verdict on a receiver, its reports and its exit code."""

from __future__ import annotations

import asyncio
import json
import shlex
import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from broken_servers import HoldsLastByte
from conforming_receivers import SERVERS
from mutant_receivers import MUTANTS
from receiver_factories import CREDENTIALS, in_thread, server_factory

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.check import CheckRun
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.contract import EFFECT_PREREQUISITES, Level, Prerequisite
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.reports.formats import format_names
from tcop_mock.server.demo_receivers import correct_receiver, with_basic_auth
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import CommandResult, RunCommand
    from receiver_factories import ReceiverFactory

    from tcop_mock.contract.plan import CheckPlan
    from tcop_mock.domain.delivery import Transport

CLAUSES = load_clauses()
CODES = [clause.code for clause in CLAUSES]
PLAYED = [clause for clause in CLAUSES if DEFAULT_PROFILE in (clause.profiles or (DEFAULT_PROFILE,))]
OPEN_CODES = [clause.code for clause in PLAYED if not clause.prerequisites - {Prerequisite.HTTP}]
GUARDED_CODES = [
    clause.code
    for clause in PLAYED
    if not clause.prerequisites - {Prerequisite.HTTP, Prerequisite.AUTH, Prerequisite.SPECIAL_CHARACTER_CREDENTIALS}
]
SEED = ("--seed", "7")
SECRETS = {CREDENTIALS.password.reveal(), "p%C3%A4", "7Kq2", CREDENTIALS.token().reveal()}
"""No spelling of the password may show."""
MUST = "TCM104"
SHOULD = "TCM106"
"""A clause of either level, which needs nothing."""
ACKNOWLEDGES_GET = MUTANTS["TCM106-accepts-GET"]
QUICK = ("--clauses", "TCM104", "--quiet")
"""One clause, few requests."""


def failed(done: CommandResult) -> set[str]:
    """Return the codes of the broken clauses in a document."""
    return {item["code"] for item in done.document["clauses"] if item["result"] == "fail"}


@pytest.mark.proof
def test_an_honest_receiver_keeps_the_contract(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A receiver without credentials passes every clause that can be run, is reported in the end, and the code is 0."""
    done = tcop("check", opened(SERVERS["answers-200"]), "--verbose", *SEED)
    passed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("PASS ")]
    assert sorted(passed) == OPEN_CODES
    unseen = sum(
        Prerequisite.RUN not in clause.prerequisites and not clause.prerequisites.isdisjoint(EFFECT_PREREQUISITES)
        for clause in PLAYED
    )
    about_process = sum(
        clause.prerequisites >= {Prerequisite.RUN} for clause in PLAYED if Prerequisite.AUTH not in clause.prerequisites
    )
    assert f"The contract is kept as far as answers show; {unseen} clauses about" in done.stdout.splitlines()[-1]
    assert done.exit_code == 0
    [hint] = done.stderr.splitlines()
    assert hint.startswith("Next: tcop-mock check / --run ")
    assert hint.endswith(f"  (runs {unseen + about_process} more clauses, about effects)")


def test_a_dry_run_counts_the_requests_and_sends_none(tcop: RunCommand) -> None:
    """Each selected clause is a line with its requests, or not run; nothing listens at the target."""
    call = ("check", "http://127.0.0.1:9/", "--clauses", "TCM103,TCM501,TCM515", "--dry-run", *SEED)
    done = tcop(*call)
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[1:] for line in lines[:3]] == [["32"], ["not", "run"], ["201"]]
    assert lines[3][:2] == ["233", "requests,"]
    document = tcop(*call, "--json").document
    assert document["requests"] == 233
    assert document["clauses"][1] == {"code": "TCM501", "requests": 0}


@pytest.mark.proof
def test_a_guarded_receiver_is_checked_on_credentials(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """With userinfo in the target all clauses are run, and no output holds the password."""
    url = opened(SERVERS["answers-401-without-credentials"])
    text, document = tcop("check", url), tcop("check", url, "--json", *SEED)
    results = {item["code"]: item["result"] for item in document.document["clauses"]}
    assert [code for code, result in results.items() if result == "pass"] == GUARDED_CODES
    assert (text.exit_code, document.exit_code) == (0, 0)
    assert [secret for one in (text, document) for secret in SECRETS if secret in one.stdout + one.stderr] == []


@pytest.mark.proof
def test_no_auth_from_url_leaves_credentials_unchecked(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """With --no-auth-from-url the credentials are sent and the clauses on them are not run."""
    url = opened(SERVERS["answers-401-without-credentials"])
    done = tcop("check", url, "--no-auth-from-url", "--json")
    results = {item["code"]: item["result"] for item in done.document["clauses"]}
    assert [code for code, result in results.items() if result == "pass"] == OPEN_CODES
    assert done.exit_code == 0


@pytest.mark.proof
@pytest.mark.parametrize(
    "bug, codes",
    [
        ("TCM307-rejects-events", {"TCM101", "TCM307", "TCM317", "TCM318"}),
        ("TCM401-accepts-malformed-JSON", {"TCM401"}),
        ("TCM303-needs-region", {"TCM101", "TCM303", "TCM320"}),
    ],
)
def test_a_broken_clause_is_found(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], *, bug: str, codes: set[str]
) -> None:
    """A receiver with one mistake breaks the clauses of that mistake and no other, and the code is 1."""
    done = tcop("check", opened(MUTANTS[bug]), "--json", *SEED)
    assert failed(done) == codes
    assert done.exit_code == 1
    [hint] = done.stderr.splitlines()
    assert hint.startswith("Next: tcop-mock check / --run ")


def test_findings_of_a_guarded_receiver_hide_its_password(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path
) -> None:
    """Findings, the lines that show them again and every report have a placeholder where the password stood."""
    url = opened(MUTANTS["TCM205-echoes-the-password"])
    files = [tmp_path / kind for kind in format_names()]
    done = tcop("check", url, *SEED, *(f"--report={file.name}={file}" for file in files))
    reported = [done.stdout, done.stderr, *(file.read_text(encoding="utf-8") for file in files)]
    assert done.exit_code == 1
    assert all("TCM205" in text for text in (reported[0], *reported[2:]))
    assert [secret for text in reported for secret in SECRETS if secret in text] == []


def test_a_body_that_does_not_end_is_late(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that holds the last byte of its answers back for longer than the deadline breaks TCM102."""
    profile = load_profile()
    quick = replace(profile, delivery=replace(profile.delivery, timeout_s=0.25))
    monkeypatch.setattr("tcop_mock.catalog.profiles.load_profile", lambda _name: quick)
    done = tcop("check", opened(server_factory(lambda: HoldsLastByte(20.0))), "--clauses", "TCM102", "--json")
    assert failed(done) == {"TCM102"}
    assert done.exit_code == 1


@pytest.mark.parametrize(
    "options, code",
    [
        (["--fail-on", "must", "--clauses", f"{MUST},{SHOULD}"], 0),
        (["--fail-on", "should", "--clauses", f"{MUST},{SHOULD}"], 1),
        (["--fail-on", "must", "--clauses", SHOULD], 3),
        (["--fail-on", "should", "--clauses", SHOULD], 1),
        (["--fail-on", "should", "--clauses", f"{MUST},{SHOULD}", "--skip", SHOULD], 0),
    ],
)
def test_fail_on_says_what_counts(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], *, options: list[str], code: int
) -> None:
    """A broken should clause fails the run only with --fail-on should; a run without a must clause does not pass."""
    done = tcop("check", opened(ACKNOWLEDGES_GET), *options, "--json")
    assert failed(done) <= {SHOULD}
    assert done.exit_code == code


@pytest.mark.parametrize(
    "options, codes",
    [
        ([], CODES),
        (["--clauses", "TCM302"], ["TCM302"]),
        (["--clauses", "tcm30[12]"], ["TCM301", "TCM302"]),
        (["--clauses", "recover-*, TCM104"], ["TCM104", "TCM302"]),
        (["--clauses", "TCM104", "--clauses", "TCM302-recover-time-zero"], ["TCM104", "TCM302"]),
        (
            ["--clauses", "TCM30*", "--skip", "TCM302", "--skip", "*-absent,TCM306"],
            ["TCM301", "TCM304", "TCM305", "TCM307", "TCM308", "TCM309"],
        ),
        (["--skip", "TCM[1345]*"], [code for code in CODES if code[3] in "267"]),
    ],
)
def test_clauses_and_skip_choose_by_glob(tcop: RunCommand, *, options: list[str], codes: list[str]) -> None:
    """--clauses and --skip take codes, slugs and globs, with commas or repeated; --list shows what is left."""
    done = tcop("check", "--list", *options)
    rows = {clause.code: (clause.level.value, clause.slug) for clause in CLAUSES}
    assert [line.split()[0] for line in done.stdout.splitlines()] == codes
    assert all(tuple(line.split()[1:3]) == rows[line.split()[0]] for line in done.stdout.splitlines())
    document = tcop("check", "--list", *options, "--json").document
    assert document == {
        "version": 1,
        "clauses": [{"code": code, "slug": rows[code][1], "level": rows[code][0]} for code in codes],
    }


def test_notices_of_a_template_are_checked(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path
) -> None:
    """--template is for the profile of such notices, and a file that is not a template is reported with its line."""
    file, chosen = tmp_path / "own.txt", ("--clauses", "TCM316,TCM401", "--json")
    file.write_text('{"what": "{{.content}}"}', encoding="utf-8")
    url = opened(SERVERS["answers-200"])
    done = tcop("check", url, "--profile", "template", "--template", str(file), *chosen)
    assert [item["result"] for item in done.document["clauses"]] == ["pass", "not-run"]
    without = tcop("check", url, "--profile", "template", *chosen).document["clauses"][0]
    assert without["reason"] == "needs template: give --template FILE, the text that is in the console"
    other = tcop("check", url, "--template", str(file))
    assert (other.exit_code, other.error_message) == (
        2,
        "--template sends your own notifications: it needs --profile template",
    )
    file.write_text("{{.contnt}}", encoding="utf-8")
    wrong = tcop("check", url, "--profile", "template", "--template", str(file))
    assert wrong.exit_code == 2
    assert wrong.error_message.endswith("own.txt, line 1; did you mean 'content'?")


def test_list_says_what_a_clause_needs(tcop: RunCommand) -> None:
    """Credentials, somebody who sees what the receiver does, or nothing."""
    lines = tcop("check", "--list").stdout.splitlines()
    reported = {line.split()[0]: line.partition("  needs ")[2] for line in lines}
    assert reported == {clause.code: ", ".join(sorted(clause.prerequisites)) for clause in CLAUSES}


def test_chosen_clauses_are_the_only_ones_run(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """The document has the chosen clauses and their sum, in the documented form."""
    url = opened(SERVERS["answers-204"])
    done = tcop("check", url, "--clauses", "TCM104,TCM302", "--json", *SEED)
    document = done.document
    assert {key: document[key] for key in ("version", "target", "profile", "seed")} == {
        "version": 1,
        "target": f"{url}/",
        "profile": "2023",
        "seed": 7,
    }
    assert [item["code"] for item in document["clauses"]] == ["TCM104", "TCM302"]
    assert document["summary"] == {"passed": 2, "failed": 0, "errors": 0, "not_run": 0, "known": 0}
    assert all(Level(item["level"]) and item["findings"] == [] for item in document["clauses"])


def test_the_seed_repeats_a_run(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """Two runs with one seed find the same, byte for byte but for the times; a run without a seed prints its own."""
    url = opened(MUTANTS["TCM302-zero-text-when-resolved"])
    first, again, other = (
        tcop("check", url, "--clauses", "TCM302", "--json", *seed).document for seed in (SEED, SEED, ())
    )
    bodies = [one["clauses"][0]["findings"][0]["reproduce"] for one in (first, again, other)]
    assert bodies[0] == bodies[1] != bodies[2]
    assert other["seed"] != 7


def test_quiet_reports_no_progress(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """With --quiet the run is reported when it has ended: no head line, the findings and the verdict."""
    url = opened(ACKNOWLEDGES_GET)
    loud, quiet = (tcop("check", url, "--clauses", f"{SHOULD},TCM104", *flags, *SEED) for flags in ((), ("-q",)))
    assert "checks" in loud.stdout.splitlines()[0]
    assert "checks http" not in quiet.stdout
    assert f"FAIL {SHOULD} " in quiet.stdout
    assert "2 clauses: 1 passed, 1 failed" in quiet.stdout


def test_verbose_reports_all(tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path) -> None:
    """With -v standard output has what the text report has, which is the same with and without -v.

    Without -v there is no evidence, and a command shows it.
    """
    url, report = opened(ACKNOWLEDGES_GET), tmp_path / "report.txt"
    call = ("check", url, "--clauses", f"{SHOULD},TCM104", *SEED)
    short = tcop(*call, "--report", f"text={report}")
    written = " ".join(report.read_text(encoding="utf-8").split())
    [again] = [line.partition("again: ")[2] for line in short.stdout.splitlines() if "again: " in line]
    whole = tcop(*shlex.split(again)[1:])
    for text in (f"== {SHOULD} ", "> GET / HTTP/1.1", "curl -sS", "Source: ", "Assumed by profile", "Libraries: "):
        assert (text in written, text in whole.stdout, text in short.stdout) == (True, True, False)
    assert "PASS TCM104" in written
    assert "PASS" not in short.stdout
    assert short.exit_code == tcop(*call, "-v").exit_code == 0


def test_reports_are_written(tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path) -> None:
    """Each --report writes a file: the JSON document, JUnit, the text as it is reported, and every other kind."""
    files = {kind: tmp_path / f"report.{kind}" for kind in format_names()}
    options = [f"--report={kind}={file}" for kind, file in files.items()]
    done = tcop("check", opened(ACKNOWLEDGES_GET), "--clauses", f"{SHOULD},TCM104", "--json", *options, *SEED)
    assert json.loads(files["json"].read_bytes()) == done.document
    suite = ET.fromstring(files["junit"].read_bytes())  # noqa: S314 - it is ours
    assert len(list(suite.iter("testcase"))) == 2
    for kind in ("html", "markdown", "text"):
        assert "2 clauses: 1 passed, 1 failed" in files[kind].read_text(encoding="utf-8")
    last = json.loads(files["ndjson"].read_text(encoding="utf-8").splitlines()[-1])
    assert last["report"]["summary"] == done.document["summary"]
    assert f"def test_{SHOULD}_" in files["pytest"].read_text(encoding="utf-8")
    assert len(json.loads(files["har"].read_bytes())["log"]["entries"]) == 1
    assert tcop("replay", str(files["har"]), "--to", opened(ACKNOWLEDGES_GET), "--dry-run").exit_code == 0
    assert done.exit_code == 0


@pytest.mark.parametrize(
    "status, hint",
    [
        (401, "wants credentials: put USER:PASSWORD@ before the host"),
        (403, "wants credentials: put USER:PASSWORD@ before the host"),
        (404, "is the path right?"),
        (405, "is the path right?"),
    ],
)
def test_a_target_that_takes_nothing_cannot_be_checked(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], *, status: int, hint: str
) -> None:
    """A target that wants credentials, or has nothing there, gives one line that says what to do, and the code is 3."""
    url = opened(server_factory(lambda: lambda _: Reply(status)))
    done = tcop("check", url)
    assert done.error_message.startswith(f"{url}/ answers {status} to a plain callback")
    assert hint in done.error_message
    assert done.exit_code == 3


def test_wrong_credentials_cannot_be_checked(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """Credentials that the receiver does not take are reported as such, without them, and the code is 3."""
    url = opened(server_factory(lambda: with_basic_auth(correct_receiver, CREDENTIALS))).replace(
        "://", "://alice:s3cr3t@"
    )
    done = tcop("check", url)
    assert "answers 401 to a plain callback, so it wants other credentials than these" in done.error_message
    assert "s3cr3t" not in done.error_message
    assert done.exit_code == 3


@pytest.mark.parametrize("options", [[], ["--json"], ["--wait", "50ms"]])
def test_a_target_that_refuses_cannot_be_checked(tcop: RunCommand, closed_url: str, options: list[str]) -> None:
    """A target at which nobody listens gives one line, and the code is 3; without --wait the line names it."""
    done = tcop("check", closed_url, *options)
    assert done.error_message.startswith(f"{closed_url} cannot be reached")
    assert ("`--wait 30s`" in done.error_message) == ("--wait" not in options)
    assert done.exit_code == 3


def test_a_target_that_does_not_resolve_cannot_be_checked(tcop: RunCommand, no_names: str) -> None:
    """A host name that does not resolve gives one line, and the code is 3."""
    done = tcop("check", no_names)
    assert done.stderr.splitlines()[-1].startswith(f"tcop-mock: {no_names} cannot be reached: nosuch does not resolve")
    assert done.exit_code == 3


def test_the_target_may_come_from_elsewhere(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCOP_MOCK_TARGET and @FILE give the target where the process list would show it; an argument goes first."""
    url = opened(SERVERS["answers-403-without-credentials"])
    (tmp_path / "target").write_text(f"  {url}\n", encoding="utf-8")
    assert tcop("check", f"@{tmp_path / 'target'}", *QUICK).exit_code == 0
    assert tcop("check", "@-", *QUICK, stdin=url.encode()).exit_code == 0
    monkeypatch.setenv("TCOP_MOCK_TARGET", url)
    assert tcop("check", *QUICK).exit_code == 0
    assert tcop("check", "", *QUICK).exit_code == 0
    assert tcop("check", "http://a b", *QUICK).exit_code == 2


def test_insecure_is_loud(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """--insecure says on standard error that no certificate is verified."""
    done = tcop("check", opened(SERVERS["answers-200"]), "--insecure", "--clauses", "TCM104")
    assert done.stderr == "warning: the receiver's certificate is not verified (--insecure)\n"


def test_max_time_bounds_the_run(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """A receiver that is not checked within --max-time is neither good nor bad: code 3, with the limit named."""
    done = tcop("check", opened(SERVERS["answers-200"]), "--clauses", "TCM302", "--max-time", "1ms", "--json")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "inside --max-time 0.001s" in done.error_message


def test_a_receiver_that_starts_is_waited_for(tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> None:
    """With --wait a receiver that answers 503 at first is asked again until it is there."""
    unready = [503, 502, 504]

    def starting(request: ReceivedRequest) -> Reply:
        return Reply(unready.pop()) if unready else correct_receiver(request)

    assert tcop("check", opened(server_factory(lambda: starting)), "--wait", "20s", *QUICK).exit_code == 0
    assert unready == []


def test_a_receiver_that_listens_late_is_waited_for(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --wait a receiver that does not listen yet is looked for until it does."""
    with socket.socket() as taken, ExitStack() as stack:
        taken.bind(("127.0.0.1", 0))  # nobody else gets the port, and it refuses until it listens
        port: int = taken.getsockname()[1]
        passing = asyncio.sleep

        async def start(seconds: float) -> None:
            if taken.fileno() >= 0:
                taken.close()
                stack.enter_context(in_thread(server_factory(lambda: HttpServer(correct_receiver, port=port))))
            await passing(min(seconds, 0.01))

        monkeypatch.setattr(asyncio, "sleep", start)
        assert tcop("check", f"127.0.0.1:{port}", "--wait", "20s", *QUICK).exit_code == 0
        assert taken.fileno() < 0


NO_FILE = "--json writes the document to standard output"
REFUSED = {
    "": ("no target: give TARGET, or set TCOP_MOCK_TARGET",),
    " ": ("no target: give TARGET, or set TCOP_MOCK_TARGET",),
    "/path": ("the host is missing", "write [http://]"),
    "htp://h": ("the scheme must be http or https, not 'htp'",),
    "h:port": ("h:port is not an app", "a URL with a number as its port"),
    "h --clauses TCM999": ("unknown clause 'TCM999'; did you mean",),
    "h --clauses zzz*": ("unknown clause 'zzz*'; `tcop-mock check --list` shows all clauses",),
    "h --clauses TCM302,recover-tim": ("unknown clause 'recover-tim'; did you mean 'recover-time-zero'?",),
    "h --clauses ,": ("--clauses does not name a clause; write TCM302, TCM3* or recover-*",),
    "h --skip=": ("--skip does not name a clause",),
    "h --skip TCM9*": ("unknown clause 'TCM9*'",),
    "h --clauses TCM302 --skip TCM3*": ("--skip leaves no clause to check",),
    "--list --skip *": ("--skip leaves no clause to check",),
    "h --fail-on may": ("Invalid value for '--fail-on'", "'must', 'should'", "see `tcop-mock check --help`"),
    "h --report junit": ("--report 'junit': write KIND=PATH, as in junit=report.xml",),
    "h --report junit=": ("--report 'junit=': write KIND=PATH",),
    "h --report jnit=x": ("--report 'jnit=x': unknown report format 'jnit'; did you mean 'junit'?",),
    "h --report pdf=x": (f"--report 'pdf=x': unknown report format 'pdf'; use one of {', '.join(format_names())}",),
    "h --report json=-": ("--report 'json=-': a report is a file", NO_FILE),
    "h --report json=.": ("is a folder; name a file",),
    "h --report json=nosuch/x": ("nosuch/x", "there is no folder"),
    "h --wait soon": ("'soon' is not a duration; write 500ms, 30s, 10m or bare seconds",),
    "h --max-time 0s": ("Invalid value for '--max-time': it must be more than 0",),
    "h --profile 2023x": ("unknown profile '2023x'; did you mean '2023'",),
    "h h2": ("unexpected extra argument (h2)",),
}


@pytest.mark.parametrize("arguments, parts", REFUSED.items(), ids=REFUSED)
def test_a_wrong_call_is_refused(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, arguments: str, parts: tuple[str, ...]
) -> None:
    """A wrong target, clause, report or value gives one line that says what to write, code 2, and nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    done = tcop("check", *(arguments.split() or [arguments]))
    assert [part for part in parts if part not in done.error_message] == []
    assert done.exit_code == 2


def test_a_report_that_cannot_be_written_is_reported_first(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str]
) -> None:
    """A report into a folder that is not there is refused before anything is sent."""
    received: list[ReceivedRequest] = []

    def handler(request: ReceivedRequest) -> Reply:
        received.append(request)
        return correct_receiver(request)

    done = tcop("check", opened(server_factory(lambda: handler)), "--report", "json=nosuch/report.json")
    assert (done.exit_code, done.stdout, received) == (2, "", [])


@pytest.mark.parametrize(
    "rate, gap_s", [("10/s", 0.1), ("300/min", 0.2), ("30/m", 2.0), ("0.5/s", 2.0), ("3600/h", 1.0), ("none", None)]
)
def test_a_pace_keeps_requests_apart(
    tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, rate: str, gap_s: float | None
) -> None:
    """A rate in any unit becomes the time between two requests; none becomes no time."""
    plans: list[CheckPlan] = []

    def record(plan: CheckPlan, transport: Transport, _on_event: object, **_options: object) -> CheckRun:
        plans.append(plan)
        return CheckRun(ContractRun(plan, transport, time.perf_counter, asyncio.sleep).verdict("not run"))

    monkeypatch.setattr("tcop_mock.cli.check.run_check", record)
    tcop("check", "http://127.0.0.1:9/", "--pace", rate, *SEED, "--json")
    assert plans[0].min_interval_s == pytest.approx(gap_s)


@pytest.mark.parametrize(
    "arguments, jobs, limit_s",
    [
        ("", None, 30.0),
        ("--jobs 7 --wait 20s", 7, 50.0),
        ("--pace 10/s", None, 300.0),
        ("--downstream :0", None, 300.0),
        ("--pace 10/s --max-time 40s", None, 40.0),
    ],
)
def test_the_time_limit_follows_from_what_takes_time(
    tcop: RunCommand, monkeypatch: pytest.MonkeyPatch, arguments: str, jobs: int | None, limit_s: float
) -> None:
    """Half a minute for requests alone, more where we wait ourselves; a command of a finding has the same jobs."""
    plans: list[CheckPlan] = []

    def record(plan: CheckPlan, transport: Transport, _on_event: object, **_options: object) -> CheckRun:
        plans.append(plan)
        return CheckRun(ContractRun(plan, transport, time.perf_counter, asyncio.sleep).verdict("not run"))

    monkeypatch.setattr("tcop_mock.cli.check.run_check", record)
    tcop("check", "http://127.0.0.1:9/", *arguments.split(), *SEED, "--json")
    [plan] = plans
    assert (plan.jobs, plan.time_limit_s) == (jobs, limit_s)
    assert [flag.value for flag in plan.flags if flag.name == "--jobs"] == ([str(jobs)] if jobs else [])


@pytest.mark.parametrize("rate", ["10", "0/s", "x/s", "10/d"])
def test_what_is_no_pace_is_refused(tcop: RunCommand, rate: str) -> None:
    """A pace is a number of requests in a unit of time."""
    done = tcop("check", "http://127.0.0.1:9/", "--pace", rate)
    assert done.exit_code == 2
    assert "is not a rate; write 10/s or 300/min" in done.stderr
