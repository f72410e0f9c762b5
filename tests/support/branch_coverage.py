"""Branch coverage of ``tcop_mock``, measured by SlipCover.

Each process writes a part, and ``scripts/suite.sh`` merges the parts. It measures only where ``BRANCH_COVERAGE`` names
the folder of the parts. Start it before the first import of ``tcop_mock``: it changes the code of a module when the
module is imported.

On Python 3.11 and 3.13 it misses the same lines in the same tests (tried with those of ``domain`` and the catalogue);
only what it counts as a line of code differs. That the whole suite reaches 100 % was measured on 3.11 alone.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from slipcover import FileMatcher, ImportManager, Slipcover
from slipcover.branch import preinstrument
from slipcover.importer import SlipcoverLoader

if TYPE_CHECKING:
    from types import CodeType

FOLDER = os.environ.get("BRANCH_COVERAGE", "")

_EXCLUDED = [
    r"^\s*\.\.\.$",  # the body of a protocol's method
    r"assert_never\(",  # mypy proves that it is not reached
]  # and what SlipCover excludes itself: TYPE_CHECKING, read by mypy only


_measured: list[Slipcover] = []


def start() -> None:
    """Measure in this process from now on."""
    spec = importlib.util.find_spec("tcop_mock")
    assert spec is not None
    assert spec.origin is not None
    package = str(Path(spec.origin).parent)
    others = "PYTEST_XDIST_WORKER" in os.environ or "BRANCH_COVERAGE_COMMAND" in os.environ
    source = None if others else [package]  # one process adds the modules that nobody imports: it runs no test
    SlipcoverLoader.get_code = _code
    _measured.append(Slipcover(branch=True, source=source, exclude_also=_EXCLUDED))
    ImportManager(_measured[0], FileMatcher(sources=[package])).__enter__()


def _code(loader: SlipcoverLoader, _: str) -> CodeType:
    """Return the code of a module that ``python -m`` runs: SlipCover measures only modules that are imported."""
    tree = preinstrument(ast.parse(loader.origin.read_bytes()))
    code: CodeType = loader.sci.instrument(compile(tree, str(loader.origin), "exec"))
    return code


def finish() -> None:
    """Write the part of this process into the folder of the parts."""
    part = json.dumps(_measured.pop().get_coverage())
    Path(FOLDER, f"{uuid4().hex}.json").write_text(part, encoding="utf-8")


def command_environment() -> dict[str, str]:
    """Return the variables with which a command that a test starts is measured as well; none if nothing is."""
    if not FOLDER:
        return {}
    support = Path(__file__).parent
    folders = [str(support / "measured_command"), str(support), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"BRANCH_COVERAGE": FOLDER, "BRANCH_COVERAGE_COMMAND": "1", "PYTHONPATH": os.pathsep.join(folders)}
