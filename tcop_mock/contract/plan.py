"""The plan of a run: target, clauses and options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.callbacks.generator import Generator
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clause_outcome import is_concurrent, most_at_once
from tcop_mock.contract.clauses import EFFECT_SCENARIOS, PROCESS_CALLBACKS, assertion_of
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.reproduce import ReproductionContext
from tcop_mock.domain.contract import Level, MissingPrerequisite, Phase, Prerequisite

if TYPE_CHECKING:
    from tcop_mock.callbacks.notification_template import NotificationTemplate
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.contract.preflight import PlainCallback
    from tcop_mock.contract.reproduce import Flag
    from tcop_mock.domain.contract import Clause, ClauseTest
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.target import Credentials, Target

EFFECT_PHASES = frozenset({Phase.EFFECTS, Phase.SLOW_EFFECTS, Phase.LASTING_FAULTS, Phase.CRASHES})
"""Phases of clauses about effects."""

_ANSWER_TIME = frozenset({"answered_in_time", "within_share_of_deadline"})
SHORT_TIME_S, LONG_TIME_S = 30.0, 300.0
"""Default time limits of a run: for requests alone, and with effects, ``--pace`` or an app."""
_TCOP_BODY_BUILDERS = frozenset({"raw_bodies", "scalar_types", EFFECT_SCENARIOS, "truncated_body", "mutations"})
"""Builders that change values of TCOP's own bodies."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """Target, clauses and options of a run."""

    target: Target
    catalog: Catalog
    clauses: tuple[Clause, ...]
    profile: Profile
    seed: int
    check_auth: bool = True
    """Whether the target's userinfo has the credentials that the receiver requires."""
    wait_s: float = 0.0
    max_time_s: float | None = None
    """Time limit of the run; ``None``: see :attr:`time_limit_s`."""
    jobs: int | None = None
    """Maximum number of requests in flight; ``None``: as many as the receiver serves."""
    observation: ObservationConfig = field(default_factory=ObservationConfig)
    catalog_folders: tuple[str, ...] = ()
    """Catalogue folders of the user, for the commands that reproduce a finding."""
    clause_files: tuple[str, ...] = ()
    """Globs of the user's own clauses, for the same reason."""
    template: NotificationTemplate | None = None
    """Notification template of the user, in place of TCOP's own callbacks."""
    flags: tuple[Flag, ...] = ()
    """Further ones of the command line, to be named again likewise."""
    min_interval_s: float | None = None
    """Time between the starts of two requests at the least, for receivers that limit the rate."""
    fail_on: Level = Level.MUST
    """The least binding level whose clauses decide the result."""
    takes_parsed_body: bool = False
    """Whether the target is a callable that gets the JSON value of each body and no HTTP request."""
    uses_client: bool = False
    """Whether an HTTP client of the user sends the requests."""

    @property
    def time_limit_s(self) -> float:
        """Time limit of the run: half a minute, more where time passes that is not the receiver's."""
        if self.max_time_s is not None:
            return self.max_time_s
        observation = self.observation
        is_observed = observation.observer is not None or observation.downstream is not None
        is_long = is_observed or self.target.app or self.target.parser or self.min_interval_s
        return (LONG_TIME_S if is_long else SHORT_TIME_S) + self.wait_s

    def missing_prerequisite(self, clause: Clause) -> MissingPrerequisite | None:
        """Return the precondition of a clause that this plan does not meet, whatever the receiver does."""
        return (
            self._target_mismatch(clause)
            or self._missing_credentials(clause)
            or self._template_mismatch(clause)
            or self.observation.missing_prerequisite(clause)
        )

    def missing_for_test(self, test: ClauseTest, *, is_sequential: bool) -> MissingPrerequisite | None:
        """Return the precondition that a test lacks because of the way its requests are sent.

        Args:
            test: test of a clause.
            is_sequential: whether the target is called in one thread only.
        """
        if self.uses_client and test.needs_socket:
            return MissingPrerequisite(Prerequisite.SOCKET)
        at_once = most_at_once(test)
        if self.jobs and at_once > self.jobs:
            return MissingPrerequisite(Prerequisite.ENOUGH_JOBS, (str(at_once), str(self.jobs)))
        if not is_concurrent(test):
            return None
        if self.min_interval_s:
            return MissingPrerequisite(Prerequisite.CONCURRENT_REQUESTS)
        return MissingPrerequisite(Prerequisite.CONCURRENT_CALLS) if is_sequential else None

    def case_factory(self, code: str, plain: PlainCallback, rerun: int = 0) -> CaseFactory:
        """Return what makes the requests of a clause.

        Args:
            code: of the clause.
            plain: the plain callback of the run.
            rerun: number of the rerun, whose alarms are others.
        """
        return CaseFactory(
            self.catalog,
            Generator(self.seed, form=plain.form, wire_format=self.profile.wire_format),
            code,
            credentials=self.target.credentials,
            headers=self.profile.delivery.headers,
            exhaustive=self.target.parser is not None,
            template=self.template,
            rerun=rerun,
            plain_shape=plain.shape_id,
        )

    def reproduction_context(self, clause: Clause, test: ClauseTest, met_by: tuple[str, ...]) -> ReproductionContext:
        """Return the context of a finding: the arguments of the commands that reproduce it.

        Args:
            clause: the clause of the finding.
            test: test of the clause.
            met_by: codes of the other clauses whose requests met the finding.
        """
        return ReproductionContext(
            clause,
            self.target,
            self.seed,
            self.profile.name,
            self.catalog_folders,
            test,
            self.clause_files,
            self.template.name if self.template else "",
            self.flags,
            met_by,
            self.profile.delivery.timeout_s,
        )

    def _target_mismatch(self, clause: Clause) -> MissingPrerequisite | None:
        if clause.profiles and self.profile.name not in clause.profiles:
            return MissingPrerequisite(Prerequisite.PROFILE, (", ".join(clause.profiles),))
        if self.target.parser and self.target.parser not in clause.parsers:
            return MissingPrerequisite(Prerequisite.HTTP_REQUESTS, (self.target.parser.value,))
        if self.takes_parsed_body and not _is_about_parsed_bodies(clause):
            return MissingPrerequisite(Prerequisite.HTTP_REQUESTS, ("callable",))
        if Prerequisite.HTTP in clause.prerequisites and self.uses_client:
            return MissingPrerequisite(Prerequisite.SOCKET)
        if Prerequisite.HTTP in clause.prerequisites and self.target.app:
            return MissingPrerequisite(Prerequisite.HTTP)
        return None

    def _missing_credentials(self, clause: Clause) -> MissingPrerequisite | None:
        credentials = self.target.credentials
        if Prerequisite.AUTH in clause.prerequisites and not (credentials and self.check_auth):
            return MissingPrerequisite(Prerequisite.AUTH)
        if Prerequisite.SPECIAL_CHARACTER_CREDENTIALS in clause.prerequisites and not _need_encoding(credentials):
            return MissingPrerequisite(Prerequisite.SPECIAL_CHARACTER_CREDENTIALS)
        return None

    def _template_mismatch(self, clause: Clause) -> MissingPrerequisite | None:
        if Prerequisite.TEMPLATE in clause.prerequisites and self.template is None:
            return MissingPrerequisite(Prerequisite.TEMPLATE)
        if self.template and clause.builder.name in _TCOP_BODY_BUILDERS:
            return MissingPrerequisite(Prerequisite.TCOP_BODIES)
        return None


def _is_about_parsed_bodies(clause: Clause) -> bool:
    """Return whether a clause applies to a callable: it is about bodies, response times or effects, not about HTTP."""
    if clause.phase is not Phase.MAIN:
        return clause.phase in {*EFFECT_PHASES, Phase.BURST}
    return bool(clause.parsers) or Prerequisite.TEMPLATE in clause.prerequisites or is_about_timing(clause)


def is_about_timing(clause: Clause) -> bool:
    """Return whether a clause is about response times, so that it is asserted even if each response is late."""
    return clause.builder.name not in {EFFECT_SCENARIOS, PROCESS_CALLBACKS} and any(
        assertion_of(invocation).is_about_timing for invocation in clause.assertions
    )


def is_about_answer_time(clause: Clause) -> bool:
    """Return whether a clause is about nothing but how soon a callback is answered."""
    return all(invocation.name in _ANSWER_TIME for invocation in clause.assertions)


def _need_encoding(credentials: Credentials | None) -> bool:
    """Return whether credentials need percent-encoding in a URL, or hold characters beyond ASCII."""
    text = "".join(part.reveal() for part in (credentials.user, credentials.password)) if credentials else ""
    return not text.isascii() or not set(text).isdisjoint("@:/% +?#")
