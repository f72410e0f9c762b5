"""Fixtures of the plugin's tests: a run of pytest inside this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import branch_coverage
import jsonpath_rfc9535  # noqa: F401 - an inner run forgets its imports, and this one works once in a process
import pytest
import trustme  # noqa: F401 - as those of ours below

import tcop_mock.api
import tcop_mock.callbacks.generator
import tcop_mock.contract.observers
import tcop_mock.contract.runner
import tcop_mock.testing.catch
import tcop_mock.testing.contract
import tcop_mock.testing.factories
import tcop_mock.testing.receiver
import tcop_mock.testing.run
import tcop_mock.testing.senders
import tcop_mock.transport.asgi
import tcop_mock.transport.delivery
import tcop_mock.transport.open  # noqa: F401 - an inner run forgets its imports, unless they were there before it

SUPPORT = Path(__file__).parents[1] / "support"
if TYPE_CHECKING:
    from pytester_runs import RunPytest, RunPytestProcess

_OTHERS = ("asyncio", "locust", "randomly", "xdist", "faker", "hypothesispytest", "cacheprovider", "anyio")
"""Plugins that are around here, and need not be around users."""


def _write(pytester: pytest.Pytester, tests: str, target: str) -> None:
    pytester.makepyfile(test_it=tests)
    if target:
        pytester.makeconftest(f"import apps\nimport pytest\n@pytest.fixture\ndef tcop_target():\n    return {target}\n")


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunPytest:
    """Give a function that runs a suite in this process, with our plugin and pytest's own and no other."""
    monkeypatch.delenv("TCOP_MOCK_TARGET", raising=False)

    def run(tests: str, *arguments: str, target: str = "") -> pytest.RunResult:
        _write(pytester, tests, target)
        off = [part for name in _OTHERS for part in ("-p", f"no:{name}")]
        warnings = ("-W", "error", "-W", "ignore:Module already imported so cannot be rewritten")
        return pytester.runpytest_inprocess(*off, "--strict-markers", *warnings, *arguments)

    return run


@pytest.fixture
def outer(pytester: pytest.Pytester) -> RunPytestProcess:
    """Give a function that runs a suite in a process of its own."""

    def run(
        tests: str, *arguments: str, target: str = "", beside: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        _write(pytester, tests, target)
        off = [part for name in _OTHERS if name not in beside for part in ("-p", f"no:{name}")]
        folders = [str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])]
        if measured := branch_coverage.command_environment():
            off.append("--assert=plain")  # pytest would import our modules itself, and they would not be measured
        return subprocess.run(  # noqa: S603 - it is ours
            [sys.executable, "-m", "pytest", *off, "-W", "error", "--strict-markers", *arguments],
            cwd=pytester.path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)} | measured,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run
