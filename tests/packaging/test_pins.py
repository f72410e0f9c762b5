"""The pins in ``requirements/`` satisfy pyproject.toml, and each has hashes."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.checkout

_PIN = re.compile(r"^([\w.-]+)==([\w.!+]+)((?: ; [^\\]+)?)(?: \\\n +--hash=sha256:[0-9a-f]{64})+$", re.MULTILINE)


@pytest.mark.parametrize("name, least", [("run.txt", 10), ("dev.txt", 10), ("action.txt", 12), ("uv.txt", 0)])
def test_every_pin_has_its_hashes(name: str, least: int, root: Path) -> None:
    """A pin file contains only exact versions with SHA-256 hashes, and comments; no pip options."""
    text = (root / "requirements" / name).read_text(encoding="utf-8")
    rest = [line for line in _PIN.sub("", text).splitlines() if line.strip()]
    assert len(_pins(root, name)) > least
    assert [line for line in rest if not line.lstrip().startswith("#")] == []


@pytest.mark.parametrize(
    "name, group", [("run.txt", "build"), ("dev.txt", "dev"), ("action.txt", "action"), ("uv.txt", "setup")]
)
def test_pins_serve_pyproject(name: str, group: str, root: Path) -> None:
    """Every requirement of pyproject.toml is pinned to an allowed version; ``make pins`` repairs failures."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    asked = _group(project["dependency-groups"], group)
    if name != "uv.txt":
        asked += [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    pins = _pins(root, name)
    unserved = [
        str(requirement)
        for requirement in map(Requirement, asked)
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert unserved == []


def test_developers_run_what_users_of_the_demo_run(root: Path) -> None:
    """The run-time dependencies have the same pins in all files, and those of the GitHub Action are tested."""
    assert _pins(root, "run.txt").items() <= _pins(root, "dev.txt").items()
    assert _pins(root, "run.txt").items() <= _pins(root, "action.txt").items() <= _pins(root, "dev.txt").items()


def _pins(root: Path, name: str) -> dict[str, str]:
    text = (root / "requirements" / name).read_text(encoding="utf-8")
    return {canonicalize_name(package): version for package, version, _ in _PIN.findall(text)}


def _group(groups: dict[str, list[Any]], name: str) -> list[str]:
    found: list[str] = []
    for item in groups[name]:
        found += _group(groups, item["include-group"]) if isinstance(item, dict) else [item]
    return found
