"""``init``: frameworks that it finds, files that it writes, and files that it never overwrites."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from vendor_schemas import require_valid

from tcop_mock._version import __version__
from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli import framework_detection, init_templates
from tcop_mock.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands import RunCommand

FASTAPI = 'from fastapi import FastAPI\napp = FastAPI()\n@app.post("/hook")\nasync def take(body: dict): ...\n'
FLASK = (
    "import flask\ndef create_app(name=None):\n    app = flask.Flask(__name__)\n"
    '    app.add_url_rule("/alarms", view_func=print, methods=["POST"])\n    return app\n'
)
STARLETTE = (
    "from starlette.applications import Starlette\nfrom starlette.routing import Route\n"
    'web: Starlette = Starlette(routes=[Route("/tcop", print, methods=["GET", "POST"])])\n'
)
DJANGO = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
AIOHTTP = 'from aiohttp import web\napp = web.Application()\napp.router.add_post("/hook", print)\n'
PROJECTS = {
    "fastapi": ({"service/main.py": FASTAPI, "requirements.txt": "fastapi\n"}, "service.main:app/hook"),
    "flask": ({"src/receiver/__init__.py": FLASK, "pyproject.toml": "[project]\n"}, "receiver:create_app()/alarms"),
    "starlette": ({"web.py": STARLETTE}, "web:web/tcop"),
    "django": ({"site1/wsgi.py": DJANGO}, "site1.wsgi:application"),
    "aiohttp": ({"main.py": AIOHTTP}, "http://127.0.0.1:8080/hook"),
    "express": ({"package.json": '{"dependencies": {"express": "^5"}}'}, "http://127.0.0.1:3000/"),
    "spring": ({"build.gradle.kts": 'id("org.springframework.boot")'}, "http://127.0.0.1:8080/"),
    "go": ({"go.mod": "module example.test/receiver\n"}, "http://127.0.0.1:8080/"),
    "other": ({"README": "nothing"}, "http://127.0.0.1:8080/"),
}
GIT = '{"url": "https://git.example.com/me/tcop-mock", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
WHEEL = '{"url": "https://git.example.com/tcop_mock.whl", "archive_info": {}}'
LOCAL = '{"url": "file:///home/me/tcop-mock", "dir_info": {}}'
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
IN_PROCESS = {"fastapi", "flask", "starlette", "django"}


class InstalledFrom(NamedTuple):
    """An installed distribution, as far as init looks at it."""

    record: str | None

    def read_text(self, _: str) -> str | None:
        """Return the record of its origin."""
        return self.record


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty repository, configured by its own file alone."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TCOP_MOCK_CONFIG")
    monkeypatch.setattr("tcop_mock.cli.setup.distribution", lambda _: InstalledFrom(None))
    return tmp_path


def fill(project: Path, files: dict[str, str]) -> None:
    """Write the files of a project."""
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")


def tree(project: Path) -> dict[str, str]:
    """Return all files of a project."""
    files = (file for file in project.rglob("*") if file.is_file())
    return {file.relative_to(project).as_posix(): file.read_text(encoding="utf-8") for file in files}


@pytest.mark.parametrize(
    "files, is_noted",
    [
        (PROJECTS["flask"][0], True),
        (PROJECTS["fastapi"][0], False),
        ({"src/receiver/main.py": AIOHTTP}, False),
    ],
    ids=["src", "flat", "a server in src"],
)
def test_a_module_below_src_needs_an_installed_package(
    tcop: RunCommand, project: Path, files: dict[str, str], is_noted: object
) -> None:
    """The settings and the fixture say how Python finds a module below src."""
    fill(project, files)
    assert tcop("init", "-q").exit_code == 0
    written = tree(project)
    note = (
        "# Its module is below src/: install the package first (python -m pip install -e .), or set PYTHONPATH=src.\n"
    )
    assert (note in written["tcop-mock.toml"]) is is_noted
    texts = [text for name, text in written.items() if "def tcop_target" in text]
    assert all((f"    {note}    return " in text) is is_noted for text in texts)


COMMANDS = {
    "fastapi": "uvicorn service.main:app --port {port}",
    "flask": "PYTHONPATH=src flask --app receiver:create_app run --port {port}",
    "starlette": "uvicorn web:web --port {port}",
    "django": "python manage.py runserver --noreload {port}",
    "aiohttp": "python -m main",
    "express": "npm start",
    "spring": "./gradlew bootRun --args=--server.port={port}",
    "go": "go run .",
}


@pytest.mark.parametrize("name", PROJECTS)
def test_the_settings_start_the_receiver(tcop: RunCommand, project: Path, name: str) -> None:
    """The settings have the framework's command and the target's path; an unknown command is a comment."""
    fill(project, PROJECTS[name][0])
    assert tcop("init", "--ci", "none").exit_code == 0
    text = (project / "tcop-mock.toml").read_text(encoding="utf-8")
    command = COMMANDS.get(name)
    assert tomllib.loads(text)["check"].get("run") == command
    assert '# run = "./receiver --port {port}"' in text or command
    assert '\n# observe-sql = "' in text
    commented = tomllib.loads(text.replace("\n# observe-", "\nobserve-").replace("\n# catch-host", "\ncatch-host"))
    keys = {row["key"] for row in tcop("config", "check", "--json").document["settings"]}
    assert {"observe-sql", "observe-log", "catch-host"} <= set(commented["check"]) <= keys


def test_a_factory_is_started_as_one() -> None:
    """Uvicorn needs a flag for it, Flask does not."""
    found = {
        name: framework_detection.DetectedApp(framework_detection.FRAMEWORKS[name], "m:create()").run
        for name in ("fastapi", "flask")
    }
    assert found == {
        "fastapi": "uvicorn m:create --port {port} --factory",
        "flask": "flask --app m:create run --port {port}",
    }


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("name", PROJECTS)
def test_what_is_written_is_valid(tcop: RunCommand, project: Path, name: str, ci: str) -> None:
    """The framework is found, and settings, test and CI job are what they say they are, and name its receiver."""
    files, target = PROJECTS[name]
    fill(project, files)
    done = tcop("init", "--ci", ci)
    assert (done.exit_code, done.stderr) == (0, f"receiver: {framework_detection.FRAMEWORKS[name].title}, {target}\n")
    job = ".github/workflows/tcop-mock.yml" if ci == "github" else ".gitlab-ci.tcop-mock.yml"
    tests = ["tests/conftest.py", "tests/test_tcop_contract.py"] if name in IN_PROCESS else []
    assert done.stdout.splitlines() == [f"wrote {path}" for path in ("tcop-mock.toml", *tests, job)]
    assert tomllib.loads((project / "tcop-mock.toml").read_text(encoding="utf-8"))["target"] == target
    settings = {(row["verb"], row["key"]): row for row in tcop("config", "--json").document["settings"]}
    assert settings["check", "target"]["value"] == target
    assert settings["check", "wait"]["where"] == f"{project}/tcop-mock.toml: check.wait"
    require_valid(project / job, "github-workflows" if ci == "github" else "gitlab-ci")
    written = (project / job).read_text(encoding="utf-8")
    assert ("pytest tests/test_tcop_contract.py" in written) == (name in IN_PROCESS)
    assert "tcop-mock check --wait 120s" in written
    for test in tests:
        compile((project / test).read_text(encoding="utf-8"), test, "exec")
    assert all((project / test).read_text(encoding="utf-8").count(target) == 1 for test in tests[:1])


def test_the_settings_check_the_receiver(tcop: RunCommand, project: Path) -> None:
    """After init, check needs no argument: it starts the receiver, or calls its app where no command is set."""
    fill(project, {"receiver_of_init.py": FLASK.replace("view_func=print", "view_func=lambda: ''")})
    (project / "server.py").write_text(SERVER, encoding="utf-8")
    assert tcop("init").exit_code == 0
    settings = project / "tcop-mock.toml"
    text = settings.read_text(encoding="utf-8")
    command = "flask --app receiver_of_init:create_app run --port {port}"
    settings.write_text(text.replace(command, f"{sys.executable} -S server.py {{port}}"), encoding="utf-8")
    started = tcop("check", "--clauses", "TCM302", "--json")
    assert (started.exit_code, started.document["target"][:17]) == (0, "http://127.0.0.1:"), started.stderr
    assert started.document["target"].endswith("/alarms")
    settings.write_text(text.replace("\nrun = ", "\n# run = "), encoding="utf-8")
    called = tcop("check", "--clauses", "TCM302", "--json")
    assert (called.exit_code, called.document["target"]) == (0, "receiver_of_init:create_app()/alarms")


@pytest.mark.proof
def test_the_test_checks_the_receiver(tcop: RunCommand, project: Path) -> None:
    """The test that is written runs as the job runs it: it passes, and writes the report that the job keeps."""
    fill(project, {"main.py": FLASK.replace("view_func=print", "view_func=lambda: ''")})
    assert tcop("init").exit_code == 0
    [command] = re.findall(r'"python -m (pytest .*)"', (project / init_templates.GITHUB).read_text(encoding="utf-8"))
    done = subprocess.run(  # noqa: S603 - our own line
        [sys.executable, "-m", *command.split(), "--tcop-clauses", "TCM302", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<testcase " in (project / "tcop-mock-pytest.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "record, asked, installed",
    [
        (None, None, f"'tcop-mock[pytest,run]=={__version__}'"),
        (GIT, None, "'tcop-mock[pytest,run] @ git+https://git.example.com/me/tcop-mock@abc'"),
        (WHEEL, None, "'tcop-mock[pytest,run] @ https://git.example.com/tcop_mock.whl'"),
        (LOCAL, "git+https://h/me/x@v1", "'tcop-mock[pytest,run] @ git+https://h/me/x@v1'"),
        (LOCAL, "./vendored/tcop-mock", "'./vendored/tcop-mock[pytest,run]'"),
        (LOCAL, "wheels/tcop_mock.whl", "'wheels/tcop_mock.whl[pytest,run]'"),
        (LOCAL, "acme-tcop-mock>=2", "'acme-tcop-mock[pytest,run]>=2'"),
    ],
)
def test_the_job_installs_what_is_installed_here(  # noqa: PLR0913, PLR0917 - fixtures and a row of the table
    tcop: RunCommand,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    record: str | None,
    asked: str | None,
    installed: str,
) -> None:
    """The job gets tcop-mock from an index, a repository or a URL, as recorded by pip, or from what --package names."""
    fill(project, {"main.py": FASTAPI})
    monkeypatch.setattr("tcop_mock.cli.setup.distribution", lambda _: InstalledFrom(record))
    done = tcop("init", *(["--package", asked] if asked else []))
    assert (done.exit_code, done.stderr) == (0, "receiver: FastAPI, main:app/hook\n")
    written = (project / init_templates.GITHUB).read_text(encoding="utf-8")
    assert json.dumps(f"python -m pip install {installed}") in written


@pytest.mark.parametrize("is_installed", [True, False])
def test_a_source_that_the_job_does_not_have_is_not_guessed(
    tcop: RunCommand, project: Path, monkeypatch: pytest.MonkeyPatch, *, is_installed: bool
) -> None:
    """Installed from a folder, or not at all: the job fails with a hint, and never installs by a name alone."""
    fill(project, {"go.mod": "module example.test/receiver\n"})

    def local(name: str) -> InstalledFrom:
        if is_installed:
            return InstalledFrom(LOCAL)
        raise PackageNotFoundError(name)

    monkeypatch.setattr("tcop_mock.cli.setup.distribution", local)
    assert "use --package\n" in tcop("init", "--dry-run").stderr
    assert "--package" not in tcop("init", "--dry-run", "--ci", "none").stderr
    assert tcop("init", "--ci", "gitlab").exit_code == 0
    job = (project / init_templates.GITLAB).read_text(encoding="utf-8")
    assert "write here how pip gets tcop-mock, or use tcop-mock init --package" in job
    assert "pip install" not in job


def test_nothing_is_written_over(tcop: RunCommand, project: Path) -> None:
    """One file that is there keeps all from being written; all in the way are named; a dangling link is one."""
    fill(project, {"main.py": FASTAPI, "tcop-mock.toml": "", "tests/test_tcop_contract.py": ""})
    (project / ".github" / "workflows").mkdir(parents=True)
    (project / ".github" / "workflows" / "tcop-mock.yml").symlink_to("nowhere")
    before = tree(project)
    done = tcop("init", "-q")
    assert done.exit_code == 2
    assert done.error_message == (
        "nothing is written, because there is tcop-mock.toml, tests/test_tcop_contract.py, "
        ".github/workflows/tcop-mock.yml already; move away what is in the way"
    )
    assert tree(project) == before


def test_settings_are_not_hidden(tcop: RunCommand, project: Path) -> None:
    """No tcop-mock.toml is written if pyproject.toml has settings, which it would hide."""
    fill(project, {"pyproject.toml": '[tool.tcop-mock]\nprofile = "2023"\n'})
    assert "pyproject.toml has settings already, which tcop-mock.toml would hide" in tcop("init", "-q").error_message


def test_settings_further_up_are_not_in_the_way(
    tcop: RunCommand, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service of a repository may have its own."""
    fill(project, {"tcop-mock.toml": "", "service/main.py": FASTAPI})
    monkeypatch.chdir(project / "service")
    assert tcop("init", "--ci", "none").exit_code == 0


def test_a_conftest_is_left_alone(tcop: RunCommand, project: Path) -> None:
    """With an existing conftest.py the fixture goes into the new test; a folder ``test`` is used as it is."""
    fill(project, {"main.py": FASTAPI, "test/conftest.py": "# ours\n"})
    assert tcop("init", "--ci", "none").stdout == "wrote tcop-mock.toml\nwrote test/test_tcop_contract.py\n"
    files = tree(project)
    assert files["test/conftest.py"] == "# ours\n"
    assert "def tcop_target():" in files["test/test_tcop_contract.py"]


def test_a_file_that_cannot_be_written_takes_the_others_back(tcop: RunCommand, project: Path) -> None:
    """If one file cannot be written, none is left behind."""
    fill(project, {"main.py": FASTAPI, ".github": "a file"})
    before = tree(project)
    assert tcop("init", "-q").error_message == "nothing is written: '.github/workflows' cannot be: Not a directory"
    assert tree(project) == before


def test_a_full_disk_takes_the_others_back(tcop: RunCommand, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error without a file name is reported with the file that was being written."""
    opened: Callable[..., object] = Path.open

    def full(path: Path, *mode: str, **options: str) -> object:
        if path.name == "tcop-mock.yml":
            raise OSError(28, "No space left on device")
        return opened(path, *mode, **options)

    monkeypatch.setattr(Path, "open", full)
    done = tcop("init", "-q")
    assert done.error_message == (
        "nothing is written: '.github/workflows/tcop-mock.yml' cannot be: No space left on device"
    )
    assert tree(project) == {}


def test_a_dry_run_writes_nothing(tcop: RunCommand, project: Path) -> None:
    """It shows the files, and the document has them with their texts."""
    fill(project, {"main.py": FASTAPI})
    shown, document = tcop("init", "--dry-run"), tcop("init", "--dry-run", "--json", "-q").document
    assert tree(project) == {"main.py": FASTAPI}
    assert shown.stdout.startswith("would write tcop-mock.toml\n  # Settings of tcop-mock.")
    schema = read_schema("init-report")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
    assert (document["written"], len(document["files"])) == (False, 4)
    assert tcop("init", "--json", "-q").document == document | {"written": True}
    assert {one["path"]: one["text"] for one in document["files"]} == {
        path: text for path, text in tree(project).items() if path != "main.py"
    }


def test_several_frameworks(tcop: RunCommand, project: Path) -> None:
    """The first of our order is taken, the others are reported, and --framework takes one of them or another."""
    fill(project, {"main.py": FASTAPI, "old.py": FLASK, "package.json": '{"devDependencies": {"express": "5"}}'})
    first, second = tcop("init", "--dry-run"), tcop("init", "--dry-run", "--framework", "flask")
    assert first.stderr == "receiver: FastAPI, main:app (Flask, Express as well: --framework takes another)\n"
    assert second.stderr == "receiver: Flask, old:create_app()\n"
    assert "The receiver (add the path of its callbacks)." in second.stdout
    absent = tcop("init", "--dry-run", "--framework", "django")
    assert (absent.stderr, "The receiver (name it)." in absent.stdout) == ("receiver: Django, main:app\n", True)


def test_what_is_no_app(project: Path) -> None:
    """Broken files, names that cannot be imported, factories that want arguments and odd routes are passed over."""
    fill(
        project,
        {
            "broken.py": "def (",
            "two words.py": FASTAPI,
            "wants.py": "def make(name): return Flask(name)\ndef more(*, a): return Flask(a)\n",
            "odd.py": 'x = y = 1\na.b = FastAPI()\nc.post(1)\nd.post("/{id}")\ne.route("/get", methods=["GET"])\n',
            "__init__.py": FASTAPI,
            "deep/er/and/deep/er/main.py": FASTAPI,
            "node_modules/main.py": FASTAPI,
            "package.json": "[1]",
            "pom.xml": "<project/>",
        },
    )
    (project / "binary.py").write_bytes(b"\0\xff")
    (project / "locked").mkdir()
    (project / "locked").chmod(0)
    assert [found.framework.name for found in framework_detection.detect_apps(project)] == []
    (project / "locked").chmod(stat.S_IRWXU)
    for text in ("{", '{"dependencies": 1}'):
        (project / "package.json").write_text(text, encoding="utf-8")
        assert framework_detection.detect_apps(project) == []


def test_maven(project: Path) -> None:
    """Spring is found in a pom.xml, too."""
    fill(project, {"pom.xml": "<artifactId>spring-boot-starter-web</artifactId>"})
    [found] = framework_detection.detect_apps(project)
    assert found.run.startswith("./mvnw ")


def test_the_frameworks_of_the_flag() -> None:
    """--framework offers what is known, and the document's schema allows it."""
    [flag] = [option for option in cli.commands["init"].params if option.name == "framework"]
    choices = list(flag.to_info_dict()["type"]["choices"])
    assert (
        choices == list(framework_detection.FRAMEWORKS) == read_schema("init-report")["properties"]["framework"]["enum"]
    )
