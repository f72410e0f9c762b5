"""Lines about a load, in 80 columns of ASCII."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tcop_mock._version import __version__
from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import ACK_LIMIT_S, LATE_THRESHOLD_S
from tcop_mock.reports.text import MAX_REASON_CHARS, Style, StyledLine, one_line, paragraph, pluralize, styled_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.load_summary import Distribution, LoadSummary, SecondElapsed, SeriesPoint

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
_ROW_COUNT = 12
_BAR_WIDTH = 44
_LABEL_WIDTH = 14
HEADINGS = {
    LoadModel.OPEN: "Time to an ack, from the intended start of each callback (no coordinated omission)",
    LoadModel.SCRIPT: "Time to an ack, from the intended start of each notification, retries included",
    LoadModel.CLOSED: "Time to an ack. In a closed load a stall delays the next callbacks, so it hardly shows here",
}


_MAX_PERCENT = 100.0


def header_lines(plan: LoadPlan, width: int) -> list[StyledLine]:
    """Return the header of a report."""
    workers = "" if plan.workers == 1 else f", {plan.workers} processes"
    text = (
        f"tcop-mock {__version__} loads {one_line(str(plan.target), MAX_REASON_CHARS)} with profile {plan.profile}: "
        f"{one_line(plan.title, MAX_REASON_CHARS)}{workers}, seed {plan.seed}"
    )
    return [*paragraph(text, width, hanging="  "), styled_line()]


def progress_line(event: SecondElapsed, duration_s: float | None) -> str:
    """Return the progress of a load in one line."""
    point = event.point
    duration_text = f"/{duration_s:g}" if duration_s else ""
    rate = point.started / point.span_s if point.span_s else 0.0
    p99_text = format_duration(point.p99_s) if point.acked else "-"
    return (
        f"{point.at_s + point.span_s:.0f}{duration_text} s  {rate:.0f}/s  acked {event.attempts - event.failed}  "
        f"failed {event.failed}  p99 {p99_text}  in flight {point.in_flight}"
    )


def summary_lines(summary: LoadSummary, width: int) -> list[StyledLine]:
    """Return the summary of a load."""
    lines = [line for note in summary.notes for line in paragraph(f"note: {note}", width, hanging="  ")]
    lines += [*_count_lines(summary), styled_line()]
    if summary.ack_times.count:
        lines += [*_latency_lines(summary, width), styled_line(), *_plot(summary.ack_times), styled_line()]
    if len(summary.series) > 1:
        lines += [*_timeline(summary.series), styled_line()]
    lines += [line for text in summary.plan.assumptions for line in paragraph(f"assumed: {text}", width, hanging="  ")]
    prefix = "interrupted: " if summary.interrupted else ""
    is_good = not summary.failed and not summary.dropped and not summary.interrupted
    result_text = f"{prefix}{summary.acked} of {pluralize(summary.attempts, 'attempt')} acked"
    result_text += f", {summary.dropped} dropped" if summary.dropped else ""
    return [*lines, styled_line(result_text, Style.GOOD if is_good else Style.BAD)]


def format_duration(seconds: float) -> str:
    """Return a duration with three significant digits."""
    if seconds < 0.0009995:  # noqa: PLR2004 - 999.5 us round to 1 ms
        return f"{seconds * 1e6:.0f} us"
    unit, value = ("s", seconds) if seconds >= 0.9995 else ("ms", seconds * 1e3)  # noqa: PLR2004 - 999.5 ms round to 1 s
    return f"{value:.{max(0, 2 - int(math.log10(value)))}f} {unit}"


def format_percentile(distribution: Distribution, percent: float) -> str:
    """Return a percentile as a duration; ``-`` without data."""
    return format_duration(distribution.percentile(percent)) if distribution.count else "-"


def _count_lines(summary: LoadSummary) -> Iterator[StyledLine]:
    yield _labelled_line(
        "attempts", f"{summary.attempts} in {summary.elapsed_s:.1f} s, {summary.rate:.0f}/s", _connections_text(summary)
    )
    if summary.probes:
        yield _labelled_line("probe", f"{summary.probes} sent before; the receiver has it, no figure counts it")
    for outcome, times in summary.outcomes.items():
        style = Style.GOOD if outcome == "acked" else Style.BAD
        yield StyledLine.from_parts(
            (_format_label(str(outcome)), style), (f"{times} ({_format_share(times, summary.attempts)})", Style.PLAIN)
        )
    if summary.statuses:
        yield _labelled_line(
            "statuses", ", ".join(f"{times} of {status}" for status, times in summary.statuses.items())
        )
    if summary.plan.model is LoadModel.SCRIPT:
        yield from _scenario_lines(summary)
    elif summary.dropped:
        yield StyledLine.from_parts(
            (_format_label("dropped"), Style.BAD), (f"{summary.dropped}: due, but never sent", Style.PLAIN)
        )
    if summary.plan.model is not LoadModel.CLOSED:
        lateness = summary.lateness
        yield _labelled_line(
            "late",
            f"{summary.late} over {LATE_THRESHOLD_S * 1e3:.0f} ms ({_format_share(summary.late, lateness.count)})",
        )
        yield _labelled_line(
            "start delay",
            f"p50 {format_percentile(lateness, 50)}, p99 {_p99_and_max(lateness)} after the intended start",
        )
    if summary.warm_up_attempts:
        yield _labelled_line("warm-up", f"{pluralize(summary.warm_up_attempts, 'attempt')} excluded from these figures")


def _scenario_lines(summary: LoadSummary) -> Iterator[StyledLine]:
    yield _labelled_line("alarms", f"{summary.alarms}, {pluralize(summary.notifications, 'notification')}")
    yield _labelled_line("amplification", f"{summary.amplification:.2f} attempts for each notification")
    style = Style.BAD if summary.lost else Style.PLAIN
    yield StyledLine.from_parts(
        (_format_label("lost"), style), (f"{summary.lost} notifications without an ack", Style.PLAIN)
    )
    yield _labelled_line("duplicates", f"{summary.duplicates} that the receiver may have received twice")
    if summary.recovery_s is not None:
        yield _labelled_line(
            "recovery", f"{format_duration(summary.recovery_s)} from the last due notification to the end"
        )


def _connections_text(summary: LoadSummary) -> str:
    replayed_text = f", {summary.replayed} resent on a new one" if summary.replayed else ""
    return f"; {pluralize(summary.connections, 'connection')}{replayed_text}"


def _latency_lines(summary: LoadSummary, width: int) -> Iterator[StyledLine]:
    yield from (styled_line(str(line), Style.HEADING) for line in paragraph(HEADINGS[summary.plan.model], width))
    acks = summary.ack_times
    yield styled_line(
        "  ".join(f"p{share:g} {format_duration(acks.percentile(share))}" for share in PERCENTILES)
        + f"  max {format_duration(acks.max_s)}"
    )
    if summary.plan.model is LoadModel.OPEN:
        service_times = summary.service_times
        yield styled_line(
            f"from the actual start, as in closed loads: p50 {format_percentile(service_times, 50)}, "
            f"p99 {_p99_and_max(service_times)}",
            Style.FAINT,
        )
    over_count, total = summary.over_limit_count, summary.over_limit_total
    label = f"not acked within {ACK_LIMIT_S:g} s"
    if summary.plan.model is not LoadModel.SCRIPT:
        label, total = f"over {ACK_LIMIT_S:g} s, or timed out", acks.count + over_count - acks.count_over(ACK_LIMIT_S)
    yield styled_line(
        f"{label}: {over_count} ({_format_share(over_count, total)})", Style.BAD if over_count else Style.PLAIN
    )


def histogram_rows(acks: Distribution, count: int) -> list[tuple[float, int]]:
    """Return ``count`` rows of a histogram: upper bound in seconds, which grows by a constant factor, and acks."""
    smallest = max(acks.buckets[0].up_to_s, 1e-6)
    factor = max((acks.max_s / smallest) ** (1 / (count - 1)), 1.0 + 1e-9)
    rows = [0] * count
    for bucket in acks.buckets:
        index = math.log(max(bucket.up_to_s, smallest) / smallest) / math.log(factor)
        rows[min(count - 1, max(0, math.ceil(index - 1e-6)))] += bucket.sample_count
    return [(smallest * factor**number, times) for number, times in enumerate(rows)]


def _plot(acks: Distribution) -> Iterator[StyledLine]:
    rows = histogram_rows(acks, _ROW_COUNT)
    highest = max(times for _, times in rows)
    for bound_s, times in rows:
        bar = "#" * max(1 if times else 0, round(_BAR_WIDTH * times / highest))
        yield styled_line(
            f"{format_duration(bound_s):>8} {bar:<{_BAR_WIDTH}} {times:>9} "
            f"{_format_share(times, acks.count):>8}".rstrip()
        )


def _timeline(series: tuple[SeriesPoint, ...]) -> Iterator[StyledLine]:
    """Yield up to 12 rows over the time of the load, with the p99 of each as a bar."""
    step = math.ceil(len(series) / _ROW_COUNT)
    rows = [series[at : at + step] for at in range(0, len(series), step)]
    worst = max(max(point.p99_s for point in row) for row in rows) or 1.0
    yield styled_line("     from       /s    failed  dropped      p99", Style.HEADING)
    for row in rows:
        span_s = sum(point.span_s for point in row) or 1.0
        failed, dropped = sum(point.failed for point in row), sum(point.dropped for point in row)
        p99_s = max(point.p99_s for point in row)
        p99_text = format_duration(p99_s) if any(point.acked for point in row) else "-"
        bar = "#" * round(28 * p99_s / worst)
        rate = sum(point.started for point in row) / span_s
        yield styled_line(f"{row[0].at_s:>7.0f} s {rate:>8.0f} {failed:>9} {dropped:>8} {p99_text:>8} {bar}".rstrip())


def _p99_and_max(distribution: Distribution) -> str:
    return f"{format_percentile(distribution, 99)}, max {format_percentile(distribution, _MAX_PERCENT)}"


def _labelled_line(name: str, *texts: str) -> StyledLine:
    return styled_line(_format_label(name) + "".join(texts))


def _format_label(name: str) -> str:
    return f"{name.replace('_', ' '):<{_LABEL_WIDTH}}"


def _format_share(part: int, total: int) -> str:
    return f"{100 * part / total:.2f} %" if total else "0.00 %"
