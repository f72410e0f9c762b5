"""Mock emitter of TCOP alarm callbacks and contract-test harness for their receivers.

Importing this package costs next to nothing: the public names load what they need on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tcop_mock.catalog import Catalog
    from tcop_mock.errors import TcopMockError
    from tcop_mock.generate import Generator

__version__ = "0.1.0"
__all__ = ["Catalog", "Generator", "TcopMockError", "__version__"]

_HOMES = {
    "Catalog": "tcop_mock.catalog",
    "Generator": "tcop_mock.generate",
    "TcopMockError": "tcop_mock.errors",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Load a public name from the module that defines it."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_HOMES[name]), name)
