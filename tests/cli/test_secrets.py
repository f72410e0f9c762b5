"""One password through every command, every output format and every failure: no output contains it."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from correct_receiver_variants import guarded_except
from receiver_factories import CREDENTIALS, server_factory, with_userinfo

from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.target import Target
from tcop_mock.server.demo_receivers import with_basic_auth
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from commands import RunCommand
    from receiver_factories import ReceiverFactory

CVM = "cvm/basic-monitoring"
SPELLINGS = {*CREDENTIALS.leak_patterns(), "7Kq2", "ss/w%rd", "YWxhcm1zQGV4YW1wbGU6"} - {CREDENTIALS.user.reveal()}
KEY = "0123456789abcdef0123456789abcdef"


def _echoing(request: ReceivedRequest) -> Reply:
    """Take and refuse by the right credentials, and answer with all headers that came."""
    right = request.header("authorization") == f"Basic {CREDENTIALS.token().reveal()}"
    return Reply(200 if right else 401, repr(request.headers).encode(), (("X-Seen", request.header("authorization")),))


RECEIVERS = {
    "keeps": lambda: with_basic_auth(lambda _: Reply(200), CREDENTIALS),
    "lets-in": lambda: guarded_except(lambda request: bool(request.header("authorization"))),
    "echoes": lambda: _echoing,
}
CALLS = [
    ("check", "{url}", "--clauses", "TCM2*,TCM302", "--seed", "7"),
    ("check", "{url}", "--clauses", "TCM2*,TCM302", "--seed", "7", "--json"),
    ("check", "{url}", "--clauses", "TCM2*", "--report", "json={tmp}/r.json", "--report", "junit={tmp}/r.xml"),
    ("check", "{url}", "--clauses", "TCM2*", "--report", "text={tmp}/r.txt", "--quiet", "--debug"),
    ("check", "{url}", "--clauses", "TCM2*,TCM408", "--report", "har={tmp}/r.har", "--report", "html={tmp}/r.html"),
    ("check", "{url}", "--clauses", "TCM2*", "--report", "ndjson={tmp}/r.nd", "--report", "pytest={tmp}/r.py"),
    ("check", "{url}", "--clauses", "TCM2*", "--report", "markdown={tmp}/r.md"),
    ("check", "{url}", "--clauses", "TCM2*", "--baseline", "{tmp}/b.json", "--baseline-update", "--json"),
    ("send", CVM, "--to", "{url}", "--time-scale", "0", "--lifecycle", "fire,resolve"),
    ("send", CVM, "--to", "{url}", "--time-scale", "0", "--json"),
    ("send", CVM, "--to", "{url}", "--dry-run"),
    ("send", CVM, "--to", "{url}", "--dry-run", "--json", "--debug"),
    ("send", CVM, "--to", "{url}", "--target", "pagerduty", "--integration-key", KEY, "--attempts", "1"),
    ("send", CVM, "--to", "{url}", "--target", "pagerduty", "--integration-key", KEY, "--dry-run"),
    ("send", CVM, "--to", "{url}?key=" + KEY, "--target", "wecom", "--attempts", "1", "--json"),
    ("load", "{url}", "--count", "3", "--rate", "100", "--seed", "7"),
    ("load", "{url}", "--count", "3", "--rate", "100", "--json", "--debug"),
    ("load", "{url}", "--count", "4", "--concurrency", "2", "--workers", "2", "--json", "--debug"),
    ("doctor", "{url}"),
    ("doctor", "{url}", "--json", "--debug"),
    ("replay", "TCM202", "--to", "{url}", "--attempts", "1"),
    ("replay", "TCM205", "--to", "{url}", "--attempts", "1", "--json", "--debug"),
    ("replay", "TCM201", "--to", "{url}", "--dry-run"),
    ("load", "{url}", "--scenario", "deploy-noise", "--time-scale", "0", "--count", "2", "--ledger", "{tmp}/l.jsonl"),
    ("load", "{url}", "--scenario", "deploy-noise", "--time-scale", "0", "--count", "2", "--json", "--debug"),
    ("load", "{url}", "--scenario", "flapping", "--time-scale", "0", "--count", "1", "--report", "html={tmp}/l.html"),
    ("load", "{url}", "--count", "2", "--rate", "100", "--slo", "lost=0", "--report", "junit={tmp}/l.xml"),
    ("emit", CVM, "--to", "{url}", "--format", "curl"),
    ("emit", CVM, "--to", "{url}", "--format", "http"),
    ("emit", CVM, "--to", "{url}", "--format", "vegeta"),
    ("emit", CVM, "--to", "{url}", "--format", "k6"),
    ("emit", CVM, "--to", "{url}", "--format", "pytest"),
]
WRONG = [
    "http://{userinfo}host:99999/",
    "http://{userinfo}ho st/",
    "ftp://{userinfo}host/",
    "{userinfo}",
    "{userinfo}nosuch_module:app",
    "http://{raw}@host/",
]


def _found(*texts: str) -> list[str]:
    return [spelling for text in texts for spelling in {*SPELLINGS, KEY} if spelling in text]


@pytest.mark.proof
@pytest.mark.parametrize("receiver", RECEIVERS)
def test_no_verb_shows_it(
    receiver: str,
    tcop: RunCommand,
    opened: Callable[[ReceiverFactory], str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No output, report or log shows the password, also if the receiver repeats it."""
    caplog.set_level(logging.DEBUG)
    url = opened(server_factory(RECEIVERS[receiver], CREDENTIALS))
    for call in CALLS:
        done = tcop(*(part.format(url=url, tmp=tmp_path) for part in call))
        assert done.exit_code in {0, 1, 2, 3}, call  # 2: formats that would have to hold it
        assert (call, _found(done.stdout, done.stderr, caplog.text)) == (call, [])
    files = {file: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    assert {file.suffix for file in files} == {".json", ".xml", ".txt", ".html", ".jsonl", ".md", ".har", ".py", ".nd"}
    assert _found(*files.values()) == []


@pytest.mark.proof
def test_no_recording_holds_it(start: Callable[..., subprocess.Popen[str]], tcop: RunCommand, tmp_path: Path) -> None:
    """No recording and no replay of it shows the password, whether the credentials are right or wrong."""
    password = CREDENTIALS.password.reveal()
    (tmp_path / "auth").write_text(f"{CREDENTIALS.user.reveal()}:{password}", encoding="utf-8")
    listening = start("listen", "--auth", "@auth", "--record", "r.jsonl", "--count", "2", "--json")
    assert listening.stdout is not None
    url = with_userinfo(json.loads(listening.stdout.readline())["url"], CREDENTIALS)
    cmdline = Path(f"/proc/{listening.pid}/cmdline")
    assert not cmdline.exists() or _found(cmdline.read_text(encoding="utf-8")) == []
    sent = tcop("send", CVM, "--to", url)
    tcop("replay", "TCM202/4", "--to", url, "--attempts", "1")
    out, err = listening.communicate(timeout=30)
    recorded = (tmp_path / "r.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["auth"] for line in recorded.splitlines()] == ["right", "wrong"]
    again = tcop("replay", str(tmp_path / "r.jsonl"), "--to", url, "--dry-run")
    assert _found(sent.stdout, sent.stderr, out, err, recorded, again.stdout, again.stderr) == []


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "verb", ["check {}", "load {}", "send cvm/basic-monitoring --to {}", "replay TCM201 --to {}", "doctor {}"]
)
def test_no_complaint_shows_it(verb: str, wrong: str, tcop: RunCommand) -> None:
    """About a target that cannot be used, or cannot be reached."""
    userinfo = with_userinfo("://", CREDENTIALS).removeprefix("://")
    target = wrong.format(userinfo=userinfo, raw=f"u:{CREDENTIALS.password.reveal()}")
    done = tcop(*(part.format(target) for part in verb.split()), "--debug")
    assert done.exit_code == 2
    assert _found(done.stdout, done.stderr) == []


def test_no_crash_shows_it(tcop: RunCommand, closed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a receiver that is not there, nor an error of ours, with its traceback."""
    target = with_userinfo(closed_url, CREDENTIALS)
    away = tcop("check", target, "--debug")

    def broken(self: ContractRun) -> None:
        raise ZeroDivisionError(f"{self.plan} {self.plan.target!r}")

    monkeypatch.setattr(ContractRun, "events", broken)
    ours = tcop("check", target, "--debug")
    assert (away.exit_code, ours.exit_code) == (3, 4)
    assert "Traceback" in ours.stderr
    assert _found(away.stdout, away.stderr, ours.stdout, ours.stderr) == []


def test_no_copy_holds_it() -> None:
    """A pickled target has lost its password, and its repr and str never had it."""
    target = Target.parse(with_userinfo("http://h/", CREDENTIALS))
    assert _found(pickle.dumps(target).decode("latin-1"), repr(target), str(target), repr(target.credentials)) == []
