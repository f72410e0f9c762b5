"""What is said of a load, line by line, in 80 columns and ASCII: the one place that decides the words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tcop_mock._version import __version__
from tcop_mock.domain.load import Model
from tcop_mock.domain.load_summary import LATE_S, LIMIT_S
from tcop_mock.reports.text import MOST_REASON_CHARS, Line, Tone, counted, one_line, paragraph, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.load import LoadPlan
    from tcop_mock.domain.load_summary import Distribution, LoadPoint, LoadSummary, LoadTicked

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
_ROWS = 12
_BAR = 44
_LABEL = 14
HEADINGS = {
    Model.OPEN: "Time to an ack, from the intended start of each callback (no coordinated omission)",
    Model.SCRIPT: "Time to an ack, from the intended start of each notification, retries included",
    Model.CLOSED: "Time to an ack. A closed load: stalls held up what was to come, and hardly show here",
}


def started(plan: LoadPlan, width: int) -> list[Line]:
    """Return the head of a report."""
    workers = "" if plan.workers == 1 else f", {plan.workers} processes"
    text = (
        f"tcop-mock {__version__} loads {one_line(str(plan.target), MOST_REASON_CHARS)} by profile {plan.profile}: "
        f"{one_line(plan.title, MOST_REASON_CHARS)}{workers}, seed {plan.seed}"
    )
    return [*paragraph(text, width, hanging="  "), say()]


def progress(event: LoadTicked, duration_s: float | None) -> str:
    """Return how a load stands, in one line."""
    point = event.point
    whole = f"/{duration_s:g}" if duration_s else ""
    rate = point.started / point.span_s if point.span_s else 0.0
    return (
        f"{point.at_s + point.span_s:.0f}{whole} s  {rate:.0f}/s  acked {event.attempts - event.failed}  "
        f"failed {event.failed}  p99 {span(point.p99_s)}  in flight {point.in_flight}"
    )


def finished(summary: LoadSummary, width: int) -> list[Line]:
    """Return the whole summary."""
    lines = [*_counts(summary), say()]
    if summary.acks.count:
        lines += [*_times(summary, width), say(), *_plot(summary.acks), say()]
    if len(summary.series) > 1:
        lines += [*_course(summary.series), say()]
    for note in summary.notes:
        lines += paragraph(f"note: {note}", width, hanging="  ")
    lines += [line for text in summary.plan.assumptions for line in paragraph(f"assumed: {text}", width, hanging="  ")]
    verdict = "interrupted: " if summary.interrupted else ""
    good = not summary.failed and not summary.dropped and not summary.interrupted
    told = f"{verdict}{summary.acked} of {counted(summary.attempts, 'attempt')} acked"
    told += f", {summary.dropped} dropped" if summary.dropped else ""
    return [*lines, say(told, Tone.GOOD if good else Tone.BAD)]


def span(seconds: float) -> str:
    """Return a time in three digits."""
    if seconds < 0.0009995:  # noqa: PLR2004 - what is rounded to 1 ms is told in ms
        return f"{seconds * 1e6:.0f} us"
    unit, value = ("s", seconds) if seconds >= 0.9995 else ("ms", seconds * 1e3)  # noqa: PLR2004 - what is rounded to 1 s is told in s
    return f"{value:.{max(0, 2 - int(math.log10(value)))}f} {unit}"


def _counts(summary: LoadSummary) -> Iterator[Line]:
    yield _row("attempts", f"{summary.attempts} in {summary.elapsed_s:.1f} s, {summary.rate:.0f}/s", _opened(summary))
    for outcome, times in summary.outcomes.items():
        tone = Tone.GOOD if outcome == "acked" else Tone.BAD
        yield Line.of((_label(str(outcome)), tone), (f"{times} ({_share(times, summary.attempts)})", Tone.PLAIN))
    if summary.statuses:
        yield _row("statuses", ", ".join(f"{times} of {status}" for status, times in summary.statuses.items()))
    if summary.plan.model is Model.SCRIPT:
        yield from _story(summary)
    elif summary.dropped:
        yield Line.of((_label("dropped"), Tone.BAD), (f"{summary.dropped}: due, and never begun", Tone.PLAIN))
    if summary.plan.model is not Model.CLOSED:
        begun = summary.lateness
        yield _row("late", f"{summary.late} over {LATE_S * 1e3:.0f} ms ({_share(summary.late, begun.count)})")
        yield _row(
            "began after", f"p50 {span(begun.percentile(50))}, p99 {_p99_and_max(begun)} from the intended start"
        )
    if summary.excluded:
        yield _row("warm-up", f"{counted(summary.excluded, 'attempt')} left out of all this")


def _story(summary: LoadSummary) -> Iterator[Line]:
    yield _row("alarms", f"{summary.alarms}, {counted(summary.notifications, 'notification')}")
    yield _row("amplification", f"{summary.amplification:.2f} attempts for each notification")
    tone = Tone.BAD if summary.lost else Tone.PLAIN
    yield Line.of((_label("lost"), tone), (f"{summary.lost} notifications that nobody acked", Tone.PLAIN))
    yield _row("duplicates", f"{summary.duplicates} that the receiver may have had twice")
    if summary.recovery_s is not None:
        yield _row("recovery", f"{span(summary.recovery_s)} from the last that was due to the end")


def _opened(summary: LoadSummary) -> str:
    replayed = f", {summary.replayed} sent again on a new one" if summary.replayed else ""
    return f"; {counted(summary.connections, 'connection')}{replayed}"


def _times(summary: LoadSummary, width: int) -> Iterator[Line]:
    yield from (say(str(line), Tone.HEADING) for line in paragraph(HEADINGS[summary.plan.model], width))
    acks = summary.acks
    yield say(
        "  ".join(f"p{share:g} {span(acks.percentile(share))}" for share in PERCENTILES) + f"  max {span(acks.max_s)}"
    )
    if summary.plan.model is Model.OPEN:
        seen = summary.services
        yield say(
            f"from the actual start, as closed loads do: p50 {span(seen.percentile(50))}, p99 {_p99_and_max(seen)}",
            Tone.FAINT,
        )
    over, whole = summary.over_limit, summary.over_limit_of
    what = f"not acked within {LIMIT_S:g} s"
    if summary.plan.model is not Model.SCRIPT:
        what, whole = f"over {LIMIT_S:g} s, or timed out", acks.count + over - acks.over(LIMIT_S)
    yield say(f"{what}: {over} ({_share(over, whole)})", Tone.BAD if over else Tone.PLAIN)


def grown(acks: Distribution, count: int) -> list[tuple[float, int]]:
    """Return so many rows of a histogram, of some times: bounds that grow by the same factor to the longest time."""
    least = max(acks.buckets[0].up_to_s, 1e-6)
    factor = max((acks.max_s / least) ** (1 / (count - 1)), 1.0 + 1e-9)
    rows = [0] * count
    for bucket in acks.buckets:
        at = math.log(max(bucket.up_to_s, least) / least) / math.log(factor)
        rows[min(count - 1, max(0, math.ceil(at - 1e-6)))] += bucket.times
    return [(least * factor**number, times) for number, times in enumerate(rows)]


def _plot(acks: Distribution) -> Iterator[Line]:
    rows = grown(acks, _ROWS)
    most = max(times for _, times in rows)
    for bound_s, times in rows:
        bar = "#" * max(1 if times else 0, round(_BAR * times / most))
        yield say(f"{span(bound_s):>8} {bar:<{_BAR}} {times:>9} {_share(times, acks.count):>8}".rstrip())


def _course(series: tuple[LoadPoint, ...]) -> Iterator[Line]:
    """Yield at the most some rows on how it went, with the p99 of each as a bar."""
    every = math.ceil(len(series) / _ROWS)
    rows = [series[at : at + every] for at in range(0, len(series), every)]
    worst = max(max(point.p99_s for point in row) for row in rows) or 1.0
    yield say("     from       /s    failed  dropped      p99", Tone.HEADING)
    for row in rows:
        span_s = sum(point.span_s for point in row) or 1.0
        failed, dropped = sum(point.failed for point in row), sum(point.dropped for point in row)
        p99_s = max(point.p99_s for point in row)
        bar = "#" * round(28 * p99_s / worst)
        rate = sum(point.started for point in row) / span_s
        yield say(f"{row[0].at_s:>7.0f} s {rate:>8.0f} {failed:>9} {dropped:>8} {span(p99_s):>8} {bar}".rstrip())


def _p99_and_max(times: Distribution) -> str:
    return f"{span(times.percentile(99))}, max {span(times.max_s)}"


def _row(name: str, *texts: str) -> Line:
    return say(_label(name) + "".join(texts))


def _label(name: str) -> str:
    return f"{name.replace('_', ' '):<{_LABEL}}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "0.00 %"
