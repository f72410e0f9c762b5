"""How users write fixtures and tests, checked by mypy and basedpyright; it is not run.

Names of fixtures are arguments; their types come from ``tcop_mock`` and ``tcop_mock.testing``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

import httpx
import pytest

import tcop_mock
from tcop_mock import Callback, Catalog, Delivery, EffectSnapshot, Form, Lang, NotifyType, RepeatPolicy, State, Verdict
from tcop_mock.testing import (
    AlarmFactory,
    AsyncSender,
    CapturedRequest,
    Clock,
    Contract,
    LifecycleFactory,
    Receiver,
    Sender,
    wecom,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def handle(alarm: dict[str, Any]) -> None:
    """Be a receiver."""


@pytest.fixture
def tcop_target() -> Callable[[dict[str, Any]], None]:
    """Give a callable; an app, a URL or ``module:app`` are as good."""
    return handle


@pytest.fixture(scope="session")
def tcop_catalogue() -> Catalog:
    """Give one's own shapes, too."""
    return Catalog.load("own")


class Store:
    """An observer that is a class."""

    async def observe(self, token: str) -> EffectSnapshot:
        """Return what is to be seen."""
        del token
        return EffectSnapshot()


@pytest.fixture
def tcop_observer() -> tcop_mock.Observer:
    """Give an observer."""
    return Store()


@pytest.mark.tcop(profile="2025", form="observed", attempts=2, deadline="500ms")
@pytest.mark.tcop_clauses("TCM3*", fail_on="should")
@pytest.mark.tcop_skip_clause("TCM313", reason="we take the last one")
def test_contract(tcop_contract: Contract) -> None:
    """Judge."""
    verdict = tcop_contract.check(wait_s=10, max_time_s=60, effect_timeout_s=2)
    assert_type(verdict, Verdict)


@tcop_mock.parametrize(
    "cvm/*", "clb/*", states=[State.FIRING, "resolved"], langs=["en", Lang.ZH], forms=[Form.OBSERVED]
)
def test_shapes(tcop_callback: Callback, tcop_sender: Sender) -> None:
    """Send each."""
    delivery = tcop_sender.send(tcop_callback)
    assert_type(delivery, Delivery)
    assert_type(delivery.accepted, bool)
    assert_type(tcop_sender.send_all([tcop_callback, {"alarmStatus": "0"}, b"{}", "{}"]), list[Delivery])


@tcop_mock.parametrize("cvm/*")
class TestShapes:
    """Classes can be parametrised, too."""

    def test_body(self, tcop_callback: Callback) -> None:
        """Look at the bytes and the tree."""
        assert_type(tcop_callback.to_bytes(), bytes)
        assert_type(tcop_callback.to_dict(), dict[str, Any])


async def test_async(tcop_async_sender: AsyncSender, tcop_alarm: AlarmFactory, tcop_contract: Contract) -> None:
    """Await."""
    callback = tcop_alarm("cvm/basic-monitoring", "resolved", metric="cpu_usage", lang="zh", form=Form.OBSERVED)
    assert_type(callback, Callback)
    assert_type(await tcop_async_sender.send(callback), Delivery)
    assert_type(await tcop_contract.check_async(), Verdict)


def test_receiver(tcop_receiver: Receiver, tcop_lifecycle: LifecycleFactory, tcop_clock: Clock) -> None:
    """Receive."""
    life = tcop_lifecycle(steps="fire,resolve", notify=RepeatPolicy(NotifyType.CONTINUOUS, 300))
    assert_type(life, tuple[Callback, ...])
    tcop_receiver.fault("status:503:2")
    tcop_receiver.answer_with(lambda request: 503 if request.callback.is_resolved else None)
    found = tcop_receiver.wait_for(2, timeout=1, where={"alarmStatus": "0"})
    assert_type(found, list[CapturedRequest])
    assert_type(tcop_receiver.wait_for(where=lambda one: one.callback.is_resolved), list[CapturedRequest])
    assert_type(tcop_receiver.url, str)
    assert_type(tcop_clock.now_s, float)


def test_a_stub_service_is_a_transport(tcop_alarm: AlarmFactory) -> None:
    """A stub service is a transport of both kinds of clients of httpx."""
    robot = wecom(rate_limits=False)
    robot.fault("status:503:1")
    with httpx.Client(transport=robot, base_url="http://test") as client:
        request = tcop_alarm().request("/alarm")
        client.request(request.method, request.url, headers=request.headers, content=request.content)
    httpx.AsyncClient(transport=robot)
    assert_type(robot.callbacks, list[CapturedRequest])


@pytest.fixture
def a_client_as_target() -> tuple[httpx.Client, str]:
    """Give a client and a path, as ``tcop_target`` may."""
    return httpx.Client(base_url="http://test"), "/alarm"
