"""Runs of pytest inside of tests, as the fixtures ``inner`` and ``outer`` of ``tests/plugin`` give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import subprocess

    import pytest


class RunPytest(Protocol):
    """Runs a suite."""

    def __call__(self, tests: str, *arguments: str, target: str = "") -> pytest.RunResult:
        """Return what a suite of one module did.

        Args:
            tests: the module's text.
            arguments: of pytest.
            target: name of one of ``tests/support/apps.py``, or an expression, that the suite's ``tcop_target`` gives.
        """
        ...


class RunPytestProcess(Protocol):
    """Runs a suite in a process of its own."""

    def __call__(
        self, tests: str, *arguments: str, target: str = "", beside: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Return what a suite of one module did, with other plugins beside ours; see :class:`Inner`."""
        ...
