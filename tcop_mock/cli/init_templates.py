"""The files that ``init`` writes, as texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcop_mock.cli.framework_detection import DetectedApp

SETTINGS, GITHUB, GITLAB = "tcop-mock.toml", ".github/workflows/tcop-mock.yml", ".gitlab-ci.tcop-mock.yml"
TEST = "test_tcop_contract.py"
_REPORT = "tcop-mock.xml"
_CHECK = f"tcop-mock check --wait 120s --report junit={_REPORT}"


def settings(found: DetectedApp) -> str:
    """Return a commented tcop-mock.toml."""
    edit = _doubt(found)
    return f"""\
# Settings of tcop-mock. Each flag of each verb is one; `tcop-mock config` shows all of them, and where their values
# come from. A variable TCOP_MOCK_<FLAG> beats this file, and a flag beats both.

# The generation of the callback contract: 2019-ack, 2021-verify, 2023, 2025 or template.
profile = "2023"

# The receiver{edit}. A password does not belong here: put
# http://USER:PASSWORD@HOST/PATH into the variable TCOP_MOCK_TARGET, or into a file, and name that: target = "@FILE".
target = {_quoted(found.target)}

# Products of your own: a folder of entries.
# catalog = "alarms"

[check]
# Which broken clauses fail the run: must, or should as well.
fail-on = "must"
# How long a receiver that is starting is given.
wait = "30s"
# Clauses to leave out, by code or name: TCM515 sends 200 requests within a second.
# skip = ["TCM515"]
"""


def conftest(found: DetectedApp) -> str:
    """Return the conftest.py that names the receiver to the tests."""
    return f'"""What the contract tests judge."""\n\n{_fixture(found)}'


def test_module(found: DetectedApp, *, with_fixture: bool) -> str:
    """Return the test; with the fixture where a conftest.py is there, which is not touched."""
    fixture = f"\n{_fixture(found)}" if with_fixture else ""
    return f'''\
"""The receiver keeps the contract of TCOP's alarm callbacks."""
{fixture}

def test_contract(tcop_contract):
    """Each clause is judged; a failure says what is broken, by which source, and how to see it again."""
    tcop_contract.check()
'''


def workflow(found: DetectedApp, install: str, test: str) -> str:
    """Return the GitHub workflow.

    Args:
        found: the receiver.
        install: the arguments with which pip installs it; of Python's frameworks.
        test: path of the test; of frameworks whose apps are called without a server.
    """
    steps = _workflow_steps(found, install, test)
    return f"""\
# The contract of TCOP's alarm callbacks, judged at each push. Written by `tcop-mock init`.
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


def gitlab(found: DetectedApp, install: str, test: str) -> str:
    """Return a job for GitLab, to be included; see :func:`workflow`."""
    lines = _commands(found, install, test)
    script = "".join(f"    - {_quoted(line)}\n" for line in lines)
    variables = "" if test else f"  variables:\n    TCOP_MOCK_TARGET: {_quoted(found.target)}\n"
    needs = "" if found.framework.python else "  # an image that has what builds the receiver, as well as Python 3.11\n"
    return f"""\
# The contract of TCOP's alarm callbacks. Written by `tcop-mock init`; put this into .gitlab-ci.yml:
#   include:
#     - local: {GITLAB}
tcop-mock:
{needs}  image: python:3.12-slim
{variables}  script:
{script}  artifacts:
    when: always
    reports:
      junit: {_REPORT}
"""


def _workflow_steps(found: DetectedApp, install: str, test: str) -> str:
    lines = _commands(found, install, test)
    env = "" if test else f"        env:\n          TCOP_MOCK_TARGET: {_quoted(found.target)}\n"
    return "".join(f"      - run: {_quoted(line)}\n" for line in lines) + env


def _commands(found: DetectedApp, install: str, test: str) -> list[str]:
    """Return the commands of a job; the last one judges."""
    own = [f"python -m pip install {install}"] if install else []
    if test:
        pytest = f"python -m pytest {test} --tcop-report junit={_REPORT}"
        return [*own, 'python -m pip install "tcop-mock[pytest]"', pytest]
    start = found.framework.start or "echo 'put here what starts the receiver' >&2; exit 1"
    return [*own, start, "python -m pip install tcop-mock", _CHECK]


def _fixture(found: DetectedApp) -> str:
    edit = _doubt(found)
    return f'''\
import pytest


@pytest.fixture
def tcop_target():
    """The receiver{edit}: module:app/path, or a URL, or the app itself."""
    return {_quoted(found.target)}
'''


def _doubt(found: DetectedApp) -> str:
    if not found.route:
        return (
            " (say at which path it takes callbacks)" if found.app or not found.framework.in_process else " (say which)"
        )
    return "" if found.app or not found.framework.in_process else " (say which)"


def _quoted(text: str) -> str:
    """Return a text as TOML, YAML and Python all read it."""
    return json.dumps(text, ensure_ascii=False)
