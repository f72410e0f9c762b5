"""The Locust user: with fake classes in this process, and once with Locust itself."""

from __future__ import annotations

import contextlib
import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECRET = "swordfish"


class _Timeout(contextlib.AbstractContextManager[None]):
    """``gevent.Timeout``: swallows itself."""

    class Passed(Exception):  # noqa: N818 - not an error
        """The deadline has passed."""

    def __init__(self, seconds: float, *, exception: bool) -> None:
        assert (seconds, exception) == (5.0, False)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is self.Passed


class _Answer:
    """Response of the client as a context manager."""

    def __init__(self, status: int, *, late: bool = False) -> None:
        self.status_code, self.headers = status, {"Retry-After": "1"}.items()
        self.verdict = ""
        self._late = late

    @property
    def content(self) -> bytes:
        if self._late:
            raise _Timeout.Passed
        return b"{}"

    def success(self) -> None:
        self.verdict = "success"

    def failure(self, why: str) -> None:
        self.verdict = why


class _Client:
    """Answers as it is reported, and keeps what was asked."""

    def __init__(self, answers: list[_Answer]) -> None:
        self.answers, self.asked = answers, list[dict[str, Any]]()

    @contextlib.contextmanager
    def request(self, method: str, path: str, **asked: Any) -> Iterator[_Answer]:
        self.asked.append({"method": method, "path": path, **asked})
        yield self.answers[len(self.asked) - 1]


class _FastHttpUser:
    """The parts of Locust's user that are used."""

    host: str | None = None

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.client = environment.client


class _StopUser(Exception):  # noqa: N818 - Locust's name
    """Locust's exception that stops a user."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Give a function that makes a user whose client answers in turn; nothing of Locust is imported."""
    stage: dict[str, dict[str, Any]] = {
        "gevent": {"Timeout": _Timeout, "sleep": lambda _seconds: None},
        "locust": {"FastHttpUser": _FastHttpUser, "task": lambda function: function},
        "locust.exception": {"StopUser": _StopUser},
    }
    for name, members in stage.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "tcop_mock.locust_user", raising=False)
    monkeypatch.setenv("TCOP_MOCK_LOAD_MIX", "cvm/basic-monitoring")
    monkeypatch.setenv("TCOP_MOCK_LOAD_TIME_SCALE", "0")
    monkeypatch.setenv("TCOP_MOCK_TARGET", f"http://u:{_SECRET}@127.0.0.1:9/hook")
    locust_user = importlib.import_module("tcop_mock.locust_user")

    def make(*answers: _Answer, **environ: str) -> Any:
        for key, value in environ.items():
            monkeypatch.setenv(key, value)
        fired: list[dict[str, Any]] = []
        request = SimpleNamespace(fire=lambda **event: fired.append(event))
        environment = SimpleNamespace(
            client=_Client(list(answers)), events=SimpleNamespace(request=request), host=None, runner=None, fired=fired
        )
        return locust_user.TcopUser(environment)

    yield make
    sys.modules.pop("tcop_mock.locust_user", None)


def test_a_notification_is_sent(made: Callable[..., Any]) -> None:
    """One POST with the credentials, no redirect followed; the notification is counted from when it was due."""
    user = made(_Answer(200))
    user.deliver()
    [asked] = user.client.asked
    assert (asked["method"], asked["path"], asked["allow_redirects"]) == ("POST", "/hook", False)
    assert asked["headers"]["Authorization"].startswith("Basic ")
    assert user.client.answers[0].verdict == "success"
    [event] = user.environment.fired
    assert (event["request_type"], event["name"], event["exception"]) == ("TCOP", "notification", None)
    assert event["response_time"] >= 0
    assert user.wait_time() == 1.0


def test_a_failed_notification_is_retried_and_reported_as_lost(made: Callable[..., Any]) -> None:
    """The deadline counts as a failed attempt, which the client alone would not tell; the last one is shown as lost."""
    user = made(_Answer(503), _Answer(200, late=True), _Answer(404), _Answer(500))
    user.deliver()
    assert len({asked["data"] for asked in user.client.asked}) == 1
    assert [answer.verdict for answer in user.client.answers] == ["rejected", "", "rejected", "rejected"]
    attempt, lost = user.environment.fired
    assert (attempt["request_type"], attempt["name"], str(attempt["exception"])) == ("POST", "attempt", "timed_out")
    assert (lost["name"], str(lost["exception"])) == ("notification", "rejected")


def test_pages_of_locust_show_no_password(made: Callable[..., Any]) -> None:
    """The host that Locust prints has no userinfo."""
    user = made(_Answer(200))
    assert user.host == user.environment.host == "http://127.0.0.1:9"
    assert _SECRET not in str(vars(user.environment))


def test_users_stop_at_the_end_of_a_scenario(made: Callable[..., Any]) -> None:
    """All users of a process tell one share, wait for nothing but its times, and stop where it is over."""
    scenario = {"TCOP_MOCK_LOAD_SCENARIO": "deploy-noise"}
    first, second = made(_Answer(200), **scenario), made(_Answer(200), **scenario)
    first.deliver()
    second.deliver()
    bodies = {user.client.asked[0]["data"] for user in (first, second)}
    assert len(bodies) == 2
    assert {event["name"] for user in (first, second) for event in user.environment.fired} == {"notification firing"}
    assert first.wait_time() == 0.0
    first._worker._schedule = iter(())
    with pytest.raises(_StopUser):
        second.deliver()


def test_without_locust_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is one line with a command to paste."""
    monkeypatch.setitem(sys.modules, "locust", None)
    monkeypatch.setitem(sys.modules, "gevent", ModuleType("gevent"))
    monkeypatch.delitem(sys.modules, "tcop_mock.locust_user", raising=False)
    with pytest.raises(ImportError, match=r'tcop_mock.locust_user needs Locust: pip install "tcop-mock\[locust\]"'):
        importlib.import_module("tcop_mock.locust_user")
