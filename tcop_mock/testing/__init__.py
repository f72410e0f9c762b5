"""What the pytest plugin hands to tests, for annotations: ``from tcop_mock.testing import Contract, Sender``.

Importing this costs next to nothing: a name loads what it needs on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock._lazy import load

if TYPE_CHECKING:
    from tcop_mock.testing.captured import Captured
    from tcop_mock.testing.clock import Clock
    from tcop_mock.testing.contracting import Contract
    from tcop_mock.testing.drawing import AlarmFactory, LifecycleFactory
    from tcop_mock.testing.receiving import Receiver
    from tcop_mock.testing.sending import AsyncSender, Sender

__all__ = [
    "AlarmFactory",
    "AsyncSender",
    "Captured",
    "Clock",
    "Contract",
    "LifecycleFactory",
    "Receiver",
    "Sender",
]

_HOMES = {
    "AlarmFactory": "tcop_mock.testing.drawing",
    "AsyncSender": "tcop_mock.testing.sending",
    "Captured": "tcop_mock.testing.captured",
    "Clock": "tcop_mock.testing.clock",
    "Contract": "tcop_mock.testing.contracting",
    "LifecycleFactory": "tcop_mock.testing.drawing",
    "Receiver": "tcop_mock.testing.receiving",
    "Sender": "tcop_mock.testing.sending",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Load a public name from the module that defines it."""
    return load(__name__, _HOMES, name)
