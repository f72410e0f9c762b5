"""Templates of the files that init writes."""

from __future__ import annotations

import json
import re
import shlex
from textwrap import indent
from typing import TYPE_CHECKING

from tcop_mock.cli.choices import PROFILES
from tcop_mock.cli.options import listed

if TYPE_CHECKING:
    from tcop_mock.cli.framework_detection import DetectedApp

SETTINGS, GITHUB, GITLAB = "tcop-mock.toml", ".github/workflows/tcop-mock.yml", ".gitlab-ci.tcop-mock.yml"
TEST = "test_tcop_contract.py"
_REPORT, _TEST_REPORT, _REPORTS = "tcop-mock.xml", "tcop-mock-pytest.xml", "tcop-mock*.xml"
_CHECK = f"tcop-mock check --wait 120s --report junit={_REPORT}"
_ANY_COMMAND = "./receiver --port {port}"


def settings(found: DetectedApp) -> str:
    """Return a commented tcop-mock.toml."""
    edit = _doubt(found)
    return f"""\
# Settings of tcop-mock. Every flag of every command is one; `tcop-mock config` shows them all, and where their values
# come from. A variable TCOP_MOCK_<FLAG> overrides this file, and a flag overrides both.

# The version of the callback contract: {listed(PROFILES)}.
profile = "2023"

# The receiver{edit}. A password does not belong here: put USER:PASSWORD@/PATH, or
# without run http://USER:PASSWORD@HOST/PATH, into the variable TCOP_MOCK_TARGET, or into a file that target = "@FILE"
# names.
{_src_note(found)}target = {_quoted(found.target)}

# A folder with your own catalogue entries.
# catalog = "alarms"

[check]
# The lowest level whose broken clauses fail the run: must or should.
fail-on = "must"
# How long to wait for a receiver that is starting.
wait = "30s"
{_run_settings(found)}
# Clauses to skip, by code or name: TCM515 sends 200 requests within a second.
# skip = ["TCM515"]
"""


def _run_settings(found: DetectedApp) -> str:
    """Return the settings of a receiver that the check starts, and those of its database as comments."""
    command = f"run = {_quoted(found.run or _ANY_COMMAND)}"
    otherwise = (
        "calls the app in its own process" if found.framework.in_process else "expects the receiver at the target"
    )
    return f"""\
# The command that starts the receiver for the check, which ends it afterwards. Its calls to chats and PagerDuty are
# answered in their place, and the messages are checked. It listens at {{port}}, or at the variable PORT. Without this
# line, check {otherwise}.
{command if found.run else f"# {command}"}
# A service of your own that it calls, besides.
# catch-host = ["alerts.example.com=json"]
# What it keeps: its database, or a log (- for the output of run). Each row or line that names an alarm is looked at.
# observe-sql = "sqlite:///incidents.db"
# observe-log = "-\""""


def conftest(found: DetectedApp) -> str:
    """Return the conftest.py that names the receiver to the tests."""
    return f'"""The receiver that the contract tests check."""\n\n{_fixture(found)}'


def test_module(found: DetectedApp, *, with_fixture: bool) -> str:
    """Return the test; it has the fixture if there is a conftest.py, which is not changed."""
    fixture = f"\n{_fixture(found)}" if with_fixture else ""
    return f'''\
"""The receiver keeps the contract of TCOP's alarm callbacks."""
{fixture}

def test_contract(tcop_contract):
    """Check every clause; a failure names the clause, its source, and how to reproduce it."""
    tcop_contract.check()
'''


def workflow(found: DetectedApp, package: str, install: str, test: str) -> str:
    """Return the GitHub workflow.

    Args:
        found: the receiver.
        package: requirement, URL or path from which pip gets tcop-mock; empty, if it is unknown.
        install: arguments for pip, if the framework is for Python.
        test: path of the test, if apps of the framework are called without a server.
    """
    steps = "".join(f"      - run: {_quoted(line)}\n" for line in _commands(found, package, install, test))
    return f"""\
# The contract of TCOP's alarm callbacks, checked on each push. Written by `tcop-mock init`.
# What is checked, and the command that starts it, are in {SETTINGS}.
name: tcop-mock
on: [push, pull_request]
permissions:
  contents: read
jobs:
  contract:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
{steps}"""


def gitlab(found: DetectedApp, package: str, install: str, test: str) -> str:
    """Return a job for GitLab, for an include; see :func:`workflow`."""
    lines = _commands(found, package, install, test)
    script = "".join(f"    - {_quoted(line)}\n" for line in lines)
    needs = "" if found.framework.python else "  # use an image that can build the receiver and has Python 3.11\n"
    return f"""\
# The contract of TCOP's alarm callbacks. Written by `tcop-mock init`; put this into .gitlab-ci.yml:
#   include:
#     - local: {GITLAB}
# What is checked, and the command that starts it, are in {SETTINGS}.
tcop-mock:
{needs}  image: python:3.12-slim
  script:
{script}  artifacts:
    when: always
    reports:
      junit: {_quoted(_REPORTS) if test else _REPORT}
"""


def _commands(found: DetectedApp, package: str, install: str, test: str) -> list[str]:
    """Return the commands of a job; the last one checks the receiver with the settings."""
    own = [f"python -m pip install {install}"] if install else []
    build = [found.framework.build] if found.framework.build else []
    if not found.run:
        build = ["echo 'build the receiver here, and write its command into tcop-mock.toml: run' >&2; exit 1"]
    extras, tests = "[run]", []
    if test:
        extras, tests = "[pytest,run]", [f"python -m pytest {test} --tcop-report junit={_TEST_REPORT}"]
    return [*own, *build, _install_package(package, extras), *tests, _CHECK]


def _install_package(package: str, extras: str) -> str:
    """Return the command that installs tcop-mock with extras, or one that fails because no source was named."""
    if not package:
        return "echo 'write here how pip gets tcop-mock, or use tcop-mock init --package' >&2; exit 1"
    if "://" in package:
        requirement = f"tcop-mock{extras} @ {package}"
    elif package.startswith((".", "/")) or package.endswith((".whl", ".tar.gz")):
        requirement = f"{package}{extras}"
    else:
        requirement = re.sub(r"^[\w.-]+", lambda name: f"{name[0]}{extras}", package)
    return f"python -m pip install {shlex.quote(requirement)}"


def _fixture(found: DetectedApp) -> str:
    edit = _doubt(found)
    return f'''\
import pytest


@pytest.fixture
def tcop_target():
    """The receiver{edit}: module:app/path, or a URL, or the app itself."""
{indent(_src_note(found), "    ")}    return {_quoted(found.target)}
'''


def _src_note(found: DetectedApp) -> str:
    """Return the comment about a module below src, which is not found from the folder of the project."""
    if not (found.in_src and found.framework.in_process):
        return ""
    return (
        "# Its module is below src/: install the package first (python -m pip install -e .), or set PYTHONPATH=src.\n"
    )


def _doubt(found: DetectedApp) -> str:
    if not found.route:
        return " (add the path of its callbacks)" if found.app or not found.framework.in_process else " (name it)"
    return "" if found.app or not found.framework.in_process else " (name it)"


def _quoted(text: str) -> str:
    """Return a text as a string of TOML, YAML and Python."""
    return json.dumps(text, ensure_ascii=False)
