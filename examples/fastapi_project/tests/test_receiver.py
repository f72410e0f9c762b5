import pytest
import receiver

import tcop_mock
from tcop_mock.testing import Contract, LifecycleFactory, Sender


def test_contract(tcop_contract: Contract) -> None:
    tcop_contract.check()


@tcop_mock.parametrize("cvm/*", "cdn/*", states=["firing", "resolved"])
def test_shapes(tcop_callback: tcop_mock.Callback, tcop_sender: Sender) -> None:
    assert tcop_sender.send(tcop_callback).accepted


@pytest.mark.parametrize("repeats", [0, 3])
def test_one_alarm_is_one_incident(tcop_sender: Sender, tcop_lifecycle: LifecycleFactory, repeats: int) -> None:
    tcop_sender.send_all(tcop_lifecycle(steps=f"fire,repeat:{repeats},resolve" if repeats else "fire,resolve"))
    assert list(receiver.incidents.values()) == [False]
