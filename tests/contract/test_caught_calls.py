"""Observations that detect open incidents, and those of caught calls only."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from virtual_time import run_in_virtual_time

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clause_outcome import ClauseOutcome
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.observation import EffectObservation, ObservationConfig
from tcop_mock.contract.preflight import Preflight
from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.summary import reason_text
from tcop_mock.server.catching_proxy import CallLog
from tcop_mock.server.downstream import DownstreamRecorder, ReceivedMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.domain.delivery import OutgoingRequest

FACTORY = CaseFactory(Catalog.load(), Generator(7), "TCM001")
TCM501, TCM505, TCM522, TCM525 = (
    find_clause(load_clauses(), code) for code in ("TCM501", "TCM505", "TCM522", "TCM525")
)


class Rows:
    """A receiver, and an observer of its rows that finds out which are open.

    Args:
        status: what the receiver answers.
        late_s: when a row changes after its callback.
    """

    def __init__(self, status: int = 200, late_s: float = 0.0) -> None:
        self.status, self.late_s = status, late_s
        self.states: dict[str, str] = {}
        self.learned: tuple[Sequence[Any], Sequence[Any]] | None = None
        self.has_to_learn = True

    async def receive(self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Keep the state of an alarm, and answer."""
        del intended_s
        alarm = json.loads(request.body)
        name, state = alarm["alarmObjInfo"]["dimensions"]["objId"], str(alarm["alarmStatus"])
        asyncio.get_running_loop().call_later(self.late_s, self.states.__setitem__, name, state)
        return (
            Attempt(Outcome.ACKED, 0.0, 0.0, 0.1, status=self.status)
            if self.status == 200
            else Attempt(Outcome.REJECTED, 0.0, 0.0, deadline_s / 10, status=self.status)
        )

    async def rows(self, token: str) -> Sequence[Any]:
        """Return the state of an alarm."""
        return [self.states[token]] if token in self.states else []

    def learn(self, fired: Sequence[Any], resolved: Sequence[Any]) -> None:
        """Take what it has seen."""
        self.learned, self.has_to_learn = (fired, resolved), False

    async def observe(self, token: str) -> EffectSnapshot:
        """Return the row of an alarm."""
        return EffectSnapshot(tuple(Effect(f"{token} {state}") for state in await self.rows(token)))


def calibrated(receiver: Rows, config: ObservationConfig) -> EffectObservation:
    """Return an observation of a receiver after its plain alarm, in virtual time."""

    async def calibrate(clock: Callable[[], float]) -> EffectObservation:
        attempt = Attempt(Outcome.ACKED, 0.0, 0.0, 0.1, status=200)
        observer = config.observer or config.downstream
        assert observer is not None
        observation = EffectObservation(
            config, observer, receiver.receive, clock, asyncio.sleep, Preflight(attempt, 5.0), 300.0
        )
        await observation.calibrate(FACTORY)
        return observation

    return run_in_virtual_time(calibrate)


def test_an_observer_finds_out_what_is_open() -> None:
    """The open rows follow from an alarm that fires and is resolved, also if the receiver works after its answer."""
    receiver = Rows(late_s=0.3)
    calibrated(receiver, ObservationConfig(observer=receiver))
    assert receiver.learned == (["1"], ["0"])
    again = Rows()
    again.has_to_learn = False
    calibrated(again, ObservationConfig(observer=again))
    assert again.learned is None


def test_a_receiver_that_keeps_nothing_teaches_nothing() -> None:
    """Neither one that refuses the alarm, nor one whose rows do not come in time."""
    for receiver in (Rows(status=500), Rows(late_s=1000.0)):
        calibrated(receiver, ObservationConfig(observer=receiver))
        assert receiver.learned is None


def test_clauses_about_effects_are_not_run_without_calls() -> None:
    """Clauses about effects are not run for a receiver that calls nobody; the reason names refused hosts."""
    log = CallLog()
    observation = calibrated(Rows(), ObservationConfig(downstream=DownstreamRecorder(), calls=log))
    results = [observation.precheck(clause) for clause in (TCM501, TCM522)]
    assert {result.status for result in results if result} == {ClauseStatus.NOT_RUN}
    assert "it called none; does it keep its alarms itself" in reason_text(results[0] or _none())
    log.count(log.refused, "api.example.com")
    again = calibrated(Rows(), ObservationConfig(downstream=DownstreamRecorder(), calls=log)).precheck(TCM501)
    assert "1 call to api.example.com was refused" in reason_text(again or _none())


def test_a_receiver_that_calls_for_other_callbacks_is_asked_which() -> None:
    """One that knows a numeric alarmStatus only is called silent by the plain alarm, and not by others."""
    recorder = DownstreamRecorder()
    observation = calibrated(Rows(), ObservationConfig(downstream=recorder, calls=CallLog()))
    message = ReceivedMessage.from_request("json", "/json", b'{"text": "x"}', is_accepted=True, note="")
    assert observation.precheck(TCM525) is not None
    recorder.messages.append(message)
    assert observation.precheck(TCM525) is None
    still_out = observation.precheck(TCM501)
    assert still_out is not None
    assert still_out.status is ClauseStatus.NOT_RUN
    unseen = observation.blind_result(TCM525, ClauseOutcome())
    assert unseen is not None
    assert unseen.status is ClauseStatus.NOT_RUN
    attempt = Attempt(Outcome.ACKED, 0.0, 0.0, 0.1, status=200)
    failed = ClauseOutcome().with_failures([Failure(FACTORY.plain_case(), attempt, "no effect")])
    assert observation.blind_result(TCM525, failed) is None


class Caller(Rows):
    """A receiver in this process that tells a stub of an alarm.

    Args:
        recorder: the stub.
        log: counts its calls.
        connects_s: when it connects.
        tells_s: when its message is there; ``None``: never.
    """

    def __init__(self, recorder: DownstreamRecorder, log: CallLog, connects_s: float, tells_s: float | None) -> None:
        super().__init__()
        self.recorder, self.log, self.connects_s, self.tells_s = recorder, log, connects_s, tells_s
        self.started_s: float | None = None

    async def receive(self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None) -> Attempt:
        """Answer, and tell later."""
        loop = asyncio.get_running_loop()
        loop.call_later(self.connects_s, setattr, self.log, "connections", 1)
        if self.tells_s is not None:
            message = ReceivedMessage.from_request("json", "/json", request.body, is_accepted=True, note="")
            loop.call_later(self.tells_s, self.recorder.messages.append, message)
        return await super().receive(request, deadline_s=deadline_s, intended_s=intended_s)


@pytest.mark.parametrize(
    "connects_s, tells_s, refused, latest_s, is_seen",
    [
        (0.1, 0.2, 0, 1.5, True),
        (0.3, 3.0, 0, 4.0, True),
        (0.3, None, 0, 7.0, False),
        (0.3, None, 1, 1.5, False),
        (9.0, None, 0, 1.5, False),
    ],
    ids=["soon", "late message", "no message", "refused", "no call"],
)
def test_the_first_call_is_waited_for_as_long_as_it_needs(
    connects_s: float, tells_s: float | None, refused: int, latest_s: float, *, is_seen: bool
) -> None:
    """An app that connects gets the whole time for its message; one that calls nobody is not waited for."""
    recorder, log = DownstreamRecorder(), CallLog()
    log.refused["api.example.com"] = refused
    receiver = Caller(recorder, log, connects_s, tells_s)
    took_s: list[float] = []

    async def calibrate(clock: Callable[[], float]) -> EffectObservation:
        config = ObservationConfig(downstream=recorder, calls=log, first_call_s=0.5)
        attempt = Attempt(Outcome.ACKED, 0.0, 0.0, 0.1, status=200)
        observation = EffectObservation(
            config, recorder, receiver.receive, clock, asyncio.sleep, Preflight(attempt, 5.0), 300.0
        )
        began_s = clock()
        await observation.calibrate(FACTORY)
        took_s.append(clock() - began_s)
        return observation

    observation = run_in_virtual_time(calibrate)
    assert took_s[0] <= latest_s
    assert (observation.runner.effects_per_push == 1) is is_seen
    assert observation.is_plain_dropped is not is_seen


def test_rows_are_checked_beside_calls_that_never_come() -> None:
    """Clauses about rows run, those about messages do not."""
    receiver = Rows()
    receiver.has_to_learn = False
    config = ObservationConfig(observer=receiver, downstream=DownstreamRecorder(), calls=CallLog())
    observation = calibrated(receiver, config)
    found = {clause.code: observation.precheck(clause) for clause in (TCM501, TCM522)}
    assert found["TCM501"] is None
    about_messages = found["TCM522"]
    assert about_messages is not None
    assert about_messages.status is ClauseStatus.NOT_RUN


def _none() -> Any:
    raise AssertionError("there is no result")
