"""Types of the pytest plugin's fixtures, for annotations, and stub services as transports of httpx clients.

``from tcop_mock.testing import Contract, Sender``; ``httpx.Client(transport=tcop_mock.testing.wecom())``.

This package is cheap to import: a name imports what it needs on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock._lazy import load

if TYPE_CHECKING:
    from tcop_mock.testing.captured_request import CapturedRequest
    from tcop_mock.testing.contract import Contract
    from tcop_mock.testing.factories import AlarmFactory, LifecycleFactory
    from tcop_mock.testing.receiver import Receiver
    from tcop_mock.testing.run import ReceiverStarter
    from tcop_mock.testing.senders import AsyncSender, Clock, Sender
    from tcop_mock.testing.service_transport import ServiceTransport, dingtalk, feishu, pagerduty, slack, wecom

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
    "ServiceTransport",
    "dingtalk",
    "feishu",
    "pagerduty",
    "slack",
    "wecom",
]

_DEFINING_MODULES = {
    "AlarmFactory": "tcop_mock.testing.factories",
    "AsyncSender": "tcop_mock.testing.senders",
    "CapturedRequest": "tcop_mock.testing.captured_request",
    "Clock": "tcop_mock.testing.senders",
    "Contract": "tcop_mock.testing.contract",
    "LifecycleFactory": "tcop_mock.testing.factories",
    "Receiver": "tcop_mock.testing.receiver",
    "ReceiverStarter": "tcop_mock.testing.run",
    "Sender": "tcop_mock.testing.senders",
    "ServiceTransport": "tcop_mock.testing.service_transport",
    "dingtalk": "tcop_mock.testing.service_transport",
    "feishu": "tcop_mock.testing.service_transport",
    "pagerduty": "tcop_mock.testing.service_transport",
    "slack": "tcop_mock.testing.service_transport",
    "wecom": "tcop_mock.testing.service_transport",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Load a public name from the module that defines it."""
    return load(__name__, _DEFINING_MODULES, name)
