"""Prerequisites that an observation of effects does not meet."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.assertions import TOO_SLOW
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.effect_poller import Backlog
from tcop_mock.contract.observation import EffectObservation, ObservationConfig
from tcop_mock.contract.observers import CallableObserver
from tcop_mock.contract.preflight import Preflight
from tcop_mock.domain.contract import MissingPrerequisite, Prerequisite
from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.errors import ObserverError
from tcop_mock.server.downstream import DownstreamRecorder
from tcop_mock.transport.clock import monotonic_s

CLAUSE = load_clauses()[0]
OBSERVER = CallableObserver("m:f", lambda _token: [], None)
ACKED = Attempt(Outcome.ACKED, intended_s=0.0, started_s=0.0, ended_s=0.1, status=200)


@pytest.mark.parametrize(
    "needs, config, missing",
    [
        (Prerequisite.OBSERVER, ObservationConfig(), Prerequisite.OBSERVER),
        (Prerequisite.WECOM, ObservationConfig(), Prerequisite.OBSERVER),
        (Prerequisite.WECOM, ObservationConfig(observer=OBSERVER), Prerequisite.DOWNSTREAM),
        (Prerequisite.RESTART, ObservationConfig(observer=OBSERVER), Prerequisite.RESTART),
        (Prerequisite.RUN, ObservationConfig(observer=OBSERVER), Prerequisite.RUN),
        (Prerequisite.OBSERVER, ObservationConfig(observer=OBSERVER), None),
        (Prerequisite.WECOM, ObservationConfig(downstream=DownstreamRecorder()), None),
        (Prerequisite.AUTH, ObservationConfig(), None),
    ],
)
def test_the_first_missing_precondition_is_named(
    needs: Prerequisite, config: ObservationConfig, missing: Prerequisite | None
) -> None:
    """A clause without its observer, its stub services or its restart command is not run for that reason."""
    clause = replace(CLAUSE, prerequisites=frozenset({needs}))
    assert config.missing_prerequisite(clause) == (None if missing is None else MissingPrerequisite(missing))


def observation(config: ObservationConfig) -> EffectObservation:
    """Return an observation of a receiver that accepts everything and shows no open incident."""

    async def accept(*_: object, **_options: object) -> Attempt:
        return ACKED

    observer = config.observer or DownstreamRecorder()
    return EffectObservation(config, observer, accept, monotonic_s, asyncio.sleep, Preflight(ACKED, 5.0), 60.0)


@pytest.mark.parametrize(
    "needs, config, missing",
    [
        (Prerequisite.OPEN_INCIDENTS, ObservationConfig(observer=OBSERVER), Prerequisite.OPEN_INCIDENTS),
        (Prerequisite.WECOM, ObservationConfig(downstream=DownstreamRecorder()), Prerequisite.WECOM),
        (Prerequisite.OBSERVER, ObservationConfig(observer=OBSERVER), None),
    ],
)
def test_what_a_receiver_does_not_do_is_named(
    needs: Prerequisite, config: ObservationConfig, missing: Prerequisite | None
) -> None:
    """It shows no open incident, or never calls the service that a clause is about."""
    clause = replace(CLAUSE, prerequisites=frozenset({needs}))
    found = observation(config)._unused_service(clause)
    assert found == (None if missing is None else MissingPrerequisite(missing))


def test_an_alarm_that_was_not_sent_is_inconclusive() -> None:
    """If the run gave up on late answers, the plain alarm is not sent, and its effect is not waited for."""

    async def give_up(*_: object, **_options: object) -> Attempt:
        return Attempt(Outcome.CANCELLED, 0.0, 0.0, 0.0, detail=TOO_SLOW)

    open_one = observation(ObservationConfig(observer=CallableObserver("m:f", lambda _token: [], None)))
    open_one.runner.transport = give_up
    asyncio.run(open_one.calibrate(CaseFactory(Catalog.load(), Generator(7), "TCM002")))
    assert open_one._error == f"no effect can be checked: {TOO_SLOW}"


def test_a_callback_whose_effects_cannot_be_observed_is_not_effective() -> None:
    """The observer fails for each candidate."""

    def fail(_token: str) -> list[object]:
        raise ObserverError("no database")

    factory = CaseFactory(Catalog.load(), Generator(7), "TCM002")
    failing = observation(ObservationConfig(observer=CallableObserver("m:f", fail, None)))
    assert asyncio.run(failing.find_effective([factory, factory])) == [False, False]


def test_a_queue_that_cannot_be_observed_is_an_error() -> None:
    """The observer fails after it was calibrated; no effect is judged then."""

    def fail(_token: str) -> list[object]:
        raise ObserverError("no database")

    failing = observation(ObservationConfig(observer=CallableObserver("m:f", fail, None)))
    poller = failing.runner.poller

    async def accept(*_: object, **_options: object) -> Attempt:
        return Attempt(Outcome.ACKED, 0.0, 0.0, 0.0, status=200)

    failing.runner.transport = accept
    factory = CaseFactory(Catalog.load(), Generator(7), "TCM003")
    poller.backlog = Backlog(lambda _number: factory, failing._send_plain, poller, until_s=1e9)
    asyncio.run(failing.wait_for_backlog())
    assert "no database" in failing._error
    asyncio.run(failing.wait_for_backlog())
    assert "no database" in failing._error


def test_a_busy_receiver_is_not_waited_for_in_the_next_phase() -> None:
    """Once it has worked on all that was sent, its effects are expected as soon as that of the plain alarm was."""
    open_one = observation(ObservationConfig(observer=OBSERVER))
    open_one._plain_latency_s = 0.1
    for poller in open_one._pollers:
        poller.latency_s = 4.0
    asyncio.run(open_one.wait_for_backlog())
    assert [poller.latency_s for poller in open_one._pollers] == [0.1, 0.1, 0.1]


def test_no_backlog_waits_for_an_alarm_of_another() -> None:
    """The plain alarms of all pollers have different numbers; the effect of an earlier one is visible already."""
    sent: list[object] = []
    open_one = observation(ObservationConfig(observer=CallableObserver("m:f", lambda token: [token] * len(sent), None)))
    open_one.plain_factory = lambda number: CaseFactory(Catalog.load(), Generator(7), "TCM003", rerun=number)

    async def accept(*request: object, **_options: object) -> Attempt:
        sent.append(request)
        return Attempt(Outcome.ACKED, 0.0, 0.0, 0.0, status=200)

    open_one.runner.transport = accept
    asyncio.run(open_one.calibrate(CaseFactory(Catalog.load(), Generator(7), "TCM002")))
    numbers = [next(poller.backlog.numbers) for poller in open_one._pollers if poller.backlog]
    assert numbers == [0, 1, 2]
