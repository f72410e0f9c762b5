"""Check conforming receivers of many stacks, and print which must clauses failed: there must be none.

``python scripts/stacks.py --install`` installs the Python and npm packages into ``--folder`` (they are kept there for
the next run). Servers and languages come from the system; on Debian ``apt-get install golang-go php-cli ruby
ruby-webrick puma nginx-light apache2 haproxy caddy default-jdk nodejs npm``. What is missing is skipped by name.

The receivers are the files in scripts/stacks/. The exit code is 1 if a must clause failed or were inconclusive.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.errors import TargetError, UsageError
from tcop_mock.process.receiver_process import ReceiverCommand, ReceiverProcess, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(__file__).parent / "stacks"
PYTHON_PACKAGES = [
    "flask",
    "fastapi",
    "uvicorn",
    "django",
    "gunicorn",
    "hypercorn",
    "waitress",
    "aiohttp",
    "tornado",
    "falcon",
    "sanic",
    "starlette",
    "bottle",
    "quart",
    "cheroot",
]
NODE_PACKAGES = ["express", "koa", "koa-bodyparser", "fastify", "@hapi/hapi"]
_CHECK_S = 240


@dataclass(frozen=True, slots=True)
class Stack:
    """A receiver: how it is started, and what it needs.

    In a command ``{port}``, ``{folder}`` (for its files), ``{python}`` and ``{programs}`` are replaced.
    """

    name: str
    command: str
    packages: tuple[str, ...] = ()
    """Python packages, the first of which gives the version."""
    node_package: str = ""
    programs: tuple[str, ...] = ()
    """Programs of the system."""
    version: str = ""
    """Command that prints the version."""
    build: str = ""
    """Command that builds the receiver first."""
    config: str = ""
    """File in the folder of the programs that is filled in; a proxy in front of a receiver on ``{backend}``."""


_GUNICORN = "{python} -m gunicorn --no-control-socket -b 127.0.0.1:{port} --log-level critical"
_UVICORN = "{python} -m uvicorn --port {port} --log-level critical"
_NODE = "node {programs}"


def _python(name: str, command: str, *packages: str) -> Stack:
    return Stack(name, command, packages)


def _node(name: str, file: str, package: str = "") -> Stack:
    return Stack(name, f"{_NODE}/{file} {{port}}", node_package=package, programs=("node",), version="node --version")


def _proxy(name: str, program: str, command: str, config: str, version: str) -> Stack:
    return Stack(name, command, programs=(program,), version=version, config=config)


STACKS = (
    Stack("Python http.server", "{python} {programs}/http_server_app.py {port}", version="{python} --version"),
    _python("Flask, gunicorn", f"{_GUNICORN} flask_app:app", "flask", "gunicorn"),
    _python("Flask, gunicorn threads", f"{_GUNICORN} --threads 8 flask_app:app", "flask", "gunicorn"),
    _python("Flask, waitress", "{python} -m waitress --listen=127.0.0.1:{port} flask_app:app", "flask", "waitress"),
    _python("Flask, Werkzeug", "{python} {programs}/flask_app.py {port}", "flask"),
    _python("FastAPI, uvicorn", f"{_UVICORN} fastapi_app:app", "fastapi", "uvicorn"),
    _python("FastAPI, hypercorn", "{python} -m hypercorn -b 127.0.0.1:{port} fastapi_app:app", "fastapi", "hypercorn"),
    _python("Starlette, uvicorn", f"{_UVICORN} starlette_app:app", "starlette", "uvicorn"),
    _python("Django, gunicorn", f"{_GUNICORN} django_app:app", "django", "gunicorn"),
    _python("Django, uvicorn", f"{_UVICORN} django_asgi_app:app", "django", "uvicorn"),
    _python("aiohttp", "{python} {programs}/aiohttp_app.py {port}", "aiohttp"),
    _python("Tornado", "{python} {programs}/tornado_app.py {port}", "tornado"),
    _python("Falcon, gunicorn", f"{_GUNICORN} falcon_app:app", "falcon", "gunicorn"),
    _python("Sanic", "{python} {programs}/sanic_app.py {port}", "sanic"),
    _python("Bottle, waitress", "{python} -m waitress --listen=127.0.0.1:{port} bottle_app:app", "bottle", "waitress"),
    _python("Bottle, cheroot", "{python} -m cheroot --bind 127.0.0.1:{port} bottle_app:app", "bottle", "cheroot"),
    _python("Quart, hypercorn", "{python} -m hypercorn -b 127.0.0.1:{port} quart_app:app", "quart", "hypercorn"),
    _node("Node http", "node_http.js"),
    _node("Express", "express.js", "express"),
    _node("Koa", "koa.js", "koa"),
    _node("Fastify", "fastify.js", "fastify"),
    _node("hapi", "hapi.js", "@hapi/hapi"),
    Stack(
        "Go net/http",
        "{folder}/receiver {port}",
        programs=("go",),
        version="go version",
        build="go build -o {folder}/receiver {programs}/net_http.go",
    ),
    Stack(
        "Java HttpServer",
        "java -cp {folder} Receiver {port}",
        programs=("java", "javac"),
        version="javac --version",
        build="javac -d {folder} {programs}/Receiver.java",
    ),
    Stack("PHP", "php -S 127.0.0.1:{port} {programs}/receiver.php", programs=("php",), version="php --version"),
    Stack("Ruby, WEBrick", "ruby {programs}/webrick.rb {port}", programs=("ruby",), version="ruby --version"),
    Stack(
        "Ruby Rack, Puma",
        "puma -q -b tcp://127.0.0.1:{port} {programs}/config.ru",
        programs=("puma",),
        version="puma --version",
    ),
    _proxy("nginx in front", "nginx", "nginx -c {folder}/nginx.conf", "nginx.conf", "nginx -v"),
    _proxy("Apache in front", "apache2", "apache2 -X -f {folder}/apache.conf", "apache.conf", "apache2 -v"),
    _proxy("HAProxy in front", "haproxy", "haproxy -f {folder}/haproxy.cfg", "haproxy.cfg", "haproxy -v"),
    _proxy(
        "Caddy in front",
        "caddy",
        "caddy run --adapter caddyfile --config {folder}/Caddyfile",
        "Caddyfile",
        "caddy version",
    ),
)


class SkippedError(Exception):
    """A stack cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the packages of the receivers are."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter that has the Python packages."""
        return self.folder / "python" / "bin" / "python"

    @property
    def node_modules(self) -> Path:
        """The folder of the npm packages."""
        return self.folder / "node" / "node_modules"

    def install(self) -> None:
        """Install all packages that a registry has; the others are skipped later."""
        if not self.python.exists():
            _run([sys.executable, "-m", "venv", str(self.folder / "python")])
        _run([str(self.python), "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES])
        node = self.node_modules.parent
        if shutil.which("npm"):
            node.mkdir(parents=True, exist_ok=True)
            _run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(node), *NODE_PACKAGES])

    def fill(self, command: str, **values: object) -> str:
        """Return a command with its values."""
        python = self.python if self.python.exists() else sys.executable
        for name, value in {"python": python, "programs": PROGRAMS, **values}.items():
            command = command.replace(f"{{{name}}}", str(value))
        return command

    def version_of(self, stack: Stack) -> str:
        """Return the version of a stack.

        Raises:
            SkippedError: something that it needs is not installed.
        """
        missing = [program for program in stack.programs if not shutil.which(program)]
        if missing:
            raise SkippedError(f"{', '.join(missing)} is not installed")
        if stack.packages:
            return ", ".join(map(self._package_version, stack.packages))
        if stack.node_package:
            manifest = self.node_modules / stack.node_package / "package.json"
            if not manifest.exists():
                raise SkippedError(f"the npm package {stack.node_package} is not installed (--install)")
            return f"{stack.node_package} {json.loads(manifest.read_bytes())['version']}"
        done = subprocess.run(  # noqa: S603 - a command of this file
            self.fill(stack.version).split(), capture_output=True, text=True, check=False
        )
        found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
        return found[0] if found else "?"

    def _package_version(self, package: str) -> str:
        code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
        python = self.python if self.python.exists() else Path(sys.executable)
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [str(python), "-c", code, package], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SkippedError(f"the Python package {package} is not installed (--install)")
        return f"{package} {done.stdout.strip()}"


@contextmanager
def running(stack: Stack, installation: Installation) -> Iterator[str]:
    """Run a receiver and yield its URL.

    Raises:
        SkippedError: it cannot be built, or does not listen.
    """
    with ExitStack() as stack_of_receivers:
        folder = Path(stack_of_receivers.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)  # workers of nginx and Apache have another user
        port, backend_port = free_port(), free_port()
        values = {"port": port, "backend": backend_port, "folder": folder}
        if stack.config:
            text = installation.fill((PROGRAMS / stack.config).read_text(encoding="utf-8"), **values)
            (folder / stack.config).write_text(text, encoding="utf-8")
            backend = installation.fill("{python} {programs}/http_server_app.py {backend}", **values)
            stack_of_receivers.enter_context(_process(backend, installation, backend_port))
        if stack.build:
            build_environment = os.environ | {"GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod"}
            built = subprocess.run(  # noqa: S603 - a command of this file
                installation.fill(stack.build, **values).split(),
                capture_output=True,
                text=True,
                check=False,
                env=build_environment,
            )
            if built.returncode:
                raise SkippedError(f"it cannot be built: {built.stderr.strip()[-200:]}")
        command = installation.fill(stack.command, **values)
        stack_of_receivers.enter_context(_process(command, installation, port))
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def _process(command: str, installation: Installation, port: int) -> Iterator[None]:
    words = ReceiverCommand(tuple(command.split()))
    process = ReceiverProcess(words, "127.0.0.1", port, _environment(installation))
    try:
        try:
            process.start()
        except (TargetError, UsageError) as problem:
            raise SkippedError(str(problem).removeprefix("--run: ")) from None
        yield
    finally:
        process.stop()


def _environment(installation: Installation) -> dict[str, str]:
    return {
        "NODE_PATH": str(installation.node_modules),
        "PYTHONPATH": str(PROGRAMS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - a command of this file
        print(f"warning: {' '.join(command)} failed", file=sys.stderr)


def check(url: str, flags: list[str]) -> dict[str, Any]:
    """Return the report of ``tcop-mock check``."""
    command = [sys.executable, "-m", "tcop_mock", "check", url, "--json", "--quiet", "--wait", "10s", *flags]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, timeout=_CHECK_S, cwd=ROOT
    )
    if not done.stdout:
        raise SkippedError(f"check ended with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def broken(report: dict[str, Any], level: str) -> list[str]:
    """Return the codes of a level that failed or are inconclusive, the latter with a question mark."""
    results = [clause for clause in report["clauses"] if clause["level"] == level]
    return [
        f"{clause['code']}{'?' * (clause['result'] == 'error')}"
        for clause in results
        if clause["result"] in {"fail", "error"}
    ]


def main() -> int:
    """Check the receivers and print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install Python and npm packages into --folder first")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tcop-mock-stacks")
    parser.add_argument("--only", default="", help="check the stacks whose name contains this text")
    parser.add_argument("--findings", action="store_true", help="print the findings of must clauses")
    arguments, flags = parser.parse_known_args()
    installation = Installation(arguments.folder.resolve())
    if arguments.install:
        installation.install()
    failed, skipped = False, []
    print("| stack | version | must clauses failed | should clauses failed |\n| --- | --- | --- | --- |", flush=True)
    for stack in STACKS:
        if arguments.only.lower() not in stack.name.lower():
            continue
        try:
            version = installation.version_of(stack)
            with running(stack, installation) as url:
                report = check(url, flags)
        except SkippedError as problem:
            skipped.append(f"{stack.name}: {problem}")
            continue
        must, should = broken(report, "must"), broken(report, "should")
        failed = failed or bool(must)
        print(f"| {stack.name} | {version} | {' '.join(must) or '-'} | {' '.join(should) or '-'} |", flush=True)
        if arguments.findings:
            _print_findings(report)
    for line in skipped:
        print(f"skipped: {line}")
    return 1 if failed else 0


def _print_findings(report: dict[str, Any]) -> None:
    for clause in report["clauses"]:
        if clause["level"] == "must" and clause["result"] in {"fail", "error"}:
            print(f"{clause['code']}: {clause['reason']}")
            for finding in clause["findings"]:
                print(f"  {finding['title']}\n{finding['evidence']}")


if __name__ == "__main__":
    sys.exit(main())
