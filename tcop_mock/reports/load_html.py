"""HTML report of a load, with charts.

Charts are inline SVG: lines on a logarithmic scale, and bars. Their colours are classes of the style sheet. A chart is
360 units wide, about the width of a phone, so its texts are legible there.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.domain.load import LoadModel, ObjectiveStatus
from tcop_mock.domain.load_summary import ACK_LIMIT_S, LATE_THRESHOLD_S
from tcop_mock.reports.html_page import add, add_list, add_pairs, add_result, add_table, new_page, to_html
from tcop_mock.reports.load_text import HEADINGS, PERCENTILES, format_duration, format_percentile, histogram_rows
from tcop_mock.reports.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tcop_mock.domain.load import ObjectiveResult
    from tcop_mock.domain.load_summary import LoadResult, LoadSummary, SeriesPoint

STYLE = """
.charts {
  display: grid; gap: 1.5rem; margin-top: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
}
figure { margin: 0; break-inside: avoid; }
figcaption { font-weight: 600; }
svg { display: block; width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--faint); }
svg text.named { fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: 1; }
.limit { stroke: var(--bad); stroke-width: 1; stroke-dasharray: 4 3; }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; stroke-linecap: round; }
.single { stroke-width: 5; }
td:first-child { overflow-wrap: normal; }
.line.a { stroke: var(--good); } .line.b { stroke: var(--warn); } .line.c { stroke: var(--bad); }
.line.b { stroke-dasharray: 6 2; } .line.c { stroke-dasharray: 2 2; }
.bar.a { fill: var(--good); } .bar.b { fill: var(--warn); } .bar.c { fill: var(--bad); }
"""
_WIDTH, _HEIGHT = 360, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 22, 24
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_CLASSES = ("a", "b", "c")
_MAX_LABELS = 6
_MAX_STEPS = 3
"""How many steps an axis has at most."""
_BAR_COUNT = 24
_MAX_PERCENTILE = 100.0
_MAX_POINTS = 300
_RESULT_CLASSES = {
    ObjectiveStatus.KEPT: "pass",
    ObjectiveStatus.BROKEN: "fail",
    ObjectiveStatus.INCONCLUSIVE: "error",
}


class Curve(NamedTuple):
    """One line of a chart: points (x, y). A point without y is a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


class Bar(NamedTuple):
    """One bar: the name below it, and its stacked parts."""

    name: str
    parts: tuple[float, ...]


def time_chart(parent: ET.Element, title: str, curves: Sequence[Curve], limit_s: float) -> None:
    """Add a chart of durations over time, on a logarithmic scale, with a horizontal line at the limit."""
    svg = _figure(parent, title)
    values = [y for curve in curves for _, y in curve.points if y]
    low = math.floor(math.log10(max(min(values, default=0.001), 1e-6)))
    high = max(low + 1, math.ceil(math.log10(max(*values, limit_s, 0.01))))
    last_x = max((x for curve in curves for x, _ in curve.points), default=0.0) or 1.0

    def to_point(x: float, y_s: float) -> tuple[float, float]:
        fraction = (math.log10(max(y_s, 10.0**low)) - low) / (high - low)
        return _LEFT + _PLOT_WIDTH * x / last_x, _TOP + _PLOT_HEIGHT * (1 - fraction)

    for power in range(low, high + 1):
        _grid_line(svg, to_point(0, 10.0**power)[1], short_time(10.0**power))
    _horizontal_line(svg, to_point(0, limit_s)[1], "limit")
    _x_labels(svg, [(x, f"{x:.12g} s") for x in _ticks(last_x) if x <= last_x], last_x)
    for css_class, curve in zip(_CLASSES, curves, strict=False):
        for segment in _segments(curve.points):
            is_single = len(segment) == 1  # drawn as a dot: a line of length 0 with round ends
            points = " ".join("{:.1f},{:.1f}".format(*to_point(x, y)) for x, y in segment * (1 + is_single))
            ET.SubElement(
                svg, "polyline", {"class": f"line {css_class}{' single' if is_single else ''}", "points": points}
            )
    _legend(svg, [curve.name for curve in curves], "line")


def bar_chart(
    parent: ET.Element,
    title: str,
    bars: Sequence[Bar],
    names: Sequence[str] = (),
    labels: Sequence[tuple[float, str]] = (),
) -> None:
    """Add a bar chart with stacked parts.

    Args:
        parent: gets the chart.
        title: its title.
        bars: the bars.
        names: legend; an empty name leaves its part out of it.
        labels: texts below the bars, each with its distance from the left in bars; by default names of bars.
    """
    svg = _figure(parent, title)
    ticks = _ticks(max((sum(bar.parts) for bar in bars), default=0.0) or 1.0)
    highest = ticks[-1]
    for value in ticks:
        _grid_line(svg, _TOP + _PLOT_HEIGHT * (1 - value / highest), f"{value:.12g}")
    bar_spacing = _PLOT_WIDTH / max(1, len(bars))
    for number, bar in enumerate(bars):
        bottom = float(_TOP + _PLOT_HEIGHT)
        for css_class, part in zip(_CLASSES, bar.parts, strict=False):
            height = _PLOT_HEIGHT * part / highest
            bottom -= height
            attributes = {
                "x": _LEFT + bar_spacing * number + bar_spacing * 0.1,
                "y": bottom,
                "width": bar_spacing * 0.8,
                "height": height,
            }
            ET.SubElement(
                svg, "rect", {"class": f"bar {css_class}", **{key: f"{value:.2f}" for key, value in attributes.items()}}
            )
    label_step = max(1, math.ceil(len(bars) / _MAX_LABELS))
    named = [(number + 0.5, bar.name) for number, bar in enumerate(bars) if number % label_step == 0]
    _x_labels(svg, labels or named, len(bars))
    _legend(svg, names, "bar")


def _ticks(highest: float) -> list[float]:
    """Return up to four round numbers from 0 on; the last one is not below ``highest``."""
    power = 10.0 ** math.floor(math.log10(highest / _MAX_STEPS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * _MAX_STEPS >= highest * (1 - 1e-9))
    return [round(step * number, 12) for number in range(math.ceil(highest / step - 1e-9) + 1)]


def short_time(seconds: float) -> str:
    """Return a duration as an axis label: ``10 ms``, ``1 s``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size * 0.9995:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _figure(parent: ET.Element, title: str) -> ET.Element:
    figure = add(parent, "figure")
    add(figure, "figcaption", title)
    attributes = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": title}
    return ET.SubElement(figure, "svg", attributes)


def _grid_line(svg: ET.Element, y: float, label: str) -> None:
    _horizontal_line(svg, y, "grid")
    _text(svg, _LEFT - 5, y + 4, label, "end")


def _horizontal_line(svg: ET.Element, y: float, css_class: str) -> None:
    attributes = {"x1": f"{_LEFT}", "x2": f"{_WIDTH - _RIGHT}", "y1": f"{y:.1f}", "y2": f"{y:.1f}"}
    ET.SubElement(svg, "line", {"class": css_class, **attributes})


def _x_labels(svg: ET.Element, labels: Sequence[tuple[float, str]], x_max: float) -> None:
    for x, label in labels:
        anchor = "start" if x == 0 else "end" if x == x_max else "middle"
        _text(svg, _LEFT + _PLOT_WIDTH * x / x_max, _HEIGHT - 6, label, anchor)


def _legend(svg: ET.Element, names: Sequence[str], kind: str) -> None:
    entries = [(css_class, name) for css_class, name in zip(_CLASSES, names, strict=False) if name]
    for index, (css_class, name) in enumerate(entries):
        x = _LEFT + 105 * index
        if kind == "line":
            ET.SubElement(svg, "polyline", {"class": f"line {css_class}", "points": f"{x},10 {x + 18},10"})
        else:
            ET.SubElement(
                svg, "rect", {"class": f"bar {css_class}", "x": f"{x}", "y": "5", "width": "12", "height": "10"}
            )
        _text(svg, x + 22, 14, name, "start").set("class", "named")


def _text(svg: ET.Element, x: float, y: float, text: str, anchor: str) -> ET.Element:
    element = add(svg, "text", text)
    element.attrib |= {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    return element


def _segments(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """Split a curve at its gaps."""
    segments: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            segments.append([])
        else:
            segments[-1].append((x, y))
    return [stretch for stretch in segments if stretch]


def load_html(result: LoadResult) -> str:
    """Return the result of a load as an HTML page."""
    load = result.summary
    page, main = new_page(
        f"tcop-mock load: {load.plan.title}",
        css_class="kept" if _is_good(load, result.objectives) else "broken",
        headline=_headline(load, result.objectives),
        subtitle=load.plan.title,
        extra_style=STYLE,
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
        inconclusive_count = sum(one.status is ObjectiveStatus.INCONCLUSIVE for one in results)
        inconclusive = f", {inconclusive_count} inconclusive" if inconclusive_count else ""
        headline = f"{met_count} of {pluralize(len(results), 'objective')} kept{inconclusive}; {headline}"
    return f"Interrupted: {headline}" if load.interrupted else headline


def _metadata(load: LoadSummary, started: datetime) -> Iterator[tuple[str, str]]:
    plan = load.plan
    yield "Target", str(plan.target)
    yield "Started", f"{started:%Y-%m-%d %H:%M:%S %Z}"
    yield "Duration", f"{load.elapsed_s:.1f} s, {load.rate:.1f} attempts a second"
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
        bars = _rates(load.series)
        labels = _time_labels(load.series, len(bars), points[-1].at_s)
        bar_chart(parent, "Attempts a second, by their end", bars, ("acked", "", "failed"), labels)
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


def _time_labels(series: Sequence[SeriesPoint], bar_count: int, last_s: float) -> list[tuple[float, str]]:
    """Return the labels of bars over time: those of the chart of times."""
    end_s = series[-1].at_s + series[-1].span_s
    return [(bar_count * at_s / end_s, f"{at_s:.12g} s") for at_s in _ticks(last_s or 1.0) if at_s <= (last_s or 1.0)]


def _format_share(part: int, total: int) -> str:
    return f"{100 * part / total:.2f} %" if total else "0 %"
