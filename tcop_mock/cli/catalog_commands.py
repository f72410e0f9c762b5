"""Commands about the catalogue and callbacks: list, show, emit, validate, learn, diff, export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.choices import SCRIPT_FORMATS
from tcop_mock.cli.command import command, option
from tcop_mock.cli.options import GENERATE, OUTPUT, common_options, generation_options
from tcop_mock.cli.target_options import reach_options
from tcop_mock.cli.value_types import WholeNumber
from tcop_mock.domain.callback import Form
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions, GenerationOptions, ReachOptions

SCRIPT = "Script"


@command(
    "list",
    examples="""
tcop-mock list
tcop-mock list 'cvm/*' --json
tcop-mock list --lint --catalog alarms   # your own entries
""",
)
@click.argument("glob", default="*", shell_complete=completers.shapes)
@option("--mutators", group=OUTPUT, is_flag=True, help="List the mutators of `emit --mutate` and their clauses.")
@option("--lint", "only_lint", group=OUTPUT, is_flag=True, help="Lint the entries of --catalog instead.")
@common_options(catalog=True)
def list_command(glob: str, *, mutators: bool, only_lint: bool, common: CommonOptions) -> int:
    """List the shapes of the catalogue, or its mutators; check your own entries.

    GLOB selects by id; the default is all. Exit code with --lint: 0 no errors (warnings are fine), 1 errors.
    """
    if mutators and only_lint:
        raise UsageError("--mutators and --lint exclude each other: one lists mutators, the other checks entries")
    if mutators:
        from tcop_mock.cli.export import list_mutators

        list_mutators(glob, common)
        return 0
    from tcop_mock.cli.catalog import lint_entries, list_shapes

    if only_lint:
        return lint_entries(glob, common)
    list_shapes(glob, common)
    return 0


@command(
    "show",
    examples="""
tcop-mock show cvm/basic-monitoring
tcop-mock show cvm/basic-monitoring --schema accept
""",
)
@click.argument("shape_id", metavar="ID", shell_complete=completers.shapes)
@option("--schema", group=OUTPUT, type=click.Choice(["emit", "accept"]), help="Print a JSON Schema instead.")
@common_options(seed=True, profile=True, catalog=True)
def show_command(shape_id: str, *, schema: str | None, common: CommonOptions) -> None:
    """Show one shape: dimensions, metrics or events, sources; or a JSON Schema.

    The output marks values without a source. --schema emit describes exactly what tcop-mock emits. --schema accept
    describes what a receiver must accept: every form and generation of the shape.
    """
    from tcop_mock.cli.catalog import show_shape

    show_shape(shape_id, schema, common)


@command(
    "emit",
    examples="""
tcop-mock emit cvm/basic-monitoring --pretty
tcop-mock emit 'cdb/*' -n 100 --seed 7 > callbacks.ndjson
tcop-mock emit cdn/domain --lifecycle fire,repeat:3,resolve
tcop-mock emit cvm/events --set alarmStatus=2 --format curl
""",
)
@click.argument("pattern", metavar="ID|GLOB", shell_complete=completers.shapes)
@option(
    "-n",
    "count",
    group=GENERATE,
    type=WholeNumber(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Number of alarms per shape.",
)
@generation_options
@option(
    "--format",
    "output_format",
    group=OUTPUT,
    type=click.Choice(["json", "ndjson", *SCRIPT_FORMATS]),
    help="Print bodies, or a script that posts them.  [default: json for one body, else ndjson]",
)
@option("--pretty", group=OUTPUT, is_flag=True, help="Indent one body.")
@option("--to", group=SCRIPT, metavar="URL", help="Receiver in a script.  [default: http://127.0.0.1:8080/]")
@reach_options(SCRIPT)
@common_options(seed=True, profile=True, catalog=True)
def emit_command(
    pattern: str,
    *,
    count: int,
    generation: GenerationOptions,
    output_format: str | None,
    pretty: bool,
    to: str | None,
    reach: ReachOptions,
    common: CommonOptions,
) -> None:
    """Print callbacks.

    Prints one body, or one per line. The same seed gives the same bytes on every machine. A script names the files of
    --cacert, --cert and --key, and reads them when it runs; curl and hurl take these, --insecure and --resolve.
    """
    from tcop_mock.cli.emit import emit

    emit(
        pattern,
        count=count,
        generation=generation,
        output_format=output_format,
        pretty=pretty,
        to=to,
        reach=reach,
        common=common,
    )


@command(
    "validate",
    examples="""
tcop-mock validate callbacks.ndjson
tcop-mock validate tests/fixtures/*.json
tcop-mock emit cvm/events | tcop-mock validate -
""",
)
@click.argument("sources", metavar="FILE|-...", nargs=-1, required=True, shell_complete=completers.files)
@common_options(finds_profile=True, catalog=True)
def validate_command(sources: tuple[str, ...], *, common: CommonOptions) -> int:
    """Check bodies: print their shapes, problems and deviations.

    Each FILE (-: standard input) holds JSON, one body per line, recordings, HAR files, captured HTTP requests, or curl
    commands. Several files are one report, whose places begin with the file. A problem never occurs in a real callback.
    Unknown fields, metrics and products are deviations from the documentation of the profile that fits the body best.
    Bodies of templates are recognised by TCOP's variables. Exit code: 0 all bodies could have come from TCOP, 1 one
    could not.
    """
    from tcop_mock.cli.bodies import validate

    return validate(sources, common)


@command(
    "learn",
    examples="""
tcop-mock learn received.jsonl --to own
tcop-mock learn received.jsonl      # drift from the catalogue
""",
)
@click.argument("sources", metavar="FILE|-...", nargs=-1, required=True, shell_complete=completers.files)
@option(
    "--to",
    "folder",
    group=OUTPUT,
    metavar="DIR",
    shell_complete=completers.folders,
    help="Write a draft for each shape that DIR has no entry of, and compare the others with their entry.",
)
@common_options(catalog=True)
def learn_command(sources: tuple[str, ...], *, folder: str | None, common: CommonOptions) -> int:
    """Draft entries from captured callbacks, or report drift from existing ones.

    FILE is any file that validate reads: a recording of listen, a HAR, curl commands, JSON. Ids, addresses, names and
    accounts of the captures become generators and are not written. Problems that list --lint would find are printed.
    Without --to, callbacks are compared with the catalogue, and drafts are printed. Exit code: 0 no drift, 1 an entry
    lacks a key, a metric or an event, or has another JSON type.
    """
    from tcop_mock.cli.learn import learn

    return learn(sources, folder, common)


@command(
    "diff",
    examples="""
tcop-mock diff captured.json emitted.json
tcop-mock diff alarm-and-resolve.ndjson
""",
)
@click.argument("sources", metavar="FILE|-...", nargs=-1, required=True, shell_complete=completers.files)
@common_options()
def diff_command(sources: tuple[str, ...], *, common: CommonOptions) -> int:
    """Compare bodies: what a repeat or a resolve changes, or your capture and ours.

    Each body is compared with the one before it, by the paths of its values: neither the order of keys nor white space
    counts. Each FILE (-: standard input) holds one body or several, in any format that validate reads. Exit code: 0 all
    bodies are equal, 1 two differ.
    """
    from tcop_mock.cli.bodies import diff

    return diff(sources, common)


@command(
    "export",
    examples="""
tcop-mock export callbacks
tcop-mock export callbacks --shapes 'cvm/*' --lang en
tcop-mock export --pact alarms.json --pact-path /alarm
""",
)
@click.argument("folder", metavar="[DIR]", required=False, shell_complete=completers.folders)
@option(
    "--pact",
    group=OUTPUT,
    metavar="FILE",
    shell_complete=completers.files,
    help="Write a pact (Pact V4), in place of DIR: an interaction for each callback that TCM101 posts.",
)
@option("--pact-path", group=OUTPUT, metavar="PATH", help="Path of the receiver in the pact.  [default: /]")
@option(
    "--shapes",
    group=GENERATE,
    multiple=True,
    metavar="GLOB,...",
    shell_complete=completers.shapes,
    help="Only these shapes; repeatable.  [default: all]",
)
@option(
    "--lang",
    "langs",
    group=GENERATE,
    type=click.Choice([lang.value for lang in Lang]),
    multiple=True,
    help="Only this language; repeatable.",
)
@option(
    "--form",
    "forms",
    group=GENERATE,
    type=click.Choice([form.value for form in Form]),
    multiple=True,
    help="Only this body form; repeatable.",
)
@common_options(seed=1, profile=True, catalog=True)
def export_command(
    folder: str | None,
    *,
    pact: str | None,
    pact_path: str | None,
    shapes: tuple[str, ...],
    langs: tuple[str, ...],
    forms: tuple[str, ...],
    common: CommonOptions,
) -> None:
    """Write callbacks, mutated callbacks, schemas and a manifest to files.

    The files below DIR are for test suites in any language: callbacks of each shape, state, form and language, mutated
    callbacks that a receiver must accept or reject, JSON Schemas, and manifest.json. The output is deterministic, and
    existing files are never overwritten. DIR must be new, empty, or an earlier export, whose outdated files it removes.
    --pact writes one file for the Pact verifier of the receiver's language; each 2xx keeps it.
    """
    from tcop_mock.cli.export import export, export_pact

    if pact is not None:
        export_pact(pact, pact_path, shapes=shapes, has_others=bool(folder or langs or forms), common=common)
        return
    if folder is None:
        raise UsageError("export: write DIR, or --pact FILE")
    if pact_path is not None:
        raise UsageError("--pact-path: write --pact FILE, too")
    export(folder, shapes=shapes, langs=langs, forms=forms, common=common)
