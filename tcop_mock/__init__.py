"""Mock emitter of TCOP alarm callbacks and contract-test harness for their receivers.

:func:`check` checks a receiver, :func:`send` delivers callbacks to it, :func:`validate` classifies a body. Importing
this package costs next to nothing: a public name loads what it needs when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock._lazy import load as _public  # ``load`` is a package of ours
from tcop_mock._version import __version__

if TYPE_CHECKING:
    from tcop_mock.api import check, check_async, send, send_all, send_all_async, send_async, validate
    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.callbacks.validator import ValidationResult
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.alarm import NotifyType, RepeatPolicy
    from tcop_mock.domain.callback import Callback, Form, State
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
    "ValidationResult",
    "Verdict",
    "__version__",
    "check",
    "check_async",
    "parametrize",
    "send",
    "send_all",
    "send_all_async",
    "send_async",
    "validate",
]

_HOMES = {
    "Callback": "tcop_mock.domain.callback",
    "Catalog": "tcop_mock.catalog.loader",
    "Delivery": "tcop_mock.domain.delivery",
    "Form": "tcop_mock.domain.callback",
    "Generator": "tcop_mock.callbacks.generator",
    "Lang": "tcop_mock.domain.shape",
    "RepeatPolicy": "tcop_mock.domain.alarm",
    "NotifyType": "tcop_mock.domain.alarm",
    "Observer": "tcop_mock.domain.effects",
    "Outcome": "tcop_mock.domain.delivery",
    "EffectSnapshot": "tcop_mock.domain.effects",
    "State": "tcop_mock.domain.callback",
    "TcopMockError": "tcop_mock.errors",
    "UsageError": "tcop_mock.errors",
    "ValidationResult": "tcop_mock.callbacks.validator",
    "Verdict": "tcop_mock.domain.verdict",
    "check": "tcop_mock.api",
    "check_async": "tcop_mock.api",
    "parametrize": "tcop_mock.testing.factories",
    "send": "tcop_mock.api",
    "send_all": "tcop_mock.api",
    "send_all_async": "tcop_mock.api",
    "send_async": "tcop_mock.api",
    "validate": "tcop_mock.api",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Load a public name from the module that defines it."""
    return _public(__name__, _HOMES, name)
