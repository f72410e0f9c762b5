"""Completion: the scripts, and the answers to a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli.main import cli, main
from tcop_mock.contract.clauses import load_clauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands import RunCommand

    Ask = Callable[..., list[str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Ask as bash does what the last word may become."""

    def words(*given: str) -> list[str]:
        monkeypatch.setenv("_TCOP_MOCK_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["tcop-mock", *given]))
        monkeypatch.setenv("COMP_CWORD", str(len(given)))
        with pytest.raises(SystemExit) as ended:
            main([])
        assert ended.value.code == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out.splitlines()

    return words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_has_its_script(tcop: RunCommand, shell: str) -> None:
    """It names the program and asks it by the variable that click reads; the document holds the same."""
    done, document = tcop("completion", shell), tcop("completion", shell, "--json").document
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"_TCOP_MOCK_COMPLETE={shell}_complete" in done.stdout
    assert document["script"].strip("\n") == done.stdout.strip("\n")
    Draft202012Validator(read_schema("completion-report")).validate(document)


def test_another_shell_is_refused(tcop: RunCommand) -> None:
    """An unknown shell is a usage error that lists the supported ones."""
    done = tcop("completion", "powershell")
    assert (done.exit_code, "'bash', 'zsh', 'fish'" in done.error_message) == (2, True)


def test_verbs_and_flags(ask: Ask) -> None:
    """Verbs, the flags of a verb, and the values of a flag that has a choice."""
    assert ask("") == [f"plain,{name}" for name in cli.commands]
    assert ask("de") == ["plain,demo"]
    assert "plain,--fail-on" in ask("check", "--fail")
    assert ask("check", "--fail-on", "s") == ["plain,should"]
    assert ask("config", "co") == ["plain,console", "plain,config", "plain,completion"]


@pytest.mark.parametrize("verb", ["show", "emit", "list"])
def test_ids_of_shapes(ask: Ask, verb: str) -> None:
    """Ids of shapes, by their beginning."""
    assert ask(verb, "cdn/") == ["plain,cdn/domain", "plain,cdn/project", "plain,cdn/province-isp"]


def test_ids_of_own_shapes(ask: Ask, tmp_path: Path) -> None:
    """Shapes of --catalog are completed; a missing folder adds none."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "queue.toml").write_text("", encoding="utf-8")
    assert ask("show", "--catalog", str(tmp_path), "acme/") == ["plain,acme/queue"]
    assert ask("show", "--catalog", str(tmp_path / "none"), "cdn/d") == ["plain,cdn/domain"]


def test_codes_of_clauses(ask: Ask) -> None:
    """Codes, also behind a comma; a case is one of them, or a file."""
    codes = [clause.code for clause in load_clauses()]
    assert ask("explain", "") == [f"plain,{code}" for code in codes]
    assert ask("check", "--clauses", "TCM302,TCM30") == [
        f"plain,TCM302,{code}" for code in codes if code.startswith("TCM30")
    ]
    assert ask("replay", "TCM302") == ["plain,TCM302", "file,TCM302"]


def test_profiles_and_files(ask: Ask) -> None:
    """Profiles by name; files and folders are the shell's own business."""
    assert ask("show", "--profile", "202") == ["plain,2021-verify", "plain,2023", "plain,2025"]
    assert ask("validate", "x") == ["file,x"]
    assert ask("export", "x") == ["dir,x"]
    assert ask("send", "cdn/d") == ["plain,cdn/domain", "file,cdn/d"]


def test_nothing_is_read(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A configuration that is wrong does not stop a shell."""
    (tmp_path / "tcop-mock.toml").write_text("wrong", encoding="utf-8")
    monkeypatch.setenv("TCOP_MOCK_CONFIG", str(tmp_path / "tcop-mock.toml"))
    assert ask("check", "--fail-on", "m") == ["plain,must"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="it is bash that is asked")
def test_bash_completes() -> None:
    """The script, read by a bash, completes the words of a line."""
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(  # noqa: S603 - our own line
        ["bash", "--norc", "-c", _LINE],
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    codes = [clause.code for clause in load_clauses()]
    assert done.stdout.split() == [code for code in codes if code.startswith("TCM30")]


_LINE = """
eval "$(tcop-mock completion bash)"
COMP_WORDS=(tcop-mock explain TCM30) COMP_CWORD=2
_tcop_mock_completion tcop-mock
echo "${COMPREPLY[@]}"
"""
