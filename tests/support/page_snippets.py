"""The code blocks of a Markdown page, and a shell that runs them.

The title gives the kind of a block: ``title="app.py"`` is a file, ``title="exits with 1"`` a command with that exit
code, and ``title="not run by the tests: ..."`` is skipped for that reason. The site shows titles above the blocks.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = re.compile(r'^```(?P<lang>\w+)(?: title="(?P<title>[^"\n]+)")?\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"exits with (\d+)")
_NOT_RUN = "not run by the tests: "
_FILE = re.compile(r"[\w./-]+\.\w+")
_PORTS = re.compile(r"\b808\d\b")
"""Matches the ports of pages."""
_PORT_RANGE = range(15_000, 30_000)
"""Ports that no system assigns for port 0, which other tests use."""
_OTHER_PLUGINS = ("anyio", "asyncio", "faker", "hypothesispytest", "locust", "randomly", "xdist")
"""Plugins of pytest that are installed here, and not by the commands of the pages; some take seconds to load."""
_KILL_JOBS = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    lang: str
    title: str
    code: str
    line: int

    @property
    def skip_reason(self) -> str:
        """Why it is not run; empty: it is run."""
        return self.title.removeprefix(_NOT_RUN) if self.title.startswith(_NOT_RUN) else ""

    @property
    def file(self) -> str:
        """Its file name; empty: it is not a file."""
        return self.title if _FILE.fullmatch(self.title) else ""

    @property
    def exit_code(self) -> int:
        """Expected exit code of its single command."""
        found = _EXIT.fullmatch(self.title)
        return int(found[1]) if found else 0

    @property
    def has_known_title(self) -> bool:
        """Whether its title has a meaning."""
        return not self.title or bool(self.skip_reason or self.file or self.exit_code)


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(found["lang"], found["title"] or "", found["code"], page.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(page)
    ]


def script_of(selected: Iterable[Block]) -> str:
    """Return one script of shell and Python blocks that prints the line number of each block.

    All blocks share one shell, including its background jobs.
    """
    lines = []
    for block in selected:
        code = f"python - <<'END_OF_BLOCK'\n{block.code}END_OF_BLOCK\n" if block.lang == "python" else block.code
        echo = f"echo '# line {block.line}'\n"
        if block.exit_code:
            code = f"set +e\n{code}code=$?\nset -e\ntest $code -eq {block.exit_code}\n"
        lines.append(echo + code)
    return "".join(lines)


def run_script(folder: Path, files: Iterable[Block], script: str) -> str:
    """Run a script in a folder with these files, and return its output.

    Ports are replaced by free ones, so that tests can run concurrently.

    Raises:
        AssertionError: a command failed; contains the output.
    """
    ports: dict[str, str] = {}

    def with_free_ports(text: str) -> str:
        return _PORTS.sub(lambda found: ports.setdefault(found[0], str(_free_port())), text)

    for block in files:
        file = folder / block.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(with_free_ports(block.code), encoding="utf-8")
    completed = subprocess.run(  # noqa: S603 - commands of our own pages
        ["bash", "-euo", "pipefail", "-c", _KILL_JOBS + with_free_ports(script)],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout
    return completed.stdout


def _free_port() -> int:
    while True:
        port = secrets.choice(_PORT_RANGE)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def _environment() -> dict[str, str]:
    """Return an environment with our commands first in PATH, without a target and other plugins."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    scripts = str(Path(sys.executable).parent)
    return environment | {
        "PATH": f"{scripts}{os.pathsep}{environment['PATH']}",
        "TCOP_MOCK_TARGET": "",
        "PYTHONUNBUFFERED": "1",
        "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in _OTHER_PLUGINS),
    }
