"""Charts as inline SVG: lines over time on a logarithmic scale, and bars. Colours are classes of the style sheet.

A chart is 360 units wide, about the width of a phone, so that its texts can be read where it is shown as wide as that.
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
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.line.a { stroke: var(--good); } .line.b { stroke: var(--warn); } .line.c { stroke: var(--bad); }
.line.b { stroke-dasharray: 6 2; } .line.c { stroke-dasharray: 2 2; }
.bar.a { fill: var(--good); } .bar.b { fill: var(--warn); } .bar.c { fill: var(--bad); }
"""
_WIDTH, _HEIGHT = 360, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 22, 24
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_CLASSES = ("a", "b", "c")
_MOST_LABELS = 6
_THOUSAND = 1000


class Curve(NamedTuple):
    """One line of a chart: points (x, y); a gap where y is ``None``."""

    name: str
    points: Sequence[tuple[float, float | None]]


class Bar(NamedTuple):
    """One bar: its name below it, and parts that stand on each other."""

    name: str
    parts: tuple[float, ...]


def time_chart(parent: ET.Element, title: str, curves: Sequence[Curve], limit_s: float) -> None:
    """Add times over time: seconds on a logarithmic scale, and a limit as a line across."""
    svg = _figure(parent, title)
    values = [y for curve in curves for _, y in curve.points if y]
    low = math.floor(math.log10(max(min(values, default=0.001), 1e-6)))
    high = max(low + 1, math.ceil(math.log10(max(*values, limit_s, 0.01))))
    last = max((x for curve in curves for x, _ in curve.points), default=0.0) or 1.0

    def place(x: float, y_s: float) -> tuple[float, float]:
        share = (math.log10(max(y_s, 10.0**low)) - low) / (high - low)
        return _LEFT + _PLOT_WIDTH * x / last, _TOP + _PLOT_HEIGHT * (1 - share)

    for power in range(low, high + 1):
        _rule(svg, place(0, 10.0**power)[1], short_time(10.0**power))
    _across(svg, place(0, limit_s)[1], "limit")
    _along(svg, [(0.0, "0 s"), (last / 2, f"{last / 2:.3g} s"), (last, f"{last:.3g} s")], last)
    for cls, curve in zip(_CLASSES, curves, strict=False):
        for stretch in _stretches(curve.points):
            points = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in stretch)
            ET.SubElement(svg, "polyline", {"class": f"line {cls}", "points": points})
    _key(svg, [curve.name for curve in curves], "line")


def bar_chart(parent: ET.Element, title: str, bars: Sequence[Bar], names: Sequence[str] = ()) -> None:
    """Add bars, the parts of each stacked; ``names`` are those of the parts, empty for one that is not told."""
    svg = _figure(parent, title)
    most = max((sum(bar.parts) for bar in bars), default=0.0) or 1.0
    for share in (0.0, 0.5, 1.0):
        _rule(svg, _TOP + _PLOT_HEIGHT * (1 - share), _number(most * share))
    step = _PLOT_WIDTH / max(1, len(bars))
    for number, bar in enumerate(bars):
        base = float(_TOP + _PLOT_HEIGHT)
        for cls, part in zip(_CLASSES, bar.parts, strict=False):
            height = _PLOT_HEIGHT * part / most
            base -= height
            box = {"x": _LEFT + step * number + step * 0.1, "y": base, "width": step * 0.8, "height": height}
            ET.SubElement(svg, "rect", {"class": f"bar {cls}", **{key: f"{value:.2f}" for key, value in box.items()}})
    every = max(1, math.ceil(len(bars) / _MOST_LABELS))
    _along(svg, [(number + 0.5, bar.name) for number, bar in enumerate(bars) if number % every == 0], len(bars))
    _key(svg, names, "bar")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _THOUSAND else f"{value:.3g}"


def short_time(seconds: float) -> str:
    """Return a time as an axis names it: ``10 ms``, ``1 s``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size * 0.9995:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _figure(parent: ET.Element, title: str) -> ET.Element:
    figure = add(parent, "figure")
    add(figure, "figcaption", title)
    about = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": title}
    return ET.SubElement(figure, "svg", about)


def _rule(svg: ET.Element, y: float, label: str) -> None:
    _across(svg, y, "grid")
    _text(svg, _LEFT - 5, y + 4, label, "end")


def _across(svg: ET.Element, y: float, cls: str) -> None:
    ends = {"x1": f"{_LEFT}", "x2": f"{_WIDTH - _RIGHT}", "y1": f"{y:.1f}", "y2": f"{y:.1f}"}
    ET.SubElement(svg, "line", {"class": cls, **ends})


def _along(svg: ET.Element, labels: Sequence[tuple[float, str]], whole: float) -> None:
    for at, label in labels:
        anchor = "start" if at == 0 else "end" if at == whole else "middle"
        _text(svg, _LEFT + _PLOT_WIDTH * at / whole, _HEIGHT - 6, label, anchor)


def _key(svg: ET.Element, names: Sequence[str], kind: str) -> None:
    shown = [(cls, name) for cls, name in zip(_CLASSES, names, strict=False) if name]
    for number, (cls, name) in enumerate(shown):
        x = _LEFT + 105 * number
        if kind == "line":
            ET.SubElement(svg, "polyline", {"class": f"line {cls}", "points": f"{x},10 {x + 18},10"})
        else:
            ET.SubElement(svg, "rect", {"class": f"bar {cls}", "x": f"{x}", "y": "5", "width": "12", "height": "10"})
        _text(svg, x + 22, 14, name, "start").set("class", "named")


def _text(svg: ET.Element, x: float, y: float, text: str, anchor: str) -> ET.Element:
    element = add(svg, "text", text)
    element.attrib |= {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    return element


def _stretches(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """Cut a curve at its gaps."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            found.append([])
        else:
            found[-1].append((x, y))
    return [stretch for stretch in found if stretch]
