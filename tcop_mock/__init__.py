"""Mock emitter of TCOP alarm callbacks and contract-test harness for their receivers.

Importing this package costs next to nothing: the public names load what they need on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock._lazy import load as _public  # ``load`` is a package of ours
from tcop_mock._version import __version__

if TYPE_CHECKING:
    from tcop_mock.catalog import Catalog
    from tcop_mock.errors import TcopMockError, UsageError
    from tcop_mock.generate import Generator
    from tcop_mock.model.alarm import Callback, Notify, NotifyType, State
    from tcop_mock.model.delivery import Delivery, Outcome
    from tcop_mock.model.effect import Observer, Sight
    from tcop_mock.model.form import Form
    from tcop_mock.model.shape import Lang
    from tcop_mock.model.verdict import Verdict
    from tcop_mock.testing.parametrizing import parametrize

__all__ = [
    "Callback",
    "Catalog",
    "Delivery",
    "Form",
    "Generator",
    "Lang",
    "Notify",
    "NotifyType",
    "Observer",
    "Outcome",
    "Sight",
    "State",
    "TcopMockError",
    "UsageError",
    "Verdict",
    "__version__",
    "parametrize",
]

_HOMES = {
    "Callback": "tcop_mock.model.alarm",
    "Catalog": "tcop_mock.catalog",
    "Delivery": "tcop_mock.model.delivery",
    "Form": "tcop_mock.model.form",
    "Generator": "tcop_mock.generate",
    "Lang": "tcop_mock.model.shape",
    "Notify": "tcop_mock.model.alarm",
    "NotifyType": "tcop_mock.model.alarm",
    "Observer": "tcop_mock.model.effect",
    "Outcome": "tcop_mock.model.delivery",
    "Sight": "tcop_mock.model.effect",
    "State": "tcop_mock.model.alarm",
    "TcopMockError": "tcop_mock.errors",
    "UsageError": "tcop_mock.errors",
    "Verdict": "tcop_mock.model.verdict",
    "parametrize": "tcop_mock.testing.parametrizing",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Load a public name from the module that defines it."""
    return _public(__name__, _HOMES, name)
