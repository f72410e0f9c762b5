"""A release is prepared from a tag, and the files for other tools are valid."""

from __future__ import annotations

import importlib.util
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML
from vendor_schemas import require_valid

from tcop_mock.cli.main import cli

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
URL, TAG = "https://git.example.com/me/tcop-mock", "v1.2.3"


def _load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = _load_script()


def test_this_version_can_be_released() -> None:
    """The changelog has the version of pyproject.toml with a date."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert release.problems(f"v{version}", version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "tag, changelog, expected",
    [
        ("v1.2.3", "## 1.2.3 - 2026-11-30\n", []),
        ("v1.2.4", "## 1.2.3 - 2026-11-30\n", ["the tag is v1.2.4, and pyproject.toml has version 1.2.3; tag v1.2.3"]),
        ("v1.2.3", "## 1.2.3\n", ["CHANGELOG.md has no line `## 1.2.3 - YEAR-MONTH-DAY`; add it"]),
        ("v1.2.3", "## 1x2.3 - 2026-11-30\n", ["CHANGELOG.md has no line `## 1.2.3 - YEAR-MONTH-DAY`; add it"]),
    ],
)
def test_a_tag_fits_version_and_changelog(tag: str, changelog: str, expected: list[str]) -> None:
    """A tag of another version, and a version without a dated entry, are refused."""
    assert release.problems(tag, "1.2.3", changelog) == expected


def test_a_page_that_denies_the_release_is_found() -> None:
    """A page that says that there is no package on an index is named, also if the line breaks inside the words."""
    pages = {"a.md": "It is not on a\npackage index yet, so", "b.md": "It is on a package index."}
    assert release.stale_pages(pages) == [
        "a.md says that tcop-mock is not on a package index yet; write how it is installed from the index"
    ]


def test_the_readme_has_no_relative_link_in_a_release() -> None:
    """Every link of the README names a file of the repository, and is absolute on a package index."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link[3] for link in release._LINK.finditer(page)]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []
    text = release.absolute_links(page, URL, TAG)
    assert list(release._LINK.finditer(text)) == []
    assert f"]({URL}/blob/{TAG}/docs/pytest.md)" in text
    assert f"]({URL}/raw/{TAG}/docs/pictures/finding.svg)" in text


def test_a_link_that_is_absolute_stays() -> None:
    """Addresses and anchors are left alone."""
    page = "[a](https://h/x) [b](#part) [c](mailto:me@h)"
    assert release.absolute_links(page, URL, TAG) == page


def test_a_release_has_the_addresses_of_the_project() -> None:
    """``[project.urls]`` is added, and pyproject.toml is otherwise the same."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    before, after = tomllib.loads(text), tomllib.loads(release.add_urls(text, URL, TAG))
    urls = after["project"].pop("urls")
    assert after == before
    assert (urls["Homepage"], urls["Changelog"]) == (URL, f"{URL}/blob/{TAG}/CHANGELOG.md")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_is_valid(workflow: Path) -> None:
    """Each workflow is valid against GitHub's schema, may read only by default, and limits the time of its jobs."""
    require_valid(workflow, "github-workflows")
    document = YAML(typ="safe").load(workflow)
    assert document["permissions"] == {"contents": "read"}
    assert all("uses" in job or "timeout-minutes" in job for job in document["jobs"].values())


def test_each_supported_python_is_tested() -> None:
    """The classifiers name the versions that the tests run on, from the oldest of requires-python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Programming Language :: Python :: "
    named = [text.removeprefix(prefix) for text in project["classifiers"] if text.startswith(prefix)]
    [tests] = [file for file in WORKFLOWS if file.stem == "tests"]
    assert YAML(typ="safe").load(tests)["jobs"]["test"]["strategy"]["matrix"]["python"] == named
    assert project["requires-python"] == f">={named[0]}"


def test_no_token_is_needed_to_publish() -> None:
    """Only the job that publishes gets an identity, and it runs nothing of the repository."""
    [file] = [file for file in WORKFLOWS if file.stem == "release"]
    jobs = YAML(typ="safe").load(file)["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["publish"]
    assert [step for step in jobs["publish"]["steps"] if "run" in step or "checkout" in step["uses"]] == []
    assert "secrets" not in file.read_text(encoding="utf-8")


def test_the_hooks_call_commands_that_exist() -> None:
    """The hook for callbacks takes the files that pre-commit adds; the hook for entries is a command with its flags."""
    validate, lint = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
    assert (validate["entry"], validate.get("pass_filenames", True)) == ("tcop-mock validate", True)
    assert [parameter.nargs for parameter in cli.commands["validate"].params if parameter.name == "sources"] == [-1]
    command = [*shlex.split(lint["entry"]), *lint["args"]]
    assert command == ["tcop-mock", "list", "--lint", "--catalog", "alarms"]
    assert {"--lint", "--catalog"} <= {flag for option in cli.commands["list"].params for flag in option.opts}


def test_every_page_is_in_llms_txt() -> None:
    """llms.txt names every page of the site."""
    text = (ROOT / "llms.txt").read_text(encoding="utf-8")
    pages = {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if f"({page})" not in text} == set()
