"""Receivers with effects, honest and with one mistake, and how they are judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from desk import Desk, as_pagerduty, as_wecom
from direct import DirectPost
from judging import CATALOG, Rehearsed, verdict_of
from virtual_time import run_virtually

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select
from tcop_mock.contract.observation import Observing
from tcop_mock.contract.observers import MOST_BYTES, Paths, Shared, UrlObserver
from tcop_mock.contract.runner import CheckPlan
from tcop_mock.domain.target import Target
from tcop_mock.server.downstream import Downstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from tcop_mock.domain.verdict import Verdict

OPEN = '$.incidents[?@.status=="open"]'
NOTICES = "$.notices[*]"
ROBOT = partial(Desk, forward=as_wecom)
PAGER = partial(Desk, forward=as_pagerduty)
HONEST: dict[str, Callable[[], Desk]] = {
    "keeps-incidents": Desk,
    "works-after-its-answer": partial(Desk, delay_s=0.3),
    "answers-409-to-a-session-it-has-seen": partial(Desk, "conflicts"),
    "forwards-to-wecom": ROBOT,
    "forwards-to-pagerduty": PAGER,
}
BUGS: dict[str, Callable[[], Desk]] = {
    "TCM501-forwards-each-attempt": partial(Desk, "forwards-each-attempt"),
    "TCM501-tells-twice": partial(Desk, "tells-twice"),
    "TCM501-breaks-on-retries": partial(Desk, "breaks-on-retries"),
    "TCM502-forwards-each-attempt": partial(Desk, "forwards-each-attempt"),
    "TCM503-looks-before-it-writes": partial(Desk, "looks-before-it-writes"),
    "TCM504-has-the-session-in-its-key": partial(Desk, "key-with-session"),
    "TCM504-breaks-on-repeats": partial(Desk, "breaks-on-repeats"),
    "TCM505-ignores-resolves": partial(Desk, "ignores-resolves"),
    "TCM506-merges-by-object-id": partial(Desk, "merges-by-object-id"),
    "TCM506-merges-instances": partial(Desk, "merges-instances"),
    "TCM506-closes-both": partial(Desk, "closes-all-of-a-policy"),
    "TCM507-merges-metrics": partial(Desk, "key-without-what"),
    "TCM507-merges-policies": partial(Desk, "key-without-policy"),
    "TCM508-merges-regions": partial(Desk, "key-without-region"),
    "TCM508-merges-accounts": partial(Desk, "key-without-account"),
    "TCM509-forgets-resolves": partial(Desk, "forgets-resolves"),
    "TCM510-opens-orphans": partial(Desk, "opens-orphans"),
    "TCM510-refuses-orphans": partial(Desk, "refuses-orphans"),
    "TCM511-opens-orphans": partial(Desk, "opens-orphans"),
    "TCM511-breaks-on-a-second-resolve": partial(Desk, "breaks-on-ended"),
    "TCM512-has-no-time-in-its-key": partial(Desk, "key-without-since"),
    "TCM513-reads-utc": partial(Desk, "reads-utc"),
    "TCM514-drops-events": partial(Desk, "drops-events"),
    "TCM516-loses-in-a-burst": partial(Desk, "loses-in-a-burst"),
    "TCM517-forgets-what-was-refused": partial(ROBOT, "forgets-what-was-refused"),
    "TCM518-tells-all-again": partial(Desk, "forwards-each-attempt"),
    "TCM519-drops-tke": partial(Desk, "drops-tke"),
    "TCM520-shows-none": partial(ROBOT, "shows-undefined"),
    "TCM520-names-no-object": partial(ROBOT, "names-no-object"),
    "TCM520-names-no-metric": partial(ROBOT, "names-no-metric"),
    "TCM520-leaves-placeholders": partial(ROBOT, "leaves-placeholders"),
    "TCM521-forwards-before-it-answers": partial(ROBOT, inside=True),
    "TCM522-tells-no-state": partial(ROBOT, "tells-no-state"),
    "TCM522-ignores-resolves": partial(ROBOT, "ignores-resolves"),
    "TCM523-shifts-twice": partial(Desk, "shifts-twice"),
    "TCM601-invents-severities": partial(PAGER, "invents-severities"),
    "TCM601-cuts-no-summary": partial(PAGER, "cuts-no-summary"),
    "TCM602-dedups-by-session": partial(PAGER, "dedup-by-session"),
    "TCM602-dedups-by-policy": partial(PAGER, "dedup-by-policy"),
    "TCM602-has-no-key": partial(PAGER, "no-dedup-key"),
    "TCM603-reads-no-errcode": partial(ROBOT, "reads-no-errcode"),
    "TCM604-cuts-nothing": partial(ROBOT, "cuts-nothing"),
    "TCM604-mentions-everybody": partial(ROBOT, "mentions-everybody"),
}
"""By clause and mistake."""


def observed(  # noqa: PLR0913 - what a run can be told
    desk: Desk,
    clauses: Sequence[str],
    *,
    skip: Sequence[str] = (),
    by_url: bool | None = None,
    restart: Callable[[], Awaitable[None]] | None = None,
    settle_s: float = 1.5,
    deadline_s: float = 5.0,
    max_time_s: float = 60.0,
) -> Verdict:
    """Return the verdict on a desk whose effects are seen by its URL, or at the ends that it forwards to.

    All of them are on one event loop, without sockets, in virtual time.

    Args:
        desk: the receiver.
        clauses: globs.
        skip: globs.
        by_url: whether its own URL is looked at; that of those which forward nothing, where it is not given.
        restart: restarts it.
        settle_s: how long an effect may take.
        deadline_s: of an attempt.
        max_time_s: of the run.
    """
    ends = Downstream()
    profile = load_profile()
    profile = replace(profile, delivery=replace(profile.delivery, timeout_s=deadline_s))
    target, state = Target.parse("http://desk"), Target.parse("http://desk/state")
    desk.downstream = "http://ends"

    def work(clock: Callable[[], float]) -> Coroutine[Any, Any, Verdict]:
        desk.port = lambda end: DirectPost(ends._answer, end, clock)
        url = UrlObserver(state, Paths.parse(NOTICES, OPEN), lambda at: DirectPost(desk, at, clock, MOST_BYTES))
        seen = Shared(url, clock=clock)
        looks = desk.forward is None if by_url is None else by_url
        observing = Observing(seen if looks else None, ends if desk.forward else None, restart, settle_s)
        chosen = select(load_clauses(), clauses, skip)
        plan = CheckPlan(target, CATALOG, chosen, profile, 7, max_time_s=max_time_s, observing=observing)
        return verdict_of(Rehearsed(plan, DirectPost(desk, target, clock), clock, asyncio.sleep))

    return run_virtually(work)
