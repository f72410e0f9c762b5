from datetime import datetime
from typing import Any

import pytest
import receiver

from tcop_mock.testing import Receiver


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--planted", action="store_true", help="plant a bug: expect a time in each resolved alarm")


@pytest.fixture
def tcop_target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tcop_wecom: Receiver) -> Any:
    if request.config.getoption("--planted"):
        monkeypatch.setattr(receiver, "state", planted)
    return receiver.create_app(tcop_wecom.url)


def planted(alarm: dict[str, Any]) -> str:
    return (
        str(datetime.strptime(alarm["recoverTime"], "%Y-%m-%d %H:%M:%S")) if alarm["alarmStatus"] == "0" else "firing"
    )


@pytest.fixture
def tcop_observer(tcop_wecom: Receiver) -> Receiver:
    return tcop_wecom
