"""The requests of the clauses of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.contract.builders_effects import sent_strings
from tcop_mock.contract.clauses import builder_of
from tcop_mock.contract.preflight import PlainCallback

if TYPE_CHECKING:
    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.contract.plan import CheckPlan
    from tcop_mock.domain.contract import Clause, ClauseTest

_TRIAL_CODE = "TCM002"


@dataclass(slots=True)
class ClauseTests:
    """Requests of each clause of a plan, built once."""

    plan: CheckPlan
    plain: PlainCallback = field(default_factory=PlainCallback)
    """The plain callback of the run."""
    built: dict[tuple[str, int], ClauseTest] = field(default_factory=dict, repr=False)
    """Built tests by the code of the clause and the number of the rerun."""

    def of(self, clause: Clause, rerun: int = 0) -> ClauseTest:
        """Return the test of a clause; each rerun has its own alarms."""
        key = (clause.code, rerun)
        if key not in self.built:
            self.built[key] = builder_of(clause)(self.factory(clause.code, rerun), **clause.builder.params)
        return self.built[key]

    def all_sent_text(self) -> str:
        """Return all strings that the clauses send."""
        return "\n".join(text for clause in self.plan.clauses for text in sent_strings(self.of(clause)))

    def factory(self, code: str, rerun: int = 0) -> CaseFactory:
        """Return what makes the requests of a clause."""
        return self.plan.case_factory(code, self.plain, rerun)

    def trial_factory(self, plain: PlainCallback) -> CaseFactory:
        """Return what makes the requests that try another plain callback."""
        return self.plan.case_factory(_TRIAL_CODE, plain)

    def use_plain(self, plain: PlainCallback) -> None:
        """Use another plain callback from now on; all clauses then send others."""
        self.plain = plain
        self.built.clear()
