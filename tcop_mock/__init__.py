"""Mock emitter of TCOP alarm callbacks and contract-test harness for their receivers.

Importing this package costs next to nothing: the public names load what they need on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock._lazy import load as _public  # ``load`` is a package of ours
from tcop_mock._version import __version__

if TYPE_CHECKING:
    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.alarm import Callback, Form, NotifyType, RepeatPolicy, State
    from tcop_mock.domain.delivery import Delivery, Outcome
    from tcop_mock.domain.effects import EffectSnapshot, Observer
    from tcop_mock.domain.shape import Lang
    from tcop_mock.domain.verdict import Verdict
    from tcop_mock.errors import TcopMockError, UsageError
    from tcop_mock.testing.factories import parametrize

__all__ = [
    "Callback",
    "Catalog",
    "Delivery",
    "EffectSnapshot",
    "Form",
    "Generator",
    "Lang",
    "NotifyType",
    "Observer",
    "Outcome",
    "RepeatPolicy",
    "State",
    "TcopMockError",
    "UsageError",
    "Verdict",
    "__version__",
    "parametrize",
]

_HOMES = {
    "Callback": "tcop_mock.domain.alarm",
    "Catalog": "tcop_mock.catalog.loader",
    "Delivery": "tcop_mock.domain.delivery",
    "Form": "tcop_mock.domain.alarm",
    "Generator": "tcop_mock.callbacks",
    "Lang": "tcop_mock.domain.shape",
    "RepeatPolicy": "tcop_mock.domain.alarm",
    "NotifyType": "tcop_mock.domain.alarm",
    "Observer": "tcop_mock.domain.effects",
    "Outcome": "tcop_mock.domain.delivery",
    "EffectSnapshot": "tcop_mock.domain.effects",
    "State": "tcop_mock.domain.alarm",
    "TcopMockError": "tcop_mock.errors",
    "UsageError": "tcop_mock.errors",
    "Verdict": "tcop_mock.domain.verdict",
    "parametrize": "tcop_mock.testing.factories",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Load a public name from the module that defines it."""
    return _public(__name__, _HOMES, name)
