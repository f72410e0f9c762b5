"""Flags that several verbs have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tcop_mock.cli.durations import durations, notify, positive_duration, rate_limit, rate_limit_or_none, retry_on
from tcop_mock.cli.verbs import completing
from tcop_mock.domain.alarm import Form, State
from tcop_mock.domain.profile import DEFAULT_PROFILE, Accept, RetryAfter
from tcop_mock.domain.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Iterable


def common(*, seed: int | None = None) -> list[click.Parameter]:
    """Return the flags of all verbs; ``seed`` is the usual one, where a verb has one."""
    usual = "a fresh one, printed" if seed is None else seed
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="One versioned JSON document on standard output."),
        click.Option(["--seed"], type=int, default=seed, help=f"What all chance comes from.  [default: {usual}]"),
        click.Option(
            ["--profile"],
            default=DEFAULT_PROFILE,
            show_default=True,
            shell_complete=completing.profiles,
            help="Generation of the callback contract.",
        ),
        click.Option(
            ["--catalog", "catalog_folders"],
            type=click.Path(exists=True, file_okay=False),
            multiple=True,
            metavar="DIR",
            help="Your own entries; repeatable.",
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Only what was asked for: no seed, no progress."),
        click.Option(["--debug"], is_flag=True, expose_value=False, help="Show where an error comes from."),
    ]


def drawing() -> list[click.Parameter]:
    """Return the flags that say which callbacks to draw."""
    return [
        click.Option(
            ["--state"], type=click.Choice([state.value for state in State]), help="Of the alarm.  [default: firing]"
        ),
        click.Option(
            ["--lifecycle"], metavar="STEPS", help="A life in place of one state: fire,repeat:3,resolve,fire."
        ),
        click.Option(["--metric"], metavar="NAME", help="Metric by name.  [default: drawn]"),
        click.Option(["--event"], metavar="NAME", help="Event by name.  [default: drawn]"),
        click.Option(
            ["--no-threshold"], is_flag=True, help="As for a metric without a threshold: no threshold fields."
        ),
        click.Option(
            ["--notify"],
            type=notify,
            metavar="TYPE[:TIME]",
            help="How an alarm repeats: single, continuous:5m, exponential:5m.  [default: drawn]",
        ),
        lang(),
        form(Form, "As documented, as captured, or one of EventBridge's (events only)."),
        click.Option(["--set", "sets"], multiple=True, metavar="PATH=JSON", help="Change a value; repeatable."),
        click.Option(["--unset"], multiple=True, metavar="PATH", help="Leave a value out; repeatable."),
        _file("--template", "Your own notice in place of the body: {{.content}} ..."),
        click.Option(["--mutate"], metavar="NAME", help="Change the body as a clause does; see list --mutators."),
    ]


def lang() -> click.Option:
    """Return the flag that chooses a language."""
    return click.Option(
        ["--lang"],
        type=click.Choice([lang.value for lang in Lang]),
        default=Lang.EN.value,
        show_default=True,
        help="Of names and other human text.",
    )


def form(forms: Iterable[Form], text: str) -> click.Option:
    """Return the flag that chooses one of some forms of the body."""
    return click.Option(
        ["--form"],
        type=click.Choice([form.value for form in forms]),
        default=Form.DOCUMENTED.value,
        show_default=True,
        help=text,
    )


def timeout(text: str) -> click.Option:
    """Return the flag that sets a deadline."""
    return click.Option(["--timeout"], type=positive_duration, metavar="TIME", help=text)


def _file(flag: str, text: str) -> click.Option:
    return click.Option([flag], metavar="FILE", shell_complete=completing.files, help=text)


def destination() -> list[click.Parameter]:
    """Return the flags that say where to deliver."""
    return [
        click.Option(
            ["--to"],
            metavar="URL",
            help="The receiver; @FILE reads it from a file.  [default: $TCOP_MOCK_TARGET]",
        ),
        click.Option(
            ["--target", "end"],
            type=click.Choice(["webhook", "pagerduty", "wecom"]),
            default="webhook",
            show_default=True,
            help="What kind of end it is: PagerDuty's Events API v2 and WeCom's robots get messages of their own.",
        ),
        click.Option(
            ["--integration-key"],
            metavar="KEY|@FILE",
            help="Of PagerDuty.  [default: $TCOP_MOCK_INTEGRATION_KEY]",
        ),
        click.Option(
            ["--pace"],
            type=rate_limit_or_none,
            metavar="N/min",
            help="POSTs at most: 20/min, 5/s, or none for no limit.  [default: 20/min for wecom, else none]",
        ),
        insecure(),
        header(),
        click.Option(["--dry-run"], is_flag=True, help="Show what would be sent, send nothing."),
    ]


def delivering() -> list[click.Parameter]:
    """Return the flags that say how to deliver, in place of the profile."""
    return [
        *_pauses(),
        click.Option(["--attempts"], type=click.IntRange(min=1), help="POSTs at the most.  [default: the profile's]"),
        timeout("Total deadline of one POST.  [default: the profile's]"),
        click.Option(
            ["--retry-on"],
            type=retry_on,
            metavar="OUTCOME,...",
            help="What is pushed again: timed_out, 5xx, ... or none.  [default: the profile's]",
        ),
        click.Option(
            ["--accept"],
            type=click.Choice([accept.value for accept in Accept]),
            help="Which answers accept a callback.  [default: the profile's]",
        ),
        click.Option(
            ["--verify/--no-verify"], default=True, help="Whether a profile that verifies the URL does so first."
        ),
    ]


def _pauses() -> list[click.Parameter]:
    return [
        click.Option(
            ["--pause"],
            type=durations,
            metavar="TIME,...",
            help="Before the second, third, ... POST; the last one holds on.  [default: the profile's]",
        ),
        click.Option(
            ["--retry-after"],
            type=click.Choice([one.value for one in RetryAfter]),
            help="Whether an answer's Retry-After lengthens a pause.  [default: the profile's]",
        ),
        click.Option(
            ["--time-scale"],
            type=click.FloatRange(min=0, max=1e6),
            help="Times all waiting of TCOP's.  [default: 1 between POSTs, 0 between notifications]",
        ),
    ]


def listening() -> list[click.Parameter]:
    """Return the flags that say how to listen, and what is to go wrong."""
    return [
        click.Option(["--host"], default="127.0.0.1", show_default=True, help="Where to listen."),
        click.Option(["--port"], type=click.IntRange(0, 65535), default=0, show_default=True, help="0: a free one."),
        click.Option(
            ["--service", "end"],
            type=click.Choice(["webhook", "pagerduty", "wecom", "dingtalk", "feishu", "slack", "json"]),
            default="webhook",
            show_default=True,
            help="The end that answers where the path names none.",
        ),
        click.Option(
            ["--auth"],
            metavar="USER:PASS|@FILE",
            help="Ask for these credentials.  [default: $TCOP_MOCK_AUTH]",
        ),
        _file("--record", "Add a line of JSON for each request, before it is answered."),
        click.Option(
            ["--fault", "faults"],
            multiple=True,
            metavar="NAME[:ARG][:WHEN]",
            help="What goes wrong: status:503, delay:6s, delay-headers:6s, drip-headers, drip-body, endless-body, "
            "reset, reset-after-request, empty, garbage, redirect, 401, wrong-length:-5. WHEN: 3 (the first three), "
            "0.1 (each with that probability), #2-5, %4 (every fourth), @10s-30s. Repeatable; the first that is "
            "due.",
        ),
        _file(
            "--fault-file", "A script: a line for each request in turn, ok or a fault; :N at its end for N requests."
        ),
        click.Option(["--count"], type=click.IntRange(min=1), help="End after so many requests."),
        click.Option(["--max-time"], type=positive_duration, metavar="TIME", help="End after that time."),
    ]


def clause_files() -> click.Option:
    """Return the flag that names a team's own clauses."""
    return click.Option(
        ["--clause-files"],
        multiple=True,
        metavar="GLOB",
        help="Your own clauses, too: files like ACME101-our-rule.toml; repeatable.",
    )


def aiming() -> list[click.Parameter]:
    """Return the flags that name what is judged in place of a URL, and how fast it is asked."""
    return [
        click.Option(
            ["--model"],
            metavar="MODULE:CALLABLE",
            help="In place of TARGET: a pydantic model, a dataclass, or what takes a parsed body and may raise.",
        ),
        click.Option(["--schema"], metavar="FILE", help="In place of TARGET: the receiver's own JSON Schema."),
        _file("--template", "Post notices of your own, rendered from it, in place of callbacks; --profile template."),
        click.Option(
            ["--pace"],
            type=rate_limit,
            metavar="N/s",
            help="Requests at the most: 10/s, 300/min. Clauses that send many at once are not run. A whole run is some "
            "700 requests: see --max-time.",
        ),
    ]


def observing() -> list[click.Parameter]:
    """Return the flags that say how a receiver's effects are seen."""
    return [
        click.Option(
            ["--observe-url", "url"],
            metavar="URL",
            help="Shows what the receiver did, as JSON; {token} in it is an alarm's object.",
        ),
        click.Option(["--observe-cmd", "command"], metavar="CMD", help="A command that prints it; {token} as above."),
        click.Option(
            ["--observe-call", "call"], metavar="MODULE:CALLABLE", help="A callable that returns it; gets the token."
        ),
        click.Option(
            ["--observe-all", "effects"], metavar="JSONPATH", help="All effects in it: rows, messages, incidents."
        ),
        click.Option(["--observe-open", "open"], metavar="JSONPATH", help="The incidents in it that are open."),
        click.Option(
            ["--downstream"],
            metavar="HOST:PORT",
            help="Listen as the ends that the receiver forwards to (/wecom, /dingtalk, /feishu, /slack, /pagerduty, "
            "/json), and see effects there.",
        ),
        click.Option(["--restart-cmd", "restart"], metavar="CMD", help="Restarts the receiver, for TCM518."),
        click.Option(
            ["--effect-timeout", "settle_s"],
            type=positive_duration,
            default="5s",
            show_default=True,
            metavar="TIME",
            help="How long an effect may take to appear.",
        ),
    ]


def insecure() -> click.Option:
    """Return the flag of verbs that open connections."""
    return click.Option(["--insecure"], is_flag=True, help="Do not verify the receiver's certificate.")


def header() -> click.Option:
    """Return the flag of verbs that write requests."""
    return click.Option(
        ["--header", "headers"], multiple=True, metavar="'NAME: VALUE'", help="Of requests; repeatable."
    )
