"""HTML report of a load with charts, and its CSV report."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from scenario_samples import PLAN, SUMMARY, load_result

from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import Distribution, LoadSummary, SeriesPoint
from tcop_mock.load.slo import evaluate, parse_objectives
from tcop_mock.reports.load_html import Bar, bar_chart, load_html, short_time
from tcop_mock.reports.load_json import load_csv

_HELD = evaluate(parse_objectives(["p99<500ms,errors<20%"], LoadModel.SCRIPT), SUMMARY)
_EMPTY = replace(
    SUMMARY,
    plan=replace(PLAN, model=LoadModel.OPEN, assumptions=()),
    attempts=0,
    outcomes={},
    statuses={},
    ack_times=Distribution(),
    service_times=Distribution(),
    lateness=Distribution(),
    series=(),
    notifications=0,
)


class _Page(HTMLParser):
    """Parser that collects the elements and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def captions(self) -> list[str]:
        return [str(attrs["aria-label"]) for tag, attrs in self.tags if tag == "svg"]

    def classes(self, tag: str) -> list[str | None]:
        return [attrs.get("class") for name, attrs in self.tags if name == tag]


def page(load: LoadSummary = SUMMARY, attempts: dict[int, int] | None = None) -> _Page:
    """Return the parsed page of a load with objectives."""
    return _Page(load_html(load_result(load, _HELD, {3: 38, 4: 2} if attempts is None else attempts)))


def test_the_page_shows_the_whole_load() -> None:
    """The page has objectives, outcomes, times, charts and assumptions, and no password."""
    written = load_html(load_result(SUMMARY, _HELD, {3: 38, 4: 2}))
    rendered = " ".join(page().texts)
    assert "1 of 2 objectives kept; 100 of 120 attempts acked" in rendered
    for text in (
        "http://***@127.0.0.1:8080/hook",
        "2026-11-23 10:30:00 UTC",
        "p99<500ms",
        "20 of 120 (16.67%)",
        "1.18 attempts for each notification",
        "2 notifications whose attempts all failed",
        "12 requests that the receiver may have received twice",
        "5.50 s from the last due notification to the end",
        "8 of 503",
        "2 (1.96 %) not acked within that time",
        PLAN.assumptions[0],
    ):
        assert text in rendered
    assert page().captions() == [
        "Ack time over time; the line is TCOP's 5 s",
        "Attempts a second, by their end",
        "Acks by latency",
        "Alarms by number of attempts",
    ]
    assert "7Kq2" not in written


def test_nothing_is_fetched_or_run() -> None:
    """The page has no scripts, no URLs, and only the style sheet that the policy names by its hash."""
    written = load_html(load_result(SUMMARY, _HELD, {3: 38}))
    found = page()
    assert {tag for tag, _ in found.tags} & {"script", "img", "link", "iframe", "object", "a", "image", "use"} == set()
    assert not any({"src", "href", "style", "onload"} & set(attrs) for _, attrs in found.tags)
    [sheet] = re.findall(r"<style>(.*?)</style>", written, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    [policy] = [attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in sheet
    assert "@import" not in sheet


def test_the_charts_stay_within_their_frame() -> None:
    """Every point, bar and text is inside the view box; a second without an ack is a gap in the curves."""
    gaps = tuple(replace(point, acked=0) if 20 <= point.at_s < 30 else point for point in SUMMARY.series)
    found = page(replace(SUMMARY, series=gaps))
    numbers: list[tuple[float, float]] = []
    for tag, attrs in found.tags:
        got = {key: value or "" for key, value in attrs.items()}
        if tag == "polyline":
            numbers += [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in got["points"].split())]
        if tag == "rect":
            numbers.append((float(got["x"]) + float(got["width"]), float(got["y"]) + float(got["height"])))
            numbers.append((float(got["x"]), float(got["y"])))
        if tag == "text":
            numbers.append((float(got["x"]), float(got["y"])))
    assert min(min(pair) for pair in numbers) >= 0
    assert max(x for x, _ in numbers) <= 360
    assert max(y for _, y in numbers) <= 200
    assert found.classes("polyline").count("line a") == 2 + 1  # two stretches, and the key


def test_a_second_between_seconds_without_acks_is_a_dot() -> None:
    """A line of one point would be invisible, and it may be the worst of all."""
    alone = tuple(replace(point, acked=point.acked if point.at_s == 25 else 0) for point in SUMMARY.series)
    found = page(replace(SUMMARY, series=alone))
    dots = [attrs for tag, attrs in found.tags if tag == "polyline" and "single" in (attrs.get("class") or "")]
    assert dots
    assert all(len(set((dot["points"] or "").split())) == 1 and " " in (dot["points"] or "") for dot in dots)


@pytest.mark.parametrize(
    "load, cls, headline",
    [
        (SUMMARY, "broken", "1 of 2 objectives kept; 100 of 120 attempts acked"),
        (
            replace(SUMMARY, interrupted=True),
            "broken",
            "Interrupted: 1 of 2 objectives kept; 100 of 120 attempts acked",
        ),
    ],
)
def test_the_header_shows_the_result(load: LoadSummary, cls: str, headline: str) -> None:
    """The page is broken if an objective is, or if the load was interrupted."""
    found = page(load)
    assert found.classes("header") == [cls]
    assert headline in found.texts


def test_without_objectives_failures_decide() -> None:
    """Without objectives, only a load with all attempts acked is good, and there is no table of objectives."""
    whole = replace(SUMMARY, outcomes={Outcome.ACKED: 120}, notes=("descriptors ran out",), recovery_s=None)
    good = _Page(load_html(load_result(whole)))
    assert good.classes("header") == ["kept"]
    assert "Objectives" not in good.texts
    assert "descriptors ran out" in good.texts
    assert len(good.captions()) == 3
    bad = _Page(load_html(load_result()))
    assert bad.classes("header") == ["broken"]


def test_a_load_without_a_response_has_a_page() -> None:
    """A load without a response has a page without charts and times."""
    found = page(_EMPTY, {})
    assert found.captions() == []
    assert found.texts.count("-") == 3 * 6
    assert "0 (0 %) timed out, or acked later" in found.texts


def test_a_closed_load_is_never_late() -> None:
    """A closed load has no schedule, so its page has no start delays."""
    closed = page(replace(SUMMARY, plan=replace(PLAN, model=LoadModel.CLOSED), lateness=Distribution()))
    words = {"Late", "Dropped", "From the actual start", "Start delay"}
    assert not words & set(closed.texts)
    assert words - {"Dropped"} <= set(page(SUMMARY).texts)


def test_texts_are_not_markup() -> None:
    """Markup and control characters in texts are shown escaped."""
    plan = replace(PLAN, title="<script>alert(1)</script>\x1b[31m\u202e", assumptions=("<b>bold</b>",))
    written = load_html(load_result(replace(SUMMARY, plan=plan), _HELD))
    assert "<script" not in written
    assert "<b>" not in written
    assert "\x1b" not in written
    assert "\u202e" not in written


@pytest.mark.proof
def test_a_long_load_has_a_bounded_page() -> None:
    """The page of a whole day is not much larger than the page of a minute."""
    [first, *_] = SUMMARY.series
    day = tuple(replace(first, at_s=float(at)) for at in range(86_400))
    assert len(load_html(load_result(replace(SUMMARY, series=day), _HELD))) < 100_000


@pytest.mark.parametrize(
    "seconds, rendered", [(0.000001, "1 µs"), (0.0205, "20.5 ms"), (0.9999, "1 s"), (12.0, "12 s")]
)
def test_axis_labels_are_short(seconds: float, rendered: str) -> None:
    """Axis labels have up to three digits and a unit."""
    assert short_time(seconds) == rendered


def test_the_series_as_csv() -> None:
    """The CSV has one row per second and the column names of the JSON report."""
    rows = list(csv.DictReader(io.StringIO(load_csv(SUMMARY.series[:2]), newline="")))
    assert list(rows[0]) == [
        "at_s",
        "span_s",
        "started",
        "acked",
        "failed",
        "dropped",
        "late",
        "in_flight",
        "p50_s",
        "p99_s",
        "max_s",
    ]
    assert [float(row["at_s"]) for row in rows] == [0.0, 1.0]
    assert load_csv([SeriesPoint(0.0, 1.0, 2, 2, 0, 0, 0, 0, 1 / 3, 0.5, 1e-7)]).splitlines()[1] == (
        "0.0,1.0,2,2,0,0,0,0,0.333333,0.5,0.0"
    )


@pytest.mark.parametrize(
    "highest, labels",
    [
        (520.0, ["0", "200", "400", "600"]),
        (3.0, ["0", "1", "2", "3"]),
        (0.3, ["0", "0.1", "0.2", "0.3"]),
        (12_418.0, ["0", "5000", "10000", "15000"]),
        (1e6, ["0", "500000", "1000000"]),
    ],
)
def test_an_axis_has_round_numbers(highest: float, labels: list[str]) -> None:
    """From 0 to the first step that is not below the highest bar, written as the texts of the report write numbers."""
    page = ET.Element("section")
    bar_chart(page, "Acks", [Bar("a", (highest,))])
    assert [text.text for text in page.iter("text")][: len(labels)] == labels


@pytest.mark.parametrize("seconds", [1, 7, 57, 400])
def test_two_time_axes_have_the_same_labels(seconds: int) -> None:
    """Round numbers of seconds, below the times to the ack and below the rates."""
    series = tuple(SeriesPoint(float(at), 1.0, 2, 2, 0, 0, 0, 0, 0.1, 0.2, 0.3) for at in range(seconds))
    written = load_html(load_result(replace(SUMMARY, series=series), _HELD))
    times, rates = (
        re.findall(r'y="194.0"[^>]*>([0-9.]+ s)<', svg) for svg in re.findall(r"<svg.*?</svg>", written, re.DOTALL)[:2]
    )
    assert times == rates
    assert times[0] == "0 s"
