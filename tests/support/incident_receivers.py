"""Receivers with effects, conforming or with one bug, and a function that checks them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from direct_transport import DirectTransport
from forwarded_messages import dingtalk_message, feishu_message, pagerduty_event, slack_message, wecom_message
from incident_receiver import IncidentReceiver
from receiver_factories import CREDENTIALS, with_userinfo
from run_check import CATALOG, CachedContractRun, verdict_of
from virtual_time import run_in_virtual_time

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.contract.observation import ObservationConfig
from tcop_mock.contract.observers import MAX_BYTES, CoalescingObserver, EffectPaths, UrlObserver
from tcop_mock.contract.plan import CheckPlan
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.target import Target
from tcop_mock.server.downstream import DownstreamRecorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from tcop_mock.domain.verdict import Verdict
    from tcop_mock.process.system import ProcessSize

OPEN_PATH = '$.incidents[?@.status=="open"]'
NOTICES_PATH = "$.notices[*]"
WECOM_RECEIVER = partial(IncidentReceiver, forward=wecom_message)
PAGERDUTY_RECEIVER = partial(IncidentReceiver, forward=pagerduty_event)
DINGTALK_RECEIVER = partial(IncidentReceiver, forward=dingtalk_message)
FEISHU_RECEIVER = partial(IncidentReceiver, forward=feishu_message)
SLACK_RECEIVER = partial(IncidentReceiver, forward=slack_message)
CONFORMING: dict[str, Callable[[], IncidentReceiver]] = {
    "stores-incidents": IncidentReceiver,
    "works-after-its-answer": partial(IncidentReceiver, delay_s=0.3),
    "answers-409-to-a-session-it-has-seen": partial(IncidentReceiver, "conflicts"),
    "forwards-to-WeCom": WECOM_RECEIVER,
    "forwards-to-PagerDuty": PAGERDUTY_RECEIVER,
    "forwards-to-PagerDuty-one-by-one": partial(PAGERDUTY_RECEIVER, one_by_one=True, pause_s=0.05),
    "resolves-at-PagerDuty-without-a-payload": partial(PAGERDUTY_RECEIVER, "resolves-without-payload"),
    "forwards-to-WeCom-in-its-own-words": partial(WECOM_RECEIVER, "has-own-words"),
    "forwards-to-DingTalk": DINGTALK_RECEIVER,
    "forwards-to-Feishu": FEISHU_RECEIVER,
    "forwards-one-by-one-with-a-limit-of-30-s": partial(WECOM_RECEIVER, one_by_one=True, time_limit_s=30.0),
    "shows-the-time-of-receipt": partial(IncidentReceiver, "shows-the-time-of-receipt"),
    "writes-a-clock-of-12-hours-with-AM-and-PM": partial(IncidentReceiver, "writes-a-clock-of-twelve-hours"),
    "writes-a-row-about-the-verification": partial(IncidentReceiver, "audits-the-verification"),
    "needs-credentials": partial(WECOM_RECEIVER, credentials=CREDENTIALS),
}
MUTANTS: dict[str, Callable[[], IncidentReceiver]] = {
    "TCM501-forwards-each-attempt": partial(IncidentReceiver, "forwards-each-attempt"),
    "TCM501-notifies-twice": partial(IncidentReceiver, "notifies-twice"),
    "TCM501-answers-500-to-retries": partial(IncidentReceiver, "breaks-on-retries"),
    "TCM502-forwards-each-attempt": partial(IncidentReceiver, "forwards-each-attempt"),
    "TCM503-checks-before-it-writes": partial(IncidentReceiver, "looks-before-it-writes"),
    "TCM504-has-sessionId-in-its-key": partial(IncidentReceiver, "key-with-session"),
    "TCM504-answers-500-to-repeats": partial(IncidentReceiver, "breaks-on-repeats"),
    "TCM505-ignores-resolves": partial(IncidentReceiver, "ignores-resolves"),
    "TCM505-closes-before-the-resolve": partial(IncidentReceiver, "forgets-at-once"),
    "TCM506-merges-by-object-id": partial(IncidentReceiver, "merges-by-object-id"),
    "TCM506-merges-instances": partial(IncidentReceiver, "merges-instances"),
    "TCM506-closes-all-alarms-of-a-policy": partial(IncidentReceiver, "closes-all-of-a-policy"),
    "TCM506-merges-instances-with-one-event": partial(IncidentReceiver, "merges-instances-of-events"),
    "TCM506-closes-by-the-beginning-of-an-id": partial(IncidentReceiver, "closes-by-the-beginning-of-an-id"),
    "TCM507-merges-policies-of-events": partial(IncidentReceiver, "merges-policies-of-events"),
    "TCM507-merges-events-of-one-instance": partial(IncidentReceiver, "merges-events"),
    "TCM507-merges-metrics": partial(IncidentReceiver, "key-without-what"),
    "TCM507-merges-policies": partial(IncidentReceiver, "key-without-policy"),
    "TCM508-merges-regions": partial(IncidentReceiver, "key-without-region"),
    "TCM508-merges-accounts": partial(IncidentReceiver, "key-without-account"),
    "TCM509-forgets-resolves": partial(IncidentReceiver, "forgets-resolves"),
    "TCM509-reopens-at-a-late-repeat": partial(IncidentReceiver, "reopens-at-a-late-repeat"),
    "TCM510-opens-incidents-for-unknown-resolves": partial(IncidentReceiver, "opens-orphans"),
    "TCM510-rejects-resolves-of-unknown-alarms": partial(IncidentReceiver, "refuses-orphans"),
    "TCM511-opens-incidents-for-unknown-resolves": partial(IncidentReceiver, "opens-orphans"),
    "TCM511-answers-500-to-a-second-resolve": partial(IncidentReceiver, "breaks-on-ended"),
    "TCM512-has-no-start-time-in-its-key": partial(IncidentReceiver, "key-without-since"),
    "TCM512-has-only-the-hour-in-its-key": partial(IncidentReceiver, "key-with-the-hour"),
    "TCM513-parses-times-as-UTC": partial(IncidentReceiver, "reads-utc"),
    "TCM513-parses-noon-as-midnight": partial(IncidentReceiver, "reads-noon-as-midnight"),
    "TCM514-drops-events": partial(IncidentReceiver, "drops-events"),
    "TCM516-loses-alarms-in-a-burst": partial(IncidentReceiver, "loses-in-a-burst"),
    "TCM517-loses-messages-after-a-failed-forward": partial(WECOM_RECEIVER, "forgets-what-was-refused"),
    "TCM516-shares-the-object": partial(IncidentReceiver, "shares-the-object"),
    "TCM517-knows-what-it-could-not-forward": partial(
        WECOM_RECEIVER, "knows-what-it-could-not-forward", forwards_before_reply=True
    ),
    "TCM518-notifies-again": partial(IncidentReceiver, "forwards-each-attempt"),
    "TCM519-drops-TKE": partial(IncidentReceiver, "drops-tke"),
    "TCM519-drops-the-plain-alarm": partial(IncidentReceiver, "drops-cvm"),
    "TCM520-forwards-the-body": partial(WECOM_RECEIVER, "forwards-the-body"),
    "TCM520-shows-a-dict": partial(WECOM_RECEIVER, "shows-a-dict"),
    "TCM520-shows-null-before-a-unit": partial(WECOM_RECEIVER, "shows-null-gb"),
    "TCM520-shows-null-in-chinese": partial(WECOM_RECEIVER, "shows-null-in-chinese"),
    "TCM520-shows-a-missing-threshold": partial(WECOM_RECEIVER, "shows-every-threshold"),
    "TCM520-shows-none-about-resolves": partial(WECOM_RECEIVER, "shows-none-about-resolves"),
    "TCM520-shows-none": partial(WECOM_RECEIVER, "shows-undefined"),
    "TCM520-names-no-object": partial(WECOM_RECEIVER, "names-no-object"),
    "TCM520-names-no-metric": partial(WECOM_RECEIVER, "names-no-metric"),
    "TCM520-leaves-placeholders": partial(WECOM_RECEIVER, "leaves-placeholders"),
    "TCM521-forwards-before-it-answers": partial(WECOM_RECEIVER, forwards_before_reply=True),
    "TCM522-shows-no-state": partial(WECOM_RECEIVER, "shows-no-state"),
    "TCM522-exchanges-states": partial(WECOM_RECEIVER, "exchanges-states"),
    "TCM522-ignores-resolves": partial(WECOM_RECEIVER, "ignores-resolves"),
    "TCM523-shifts-times-twice": partial(IncidentReceiver, "shifts-twice"),
    "TCM523-swaps-month-and-day": partial(IncidentReceiver, "swaps-month-and-day"),
    "TCM523-shows-the-day-only": partial(IncidentReceiver, "reads-the-day-only"),
    "TCM524-needs-a-recoverTime": partial(IncidentReceiver, "wants-a-recover-time"),
    "TCM524-reads-the-state-from-recoverTime": partial(IncidentReceiver, "takes-recover-time-for-the-state"),
    "TCM524-forwards-a-resolve-without-recoverTime-as-firing": partial(
        WECOM_RECEIVER, "takes-recover-time-for-the-state"
    ),
    "TCM523-has-a-clock-of-twelve-hours": partial(IncidentReceiver, "has-a-clock-of-twelve-hours"),
    "TCM523-writes-the-week-year": partial(IncidentReceiver, "writes-the-week-year"),
    "TCM523-shows-the-arrival-as-the-end": partial(IncidentReceiver, "shows-the-arrival-as-the-end"),
    "TCM523-shows-the-start-as-the-end": partial(IncidentReceiver, "shows-the-start-as-the-end"),
    "TCM525-drops-a-numeric-status": partial(IncidentReceiver, "knows-text-only"),
    "TCM526-cuts-the-body-at-1-KiB": partial(IncidentReceiver, "cuts-at-1-kib"),
    "TCM527-acts-before-it-authenticates": partial(IncidentReceiver, "acts-before-it-checks", credentials=CREDENTIALS),
    "TCM527-forwards-before-it-authenticates": partial(
        WECOM_RECEIVER, "acts-before-it-checks", credentials=CREDENTIALS
    ),
    "TCM527-acts-on-malformed-bodies": partial(IncidentReceiver, "acts-before-it-checks"),
    "TCM528-writes-rejected-bodies": partial(IncidentReceiver, "writes-what-it-rejects"),
    "TCM525-drops-a-status-of-text": partial(WECOM_RECEIVER, "knows-numbers-only"),
    "TCM529-opens-an-incident": partial(IncidentReceiver, "opens-on-verification"),
    "TCM529-sends-a-message": partial(WECOM_RECEIVER, "forwards-the-verification"),
    "TCM530-forwards-each-resolve": partial(WECOM_RECEIVER, "forwards-each-resolve"),
    "TCM531-remembers-sessions-for-5-s": partial(IncidentReceiver, "remembers-for-5-s"),
    "TCM531-remembers-10-sessions": partial(IncidentReceiver, "remembers-ten"),
    "TCM532-decodes-Latin-1": partial(WECOM_RECEIVER, "reads-latin-1"),
    "TCM533-stops-at-a-rejected-message": partial(WECOM_RECEIVER, "stops-at-what-is-rejected"),
    "TCM534-loses-messages-that-hang": partial(WECOM_RECEIVER, "loses-what-hangs"),
    "TCM534-waits-without-a-timeout": partial(WECOM_RECEIVER, one_by_one=True, time_limit_s=1e6),
    "TCM535-depends-on-the-order-of-keys": partial(IncidentReceiver, "keeps-the-order-of-keys"),
    "TCM535-compares-dimensions-as-text": partial(IncidentReceiver, "closes-by-the-text-of-dimensions"),
    "TCM536-fails-without-a-region": partial(IncidentReceiver, "fails-without-a-region"),
    "TCM536-fails-at-text-for-the-duration": partial(IncidentReceiver, "fails-at-text-for-the-duration"),
    "TCM536-fails-at-emoji": partial(WECOM_RECEIVER, "fails-at-emoji"),
    "TCM537-fails-at-a-percent-sign": partial(WECOM_RECEIVER, "fails-at-a-percent-sign"),
    "TCM537-fails-at-an-empty-value": partial(IncidentReceiver, "fails-at-an-empty-value"),
    "TCM538-takes-the-unknown-for-a-resolve": partial(IncidentReceiver, "takes-the-unknown-for-a-resolve"),
    "TCM538-forwards-the-unknown-as-a-resolve": partial(WECOM_RECEIVER, "takes-the-unknown-for-a-resolve"),
    "TCM539-shows-no-state-of-events": partial(WECOM_RECEIVER, "shows-no-state-of-events"),
    "TCM539-shows-the-state-last": partial(WECOM_RECEIVER, "shows-the-state-last"),
    "TCM540-remembers-resolved-alarms": partial(WECOM_RECEIVER, "key-without-since"),
    "TCM541-writes-the-whole-list-back": partial(IncidentReceiver, "writes-the-whole-list-back"),
    "TCM532-drops-what-is-not-ascii": partial(WECOM_RECEIVER, "drops-what-is-not-ascii"),
    "TCM542-shows-a-fixed-unit": partial(WECOM_RECEIVER, "shows-a-fixed-unit"),
    "TCM542-shows-seconds-as-minutes": partial(WECOM_RECEIVER, "shows-seconds-as-minutes"),
    "TCM542-shows-one-region": partial(WECOM_RECEIVER, "shows-one-region"),
    "TCM542-has-a-default-region": partial(WECOM_RECEIVER, "has-a-default-region"),
    "TCM542-escapes-html-in-plain-text": partial(DINGTALK_RECEIVER, "escapes-html"),
    "TCM607-mentions-a-channel": partial(SLACK_RECEIVER, "mentions-everybody"),
    "TCM601-invents-severities": partial(PAGERDUTY_RECEIVER, "invents-severities"),
    "TCM601-does-not-cut-the-summary": partial(PAGERDUTY_RECEIVER, "cuts-no-summary"),
    "TCM602-deduplicates-by-session": partial(PAGERDUTY_RECEIVER, "dedup-by-session"),
    "TCM602-deduplicates-by-policy": partial(PAGERDUTY_RECEIVER, "dedup-by-policy"),
    "TCM602-has-no-deduplication-key": partial(PAGERDUTY_RECEIVER, "no-dedup-key"),
    "TCM603-ignores-errcode": partial(WECOM_RECEIVER, "reads-no-errcode"),
    "TCM605-ignores-code-of-Feishu": partial(FEISHU_RECEIVER, "reads-no-errcode"),
    "TCM605-ignores-errcode-of-DingTalk": partial(DINGTALK_RECEIVER, "reads-no-errcode"),
    "TCM606-cuts-within-characters": partial(WECOM_RECEIVER, "cuts-characters"),
    "TCM604-does-not-cut-messages": partial(WECOM_RECEIVER, "cuts-nothing"),
    "TCM604-mentions-everybody": partial(WECOM_RECEIVER, "mentions-everybody"),
    "TCM701-keeps-its-queue-in-memory": partial(WECOM_RECEIVER, "has-its-queue-in-memory", delay_s=0.3),
    "TCM701-keeps-incidents-in-memory": partial(IncidentReceiver, "has-all-in-memory"),
    "TCM701-drops-the-first-alarm-after-a-start": partial(IncidentReceiver, "drops-the-first-after-a-start"),
    "TCM702-accepts-callbacks-while-it-ends": partial(WECOM_RECEIVER, "acks-while-it-ends"),
    "TCM702-keeps-its-queue-in-memory": partial(IncidentReceiver, "has-its-queue-in-memory", delay_s=0.3),
}
"""By clause and bug."""


class SimulatedProcess:
    """A receiver without a process that can be ended as if it had one.

    Args:
        receiver: the receiver.
    """

    leaks = None

    def __init__(self, receiver: IncidentReceiver) -> None:
        self._receiver = receiver

    async def crash(self) -> None:
        """End it at once and start it again."""
        self._receiver.end()

    async def shut_down(self, limit_s: float) -> float | None:
        """End it a moment after SIGTERM."""
        self._receiver.is_ending = True
        took_s = limit_s / 100
        await asyncio.sleep(took_s)
        self._receiver.end()
        return took_s

    async def restart(self) -> None:
        """Start it again."""
        self._receiver.is_ending = False

    async def size(self) -> ProcessSize | None:
        """Return that it has none."""
        return None


def check_with_observer(  # noqa: PLR0913 - options of a run
    receiver: IncidentReceiver,
    clauses: Sequence[str],
    *,
    skip: Sequence[str] = (),
    observe_url: bool | None = None,
    restart: Callable[[], Awaitable[None]] | None = None,
    effect_timeout_s: float = 1.5,
    deadline_s: float = 5.0,
    max_time_s: float = 60.0,
    profile: str = DEFAULT_PROFILE,
    open_path: str | None = OPEN_PATH,
) -> Verdict:
    """Return the verdict on a receiver, observed at its own URL or at the downstream services.

    All of them are on one event loop, without sockets, in virtual time.

    Args:
        receiver: the receiver.
        clauses: globs of clauses to check.
        skip: globs of clauses to skip.
        observe_url: whether to observe its own URL; default: only if it forwards nothing.
        restart: restarts the receiver.
        effect_timeout_s: maximum time until an effect.
        deadline_s: deadline of an attempt.
        max_time_s: time limit of the run.
        profile: name of the profile.
        open_path: where its open incidents are.
    """
    downstream = DownstreamRecorder()
    loaded = load_profile(profile)
    short_profile = replace(loaded, delivery=replace(loaded.delivery, timeout_s=deadline_s))
    target = Target.parse(with_userinfo("http://receiver", receiver.credentials))
    state = Target.parse("http://receiver/state")
    receiver.downstream = "http://downstream"

    def run_contract(clock: Callable[[], float]) -> Coroutine[Any, Any, Verdict]:
        receiver.transport = lambda url: DirectTransport(downstream.answer, url, clock)
        paths = EffectPaths.parse(NOTICES_PATH, open_path)
        observer = UrlObserver(state, paths, lambda url: DirectTransport(receiver, url, clock, MAX_BYTES))
        observes_url = receiver.forward is None if observe_url is None else observe_url
        observation = ObservationConfig(
            CoalescingObserver(observer, clock=clock) if observes_url else None,
            downstream if receiver.forward else None,
            restart,
            effect_timeout_s,
            receiver=SimulatedProcess(receiver),
        )
        selected = select_clauses(load_clauses(), clauses, skip)
        plan = CheckPlan(target, CATALOG, selected, short_profile, 7, max_time_s=max_time_s, observation=observation)
        return verdict_of(CachedContractRun(plan, DirectTransport(receiver, target, clock), clock, asyncio.sleep))

    return run_in_virtual_time(run_contract)
