"""Rules for the repository that a test can check."""

from __future__ import annotations

import re
import shutil
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

pytestmark = pytest.mark.checkout

_ROOT = Path(__file__).parents[2]
_MODULES = [
    file.relative_to(_ROOT).as_posix()
    for folder in ("tcop_mock", "scripts", "benchmarks")
    for file in sorted((_ROOT / folder).rglob("*.py"))
]
# Split, so that this file does not contain them.
_FORBIDDEN = ["pypi." + "org/simple", "files." + "pythonhosted", "index" + "-url", "/wo" + "rk/", ".lib" + "rary"]
_EMPTY_NAMES = re.compile(r"_*(utils?|helpers?|commons?|misc)")


@pytest.mark.parametrize("forbidden", _FORBIDDEN)
def test_no_file_names_a_registry_or_a_private_path(forbidden: str, root: Path, repository_files: list[Path]) -> None:
    """No file contains the address of a package registry or a path of a private machine."""
    needle = forbidden.encode()
    assert [str(file.relative_to(root)) for file in repository_files if needle in file.read_bytes()] == []


def test_make_help_lists_every_target(root: Path) -> None:
    """``make`` without a target lists every target with a description."""
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(  # noqa: S603 - make, which only lists
        [make], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    listed = dict(re.findall(r"^make (\S+) +(\S.*)$", done.stdout, flags=re.MULTILINE))
    declared = re.findall(r"^\.PHONY: (.+)$", (root / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert list(listed) == " ".join(declared).split()


@pytest.mark.parametrize("module", _MODULES)
def test_a_module_has_a_name_that_says_what_it_is(module: str) -> None:
    """No module has an empty name such as utils, helpers or common."""
    assert not any(_EMPTY_NAMES.fullmatch(part) for part in Path(module).with_suffix("").parts)


def test_no_import_cycle() -> None:
    """No modules of the package import each other in a cycle, imports for type checking included."""
    graph = grimp.build_graph("tcop_mock", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()
