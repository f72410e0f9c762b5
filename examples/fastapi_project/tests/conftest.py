from typing import Any

import pytest
import receiver


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--planted", action="store_true", help="plant a bug: identify resolved alarms by their time")


@pytest.fixture
def tcop_target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    receiver.incidents.clear()
    if request.config.getoption("--planted"):
        monkeypatch.setattr(
            receiver, "key", lambda alarm: f"{alarm['alarmObjInfo']['dimensions']} {alarm['recoverTime']}"
        )
    return receiver.app


@pytest.fixture
def tcop_observer() -> Any:
    return lambda _token: {
        "effects": list(receiver.incidents),
        "open": [key for key, is_open in receiver.incidents.items() if is_open],
    }
