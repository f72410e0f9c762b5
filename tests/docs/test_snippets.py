"""The code in the README and on the pages of docs/ runs as printed."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from page_snippets import blocks, run_script, script_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from page_snippets import Block

ROOT = Path(__file__).parents[2]
README = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
INSTALLS = {"make demo\n", "make test\n", 'python3 -m pip install ".[pytest]"\n'}
"""Set-up: tests/cli tests the demo, and `make unit` tests that a built package installs."""
PAGES = {
    page.relative_to(ROOT / "docs").as_posix(): blocks(page.read_text(encoding="utf-8"))
    for page in sorted((ROOT / "docs").rglob("*.md"))
}
BLOCKS = [pytest.param(block, id=f"{page}:{block.line}") for page, found in PAGES.items() for block in found]


def test_the_readme_has_500_words() -> None:
    """The README is short, and names the commands of a fresh clone and the blocks that are set-up."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 500
    assert {block.code for block in README} >= INSTALLS
    assert len(_run(README)) >= 2


@pytest.mark.proof
def test_the_readme_runs_as_written_in_a_clone(tmp_path: Path) -> None:
    """Every line succeeds in a folder with the configuration of this repository, without any other of its files."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    run_script(tmp_path, [block for block in README if block.file], script_of(_run(README)))


def _run(found: list[Block]) -> list[Block]:
    return [
        block
        for block in found
        if block.lang in {"sh", "python"} and not (block.skip_reason or block.file or block.code in INSTALLS)
    ]


@pytest.mark.proof
@pytest.mark.parametrize("page", [page for page, found in PAGES.items() if _run(found)])
def test_a_page_runs_as_written(page: str, tmp_path: Path) -> None:
    """The blocks of a page run in order in one shell with the expected exit codes; every file on the page is used."""
    files, run = [block for block in PAGES[page] if block.file], _run(PAGES[page])
    script = script_of(run)
    texts = [script, "import conftest", *(block.code for block in files)]  # pytest loads conftest.py without an import
    names = [Path(block.file).stem for block in files if block.lang == "python"]
    assert [name for name in names if not any(name in text for text in texts)] == []
    run_script(tmp_path, files, script)


@pytest.mark.checkout
@pytest.mark.parametrize("page", PAGES)
def test_no_fence_escapes(page: str) -> None:
    """Every fence of a page belongs to a parsed block: it names its language and starts at the beginning of a line."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    assert sum(line.lstrip().startswith(("```", "~~~")) for line in lines) == 2 * len(PAGES[page])


@pytest.mark.checkout
@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_says_what_it_is(block: Block) -> None:
    """A title is a file name, an exit code, or a reason not to run; a block with an exit code has one command."""
    assert block.has_known_title
    assert not block.exit_code or "\n" not in block.code.strip().replace("\\\n", "")
    assert block.lang not in {"bash", "shell", "console", "py"}, "sh and python are run"


def _python(code: str) -> None:
    compile(code, "block", "exec")


def _yaml(code: str) -> None:
    importlib.import_module("yaml").safe_load(code)  # MkDocs installs it; it has no types


def _by(*command: str) -> Callable[[str], None]:
    """Return a check that runs a program; the check is skipped if the program is not installed."""

    def check(code: str) -> None:
        program = shutil.which(command[0])
        if program is None:
            pytest.skip(f"{command[0]} is not installed")
        done = subprocess.run(  # noqa: S603 - the program only parses
            [program, *command[1:]], input=code, capture_output=True, encoding="utf-8", timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr

    return check


SYNTAX: dict[str, Callable[[str], object]] = {
    "go": _by("gofmt", "-e"),
    "javascript": _by("node", "--check", "-"),
    "json": json.loads,
    "python": _python,
    "sh": _by("bash", "-n"),
    "toml": tomllib.loads,
    "yaml": _yaml,
}
UNCHECKED = {"groovy", "java", "text"}
"""Groovy and Java cannot be checked without their libraries; text is program output."""


@pytest.mark.checkout
@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_of_its_language(block: Block) -> None:
    """Every block parses in its language, including blocks that are not run."""
    assert block.lang in SYNTAX.keys() | UNCHECKED
    if block.lang in SYNTAX:
        SYNTAX[block.lang](block.code)
