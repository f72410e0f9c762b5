"""Protocols of pytest runs inside tests: the fixtures ``inner`` and ``outer`` of ``tests/plugin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import subprocess

    import pytest


class RunPytest(Protocol):
    """Runs a suite."""

    def __call__(self, tests: str, *arguments: str, target: str = "") -> pytest.RunResult:
        """Run a suite of one module and return the result.

        Args:
            tests: source of the module.
            arguments: arguments of pytest.
            target: name of an app of ``tests/support/apps.py``, or an expression, for the suite's ``tcop_target``.
        """
        ...


class RunPytestProcess(Protocol):
    """Runs a suite in a separate process."""

    def __call__(
        self, tests: str, *arguments: str, target: str = "", beside: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a suite of one module with additional plugins and return the result; see :class:`RunPytest`."""
        ...
