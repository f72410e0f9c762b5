"""Write the pictures of docs/pictures/ from real output: a finding in the terminal, a report of a check, one of a load.

``python scripts/pictures.py`` writes ``finding.svg``; with ``--check`` it only compares, and exits with 1 on a
difference. ``--screenshots`` also writes ``report.png`` and ``load.png``, if Chromium is installed and the code that
renders reports is not the one of the last screenshots.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from generated import Page, main
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tcop_mock.__main__ import main as tcop_mock
from tcop_mock.server.demo_receivers import buggy_receiver, correct_receiver
from tcop_mock.server.http_server import HttpServer

if TYPE_CHECKING:
    from tcop_mock.server.messages import Handler

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures"
RENDERERS = [ROOT / "tcop_mock" / "reports" / f"{name}.py" for name in ("findings", "html", "html_page", "load_html")]
RENDERED_FROM = FOLDER / "rendered-from.txt"
COLUMNS = 100
HOST = "127.0.0.1:8080"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_STYLES = {"$": "bold", "FAIL": "bold red", "why:": "yellow", "fix:": "green", "Next:": "bold"}


class _Terminal(io.StringIO):
    """Stream that claims to be a terminal; with ``TERM=dumb`` it gets plain lines of 80 columns."""

    def isatty(self) -> bool:
        """Return true."""
        return True


def run(handler: Handler, *arguments: str) -> str:
    """Return the output of a command whose first argument is followed by the address of a receiver."""

    async def serve() -> str:
        output = _Terminal()
        async with HttpServer(handler) as receiver:
            verb, *rest = arguments
            with (
                patch.dict(os.environ, TERM="dumb"),
                contextlib.redirect_stdout(output),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                await asyncio.to_thread(tcop_mock, [verb, receiver.url, *rest])
            return output.getvalue().replace(receiver.url.partition("//")[2].rstrip("/"), HOST)

    return asyncio.run(serve())


def shown(output: str) -> list[str]:
    """Return the lines of a picture; a line that is too long for it ends in dots."""
    return [line if len(line) <= COLUMNS else f"{line[: COLUMNS - 3]}..." for line in output.strip("\n").splitlines()]


def finding() -> str:
    """Return the picture of two findings in the terminal."""
    options = ["--clauses", "TCM104,TCM302,TCM401", "--seed", "1"]
    lines = [f"$ tcop-mock check http://{HOST}/ {' '.join(options)}", *shown(run(buggy_receiver, "check", *options))]
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        first = (line.split() or [""])[0]
        console.print(Text(line, style=_STYLES.get(first, "")), soft_wrap=True, highlight=False)
    svg = console.export_svg(title="tcop-mock", theme=MONOKAI, unique_id="finding")
    return "\n".join(line.rstrip() for line in _FONT_FACES.sub("", svg).splitlines()) + "\n"


def screenshots() -> None:
    """Write the pictures of the HTML reports, if the code that renders them is another."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in RENDERERS)).hexdigest() + "\n"
    if RENDERED_FROM.is_file() and RENDERED_FROM.read_text(encoding="utf-8") == digest:
        return
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no Chromium here: report.png and load.png stay as they are", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        report, load = Path(name) / "report.html", Path(name) / "load.html"
        run(buggy_receiver, "check", "--seed", "1", "--clauses", "TCM302,TCM303,TCM307", "--report", f"html={report}")
        run(correct_receiver, "load", "--scenario", "deploy-noise", "--time-scale", "0.01", "--report", f"html={load}")
        _capture(browser, report, FOLDER / "report.png", height=900)
        _capture(browser, load, FOLDER / "load.png", height=1900)
    RENDERED_FROM.write_text(digest, encoding="utf-8")


def _capture(browser: str, page: Path, picture: Path, *, height: int) -> None:
    flags = ["--headless", "--disable-gpu", "--hide-scrollbars", f"--window-size=1100,{height}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses to run as root with its sandbox
    command = [browser, *flags, f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - our own page


PAGES = (Page(FOLDER / "finding.svg", finding, "what `check` prints"),)

if __name__ == "__main__":
    if "--screenshots" in sys.argv:
        sys.argv.remove("--screenshots")
        screenshots()
    sys.exit(main(*PAGES))
