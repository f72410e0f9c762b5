"""The outside of the command line: every verb with its arguments, flags and help, and nothing of the work.

A verb's module is imported when the verb is called, so that help costs no more than reading this file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from tcop_mock import __version__
from tcop_mock.cli.durations import duration, positive_duration
from tcop_mock.cli.flags import common, delivering, destination, drawing, header, insecure, listening, observing
from tcop_mock.errors import did_you_mean
from tcop_mock.model.clause import Level
from tcop_mock.model.form import Form
from tcop_mock.model.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Callable

_USAGE = 2


class Verbs(click.Group):
    """A group whose help keeps our order and whose errors name near misses."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or fail with near misses."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = did_you_mean(args[0], self.commands)
            hint = f"; did you mean {near}?" if near else ""
            ctx.fail(f"unknown command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 kept, 1 broken or not accepted, 2 usage, 3 target unusable, 4 our fault, 130 interrupted.",
)
@click.version_option(__version__, message="tcop-mock %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Realistic TCOP alarm callbacks, delivered as TCOP delivers them, and a contract test for their receivers."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(_USAGE)


def _calling(module: str, function: str) -> Callable[..., Any]:
    """Return a callback that imports a module of this package and hands it what was given."""

    def call(**given: Any) -> Any:  # noqa: ANN401 - click's values, a verb's exit code
        return getattr(importlib.import_module(f"tcop_mock.cli.{module}"), function)(**given)

    return call


cli.add_command(
    click.Command(
        "list",
        callback=_calling("catalogue", "list_shapes"),
        help="List the shapes whose id matches GLOB (all, where none is given), or the mutators.\n\n"
        "--lint tells all that is wrong with your own entries. Exit code 0: nothing, or warnings only, 1: errors.",
        short_help="List the shapes of the catalogue, or the mutators; check your own entries.",
        params=[
            click.Argument(["glob"], default="*"),
            click.Option(["--mutators"], is_flag=True, help="What emit --mutate can do to bodies, by which clause."),
            click.Option(["--lint", "only_lint"], is_flag=True, help="Check the entries of --catalog; list none."),
            *common(),
        ],
    )
)
cli.add_command(
    click.Command(
        "show",
        callback=_calling("catalogue", "show_shape"),
        help="Show the shape ID: its policy type, dimensions, metrics or events, and which of it no source prints.\n\n"
        "--schema prints a JSON Schema of its callbacks instead: what tcop-mock emits, exactly, or what a receiver has "
        "to accept, which is every form and generation of them.",
        short_help="Show one shape: dimensions, metrics or events, sources; or its JSON Schemas.",
        params=[
            click.Argument(["shape_id"], metavar="ID"),
            click.Option(["--schema"], type=click.Choice(["emit", "accept"]), help="Print a JSON Schema."),
            *common(),
        ],
    )
)
cli.add_command(
    click.Command(
        "emit",
        callback=_calling("emit", "emit"),
        help="Write callbacks of a shape to standard output: one body, or one a line.\n\n"
        "The same seed gives the same bytes, on every machine.",
        short_help="Write callbacks to standard output.",
        params=[
            click.Argument(["pattern"], metavar="ID|GLOB"),
            click.Option(
                ["-n", "count"], type=click.IntRange(min=1), default=1, show_default=True, help="Alarms of each shape."
            ),
            *drawing(),
            click.Option(
                ["--format", "output"],
                type=click.Choice(["json", "ndjson", "curl", "http", "vegeta", "k6", "pytest"]),
                help="Of standard output: bodies, or what posts them.  [default: json for one body, else ndjson]",
            ),
            click.Option(
                ["--to"],
                metavar="URL",
                help="The receiver in formats that post.  [default: a local one]",
            ),
            header(),
            click.Option(["--pretty"], is_flag=True, help="Indent; for one body."),
            *common(),
        ],
    )
)
cli.add_command(
    click.Command(
        "validate",
        callback=_calling("validate", "validate"),
        help="Say of the bodies in FILE (-: standard input) which kind and shape they are, what is wrong with them, "
        "and what deviates from the documentation.\n\n"
        "FILE holds JSON, a body a line, captured HTTP requests, or curl lines. A problem is what no callback has; "
        "unknown fields, metrics and products are deviations. Exit code 0: all could have come from TCOP, 1: not.",
        short_help="Say what a body is, what is wrong with it, what deviates.",
        params=[click.Argument(["source"], metavar="FILE|-"), *common()],
    )
)
cli.add_command(
    click.Command(
        "export",
        callback=_calling("export", "export"),
        help="Write the corpus below DIR, for test suites in any language: callbacks of each shape, state, form and "
        "language, changed ones that a receiver has to take or to refuse, JSON Schemas, and manifest.json.\n\n"
        "The same call writes the same bytes on every machine, and nothing that is there already. DIR is empty, new, "
        "or an earlier export, of which what does not belong any more is removed.",
        short_help="Write callbacks, changed ones, schemas and a manifest to files.",
        params=[
            click.Argument(["folder"], metavar="DIR"),
            click.Option(["--shapes"], default="*", show_default=True, metavar="GLOB", help="Only these shapes."),
            click.Option(
                ["--lang", "langs"],
                type=click.Choice([lang.value for lang in Lang]),
                multiple=True,
                help="Only this one.",
            ),
            click.Option(
                ["--form", "only"],
                type=click.Choice([form.value for form in Form]),
                multiple=True,
                help="Only this one.",
            ),
            *common(seed=1),
        ],
    )
)
cli.add_command(
    click.Command(
        "send",
        callback=_calling("send", "send"),
        help="Deliver a callback: of the shape ID, from a FILE, or from standard input (-).\n\n"
        "The body goes out as one POST; a failed one is pushed again as the profile says. Exit code 0: accepted, "
        "1: not.",
        short_help="Deliver a callback as TCOP does: deadline, retries, BasicAuth.",
        params=[
            click.Argument(["source"], metavar="ID|FILE|-"),
            *destination(),
            *delivering(),
            *drawing(),
            *common(),
        ],
    )
)
cli.add_command(
    click.Command(
        "replay",
        callback=_calling("replay", "replay"),
        help="Send again what a FILE holds (-: standard input), byte for byte: what listen --record wrote, a report of "
        "check, what emit printed, a HAR, captured HTTP requests, curl lines, bodies; or the case CODE[/NUMBER] of a "
        "clause, as check sends it by the same --seed.\n\n"
        "Where the file has times, --time-scale 1 keeps the gaps between requests. Exit code 0: all accepted, 1: not.",
        short_help="Send again what was recorded, captured or judged.",
        params=[
            click.Argument(["source"], metavar="FILE|-|CASE"),
            click.Option(["--now"], is_flag=True, help="Move all times of callbacks so that the first is told now."),
            click.Option(["--set", "sets"], multiple=True, metavar="PATH=JSON", help="Change a value; repeatable."),
            click.Option(["--unset"], multiple=True, metavar="PATH", help="Leave a value out; repeatable."),
            *destination(),
            *delivering(),
            *common(),
        ],
    )
)
cli.add_command(
    click.Command(
        "check",
        callback=_calling("check", "check"),
        help="Judge the receiver at TARGET, [http://][USER:PASSWORD@]HOST[:PORT][/PATH], by the contract; or an app in "
        "this process (ASGI, WSGI), module:app[/PATH].\n\n"
        "@FILE reads TARGET from a file; without one it comes from TCOP_MOCK_TARGET. Both keep passwords out of the "
        "process list. Exit code 0: kept, 1: broken, 3: target unusable, or what counts could not be judged.",
        short_help="Judge a receiver by the contract.",
        params=[
            click.Argument(["target"], required=False, metavar="[TARGET]"),
            click.Option(
                ["--clauses", "globs"],
                multiple=True,
                metavar="GLOB,...",
                help="Only these: TCM3*, recover-*; repeatable.",
            ),
            click.Option(["--skip"], multiple=True, metavar="GLOB,...", help="Not these; repeatable."),
            click.Option(
                ["--fail-on"],
                type=click.Choice([Level.MUST.value, Level.SHOULD.value]),
                default=Level.MUST.value,
                show_default=True,
                help="The least level whose broken clauses fail the run.",
            ),
            click.Option(
                ["--auth-from-url/--no-auth-from-url", "judge_auth"],
                default=True,
                show_default=True,
                help="Whether userinfo in TARGET says which credentials the receiver wants, so that it is judged on "
                "them.",
            ),
            click.Option(
                ["--report", "reports"], multiple=True, metavar="KIND=PATH", help="Also write json, junit or text."
            ),
            click.Option(
                ["--wait"],
                type=duration,
                default="0s",
                metavar="TIME",
                help="Time that a starting receiver is given.",
            ),
            click.Option(
                ["--max-time"],
                type=positive_duration,
                default="300s",
                show_default=True,
                metavar="TIME",
                help="Limit of the run.",
            ),
            *observing(),
            insecure(),
            click.Option(
                ["--list", "only_list"], is_flag=True, help="List the clauses that would be run, and run none."
            ),
            *common(),
        ],
    )
)
cli.add_command(
    click.Command(
        "listen",
        callback=_calling("listen", "listen"),
        help="Receive callbacks, and what receivers forward; tell each as it comes, and what validate says of it.\n\n"
        "The first line of output is the address. Under /wecom, /dingtalk, /feishu, /slack, /pagerduty and /json, "
        "whatever follows, it answers as these ends do; elsewhere as --as says. Ctrl-C ends it. Exit code 0: ended as "
        "asked for, 1: --max-time was over before --count requests had come.",
        short_help="Receive callbacks, tell and record them, misbehave on request.",
        params=[
            *listening(),
            *common(),
        ],
    )
)
cli.add_command(
    click.Command(
        "explain",
        callback=_calling("explain", "explain"),
        help="Explain the clause CODE (TCM302, or its slug): what it demands, by which source, and how to keep it.",
        short_help="Explain a clause: what it demands, by which source, and how to keep it.",
        params=[click.Argument(["code"]), *common()],
    )
)
cli.add_command(
    click.Command(
        "demo",
        callback=_calling("demo", "demo"),
        help="Send callbacks to a receiver with planted bugs, judge it, then judge the corrected one; all on "
        "loopback.\n\nExit code 0: the first was found broken and the second whole, as they are.",
        short_help="Judge a built-in receiver with planted bugs, then the corrected one.",
        params=common(),
    )
)
