"""Runs the clauses about the process of a receiver that the run has started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.contract.clause_outcome import ClauseOutcome
from tcop_mock.contract.findings import Failure
from tcop_mock.contract.process_assertions import PROCESS_ASSERTIONS, ProcessFailure, ProcessProbe
from tcop_mock.domain.contract import Inconclusive
from tcop_mock.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.contract.receiver_control import ReceiverControl
    from tcop_mock.domain.contract import Clause, ClauseTest
    from tcop_mock.domain.delivery import Transport


@dataclass(slots=True)
class ProcessRunner:
    """Runs clauses about a process, one at a time.

    Args:
        receiver: the receiver.
        transport: sends a request.
        clock: returns seconds.
        sleep: pauses.
        deadline_s: of one attempt.
        in_flight: how many requests may be in flight.
    """

    receiver: ReceiverControl
    transport: Transport
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    in_flight: int
    _is_fresh: bool = field(default=False, init=False)
    """Whether the receiver has started and got no callback yet."""

    async def run(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Check the assertions of a clause."""
        cases = test.groups[0].cases
        probe = ProcessProbe(
            self.receiver,
            cases,
            self.transport,
            self.clock,
            self.sleep,
            self.deadline_s,
            self.in_flight,
            self._is_fresh,
        )
        failures: list[Failure] = []
        for invocation in clause.assertions:
            try:
                result = await PROCESS_ASSERTIONS[invocation.name](probe, **invocation.params)
            except TargetError as error:  # it does not start again
                return ClauseOutcome(inconclusive=(str(error),))
            finally:
                self._is_fresh = probe.is_fresh
            if isinstance(result, Inconclusive):
                reasons = (result.reason,)
                return (
                    ClauseOutcome(not_applicable=reasons)
                    if result.not_applicable
                    else ClauseOutcome(inconclusive=reasons)
                )
            if isinstance(result, ProcessFailure) and probe.last_attempt is not None:
                failures.append(Failure(cases[0], probe.last_attempt, result.text, cause=result.cause))
        notes = (probe.note,) if probe.note else ()
        return ClauseOutcome(failures=tuple(failures), asserted=frozenset({cases[0].title}), notes=notes)

    @staticmethod
    def outcome_so_far(_clause: Clause, _test: ClauseTest) -> ClauseOutcome:
        """Return nothing: a clause that was cut short has no result."""
        return ClauseOutcome()
