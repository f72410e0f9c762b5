"""HTML report of a load, with charts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tcop_mock._version import __version__
from tcop_mock.domain.load import LoadModel, ObjectiveStatus
from tcop_mock.domain.load_summary import ACK_LIMIT_S, LATE_THRESHOLD_S
from tcop_mock.reports import charts
from tcop_mock.reports.charts import Bar, Curve, bar_chart, short_time, time_chart
from tcop_mock.reports.html_page import add, add_list, add_pairs, add_result, add_table, new_page, to_html
from tcop_mock.reports.load_text import HEADINGS, PERCENTILES, format_duration, format_percentile, histogram_rows
from tcop_mock.reports.text import pluralize

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tcop_mock.domain.load import ObjectiveResult
    from tcop_mock.domain.load_summary import LoadResult, LoadSummary, SeriesPoint

_BAR_COUNT = 24
_MAX_PERCENTILE = 100.0
_MAX_POINTS = 300
_RESULT_CLASSES = {
    ObjectiveStatus.KEPT: "pass",
    ObjectiveStatus.BROKEN: "fail",
    ObjectiveStatus.NOT_JUDGED: "error",
}


def load_html(result: LoadResult) -> str:
    """Return the result of a load as an HTML page."""
    load = result.summary
    page, main = new_page(
        f"tcop-mock load: {load.plan.title}",
        css_class="kept" if _is_good(load, result.objectives) else "broken",
        headline=_headline(load, result.objectives),
        subtitle=load.plan.title,
        extra_style=charts.STYLE,
    )
    add_list(main, "Limits of this measurement", load.notes)
    add_pairs(main, _metadata(load, result.started_at))
    _objectives(main, result.objectives)
    _totals_section(main, load)
    section = add(main, "section")
    add(section, "h2", HEADINGS[load.plan.model])
    add_table(section, *_percentile_table(load))
    _charts(add(section, "div", css_class="charts"), load, result.alarms_by_attempts)
    add_list(main, "Assumed, because no source states it", load.plan.assumptions)
    return to_html(page)


def _is_good(load: LoadSummary, results: Sequence[ObjectiveResult]) -> bool:
    if load.interrupted or not load.acked:
        return False
    return all(one.is_met for one in results) if results else not load.failed


def _headline(load: LoadSummary, results: Sequence[ObjectiveResult]) -> str:
    headline = f"{load.acked} of {pluralize(load.attempts, 'attempt')} acked"
    if results:
        met_count = sum(one.is_met for one in results)
        unjudged_count = sum(one.status is ObjectiveStatus.NOT_JUDGED for one in results)
        unjudged = f", {unjudged_count} not judged" if unjudged_count else ""
        headline = f"{met_count} of {pluralize(len(results), 'objective')} kept{unjudged}; {headline}"
    return f"Interrupted: {headline}" if load.interrupted else headline


def _metadata(load: LoadSummary, started: datetime) -> Iterator[tuple[str, str]]:
    plan = load.plan
    yield "Target", str(plan.target)
    yield "Started", f"{started:%Y-%m-%d %H:%M:%S %Z}"
    yield "Duration", f"{load.elapsed_s:.1f} s, {load.rate:,.1f} attempts a second"
    yield "Profile", f"{plan.profile}, deadline {plan.rules.timeout_s:g} s"
    yield "Seed", f"{plan.seed}"
    yield "Written by", f"tcop-mock {__version__}"


def _objectives(main: ET.Element, results: Sequence[ObjectiveResult]) -> None:
    if not results:
        return
    section = add(main, "section")
    add(section, "h2", "Objectives")
    rows = add_table(section, ("Objective", "Measured", "Result"))
    for result in results:
        row = add(rows, "tr")
        add(row, "td", result.objective.text)
        add(row, "td", result.measurement)
        add_result(row, str(result.status), _RESULT_CLASSES[result.status])


def _totals_section(main: ET.Element, load: LoadSummary) -> None:
    section = add(main, "section")
    add(section, "h2", "Requests and outcomes")
    add_pairs(section, _total_rows(load))


def _total_rows(load: LoadSummary) -> Iterator[tuple[str, str]]:
    is_scripted = load.plan.model is LoadModel.SCRIPT
    if is_scripted:
        yield "Alarms", f"{load.alarms}"
        yield "Notifications", f"{load.notifications}"
        yield "Attempts", f"{load.attempts}"
        yield "Amplification", f"{load.amplification:.2f} attempts for each notification"
        yield "Lost", f"{load.lost} notifications whose attempts all failed"
        yield (
            "Duplicates",
            f"{load.duplicates} requests that the receiver may have received twice, because their acks were lost",
        )
        if load.recovery_s is not None:
            yield "Recovery", f"{format_duration(load.recovery_s)} from the last due notification to the end"
    else:
        yield "Attempts", f"{load.attempts}"
    if load.probes:
        yield "Probe", f"{load.probes} sent before; the receiver has it, no figure counts it"
    for outcome, times in load.outcomes.items():
        yield outcome.value.replace("_", " ").capitalize(), f"{times} ({_format_share(times, load.attempts)})"
    if load.statuses:
        yield "Statuses", ", ".join(f"{times} of {status}" for status, times in load.statuses.items())
    over_limit_text = "not acked within that time" if is_scripted else "timed out, or acked later"
    yield (
        f"Over {ACK_LIMIT_S:g} s",
        f"{load.over_limit_count} ({_format_share(load.over_limit_count, load.over_limit_total)}) {over_limit_text}",
    )
    if load.plan.model is not LoadModel.CLOSED:
        late_share = _format_share(load.late, load.attempts)
        yield "Late", f"{load.late} started over {LATE_THRESHOLD_S * 1e3:.0f} ms after they were due ({late_share})"
    if load.plan.model is LoadModel.OPEN:
        yield "Dropped", f"{load.dropped} due, but never sent"
    yield "Connections", f"{load.connections}, {load.replayed} attempts resent on a new connection"


def _percentile_table(load: LoadSummary) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and rows, narrow enough for a phone."""
    columns = [("Time to ack", load.ack_times)]
    if load.plan.model is not LoadModel.CLOSED:  # where the actual start is the intended one
        columns += [("From the actual start", load.service_times), ("Start delay", load.lateness)]
    rows = [(f"p{share:g}", *(format_percentile(times, share) for _, times in columns)) for share in PERCENTILES]
    max_row = ("max", *(format_percentile(times, _MAX_PERCENTILE) for _, times in columns))
    return ("", *(name for name, _ in columns)), [*rows, max_row]


def _charts(parent: ET.Element, load: LoadSummary, alarms_by_attempts: Mapping[int, int]) -> None:
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
        bar_chart(parent, "Acks by latency", bars)
    if alarms_by_attempts:
        bars = [Bar(f"{number}", (float(alarms),)) for number, alarms in alarms_by_attempts.items()]
        bar_chart(parent, "Alarms by number of attempts", bars)


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
