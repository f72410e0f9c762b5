"""Report files of ``check``, baselines, and annotations in CI."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conforming_receivers import SERVERS
from mutant_receivers import MUTANTS
from receiver_factories import server_factory

from tcop_mock.errors import UsageError
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

CLAUSES = ("--clauses", "TCM101,TCM302,TCM104", "--seed", "7")
_INJECTION = "::error::pwned\n##[add-mask]x\n"


def _zero(request: ReceivedRequest) -> Reply:
    """Fail on a zero text, with an answer that a CI would take as commands."""
    return Reply(500, _INJECTION.encode()) if b'"recoverTime":"0"' in request.body else correct_receiver(request)


def _worse(request: ReceivedRequest) -> Reply:
    """Reject like ``_zero``; also redirect one product, and reject the number zero."""
    if b'"recoverTime":0' in request.body:
        return Reply(418)
    return Reply(302) if b'"qce/cdn"' in request.body else _zero(request)


ZERO, WORSE = server_factory(lambda: _zero), server_factory(lambda: _worse)


@pytest.fixture
def baseline(tmp_path: Path, tcop: RunCommand, opened: Callable[[ReceiverFactory], str]) -> Path:
    """Give a baseline of what the first receiver gets wrong."""
    place = tmp_path / "known.json"
    done = tcop("check", opened(ZERO), *CLAUSES, "--baseline", str(place), "--baseline-update", "-q")
    assert done.exit_code == 0
    assert place.exists()
    return place


def test_what_is_known_fails_no_run(tcop: RunCommand, opened: Callable[[ReceiverFactory], str], baseline: Path) -> None:
    """With another seed and another port, the same mistakes are known, counted as such, and the code is 0."""
    flags = ("--clauses", "TCM101,TCM302", "--seed", "8", "--json")
    done = tcop("check", opened(ZERO), *flags, "--baseline", str(baseline))
    assert done.exit_code == 0
    assert {row["code"]: row["result"] for row in done.document["clauses"]} == {"TCM101": "known", "TCM302": "known"}
    assert done.document["summary"] == {"passed": 0, "failed": 0, "errors": 0, "not_run": 0, "known": 2}
    listed = json.loads(baseline.read_bytes())["findings"]
    assert done.document["baseline"] == {"path": str(baseline), "listed": len(listed), "stale": []}
    assert {row["fingerprint"] for row in listed} == {
        finding["fingerprint"] for row in done.document["clauses"] for finding in row["findings"]
    }


@pytest.mark.proof
def test_what_is_new_beside_it_does(tcop: RunCommand, opened: Callable[[ReceiverFactory], str], baseline: Path) -> None:
    """A new mistake of a clause with known ones fails the run and is shown, the known ones are reported as such."""
    done = tcop("check", opened(WORSE), *CLAUSES, "--baseline", str(baseline))
    assert done.exit_code == 1
    text = " ".join(done.stdout.split())
    assert "answered 418" in text
    assert "answered 302" in text
    assert "Known findings: TCM" in text
    whole = tcop("check", opened(WORSE), *CLAUSES, "--baseline", str(baseline), "-v")
    assert "known since 20" in " ".join(whole.stdout.split())


@pytest.mark.proof
def test_a_baseline_is_kept_by_flags(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], baseline: Path
) -> None:
    """Prune takes out what is not found any more, update adds what is new; without both the file stays as it is."""
    before = baseline.read_bytes()
    done = tcop("check", opened(SERVERS["answers-200"]), *CLAUSES, "--baseline", str(baseline))
    assert (done.exit_code, baseline.read_bytes()) == (0, before)
    stale = "stale: TCM302 answered 500 was not found; --baseline-prune removes it"
    assert stale in " ".join(done.stdout.split())
    done = tcop("check", opened(WORSE), *CLAUSES, "--baseline", str(baseline), "--baseline-update")
    assert done.exit_code == 0
    assert re.search(r"baseline .*: [1-9] added, 0 removed, \d+ listed", done.stderr)
    done = tcop(
        "check", opened(SERVERS["answers-200"]), "--clauses", "TCM302", "--baseline", str(baseline), "--baseline-prune"
    )
    assert {row["clause"] for row in json.loads(baseline.read_bytes())["findings"]} == {"TCM101"}
    assert re.search(r": 0 added, [1-9] removed, \d listed", done.stderr)


@pytest.mark.proof
def test_what_has_expired_fails_the_run_and_is_said_so(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], baseline: Path
) -> None:
    """A day in the past that a user has written makes a known finding count again."""
    tree = json.loads(baseline.read_bytes())
    for row in tree["findings"]:
        row["expires"] = "2020-01-01"
    baseline.write_text(json.dumps(tree), encoding="utf-8")
    done = tcop("check", opened(ZERO), *CLAUSES, "--baseline", str(baseline))
    assert done.exit_code == 1
    assert "but only until 2020-01-01: it counts again" in " ".join(done.stdout.split())


def test_an_interrupted_run_leaves_the_baseline(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clause that was not checked to its end changes no known finding."""
    before = baseline.read_bytes()

    def interrupted(_run: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tcop_mock.contract.runner.ContractRun.events", interrupted)
    done = tcop("check", opened(ZERO), *CLAUSES, "--baseline", str(baseline), "--baseline-prune")
    assert (done.exit_code, baseline.read_bytes()) == (130, before)
    assert "is unchanged: the run was cut short" in done.stderr


@pytest.mark.parametrize(
    "arguments, problem",
    [
        ("--baseline nosuch.json", "baseline 'nosuch.json' is not there; --baseline-update writes it"),
        ("--baseline nosuch.json --baseline-prune", "baseline 'nosuch.json' is not there"),
        ("--baseline nosuch/b.json --baseline-update", "baseline 'nosuch/b.json': there is no folder"),
        ("--baseline . --baseline-update", "baseline '.' is a folder; name a file"),
        ("--baseline .", "baseline '.' cannot be read"),
        ("--baseline torn.json", "baseline 'torn.json' is not JSON"),
        ("--baseline torn.json --baseline-update", "baseline 'torn.json' is not JSON"),
        ("--baseline-update", "--baseline-update goes with --baseline FILE, which it writes"),
        ("--baseline-prune", "--baseline-prune goes with --baseline FILE, which it writes"),
    ],
)
def test_a_baseline_that_is_none_is_refused(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, arguments: str, problem: str
) -> None:
    """One line, code 2, before anything is sent; what is there stays as it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "torn.json").write_text('{"version": 1, "find', encoding="utf-8")
    done = tcop("check", "127.0.0.1:9", *arguments.split())
    assert done.error_message.startswith(problem)
    assert done.exit_code == 2
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [
        ("torn.json", '{"version": 1, "find')
    ]


def test_the_stream_is_there_while_the_run_goes_on(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path
) -> None:
    """While the last clause runs, the lines of the clauses before it can be read."""
    place = tmp_path / "run.ndjson"
    seen: list[list[str]] = []

    def looking(request: ReceivedRequest) -> Reply:
        seen.append([json.loads(line)["event"] for line in place.read_text(encoding="utf-8").splitlines()])
        return correct_receiver(request)

    url = opened(server_factory(lambda: looking))
    tcop("check", url, "--clauses", "TCM104,TCM401", "--report", f"ndjson={place}")
    assert seen[0] == []
    assert seen[-1][:4] == ["run-started", "clause-started", "clause-finished", "clause-started"]
    assert json.loads(place.read_text(encoding="utf-8").splitlines()[-1])["event"] == "run-finished"


def test_the_stream_says_that_a_run_could_not_begin(tcop: RunCommand, closed_url: str, tmp_path: Path) -> None:
    """A target that cannot be used is the one line of the file; what an earlier run left there is gone."""
    place = tmp_path / "run.ndjson"
    place.write_text("old", encoding="utf-8")
    assert tcop("check", closed_url, "--report", f"ndjson={place}").exit_code == 3
    [line] = place.read_text(encoding="utf-8").splitlines()
    reported = json.loads(line)
    assert reported["event"] == "run-failed"
    assert "cannot be reached" in reported["message"]


def test_one_report_that_fails_costs_no_other(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one report cannot be written, the others are, and the exit code shows the error."""

    def refuse(path: str, content: bytes) -> None:
        if path.endswith(".xml"):
            raise UsageError("report 'x.xml' cannot be written: No space left on device")
        Path(path).write_bytes(content)

    monkeypatch.setattr("tcop_mock.cli.check_reports.write_report", refuse)
    options = (f"--report=junit={tmp_path / 'x.xml'}", f"--report=json={tmp_path / 'x.json'}")
    done = tcop("check", opened(SERVERS["answers-200"]), "--clauses", "TCM104", *options, "-q")
    assert done.exit_code == 2
    assert "x.xml' cannot be written" in done.stderr
    assert json.loads((tmp_path / "x.json").read_bytes())["version"] == 1


def test_github_is_reported(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], summary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's summary gets the Markdown behind what is there, standard error the annotations; nothing from the
    receiver is a command, because commands are stopped while it is printed.
    """
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    summary.write_text("of another step\n", encoding="utf-8")
    report = summary.with_name("r.md")
    done = tcop("check", opened(ZERO), *CLAUSES, "--report", f"markdown={report}", "-v")
    written = report.read_text(encoding="utf-8")
    assert summary.read_text(encoding="utf-8") == f"of another step\n{written}"
    first, *between, last = done.stdout.splitlines()
    stopped = re.fullmatch("::stop-commands::([0-9a-f]{32})", first)
    assert stopped is not None
    assert last == f"::{stopped[1]}::"
    assert any("::error::pwned" in line for line in between)
    assert [line.partition("::")[0] + line.split("::")[1].split()[0] for line in done.stderr.splitlines()] == [
        "error"
    ] * 2
    assert "pwned" not in done.stderr


@pytest.mark.proof
def test_github_is_reported_only_where_markdown_is_asked_for(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], summary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --report markdown there is no job summary and no annotation, and --json stays one document."""
    done = tcop("check", opened(ZERO), *CLAUSES, "--json", f"--report=markdown={summary.with_name('r.md')}")
    assert done.stderr == ""
    summary.unlink()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert tcop("check", opened(ZERO), *CLAUSES, "--json").document["summary"]["failed"] == 2
    assert not summary.exists()


@pytest.fixture
def summary(tmp_path: Path, tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place of a job's summary, which the environment names."""
    del tcop  # it takes a CI out of the environment first
    place = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place))
    return place


@pytest.mark.parametrize("left, found", [(6_000, "# ❌"), (10, "too long for the rest of this summary")])
def test_a_summary_that_is_full_gets_less(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], summary: Path, *, left: int, found: str
) -> None:
    """A report too long for the job summary goes without evidence, or only as a line."""
    size = 1024 * 1024 - left
    summary.write_bytes(b"x" * size)
    tcop("check", opened(ZERO), *CLAUSES, "-q", f"--report=markdown={summary.with_name('r.md')}")
    added = summary.read_bytes()[size:].decode()
    assert found in added
    assert "details" not in added


def test_a_summary_that_cannot_be_written_fails_nothing(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], summary: Path
) -> None:
    """A job summary that cannot be written is a warning."""
    summary.mkdir()
    report = f"--report=markdown={summary.with_name('r.md')}"
    done = tcop("check", opened(SERVERS["answers-200"]), "--clauses", "TCM104", report)
    assert done.exit_code == 0
    assert done.stderr == f"warning: the summary {str(summary)!r} cannot be written: Is a directory\n"


def test_replay_sends_what_the_archive_holds(
    tcop: RunCommand, opened: Callable[[ReceiverFactory], str], tmp_path: Path
) -> None:
    """The requests of findings come back as they were sent, and show the same again."""
    url = opened(MUTANTS["TCM302-zero-text-when-resolved"])
    place = tmp_path / "r.har"
    tcop("check", url, "--clauses", "TCM302", "--seed", "7", "-q", f"--report=har={place}")
    done = tcop("replay", str(place), "--to", url, "--attempts", "1", "--json")
    assert done.exit_code == 1
    assert {attempt["status"] for one in done.document["deliveries"] for attempt in one["attempts"]} == {500}
