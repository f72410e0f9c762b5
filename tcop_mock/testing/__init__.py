"""What the pytest plugin hands to tests, for annotations: ``from tcop_mock.testing import Contract, Sender``.

Importing this costs next to nothing: a name loads what it needs on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock._lazy import load

if TYPE_CHECKING:
    from tcop_mock.testing.contract import Contract
    from tcop_mock.testing.factories import AlarmFactory, LifecycleFactory
    from tcop_mock.testing.httpserver import CapturedRequest
    from tcop_mock.testing.receiver import Receiver
    from tcop_mock.testing.run import ReceiverStarter
    from tcop_mock.testing.senders import AsyncSender, Clock, Sender

__all__ = [
    "AlarmFactory",
    "AsyncSender",
    "CapturedRequest",
    "Clock",
    "Contract",
    "LifecycleFactory",
    "Receiver",
    "ReceiverStarter",
    "Sender",
]

_DEFINING_MODULES = {
    "AlarmFactory": "tcop_mock.testing.factories",
    "AsyncSender": "tcop_mock.testing.senders",
    "CapturedRequest": "tcop_mock.testing.httpserver",
    "Clock": "tcop_mock.testing.senders",
    "Contract": "tcop_mock.testing.contract",
    "LifecycleFactory": "tcop_mock.testing.factories",
    "Receiver": "tcop_mock.testing.receiver",
    "ReceiverStarter": "tcop_mock.testing.run",
    "Sender": "tcop_mock.testing.senders",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Load a public name from the module that defines it."""
    return load(__name__, _DEFINING_MODULES, name)
