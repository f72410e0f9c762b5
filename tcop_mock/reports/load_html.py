"""A load as one HTML file with charts; see ``page`` for what such a file may hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tcop_mock._version import __version__
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import ACK_LIMIT_S, LATE_THRESHOLD_S
from tcop_mock.reports import charts
from tcop_mock.reports.charts import Bar, Curve, bar_chart, short_time, time_chart
from tcop_mock.reports.html_page import STYLE, add, add_list, add_pairs, add_table, new_page, to_html
from tcop_mock.reports.load_text import HEADINGS, PERCENTILES, format_duration, histogram_rows
from tcop_mock.reports.text import pluralize

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tcop_mock.domain.load import ObjectiveResult
    from tcop_mock.domain.load_summary import Distribution, LoadSummary, SeriesPoint

_BAR_COUNT = 24
_MAX_PERCENTILE = 100.0
_MAX_POINTS = 300


def load_html(
    load: LoadSummary, results: Sequence[ObjectiveResult], attempts: Mapping[int, int], started: datetime
) -> str:
    """Return what a load came to as an HTML page.

    Args:
        load: what it came to.
        results: its objectives.
        attempts: of a scenario, how many alarms took how many attempts.
        started: when it began, with its time zone.
    """
    page, body = new_page(f"tcop-mock load: {load.plan.title}", STYLE + charts.STYLE)
    _head(body, load, results)
    main = add(body, "main")
    add_pairs(main, _metadata(load, started))
    _objectives(main, results)
    _totals_section(main, load)
    section = add(main, "section")
    add(section, "h2", HEADINGS[load.plan.model])
    add_table(section, *_percentile_table(load))
    _charts(add(section, "div", css_class="charts"), load, attempts)
    add_list(main, "What limits this measurement", load.notes)
    add_list(main, "Assumed, because no source says it", load.plan.assumptions)
    return to_html(page)


def _head(body: ET.Element, load: LoadSummary, results: Sequence[ObjectiveResult]) -> None:
    missed = [one for one in results if not one.is_met]
    is_good = not missed and load.acked and not load.interrupted and (results or not load.failed)
    header = add(body, "header", css_class="kept" if is_good else "broken")
    headline = f"{load.acked} of {pluralize(load.attempts, 'attempt')} acked"
    if results:
        headline = f"{len(results) - len(missed)} of {pluralize(len(results), 'objective')} kept; {headline}"
    add(header, "h1", f"Interrupted: {headline}" if load.interrupted else headline)
    add(header, "p", load.plan.title)


def _metadata(load: LoadSummary, started: datetime) -> Iterator[tuple[str, str]]:
    plan = load.plan
    yield "Target", str(plan.target)
    yield "Began", f"{started:%Y-%m-%d %H:%M:%S %Z}"
    yield "Lasted", f"{load.elapsed_s:.1f} s, {load.rate:,.1f} attempts a second"
    yield "Profile", f"{plan.profile}, deadline {plan.rules.timeout_s:g} s"
    yield "Seed", f"{plan.seed}"
    yield "Made by", f"tcop-mock {__version__}"


def _objectives(main: ET.Element, results: Sequence[ObjectiveResult]) -> None:
    if not results:
        return
    section = add(main, "section")
    add(section, "h2", "Objectives")
    rows = add_table(section, ("Objective", "Measured", "Result"), ())
    for result in results:
        row = add(rows, "tr")
        add(row, "td", result.objective.text)
        add(row, "td", result.measurement)
        add(
            add(row, "td"),
            "span",
            "kept" if result.is_met else "broken",
            css_class=f"result {'pass' if result.is_met else 'fail'}",
        )


def _totals_section(main: ET.Element, load: LoadSummary) -> None:
    section = add(main, "section")
    add(section, "h2", "What was sent, and what became of it")
    add_pairs(section, _total_rows(load))


def _total_rows(load: LoadSummary) -> Iterator[tuple[str, str]]:
    is_scripted = load.plan.model is LoadModel.SCRIPT
    if is_scripted:
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
            yield "Recovery", f"{format_duration(load.recovery_s)} from the last notification that was due to the end"
    else:
        yield "Attempts", f"{load.attempts}"
    for outcome, times in load.outcomes.items():
        yield outcome.value.replace("_", " ").capitalize(), f"{times} ({_format_share(times, load.attempts)})"
    if load.statuses:
        yield "Statuses", ", ".join(f"{times} of {status}" for status, times in load.statuses.items())
    over_limit_text = "not acked so soon after they were due" if is_scripted else "timed out, or acked later than that"
    yield (
        f"Over {ACK_LIMIT_S:g} s",
        f"{load.over_limit_count} ({_format_share(load.over_limit_count, load.over_limit_total)}) {over_limit_text}",
    )
    if load.plan.model is not LoadModel.CLOSED:
        late_share = _format_share(load.late, load.attempts)
        yield "Late", f"{load.late} begun over {LATE_THRESHOLD_S * 1e3:.0f} ms after they were due ({late_share})"
    if load.plan.model is LoadModel.OPEN:
        yield "Dropped", f"{load.dropped} due, and never begun"
    yield "Connections", f"{load.connections}, {load.replayed} attempts sent again on a new one"


def _percentile_table(load: LoadSummary) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a table that is narrow enough for a phone."""
    columns = [("To the ack", load.ack_times)]
    if load.plan.model is not LoadModel.CLOSED:  # in which the actual start is the intended one
        columns += [("From the actual start", load.service_times), ("Begun late by", load.lateness)]
    rows = [(f"p{share:g}", *(_percentile(times, share) for _, times in columns)) for share in PERCENTILES]
    max_row = ("max", *(_percentile(times, _MAX_PERCENTILE) for _, times in columns))
    return ("", *(name for name, _ in columns)), [*rows, max_row]


def _percentile(distribution: Distribution, percentile: float) -> str:
    return format_duration(distribution.percentile(percentile)) if distribution.count else "-"


def _charts(parent: ET.Element, load: LoadSummary, attempts: Mapping[int, int]) -> None:
    points = load.series[:: max(1, math.ceil(len(load.series) / _MAX_POINTS))]
    if points:
        curves = [
            Curve(name, [(point.at_s, getattr(point, key) if point.acked else None) for point in points])
            for name, key in (("p50", "p50_s"), ("p99", "p99_s"), ("longest", "max_s"))
        ]
        time_chart(parent, f"Ack time over time; the line is TCOP's {ACK_LIMIT_S:g} s", curves, ACK_LIMIT_S)
        bar_chart(parent, "Attempts a second, by their end", _rates(load.series), ("acked", "", "failed"))
    if load.ack_times.count:
        rows = histogram_rows(load.ack_times, _BAR_COUNT)
        bars = [Bar(short_time(bound_s), (float(times),)) for bound_s, times in rows]
        bar_chart(parent, "Acks by the time that they took", bars)
    if attempts:
        bars = [Bar(f"{number}", (float(alarms),)) for number, alarms in attempts.items()]
        bar_chart(parent, "Alarms by the attempts that all their notifications took", bars)


def _rates(series: Sequence[SeriesPoint]) -> list[Bar]:
    step = math.ceil(len(series) / (2 * _BAR_COUNT))
    rows = [series[at : at + step] for at in range(0, len(series), step)]
    bars = []
    for row in rows:
        span_s = sum(point.span_s for point in row) or 1.0
        acked, failed = sum(point.acked for point in row), sum(point.failed for point in row)
        bars.append(Bar(f"{row[0].at_s:.3g} s", (acked / span_s, 0.0, failed / span_s)))
    return bars


def _format_share(part: int, total: int) -> str:
    return f"{100 * part / total:.2f} %" if total else "0 %"
