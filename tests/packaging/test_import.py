"""Importing the package is cheap and provides the public names."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING

import pytest

import tcop_mock

if TYPE_CHECKING:
    from collections.abc import Callable

_LOADED = """
import sys
before = set(sys.modules)
import tcop_mock
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_import_pulls_in_nothing_heavy(run_python: Callable[..., str]) -> None:
    """Importing tcop_mock loads no third-party package and no asyncio."""
    loaded = set(run_python(_LOADED).split())
    assert loaded <= {"tcop_mock", *sys.stdlib_module_names} - {"asyncio"}


@pytest.mark.parametrize("name", tcop_mock.__all__)
def test_each_public_name_is_there(name: str) -> None:
    """Every name in ``__all__`` can be imported from the package."""
    assert hasattr(tcop_mock, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """An unknown name raises the same AttributeError as in any module."""
    with pytest.raises(AttributeError, match=r"^module 'tcop_mock' has no attribute 'Catalogue'$"):
        _ = tcop_mock.Catalogue


def test_version_is_that_of_the_distribution() -> None:
    """``__version__`` is the version of the installed distribution."""
    assert tcop_mock.__version__ == importlib.metadata.version("tcop-mock")
