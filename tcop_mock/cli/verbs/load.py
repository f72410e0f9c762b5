"""The verb that sends many callbacks."""

from __future__ import annotations

import click

from tcop_mock.cli.durations import duration, positive_duration
from tcop_mock.cli.flags import common, form, header, insecure, lang, timeout
from tcop_mock.cli.verbs.calling import calling
from tcop_mock.domain.alarm import Form
from tcop_mock.reports.formats import format_names

_HELP = """Send many callbacks to TARGET, each another alarm's, and tell how it bore them.

By itself the load is open: a schedule (--rate) says when each callback is due, whatever the receiver does, and times
count from then on. So a receiver that stalls is seen to stall all that came meanwhile (no coordinated omission); what
began late or was dropped is told, never hidden. --concurrency asks for a closed load, in which the next callback waits
for the answer before it: that measures throughput, and hides stalls.

@FILE reads TARGET from a file; without one it comes from TCOP_MOCK_TARGET. Exit code 0: carried out, 1: an objective
was not kept, or nothing was acked, 3: target unusable, 130: interrupted, with a report of what was until then."""


def _schedule() -> list[click.Parameter]:
    return [
        click.Option(
            ["--rate"],
            metavar="RATE",
            help="Callbacks of an open load: 200/s, 12000/m, or bare, a second.  [default: 50/s]",
        ),
        click.Option(
            ["--arrivals"],
            type=click.Choice(["constant", "poisson"]),
            default="constant",
            show_default=True,
            help="Evenly spaced, or drawn as from senders that know nothing of each other.",
        ),
        click.Option(
            ["--ramp"], type=positive_duration, metavar="TIME", help="Time from 0 to --rate, at the beginning."
        ),
        click.Option(
            ["--stages"],
            metavar="TIME:RATE,...",
            help="In place of --duration: 10s:500,1m:500,5s:0 goes evenly to each rate in its time, from --rate or 0.",
        ),
    ]


def _bounds() -> list[click.Parameter]:
    return [
        click.Option(
            ["--concurrency"], type=click.IntRange(min=1), metavar="N", help="A closed load: N under way at any time."
        ),
        click.Option(
            ["--duration"], type=positive_duration, metavar="TIME", help="How long callbacks are due.  [default: 10s]"
        ),
        click.Option(["--count"], type=click.IntRange(min=1), metavar="N", help="Callbacks at the most."),
        click.Option(
            ["--warm-up"],
            type=duration,
            default="0s",
            metavar="TIME",
            help="What is due in it counts in no total.",
        ),
        click.Option(
            ["--max-inflight"],
            type=click.IntRange(min=1),
            default=1000,
            show_default=True,
            metavar="N",
            help="Under way at once at the most. What is due beyond waits, and is late; what has waited longer than "
            "the deadline is dropped.",
        ),
    ]


def _safety() -> list[click.Parameter]:
    return [
        click.Option(
            ["--allow-host"], multiple=True, metavar="HOST", help="A target beyond this machine, by name; repeatable."
        ),
        click.Option(
            ["--max-rate"], default="5000/s", show_default=True, metavar="RATE", help="Ceiling for --rate and --stages."
        ),
        click.Option(
            ["--max-count"],
            type=click.IntRange(min=1),
            default=1_000_000,
            show_default=True,
            metavar="N",
            help="Ceiling for all callbacks together.",
        ),
    ]


def _storms() -> list[click.Parameter]:
    return [
        click.Option(
            ["--scenario"],
            metavar="NAME|FILE",
            help="A storm in place of a rate, with the profile's retries: zone-outage, flapping, daily-repeats, "
            "deploy-noise, or a file of your own.",
        ),
        click.Option(
            ["--time-scale"],
            type=click.FloatRange(min=0, max=1e6),
            help="Times all waiting of a scenario, pauses between retries included; deadlines stay. Stretches in "
            "which nothing happens are passed over.  [default: 1]",
        ),
        click.Option(
            ["--slo"],
            multiple=True,
            metavar="BOUND,...",
            help="What the load is held to: p99<500ms,errors<0.1%,lost=0,late<1%; repeatable. Also pN, max, mean, "
            "recovery, acked, over5s, dropped, duplicates, rate, amplification.",
        ),
        click.Option(
            ["--ledger"],
            metavar="FILE",
            help="Write a line of JSON for each notification: what it was and what became of it; see reconcile.",
        ),
        click.Option(
            ["--report", "reports"],
            multiple=True,
            metavar="KIND=PATH",
            help=f"Also write a report; repeatable. KIND: {', '.join(format_names(for_load=True))}. "
            "csv has a row a second, junit a case an objective.",
        ),
    ]


def _bodies() -> list[click.Parameter]:
    return [
        click.Option(
            ["--mix", "mixes"],
            multiple=True,
            metavar="GLOB[=WEIGHT],...",
            help="Shapes, and their shares: cvm/*=3,cdb/*=1; repeatable.  [default: all alike]",
        ),
        lang(),
        form([Form.DOCUMENTED, Form.OBSERVED], "As documented, or as captured."),
        header(),
    ]


LOAD = click.Command(
    "load",
    callback=calling("load", "load"),
    help=_HELP,
    params=[
        click.Argument(["target"], required=False, envvar="TCOP_MOCK_TARGET", metavar="[TARGET]"),
        *_schedule(),
        *_bounds(),
        *_storms(),
        *_bodies(),
        timeout("Total deadline of one POST.  [default: the profile's]"),
        insecure(),
        *_safety(),
        click.Option(
            ["--workers"], type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Processes."
        ),
        click.Option(
            ["--engine"],
            type=click.Choice(["builtin", "locust"]),
            default="builtin",
            show_default=True,
            help="Locust, in so many processes as --workers says, for trial (the extra locust; docs/locust.md).",
        ),
        click.Option(
            ["--loop"],
            type=click.Choice(["asyncio", "uvloop"]),
            default="asyncio",
            show_default=True,
            help="Event loop; uvloop has to be installed.",
        ),
        *common(),
    ],
)
