"""The Dockerfile, checked without Docker: its sources exist and suffice, and it runs as an unprivileged user."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shlex
import shutil
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.checkout


@pytest.fixture
def steps(root: Path) -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, continued lines joined, with their arguments."""
    text = re.sub(r"^#.*\n", "", (root / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def copied(steps: list[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """Return the sources and the destination of each COPY from the checkout."""
    words = [shlex.split(rest) for word, rest in steps if word == "COPY" and not rest.startswith("--from")]
    return [(sources, place) for *sources, place in words]


def test_it_runs_as_nobody(steps: list[tuple[str, str]]) -> None:
    """There are two stages on versioned slim images, no downloads, and an unprivileged user at the end."""
    bases = [rest.split()[0] for word, rest in steps if word == "FROM"]
    assert len(bases) == 2
    assert {re.fullmatch(r"python:3\.\d+-slim", base) is not None for base in bases} == {True}
    assert "ADD" not in dict(steps)
    assert not any("://" in rest for _, rest in steps)
    [user] = [rest for word, rest in steps if word == "USER"]
    assert int(user) >= 1000
    words = [word for word, _ in steps]
    assert words.index("USER") > max(at for at, word in enumerate(words) if word == "RUN")


def test_all_is_pinned(steps: list[tuple[str, str]]) -> None:
    """Pip installs only packages with hashes, and the checkout itself without dependencies."""
    installs = [rest for word, rest in steps if word == "RUN" and " install " in rest]
    assert len(installs) == 2
    assert "--require-hashes -r requirements/run.txt" in installs[0]
    assert installs[1].endswith("--no-deps --no-build-isolation .")


def test_what_it_copies_is_there(steps: list[tuple[str, str]], root: Path) -> None:
    """Every source is in the checkout, and .dockerignore allows exactly these."""
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    sources = {source for given, _ in copied(steps) for source in given}
    assert sources == allowed
    assert "*" in lines
    assert all((root / source).exists() for source in sources)


def test_what_it_copies_is_enough(steps: list[tuple[str, str]], root: Path, tmp_path: Path, wheel: Path) -> None:
    """A wheel built from the copied files alone has every file of the real wheel."""
    from hatchling.build import build_wheel  # noqa: PLC0415 - not installed in runs against the wheel

    for sources, place in copied(steps):
        for source in sources:
            into = tmp_path / (source if place == "./" else place)
            into.parent.mkdir(parents=True, exist_ok=True)
            copy: Callable[..., object] = shutil.copytree if (root / source).is_dir() else shutil.copy
            copy(root / source, into)
    (tmp_path / "dist").mkdir()
    with contextlib.chdir(tmp_path):
        name = build_wheel("dist")
    assert names(tmp_path / "dist" / name) == names(wheel)


def names(wheel: Path) -> list[str]:
    """Return the names of the files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return sorted(name for name in archive.namelist() if "__pycache__" not in name)


def test_health_is_what_listen_answers(steps: list[tuple[str, str]]) -> None:
    """The health check succeeds if ``listen`` is ready on its port, and fails otherwise."""
    reported = dict(steps)
    check = reported["HEALTHCHECK"].partition(" CMD ")[2]
    command = json.loads(check)
    assert command[:2] == ["python", "-c"]
    listening = json.loads(reported["CMD"])
    assert listening == ["listen", "--host", "0.0.0.0", "--port", "8080"]  # noqa: S104 - inside a container
    assert (reported["EXPOSE"], json.loads(reported["ENTRYPOINT"])) == ("8080", ["tcop-mock"])
    with http.server.HTTPServer(("127.0.0.1", 0), _Ready) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        program = command[2].replace("8080", str(server.server_address[1]))
        exec(program, {})  # noqa: S102 - our own line
        with pytest.raises(AssertionError):
            exec(program.replace("readyz", "other"), {})  # noqa: S102 - our own line
        server.shutdown()
    with pytest.raises(ConnectionRefusedError):
        exec(program, {})  # noqa: S102 - our own line


class _Ready(http.server.BaseHTTPRequestHandler):
    """Answers as ``listen`` does on its control API."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/__tcop-mock/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""
