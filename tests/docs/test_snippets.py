"""The commands of the README run as they are written."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
INSTALLS = {"make demo\n", "python3 -m pip install .\n"}
"""Set-up: what the demo does is tested in tests/cli, that a built package installs in `make wheel-suite`."""
_END_ALL = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
RUNNABLE = [block for block in BLOCKS if block not in INSTALLS]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_set_up_is_what_we_think() -> None:
    """The blocks that are left out here are in the README, and there is more than them."""
    assert set(BLOCKS) >= INSTALLS
    assert len(RUNNABLE) >= 3


@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.split("\n")[-2][:40])
def test_a_block_runs_as_written(block: str, tmp_path: Path) -> None:
    """Every line of a block succeeds; only the port is another, so that tests can run beside each other."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(  # noqa: S603 - the README's own commands
        ["bash", "-euo", "pipefail", "-c", _END_ALL + block.replace("8080", str(_free_port()))],  # noqa: S607
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "TCOP_MOCK_TARGET": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
