"""A check that a page starts: it publishes clauses and findings, and sends requests of findings again.

While it runs, it answers the messages of the receiver to the stub services of our receiver.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.credentials import replayed_credentials
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.contract.reproduce import Flag
from tcop_mock.contract.runner import ContractRun
from tcop_mock.domain.contract import Level
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.verdict import ClauseFinished, ClauseStarted, RunFinished, RunStarted
from tcop_mock.errors import TcopMockError, UsageError
from tcop_mock.reports.findings import MAX_FINDINGS, MAX_TITLE_CHARS, command_lines, evidence_lines, fix_text
from tcop_mock.reports.json import summary_document
from tcop_mock.reports.summary import reason_text
from tcop_mock.reports.text import one_line, overall_sentence
from tcop_mock.server.downstream import DownstreamRecorder
from tcop_mock.server.messages import Reply
from tcop_mock.transport.caller import call_and_wait, run_beside_async
from tcop_mock.transport.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.console.conversation import Conversation
    from tcop_mock.console.delivery import CallbackSender, TargetSetting
    from tcop_mock.domain.contract import Clause
    from tcop_mock.domain.target import Target
    from tcop_mock.domain.verdict import ClauseResult, Finding, RunEvent, Verdict
    from tcop_mock.server.messages import ReceivedRequest

_MAX_CHARS = 2_000
_MAX_TIME_S = 600.0


_ENDED = Reply(HTTPStatus.SERVICE_UNAVAILABLE, b"the check has ended\n")


class ForwardedMessages:
    """Passes messages of the receiver to the check that runs, which observes them and can fail them."""

    def __init__(self) -> None:
        self._recorder: DownstreamRecorder | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.asynccontextmanager
    async def passed_to(self, recorder: DownstreamRecorder) -> AsyncIterator[None]:
        """Pass messages to the recorder of a check inside ``async with``, in the event loop of that check."""
        self._recorder, self._loop = recorder, asyncio.get_running_loop()
        try:
            yield
        finally:
            self._recorder = None

    def reply_to(self, request: ReceivedRequest) -> Awaitable[Reply] | None:
        """Return the reply of the check that runs, or ``None`` if none does."""
        return None if self._recorder is None else self._reply(self._recorder, request)

    async def _reply(self, recorder: DownstreamRecorder, request: ReceivedRequest) -> Reply:
        assert self._loop is not None  # noqa: S101 - set with the recorder
        answering = asyncio.run_coroutine_threadsafe(recorder.answer(request), self._loop)
        reply = asyncio.wrap_future(answering)
        await asyncio.wait([reply])
        return _ENDED if reply.cancelled() else reply.result()


class UnusedServices:
    """Reason if a check has received no message: then clauses about messages are not run."""

    is_any_taken = False
    """No call is seen before its message."""

    def __init__(self, address: str) -> None:
        self._address = address

    def hints(self) -> list[str]:
        """Return what to do."""
        return [
            f"none came to {self._address}; let it send to a path there, such as /wecom/send?key=test or /pagerduty"
        ]


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """Options of a check by the page."""

    clauses: tuple[str, ...]
    """Globs; empty: all."""
    profile: str
    seed: int
    fail_on: str = Level.MUST.value
    has_effects: bool = True
    """Whether to check clauses about effects."""


class Observation(NamedTuple):
    """Observation of effects by checks of the page."""

    config: Callable[[], ObservationConfig] = ObservationConfig
    """Returns the observer of the command line."""
    flags: tuple[Flag, ...] = ()
    """Flags that name it in the command of a finding."""


async def run_contract(plan: CheckPlan, on_event: Callable[[RunEvent], object], *, setting: TargetSetting) -> Verdict:
    """Run a contract in a separate thread; its events are delivered in the running event loop.

    Raises:
        TargetError: the target cannot be used, so no clause has a result.
    """

    def on_event_in_loop(event: RunEvent) -> None:
        call_and_wait(on_event, event)

    with setting.open_transport(plan.target, plan.profile.delivery.answer_cap_bytes) as transport:
        run = ContractRun(plan, transport, monotonic_s, asyncio.sleep)
        await run_beside_async(run.run(on_event_in_loop))
        return run.verdict()


@dataclass(slots=True)
class ContractCheck:
    """The running check, or the last one.

    Args:
        setting: the target.
        conversation: gets the events.
        catalog: the shapes.
        observation: observation of effects other than the messages to our stub services.
        forwarded: passes these messages to the running check.
        receiver_url: address of our stub services; empty if there are none.
        catalog_folders: the user's own, to be named in the command of a finding.
        run: runs a contract.
    """

    setting: TargetSetting
    conversation: Conversation
    catalog: Catalog
    observation: Observation = field(default_factory=Observation)
    forwarded: ForwardedMessages = field(default_factory=ForwardedMessages)
    receiver_url: str = ""
    catalog_folders: tuple[str, ...] = ()
    run: Callable[..., Awaitable[Verdict]] = run_contract
    verdict: Verdict | None = None
    _results: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Documents of the clauses of the run, by code."""
    _findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    _headline: str = ""
    _counts: dict[str, int] = field(default_factory=dict)
    _profile: str = DEFAULT_PROFILE
    _task: asyncio.Task[None] | None = None
    _interrupt: Callable[[], object] | None = None
    """Ends the check of a command that publishes its events here."""

    @property
    def is_running(self) -> bool:
        """Whether a check runs."""
        return self._task is not None or self._interrupt is not None

    def follow(self, interrupt: Callable[[], object] | None) -> None:
        """Expect the events of a check that a command runs, in :meth:`take`.

        Args:
            interrupt: ends that check; ``None``: there is none any more.
        """
        self._interrupt = interrupt

    def take(self, event: RunEvent) -> None:
        """Show an event of the check that is followed."""
        if isinstance(event, RunFinished):
            self.verdict, self._interrupt = event.verdict, None
            self._on_event(event)
            self._publish()
        else:
            self._on_event(event)

    def document(self) -> dict[str, Any]:
        """Return the state for a page that opens."""
        return {
            "running": self.is_running,
            "headline": self._headline,
            "counts": self._counts,
            "report": self.verdict is not None,
            "clauses": list(self._results.values()),
        }

    def start(self, settings: CheckSettings) -> None:
        """Start a check.

        Raises:
            UsageError: one runs already, there is no target, or a glob matches no clause.
        """
        if self.is_running:
            raise UsageError("a check runs already: stop it first")
        plan = self._plan(self.setting.require(), settings)
        self._profile = plan.profile.name
        self._results = {clause.code: _clause_document(clause, "waiting") for clause in plan.clauses}
        self.verdict, self._findings, self._counts = None, {}, {}
        self._headline = str(plan.target)
        self._task = asyncio.create_task(self._run(plan))
        self._publish()

    async def stop(self) -> None:
        """Stop the check that runs, if any."""
        if self._interrupt is not None:
            self._interrupt()
        elif self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._headline = "stopped"
            self._end()

    def resend_finding(self, code: str, number: int, sender: CallbackSender) -> int:
        """Send the requests of a finding again, and return how many.

        Raises:
            UsageError: there is no such finding, or it cannot be sent one by one.
        """
        findings = self._findings.get(code, ())
        if not 0 <= number < len(findings):
            raise UsageError(f"{code} has no finding {number + 1}")
        requests = findings[number].reproduction.requests
        if not requests:
            raise UsageError("this finding needs several requests at once: run its command")
        credentials = self.setting.require().credentials
        outgoing = [
            replace(one.request, credentials=replayed_credentials(credentials, one.credential_variant, code))
            for one in requests
        ]
        rules = replace(load_profile(self._profile).delivery, attempts=1)
        return len(sender.send_requests(outgoing, rules))

    def _plan(self, target: Target, settings: CheckSettings) -> CheckPlan:
        observation = self.observation.config() if settings.has_effects else ObservationConfig()
        flags = list(self.observation.flags) if settings.has_effects else []
        if settings.has_effects and self.receiver_url:
            recorder = DownstreamRecorder()
            observation = replace(
                observation,
                downstream=recorder,
                calls=UnusedServices(self.receiver_url),
                lifetime=lambda: self.forwarded.passed_to(recorder),
            )
            flags.append(Flag("--downstream", self.receiver_url.rpartition("/")[2], observes_effects=True))
        return CheckPlan(
            target,
            self.catalog,
            tuple(select_clauses(load_clauses(), settings.clauses)),
            load_profile(settings.profile),
            settings.seed,
            max_time_s=_MAX_TIME_S,
            observation=observation,
            catalog_folders=self.catalog_folders,
            flags=(*self.setting.flags, *flags),
            fail_on=Level(settings.fail_on),
        )

    async def _run(self, plan: CheckPlan) -> None:
        try:
            self.verdict = await self.run(plan, self._on_event, setting=self.setting)
        except TcopMockError as problem:
            self._headline = one_line(str(problem), _MAX_CHARS)
        self._end()

    def _end(self) -> None:
        self._task = None
        self._publish()

    def _on_event(self, event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            self._headline, self._profile = one_line(event.target, _MAX_CHARS), event.profile
            self._results = {clause.code: _clause_document(clause, "waiting") for clause in event.clauses}
            self._publish()
        elif isinstance(event, ClauseStarted):
            self._turn(_clause_document(event.clause, "running"))
        elif isinstance(event, ClauseFinished):
            self._turn(_result_document(event.result))
        else:
            self._finish(event.verdict)

    def _finish(self, verdict: Verdict) -> None:
        """Take over the verdict: it can add findings to clauses that have ended."""
        self._results = {one.clause.code: _result_document(one) for one in verdict.results}
        self._findings = {one.clause.code: one.findings for one in verdict.results}
        self._counts = summary_document(verdict)
        self._headline = one_line(overall_sentence(verdict, verdict.fail_on), _MAX_CHARS)

    def _turn(self, document: dict[str, Any]) -> None:
        self._results[document["code"]] = document
        self.conversation.publish("clause", document)

    def _publish(self) -> None:
        self.conversation.publish("check", self.document())


def _clause_document(clause: Clause, result: str) -> dict[str, Any]:
    return {
        "code": clause.code,
        "slug": clause.slug,
        "level": clause.level.value,
        "result": result,
        "reason": "",
        "requirement": one_line(clause.requirement, _MAX_CHARS),
        "why": one_line(clause.why, _MAX_CHARS),
        "fix": one_line(clause.fix, _MAX_CHARS),
        "source": one_line(clause.source, _MAX_CHARS),
        "findings": [],
    }


def _result_document(result: ClauseResult) -> dict[str, Any]:
    return _clause_document(result.clause, result.status.value) | {
        "reason": one_line(reason_text(result), _MAX_CHARS),
        "fix": one_line(fix_text(result), _MAX_CHARS),
        "findings": [_finding_document(one) for one in result.findings[:MAX_FINDINGS]],
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "title": one_line(finding.title, MAX_TITLE_CHARS),
        "detail": one_line(finding.detail, _MAX_CHARS),
        "shape": finding.shape,
        "evidence": evidence_lines(finding),
        "commands": ["\n".join(command_lines(command)) for command in finding.reproduction.commands],
        "requests": len(finding.reproduction.requests),
    }
