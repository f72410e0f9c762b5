"""Where the data lives: the only module that knows.

In a wheel the data folders lie inside the package; in a checkout they are its siblings.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable


def data_root(name: str) -> Traversable:
    """Return the folder ``payload_catalog`` or ``contracts``, from a wheel, a zipped wheel or a checkout."""
    inside = files("tcop_mock") / name
    return inside if inside.is_dir() else Path(__file__).parent.parent / name


def walk(folder: Traversable, suffix: str, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield (path below ``folder`` without ``suffix``, file) in the order of the paths.

    Names that begin with ``_`` or ``.`` are not entries (pools, editors' files) and are passed over.
    """
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.name.startswith(("_", ".")):
            continue
        if item.is_dir():
            yield from walk(item, suffix, f"{prefix}{item.name}/")
        elif item.name.endswith(suffix):
            yield f"{prefix}{item.name.removesuffix(suffix)}", item
