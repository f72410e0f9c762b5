"""Verbs that deliver callbacks, that receive them, and that compare the two."""

from __future__ import annotations

import click

from tcop_mock.cli.flags import common, delivering, destination, drawing, listening
from tcop_mock.cli.verbs import completing
from tcop_mock.cli.verbs.calling import calling

SEND = click.Command(
    "send",
    callback=calling("send", "send"),
    help="Deliver a callback: of the shape ID, from a FILE, or from standard input (-).\n\n"
    "The body goes out as one POST; a failed one is pushed again as the profile says. Exit code 0: accepted, "
    "1: not.",
    params=[
        click.Argument(["source"], metavar="ID|FILE|-", shell_complete=completing.shapes_or_files),
        *destination(),
        *delivering(),
        *drawing(),
        *common(),
    ],
)

REPLAY = click.Command(
    "replay",
    callback=calling("replay", "replay"),
    help="Send again what a FILE holds (-: standard input), byte for byte: what listen --record wrote, a report of "
    "check, what emit printed, a HAR, captured HTTP requests, curl lines, bodies; or the case CODE[/NUMBER] of a "
    "clause, as check sends it by the same --seed.\n\n"
    "Where the file has times, --time-scale 1 keeps the gaps between requests. Exit code 0: all accepted, 1: not.",
    params=[
        click.Argument(["source"], metavar="FILE|-|CASE", shell_complete=completing.clauses_or_files),
        click.Option(["--now"], is_flag=True, help="Move all times of callbacks so that the first is told now."),
        click.Option(["--set", "sets"], multiple=True, metavar="PATH=JSON", help="Change a value; repeatable."),
        click.Option(["--unset"], multiple=True, metavar="PATH", help="Leave a value out; repeatable."),
        *destination(),
        *delivering(),
        *common(),
    ],
)

LISTEN = click.Command(
    "listen",
    callback=calling("listen", "listen"),
    help="Receive callbacks, and what receivers forward; tell each as it comes, and what validate says of it.\n\n"
    "The first line of output is the address. Under /wecom, /dingtalk, /feishu, /slack, /pagerduty and /json, "
    "whatever follows, it answers as these ends do; elsewhere as --service says. Ctrl-C ends it. Exit code 0: ended as "
    "asked for, 1: --max-time was over before --count requests had come.",
    params=[
        *listening(),
        *common(),
    ],
)

RECONCILE = click.Command(
    "reconcile",
    callback=calling("reconcile", "reconcile"),
    help="Compare the LEDGER of a load (load --ledger) with what the receiver says it has, RECEIVED: what was "
    "acknowledged and is lost, what is there too often, out of order, or unknown, by object. -: standard input.\n\n"
    "RECEIVED holds a JSON object a line: a body, an object with its ids (sessionId or session; objId, unInstanceId "
    "or object, and state), or what listen recorded. Exit code 0: they agree, 1: they differ, 2: a line cannot be "
    "read.",
    short_help="Compare what was delivered with what the receiver has.",
    params=[
        click.Argument(["ledger"], metavar="LEDGER"),
        click.Argument(["received"], metavar="RECEIVED"),
        click.Option(
            ["--limit"],
            type=click.IntRange(min=0),
            default=20,
            show_default=True,
            help="Objects that are told of each kind of difference.",
        ),
        *common(),
    ],
)
