"""action.yml is valid, and its steps work when they run as on a GitHub runner."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from page_snippets import blocks
from receiver_factories import in_thread, server_factory
from ruamel.yaml import YAML
from vendor_schemas import require_valid

from tcop_mock.cli.main import cli
from tcop_mock.cli.settings import Settings
from tcop_mock.server.demo_receivers import buggy_receiver

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.checkout
RECEIVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
EVIL = "$(touch pwned)`touch pwned`\"; touch pwned; #'\n"


@pytest.fixture(scope="module")
def action(root: Path) -> Any:
    """Return the action."""
    return YAML(typ="safe").load(root / "action.yml")


def test_it_keeps_the_schema_of_actions(root: Path) -> None:
    """The action is valid against GitHub's schema for actions, as shipped with check-jsonschema."""
    require_valid(root / "action.yml", "github-actions")


def test_the_page_shows_what_is_taken(root: Path, tmp_path: Path) -> None:
    """The pipelines in docs/ci.md are valid for GitHub and GitLab, and name only inputs and hooks that exist."""
    page = blocks((root / "docs" / "ci.md").read_text(encoding="utf-8"))
    github, gitlab, hooks = [block.code for block in page if block.lang == "yaml"]
    for schema, code in (("github-workflows", github), ("gitlab-ci", gitlab)):
        (tmp_path / "page.yml").write_text(code, encoding="utf-8")
        require_valid(tmp_path / "page.yml", schema)
    [step] = [step for step in YAML(typ="safe").load(github)["jobs"]["contract"]["steps"] if "with" in step]
    assert set(step["with"]) <= set(YAML(typ="safe").load(root / "action.yml")["inputs"])
    named = [hook["id"] for repository in YAML(typ="safe").load(hooks)["repos"] for hook in repository["hooks"]]
    assert named == [hook["id"] for hook in YAML(typ="safe").load(root / ".pre-commit-hooks.yaml")]


def test_no_input_is_part_of_a_script(action: Any) -> None:
    """Scripts contain no expressions; every input is used, and every variable is a setting of check."""
    used = set()
    settings = Settings(cli, {}).keys_by_command["check"]
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        values = [*step.get("env", {}).values(), *step.get("with", {}).values(), step.get("working-directory", "")]
        used |= set(re.findall(r"inputs\.([a-z-]+)", " ".join([*values, step.get("if", "")])))
        assert set(step.get("env", {})) <= {key.variable for key in settings.values()}
    assert used == set(action["inputs"])


def judge(action: Any, tmp_path: Path, **env: str) -> tuple[int, str, str]:
    """Run the step with the check; return its exit code, its output and the summary."""
    [step] = [step for step in action["runs"]["steps"] if step.get("id") == "judge"]
    files = {name: str(tmp_path / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    inputs = dict.fromkeys(step["env"], "") | env
    done = subprocess.run(  # noqa: S603 - our own step
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env=os.environ | files | {"RUNNER_TEMP": str(tmp_path), "TCOP_MOCK_ACTION_PYTHON": sys.executable} | inputs,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    summary = tmp_path / "github_step_summary"
    reported = summary.read_text(encoding="utf-8") if summary.exists() else ""
    return done.returncode, (tmp_path / "github_output").read_text(encoding="utf-8"), reported


def test_a_receiver_is_checked(action: Any, tmp_path: Path) -> None:
    """The exit code is that of the step and an output; the summary has the findings; reports are written."""
    env = {"TCOP_MOCK_CLAUSES": "TCM302", "TCOP_MOCK_REPORT": "json=r.json\njunit=r.xml", "TCOP_MOCK_WAIT": "30s"}
    with in_thread(server_factory(lambda: buggy_receiver)) as url:
        code, output, summary = judge(action, tmp_path, TCOP_MOCK_TARGET=url, **env)
    assert (code, output) == (1, "exit-code=1\n")
    assert "TCM302" in summary
    assert (tmp_path / "r.json").exists()
    assert (tmp_path / "r.xml").exists()


def test_a_receiver_is_started(action: Any, tmp_path: Path) -> None:
    """The inputs name the receiver's command and path; its calls are caught by default."""
    (tmp_path / "app.py").write_text(RECEIVER)
    env = {"TCOP_MOCK_RUN": f"{sys.executable} -S app.py", "TCOP_MOCK_TARGET": "/alarms", "TCOP_MOCK_CATCH": "false"}
    code, _, summary = judge(action, tmp_path, **env, TCOP_MOCK_CLAUSES="TCM302,TCM501")
    assert code == 0
    assert "TCM501" in summary
    assert "check --downstream plays it" in summary or "needs observer" in summary


@pytest.mark.parametrize("variable", ["TCOP_MOCK_TARGET", "TCOP_MOCK_RUN", "TCOP_MOCK_FAIL_ON"])
def test_no_input_is_a_command(action: Any, tmp_path: Path, variable: str) -> None:
    """A malicious input is a value that tcop-mock rejects; no shell executes it."""
    code, output, summary = judge(action, tmp_path, **{variable: EVIL})
    assert (code, output, summary) == (2, "exit-code=2\n", "")
    assert not (tmp_path / "pwned").exists()


def test_what_is_installed_is_there(action: Any, root: Path) -> None:
    """The checkout contains the files that the installation step names."""
    script = "".join(step.get("run", "") for step in action["runs"]["steps"])
    named = re.findall(r"\$GITHUB_ACTION_PATH(?:/([\w./]+))?", script)
    assert set(named) == {"", "requirements/action.txt"}
    assert all((root / name).exists() for name in named)
