"""The wheel contains the right files, and works without being unpacked."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from tcop_mock.catalog.data_files import iter_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.checkout

_WALK = """
import json
import tcop_mock
from tcop_mock.catalog.data_files import data_root, iter_files
found = {
    name: {path: file.read_text(encoding="utf-8") for path, file in iter_files(data_root(name), "")}
    for name in ("payload_catalog", "contracts")
}
print(json.dumps([tcop_mock.__file__, found]))
"""


def test_wheel_holds_the_package_and_its_data_and_nothing_else(
    wheel: Path, root: Path, repository_files: list[Path]
) -> None:
    """The wheel has exactly the files of the package, ``py.typed`` included, and of both data folders inside it."""
    paths = {file.relative_to(root).as_posix() for file in repository_files}
    package = {path for path in paths if path.startswith("tcop_mock/")}
    data = {f"tcop_mock/{path}" for path in paths if path.startswith(("payload_catalog/", "contracts/"))}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {name.split("/")[1] for name in data} == {"payload_catalog", "contracts"}
    assert "tcop_mock/py.typed" in package
    assert names == package | data


def test_data_is_read_from_a_zipped_wheel(wheel: Path, root: Path, run_python: Callable[..., str]) -> None:
    """With the packed wheel on the path, the data folders have the same content as in a checkout."""
    home, found = json.loads(run_python(_WALK, {"PYTHONPATH": str(wheel)}))
    assert home == str(wheel / "tcop_mock" / "__init__.py")
    for name in ("payload_catalog", "contracts"):
        assert found[name]
        assert found[name] == {path: file.read_text(encoding="utf-8") for path, file in iter_files(root / name, "")}
