"""The pytest plugin: its options, marks and fixtures, which are implemented in ``tcop_mock.testing``.

pytest imports this module in every environment with tcop-mock, so it imports only pytest. A fixture imports what it
needs when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.callback import Callback
    from tcop_mock.testing.catch import CaughtCalls
    from tcop_mock.testing.contract import Contract
    from tcop_mock.testing.factories import AlarmFactory, LifecycleFactory
    from tcop_mock.testing.receiver import Receiver
    from tcop_mock.testing.run import ReceiverStarter
    from tcop_mock.testing.senders import AsyncSender, Clock, Sender
    from tcop_mock.transport.open import OpenTarget

_PREFIX = "tcop_"
_MARKS = ("tcop", "tcop_clauses", "tcop_skip_clause")
_REPORT_FORMATS = ("har", "html", "json", "junit", "markdown", "ndjson", "pytest", "text")
"""The formats of ``reports/formats.py``, which the plugin must not import; a test compares them."""

_OPTIONS = (
    ("target", "URL|MODULE:APP", False, "the receiver; @FILE reads it from a file (default: TCOP_MOCK_TARGET)"),
    ("profile", "NAME", False, "generation of the callback contract (default: 2023)"),
    ("clauses", "GLOB,...", True, "check only these clauses: TCM3*, recover-*"),
    ("skip", "GLOB,...", True, "do not check these clauses"),
    ("fail-on", "LEVEL", False, "the least level whose broken clauses fail a test: must (default) or should"),
    (
        "seed",
        "INT",
        False,
        "seed of all callbacks, together with the ID of the test; the same seed gives the same bytes (default: 0)",
    ),
    ("baseline", "FILE", False, "known findings, which fail no test; `tcop-mock check --baseline-update` writes them"),
    ("report", "KIND=PATH", True, f"write a report of the contract tests; KIND: {', '.join(_REPORT_FORMATS)}"),
    ("allow-host", "HOST,...", True, "hosts, other than this machine, that tests may send to"),
    ("catch-host", "HOST=KIND", True, "hosts that tcop_catch answers for besides the known ones"),
)
"""Name, metavar, whether it is a list, help."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their twins in ini files."""
    group = parser.getgroup("tcop-mock", "receivers of TCOP alarm callbacks (tcop-mock)")
    for name, metavar, is_list, text in _OPTIONS:
        key = f"{_PREFIX}{name.replace('-', '_')}"
        action = "append" if is_list else "store"
        group.addoption(f"--tcop-{name}", dest=key, action=action, default=None, metavar=metavar, help=text)
        if is_list:
            parser.addini(key, text, type="linelist", default=[])
        else:
            parser.addini(key, text, type="string", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and reject wrong options before any test runs."""
    for line in (
        "tcop(profile=, form=, attempts=, deadline=): how callbacks are written and delivered in this test",
        "tcop_clauses(*globs, fail_on=): clauses that tcop_contract checks, and the least binding level that counts",
        "tcop_skip_clause(*globs, reason=): clauses that tcop_contract does not check, and why",
    ):
        config.addinivalue_line("markers", line)
    if any(config.getoption(f"{_PREFIX}{name.replace('-', '_')}") is not None for name, *_ in _OPTIONS):
        from tcop_mock.testing.settings import require_options
        from tcop_mock.testing.usage_errors import usage_errors_end_run

        with usage_errors_end_run(config):
            require_options(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Reject wrong marks and ini options, if a test uses the plugin."""
    our_items = [item for item in items if _uses_plugin(item)]
    if our_items:
        from tcop_mock.testing.settings import require_settings
        from tcop_mock.testing.usage_errors import usage_errors_end_run

        with usage_errors_end_run(config):
            require_settings(config, our_items)


def _uses_plugin(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return any(name.startswith(_PREFIX) for name in fixtures) or any(map(item.get_closest_marker, _MARKS))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - of pytest-xdist, which need not be there
    """Add the results of the contract tests of a worker of pytest-xdist."""
    worker_results = getattr(node, "workeroutput", {}).get("tcop_mock")
    if worker_results:
        from tcop_mock.testing.report_collector import report_collector

        report_collector(node.config).receive(worker_results)


@pytest.fixture(scope="session")
def tcop_catalogue() -> Catalog:
    """The catalogue of shapes. Override it to add your own: ``return Catalog.load("own")``."""
    from tcop_mock.catalog.loader import Catalog

    return Catalog.load()


@pytest.fixture
def tcop_alarm(request: pytest.FixtureRequest, tcop_catalogue: Catalog) -> AlarmFactory:
    """A factory of callbacks: ``tcop_alarm("cvm/basic-monitoring", "resolved")``; each call is another alarm."""
    from tcop_mock.testing.factories import AlarmFactory, callback_source

    return AlarmFactory(callback_source(request.node, tcop_catalogue))


@pytest.fixture
def tcop_lifecycle(request: pytest.FixtureRequest, tcop_catalogue: Catalog) -> LifecycleFactory:
    """A factory of alarms' lives: ``tcop_lifecycle("cvm/basic-monitoring", "fire,repeat:2,resolve")``."""
    from tcop_mock.testing.factories import LifecycleFactory, callback_source

    return LifecycleFactory(callback_source(request.node, tcop_catalogue))


@pytest.fixture
def tcop_callback(request: pytest.FixtureRequest, tcop_catalogue: Catalog) -> Callback:
    """One callback: for each shape and state of ``tcop_mock.parametrize``, or a firing one of CVM."""
    from tcop_mock.testing.factories import callback_source

    return callback_source(request.node, tcop_catalogue).for_parameter(getattr(request, "param", None))


@pytest.fixture
def tcop_clock() -> Clock:
    """A clock of alarm time: pauses between attempts and callbacks advance it without a wait."""
    from tcop_mock.testing.senders import Clock

    return Clock()


@pytest.fixture
def tcop_target(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - whatever a user's own gives
    """The receiver under test. Override it: return a URL, an app, a test client, ``module:app``, a callable."""
    from tcop_mock.testing.settings import configured_target

    return configured_target(request.config)


@pytest.fixture(scope="session")
def tcop_run() -> Iterator[ReceiverStarter]:
    """Starts a receiver in a process of its own: ``tcop_run("python app.py", "/alarms")`` returns its URL."""
    from tcop_mock.testing.run import receiver_starter

    with receiver_starter() as starter:
        yield starter


@pytest.fixture
def tcop_catch(request: pytest.FixtureRequest) -> Iterator[CaughtCalls]:
    """Catches calls of this process to chats and PagerDuty, and refuses all others: ``.messages``, ``.refused``."""
    from tcop_mock.testing.catch import catch_calls

    with catch_calls(request.node) as calls:
        yield calls


@pytest.fixture
def _tcop_target_under_test(request: pytest.FixtureRequest, tcop_target: Any) -> Iterator[OpenTarget]:  # noqa: ANN401 - whatever a user's own gives
    """``tcop_target``, opened; the fixtures that send share it."""
    from tcop_mock.testing.senders import open_target_under_test

    with open_target_under_test(tcop_target, request.node) as target:
        yield target


@pytest.fixture
def tcop_sender(request: pytest.FixtureRequest, _tcop_target_under_test: OpenTarget, tcop_clock: Clock) -> Sender:
    """Delivers callbacks to ``tcop_target`` as TCOP does: ``tcop_sender.send(callback).accepted``."""
    from tcop_mock.testing.senders import Sender, deliverer

    return Sender(deliverer(request.node, _tcop_target_under_test, tcop_clock))


@pytest.fixture
def tcop_async_sender(
    request: pytest.FixtureRequest, _tcop_target_under_test: OpenTarget, tcop_clock: Clock
) -> AsyncSender:
    """As ``tcop_sender``, to be awaited: ``(await tcop_async_sender.send(callback)).accepted``."""
    from tcop_mock.testing.senders import AsyncSender, deliverer

    return AsyncSender(deliverer(request.node, _tcop_target_under_test, tcop_clock))


@pytest.fixture
def tcop_observer() -> Any:  # noqa: ANN401 - whatever a user's own gives
    """``None``. Override it to observe the receiver's effects: return a callable, observer, or ``tcop_pagerduty``."""
    return None


@pytest.fixture
def tcop_contract(
    request: pytest.FixtureRequest,
    _tcop_target_under_test: OpenTarget,
    tcop_catalogue: Catalog,
    tcop_observer: Any,  # noqa: ANN401 - whatever a user's own gives
) -> Contract:
    """The contract: ``tcop_contract.check()`` checks ``tcop_target``, with a result for each clause."""
    from tcop_mock.testing.contract import Contract

    calls = request.getfixturevalue("tcop_catch") if "tcop_catch" in request.fixturenames else None
    return Contract(request, _tcop_target_under_test, tcop_catalogue, tcop_observer, calls)


@pytest.fixture
def tcop_receiver(request: pytest.FixtureRequest, tcop_clock: Clock) -> Iterator[Receiver]:
    """A receiver that records requests: ``.url``, ``.callbacks``, ``.wait_for(n)``, ``.fault("status:503:2")``."""
    yield from _open_service("webhook", request, tcop_clock)


@pytest.fixture
def tcop_pagerduty(request: pytest.FixtureRequest, tcop_clock: Clock) -> Iterator[Receiver]:
    """Stub of PagerDuty's Events API v2: it answers like the service, and records the events."""
    yield from _open_service("pagerduty", request, tcop_clock)


@pytest.fixture
def tcop_wecom(request: pytest.FixtureRequest, tcop_clock: Clock) -> Iterator[Receiver]:
    """Stub of a WeCom group robot: it answers like the service, and records the messages."""
    yield from _open_service("wecom", request, tcop_clock)


@pytest.fixture
def tcop_dingtalk(request: pytest.FixtureRequest, tcop_clock: Clock) -> Iterator[Receiver]:
    """Stub of a DingTalk custom robot: it answers like the service, and records the messages."""
    yield from _open_service("dingtalk", request, tcop_clock)


@pytest.fixture
def tcop_feishu(request: pytest.FixtureRequest, tcop_clock: Clock) -> Iterator[Receiver]:
    """Stub of a custom bot of Feishu or Lark: it answers like the service, and records the messages."""
    yield from _open_service("feishu", request, tcop_clock)


@pytest.fixture
def tcop_slack(request: pytest.FixtureRequest, tcop_clock: Clock) -> Iterator[Receiver]:
    """Stub of a webhook of Slack and its Web API: it answers like the service, and records the messages."""
    yield from _open_service("slack", request, tcop_clock)


def _open_service(service: str, request: pytest.FixtureRequest, clock: Clock) -> Iterator[Receiver]:
    from tcop_mock.testing.receiver import recording_receiver

    with recording_receiver(service, request.node, clock) as running_receiver:
        yield running_receiver
