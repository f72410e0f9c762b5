"""Verbs that make callbacks and tell of them."""

from __future__ import annotations

import click

from tcop_mock.cli.flags import common, drawing, header
from tcop_mock.cli.verbs import completing
from tcop_mock.cli.verbs.calling import calling
from tcop_mock.domain.alarm import Form
from tcop_mock.domain.shape import Lang

LIST = click.Command(
    "list",
    callback=calling("catalogue", "list_shapes"),
    help="List the shapes whose id matches GLOB (all, where none is given), or the mutators.\n\n"
    "--lint tells all that is wrong with your own entries. Exit code 0: nothing, or warnings only, 1: errors.",
    params=[
        click.Argument(["glob"], default="*", shell_complete=completing.shapes),
        click.Option(["--mutators"], is_flag=True, help="What emit --mutate can do to bodies, by which clause."),
        click.Option(["--lint", "only_lint"], is_flag=True, help="Check the entries of --catalog; list none."),
        *common(),
    ],
)

SHOW = click.Command(
    "show",
    callback=calling("catalogue", "show_shape"),
    help="Show the shape ID: its policy type, dimensions, metrics or events, and which of it no source prints.\n\n"
    "--schema prints a JSON Schema of its callbacks instead: what tcop-mock emits, exactly, or what a receiver has "
    "to accept, which is every form and generation of them.",
    params=[
        click.Argument(["shape_id"], metavar="ID", shell_complete=completing.shapes),
        click.Option(["--schema"], type=click.Choice(["emit", "accept"]), help="Print a JSON Schema."),
        *common(),
    ],
)

EMIT = click.Command(
    "emit",
    callback=calling("emit", "emit"),
    help="Write callbacks of a shape to standard output: one body, or one a line.\n\n"
    "The same seed gives the same bytes, on every machine.",
    params=[
        click.Argument(["pattern"], metavar="ID|GLOB", shell_complete=completing.shapes),
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

VALIDATE = click.Command(
    "validate",
    callback=calling("validate", "validate"),
    help="Say of the bodies in FILE (-: standard input) which kind and shape they are, what is wrong with them, "
    "and what deviates from the documentation.\n\n"
    "FILE holds JSON, a body a line, captured HTTP requests, or curl lines. A problem is what no callback has; "
    "unknown fields, metrics and products are deviations. Exit code 0: all could have come from TCOP, 1: not.",
    params=[click.Argument(["source"], metavar="FILE|-", shell_complete=completing.files), *common()],
)

EXPORT = click.Command(
    "export",
    callback=calling("export", "export"),
    help="Write the corpus below DIR, for test suites in any language: callbacks of each shape, state, form and "
    "language, changed ones that a receiver has to take or to refuse, JSON Schemas, and manifest.json.\n\n"
    "The same call writes the same bytes on every machine, and nothing that is there already. DIR is empty, new, "
    "or an earlier export, of which what does not belong any more is removed.",
    params=[
        click.Argument(["folder"], metavar="DIR", shell_complete=completing.folders),
        click.Option(
            ["--shapes"],
            default="*",
            show_default=True,
            metavar="GLOB",
            shell_complete=completing.shapes,
            help="Only these shapes.",
        ),
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
