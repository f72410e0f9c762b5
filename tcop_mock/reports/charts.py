"""Charts as inline SVG: lines on a logarithmic scale, and bars. Colours are classes of the style sheet.

A chart is 360 units wide, about the width of a phone, so its texts are legible there.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.reports.html_page import add

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def bar_chart(parent: ET.Element, title: str, bars: Sequence[Bar], names: Sequence[str] = ()) -> None:
    """Add a bar chart with stacked parts. ``names`` are the legend; an empty name leaves its part out of the legend."""
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
    _x_labels(svg, [(number + 0.5, bar.name) for number, bar in enumerate(bars) if number % label_step == 0], len(bars))
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
