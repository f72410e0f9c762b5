"""A load as one HTML file with charts; see ``page`` for what such a file may hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tcop_mock._version import __version__
from tcop_mock.domain.load import Model
from tcop_mock.domain.load_summary import LATE_S, LIMIT_S
from tcop_mock.reports import charts
from tcop_mock.reports.charts import Bar, Curve, bar_chart, short_time, time_chart
from tcop_mock.reports.html_page import STYLE, add, add_list, add_pairs, add_table, framed, written
from tcop_mock.reports.load_text import HEADINGS, PERCENTILES, grown, span
from tcop_mock.reports.text import counted

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tcop_mock.domain.load import Held
    from tcop_mock.domain.load_summary import Distribution, LoadPoint, LoadSummary

_BARS = 24
_WHOLE = 100.0
_MOST_POINTS = 300


def load_html(load: LoadSummary, held: Sequence[Held], attempts: Mapping[int, int], started: datetime) -> str:
    """Return what a load came to as an HTML page.

    Args:
        load: what it came to.
        held: its objectives.
        attempts: of a scenario, how many alarms took how many attempts.
        started: when it began, with its time zone.
    """
    page, body = framed(f"tcop-mock load: {load.plan.title}", STYLE + charts.STYLE)
    _head(body, load, held)
    main = add(body, "main")
    add_pairs(main, _facts(load, started))
    _objectives(main, held)
    _numbers(main, load)
    part = add(main, "section")
    add(part, "h2", HEADINGS[load.plan.model])
    add_table(part, *_times(load))
    _charts(add(part, "div", cls="charts"), load, attempts)
    add_list(main, "What limits this measurement", load.notes)
    add_list(main, "Assumed, because no source says it", load.plan.assumptions)
    return written(page)


def _head(body: ET.Element, load: LoadSummary, held: Sequence[Held]) -> None:
    broken = [one for one in held if not one.kept]
    good = not broken and load.acked and not load.interrupted and (held or not load.failed)
    top = add(body, "header", cls="kept" if good else "broken")
    told = f"{load.acked} of {counted(load.attempts, 'attempt')} acked"
    if held:
        told = f"{len(held) - len(broken)} of {counted(len(held), 'objective')} kept; {told}"
    add(top, "h1", f"Interrupted: {told}" if load.interrupted else told)
    add(top, "p", load.plan.title)


def _facts(load: LoadSummary, started: datetime) -> Iterator[tuple[str, str]]:
    plan = load.plan
    yield "Target", str(plan.target)
    yield "Began", f"{started:%Y-%m-%d %H:%M:%S %Z}"
    yield "Lasted", f"{load.elapsed_s:.1f} s, {load.rate:,.1f} attempts a second"
    yield "Profile", f"{plan.profile}, deadline {plan.rules.timeout_s:g} s"
    yield "Seed", f"{plan.seed}"
    yield "Made by", f"tcop-mock {__version__}"


def _objectives(main: ET.Element, held: Sequence[Held]) -> None:
    if not held:
        return
    part = add(main, "section")
    add(part, "h2", "Objectives")
    rows = add_table(part, ("Objective", "Measured", "Result"), ())
    for one in held:
        row = add(rows, "tr")
        add(row, "td", one.objective.text)
        add(row, "td", one.measured)
        add(add(row, "td"), "span", "kept" if one.kept else "broken", cls=f"result {'pass' if one.kept else 'fail'}")


def _numbers(main: ET.Element, load: LoadSummary) -> None:
    part = add(main, "section")
    add(part, "h2", "What was sent, and what became of it")
    add_pairs(part, _counts(load))


def _counts(load: LoadSummary) -> Iterator[tuple[str, str]]:
    scripted = load.plan.model is Model.SCRIPT
    if scripted:
        yield "Alarms", f"{load.alarms}"
        yield "Notifications", f"{load.notifications}"
        yield "Attempts", f"{load.attempts}"
        yield "Amplification", f"{load.amplification:.2f} attempts for each notification"
        yield "Lost", f"{load.lost} notifications of which every attempt failed"
        yield (
            "Duplicates",
            f"{load.duplicates} pushes that the receiver may have had twice, because their acks got lost",
        )
        if load.recovery_s is not None:
            yield "Recovery", f"{span(load.recovery_s)} from the last notification that was due to the end"
    else:
        yield "Attempts", f"{load.attempts}"
    for outcome, times in load.outcomes.items():
        yield outcome.value.replace("_", " ").capitalize(), f"{times} ({_share(times, load.attempts)})"
    if load.statuses:
        yield "Statuses", ", ".join(f"{times} of {status}" for status, times in load.statuses.items())
    over = "not acked so soon after they were due" if scripted else "timed out, or acked later than that"
    yield f"Over {LIMIT_S:g} s", f"{load.over_limit} ({_share(load.over_limit, load.over_limit_of)}) {over}"
    if load.plan.model is not Model.CLOSED:
        share = _share(load.late, load.attempts)
        yield "Late", f"{load.late} begun over {LATE_S * 1e3:.0f} ms after they were due ({share})"
    if load.plan.model is Model.OPEN:
        yield "Dropped", f"{load.dropped} due, and never begun"
    yield "Connections", f"{load.connections}, {load.replayed} attempts sent again on a new one"


def _times(load: LoadSummary) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a table that is narrow enough for a phone."""
    columns = [("To the ack", load.acks)]
    if load.plan.model is not Model.CLOSED:  # in which the actual start is the intended one
        columns += [("From the actual start", load.services), ("Begun late by", load.lateness)]
    rows = [(f"p{share:g}", *(_percentile(times, share) for _, times in columns)) for share in PERCENTILES]
    longest = ("max", *(_percentile(times, _WHOLE) for _, times in columns))
    return ("", *(name for name, _ in columns)), [*rows, longest]


def _percentile(times: Distribution, share: float) -> str:
    return span(times.percentile(share)) if times.count else "-"


def _charts(parent: ET.Element, load: LoadSummary, attempts: Mapping[int, int]) -> None:
    points = load.series[:: max(1, math.ceil(len(load.series) / _MOST_POINTS))]
    if points:
        curves = [
            Curve(name, [(point.at_s, getattr(point, key) if point.acked else None) for point in points])
            for name, key in (("p50", "p50_s"), ("p99", "p99_s"), ("longest", "max_s"))
        ]
        time_chart(parent, f"Ack time over time; the line is TCOP's {LIMIT_S:g} s", curves, LIMIT_S)
        bar_chart(parent, "Attempts a second, by their end", _rates(load.series), ("acked", "", "failed"))
    if load.acks.count:
        rows = grown(load.acks, _BARS)
        bars = [Bar(short_time(bound_s), (float(times),)) for bound_s, times in rows]
        bar_chart(parent, "Acks by the time that they took", bars)
    if attempts:
        bars = [Bar(f"{number}", (float(alarms),)) for number, alarms in attempts.items()]
        bar_chart(parent, "Alarms by the attempts that all their notifications took", bars)


def _rates(series: Sequence[LoadPoint]) -> list[Bar]:
    every = math.ceil(len(series) / (2 * _BARS))
    rows = [series[at : at + every] for at in range(0, len(series), every)]
    bars = []
    for row in rows:
        span_s = sum(point.span_s for point in row) or 1.0
        acked, failed = sum(point.acked for point in row), sum(point.failed for point in row)
        bars.append(Bar(f"{row[0].at_s:.3g} s", (acked / span_s, 0.0, failed / span_s)))
    return bars


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "0 %"
