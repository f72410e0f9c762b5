"""Commands that deliver or receive callbacks: send, replay, listen, reconcile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.command import command, option
from tcop_mock.cli.options import (
    DEFAULT_REACH,
    EDIT,
    OUTPUT,
    RUN,
    TARGET,
    ReachOptions,
    common_options,
    edit_options,
    generation_options,
)
from tcop_mock.cli.receive_options import LISTEN, receive_options
from tcop_mock.cli.target_options import delivery_options, reach_options
from tcop_mock.cli.value_types import WholeNumber, positive_duration
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions, GenerationOptions
    from tcop_mock.cli.receive_options import ReceiveOptions
    from tcop_mock.cli.target_options import DeliveryOptions

_set, _unset = edit_options(EDIT)


@command(
    "send",
    examples="""
tcop-mock send cvm/basic-monitoring --to http://localhost:8080/
tcop-mock send cvm/events --to @url.txt --lifecycle fire,resolve
tcop-mock send body.json --to @url.txt --attempts 1 --timeout 2s
tcop-mock send cdn/domain --to @robot.txt --target wecom
""",
)
@click.argument("source", metavar="ID|FILE|-", shell_complete=completers.shapes_or_files)
@delivery_options
@generation_options
@common_options(seed=True, profile=True, catalog=True)
def send_command(
    source: str, *, delivery: DeliveryOptions, generation: GenerationOptions, common: CommonOptions
) -> int:
    """Deliver a callback as TCOP does: deadline, retries, BasicAuth.

    The body comes from the shape ID, from FILE, or from standard input (-). A failed POST is retried as the profile
    says. Exit code: 0 accepted, 1 not accepted.
    """
    from tcop_mock.cli.send import send

    return send(source, delivery, generation, common)


@command(
    "replay",
    examples="""
tcop-mock replay received.jsonl --to @url.txt --time-scale 1
tcop-mock replay TCM302/1 --to http://localhost:8080/ --seed 7
tcop-mock replay report.json --to http://localhost:8080/ --now
""",
)
@click.argument("source", metavar="FILE|-|CASE", shell_complete=completers.clauses_or_files)
@option("--now", group=EDIT, is_flag=True, help="Shift all times so that the first callback happens now.")
@_set
@_unset
@delivery_options
@common_options(seed=True, profile=True, catalog=True)
def replay_command(
    source: str,
    *,
    now: bool,
    sets: tuple[str, ...],
    unset: tuple[str, ...],
    delivery: DeliveryOptions,
    common: CommonOptions,
) -> int:
    """Send recorded or captured requests again, or the requests of a clause.

    FILE (-: standard input) holds a recording of `listen --record`, a report of check, output of emit, a HAR, captured
    HTTP requests, curl commands, or bodies. They are sent byte for byte. With times in the file, --time-scale 1 keeps
    the gaps between requests. CASE is CODE[/NUMBER], a request of a clause as check sends it with the same --seed.
    Exit code: 0 all accepted, 1 not.
    """
    from tcop_mock.cli.replay import replay

    return replay(source, now=now, sets=sets, unset=unset, delivery=delivery, common=common)


@command(
    "listen",
    examples="""
tcop-mock listen --port 8080
tcop-mock listen --record received.jsonl --count 3 --max-time 30s
tcop-mock listen --fault status:503:2 --fault delay:6s:0.1
""",
)
@option("--host", group=LISTEN, default="127.0.0.1", show_default=True, metavar="HOST", help="Address to listen on.")
@option(
    "--port",
    group=LISTEN,
    type=WholeNumber(0, 65535),
    default=0,
    metavar="N",
    help="Port to listen on; 0 takes a free one.  [default: 0]",
)
@receive_options
@reach_options(TARGET)
@option("--console", "has_page", group=OUTPUT, is_flag=True, help="Show the requests on a local page, too.")
@option("--count", group=RUN, type=WholeNumber(min=1), metavar="N", help="Stop after N requests.")
@option("--max-time", group=RUN, type=positive_duration, metavar="TIME", help="Stop after that time.")
@common_options(seed=True, finds_profile=True, catalog=True)
def listen_command(
    *,
    host: str,
    port: int,
    receiving: ReceiveOptions,
    reach: ReachOptions,
    has_page: bool,
    count: int | None,
    max_time: float | None,
    common: CommonOptions,
) -> int:
    """Receive and validate callbacks; record them, and fail on demand.

    Prints the address first, and then each request as it arrives; of more than 500 at once it shows and validates 20 a
    second, and records and counts all. Paths below the name of a service, such as /wecom, answer as that service does;
    other paths as --service says. --console also prints the address of a page, in the second line (with --json, in the
    first). Ctrl-C stops it. Exit code: 0 it ended as asked, 1
    --max-time passed before --count requests arrived.
    """
    if reach != DEFAULT_REACH and not (receiving.forward or has_page):
        raise UsageError("options of connections: add --forward URL, whose receiver they are for")
    if has_page:
        from tcop_mock.cli.console import listen_with_page as listen
    else:
        from tcop_mock.cli.listen import listen

    return listen(
        host=host, port=port, receiving=receiving, count=count, max_time_s=max_time, reach=reach, common=common
    )


@command(
    "reconcile",
    examples="""
tcop-mock load http://localhost:8080/ --ledger ledger.jsonl
tcop-mock reconcile ledger.jsonl received.jsonl
""",
)
@click.argument("ledger", metavar="LEDGER")
@click.argument("received", metavar="RECEIVED")
@option(
    "--limit",
    group=OUTPUT,
    type=WholeNumber(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Maximum number of objects to list per kind of difference.",
)
@common_options()
def reconcile_command(ledger: str, received: str, *, limit: int, common: CommonOptions) -> int:
    """Compare the ledger of a load with the receiver's records.

    Lists acknowledged notifications that are lost, and duplicated, unordered and unknown ones, by object. LEDGER comes
    from `load --ledger`. RECEIVED holds one JSON object per line: a body, an object with its ids (sessionId or session;
    objId, unInstanceId or object, and state), or a recording of listen. -: standard input. Exit code: 0 they agree, 1
    they differ.
    """
    from tcop_mock.cli.reconcile import reconcile

    return reconcile(ledger, received, limit, common)
