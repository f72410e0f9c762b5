"""Implementation of console: serve the page and the receiver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import sys
import time
import webbrowser
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.cli.arguments import parse_header, target_text
from tcop_mock.cli.connections import connection_flags, read_connection
from tcop_mock.cli.effect_options import ObserverOptions
from tcop_mock.cli.emit import CallbackSource, parse_edit
from tcop_mock.cli.listen import fault_plan, open_listener
from tcop_mock.cli.load_plan import build_storm_plan, preflight, prepare_script
from tcop_mock.cli.observation import build_observation, reproduction_flags
from tcop_mock.cli.options import DEFAULT_REACH, GenerationOptions, LoadOptions, ReachOptions
from tcop_mock.cli.value_types import notify
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.load_summary import LoadResult
from tcop_mock.domain.shape import AlarmKind, Lang
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.inputs.requests import apply_edits
from tcop_mock.load.ledger import Ledger
from tcop_mock.load.run import LoadRun
from tcop_mock.load.scenario import ScenarioSchedule, load_scenario
from tcop_mock.load.schedule import weighted_shapes
from tcop_mock.load.slo import evaluate
from tcop_mock.reports.json import VERSION

if TYPE_CHECKING:
    import socket

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.cli.receive_options import ReceiveOptions
    from tcop_mock.console.app import ConsoleApp
    from tcop_mock.console.delivery import TargetSetting
    from tcop_mock.console.ports import ComposedCallback, Composition, PreparedStorm, StormOptions
    from tcop_mock.domain.shape import Shape

MAX_STORM_RATE, MAX_STORM_COUNT, MAX_STORM_IN_FLIGHT = "3000/s", 50_000, 500
"""Ceilings of a storm that a page starts."""
_EXTRA = ("jinja2", "starlette", "uvicorn")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleOptions:
    """Target and addresses of the page."""

    target: str | None
    allow_host: tuple[str, ...]
    reach: ReachOptions
    port: int
    opens: bool
    listen_host: str
    listen_port: int
    observer: ObserverOptions = field(default_factory=ObserverOptions)
    count: int | None = None
    """Number of requests after which to stop."""
    max_time_s: float | None = None
    prints: bool = False
    """Whether each received request is printed."""


def listen_with_page(  # noqa: PLR0913 - one parameter an option
    *,
    host: str,
    port: int,
    receiving: ReceiveOptions,
    count: int | None,
    max_time_s: float | None,
    reach: ReachOptions,
    common: CommonOptions,
) -> int:
    """Receive requests as ``listen`` does, and show them on a page; return the exit code.

    Raises:
        UsageError: the extra is not installed, or an option is invalid.
    """
    options = ConsoleOptions(
        target=None,
        allow_host=(),
        reach=reach,
        port=0,
        opens=False,
        listen_host=host,
        listen_port=port,
        count=count,
        max_time_s=max_time_s,
        prints=True,
    )
    return console(options, receiving, common)


def console(options: ConsoleOptions, receiving: ReceiveOptions, common: CommonOptions) -> int:
    """Serve the page until a signal; return the exit code.

    Raises:
        UsageError: the extra is not installed, or an option is invalid.
    """
    require_extra()
    from tcop_mock.console.server import bind  # noqa: PLC0415 - an extra

    text = target_text(options.target)
    target = Target.parse(text) if text else None
    if target is not None and target.app:
        raise UsageError(f"{target} is an app in this process; start it, and give its URL")
    with contextlib.closing(bind(options.port)) as listening:
        return asyncio.run(_serve(options, receiving, common, target, listening))


def require_extra() -> None:
    """Require the packages of the extra ``console``.

    Raises:
        UsageError: one is not installed; the message has the command that installs it.
    """
    if not all(map(find_spec, _EXTRA)):
        raise UsageError('console needs the extra "console": pip install "tcop-mock[console]"')


async def _serve(
    options: ConsoleOptions,
    receiving: ReceiveOptions,
    common: CommonOptions,
    target: Target | None,
    listening: socket.socket,
) -> int:
    from tcop_mock.console.server import serving  # noqa: PLC0415 - an extra

    setting = target_setting(target, options.reach, options.allow_host)
    app = build_app(listening, setting, common, options.reach, options.observer)
    plan = fault_plan(receiving, common)
    with open_listener(
        receiving,
        common,
        count=options.count,
        observer=app.conversation,
        prints=options.prints,
        reply_to=app.check.forwarded.reply_to,
        reach=options.reach,
    ) as listener:
        listener.stop_on_signals()
        async with listener.server(options.listen_host, options.listen_port, plan) as sink:
            app.receiver_url = app.check.receiver_url = sink.url
            async with serving(app.asgi(), listening):
                _print_addresses(app.session.address, sink.url, options, common)
                if options.opens:
                    webbrowser.open(app.session.address)
                await listener.wait(options.max_time_s)
                await app.close()
    return listener.exit_code()


def target_setting(target: Target | None, reach: ReachOptions, allowed_hosts: tuple[str, ...] = ()) -> TargetSetting:
    """Return the target of a page, and how to connect to it.

    Raises:
        UsageError: a file cannot be used, or an address or a header is invalid.
    """
    from tcop_mock.console.delivery import TargetSetting  # noqa: PLC0415 - an extra

    return TargetSetting(
        target,
        frozenset(allowed_hosts),
        reach.insecure,
        read_connection(reach),
        tuple(parse_header("--header", text) for text in reach.headers),
        tuple(connection_flags(reach)),
    )


def build_app(
    listening: socket.socket,
    setting: TargetSetting,
    common: CommonOptions,
    reach: ReachOptions,
    observer: ObserverOptions | None = None,
) -> ConsoleApp:
    """Return the page for a socket, without a receiver.

    Raises:
        UsageError: options of the observer contradict each other, or a value is invalid.
    """
    from tcop_mock.console.access import Session  # noqa: PLC0415 - an extra
    from tcop_mock.console.app import ConsoleApp  # noqa: PLC0415 - an extra
    from tcop_mock.console.contract_check import ContractCheck, Observation  # noqa: PLC0415 - an extra
    from tcop_mock.console.conversation import Conversation  # noqa: PLC0415 - an extra
    from tcop_mock.console.delivery import CallbackSender  # noqa: PLC0415 - an extra
    from tcop_mock.console.storm import Storm  # noqa: PLC0415 - an extra

    commands, conversation = ConsoleCommands(common, reach), Conversation(time.time)
    options = observer or ObserverOptions()
    build_observation(options)  # a wrong value is an error now, not when a check begins
    observation = Observation(lambda: build_observation(options), tuple(reproduction_flags(options)))
    return ConsoleApp(
        session=Session(listening.getsockname()[1]),
        conversation=conversation,
        sender=CallbackSender(setting, conversation, CallbackValidator(commands.catalog)),
        check=ContractCheck(
            setting, conversation, commands.catalog, observation, catalog_folders=common.catalog_folders
        ),
        storm=Storm(setting, conversation, commands),
        commands=commands,
        profile=common.profile.name,
        seed=common.seed,
    )


def _print_addresses(page: str, receiver: str, options: ConsoleOptions, common: CommonOptions) -> None:
    common.info(f"seed {common.seed}")
    if common.as_json:
        click.echo(json.dumps({"version": VERSION, "page": page, "url": receiver}))
    elif options.prints:  # the output of listen comes first
        click.echo(f"{receiver}\n{page}")
    else:
        click.echo(f"page      {page}")
        click.echo(f"receiver  {receiver}")
    sys.stdout.flush()


@dataclass(frozen=True)
class ConsoleCommands:
    """The work of emit, replay and load for the page."""

    common: CommonOptions
    reach: ReachOptions = DEFAULT_REACH
    """Options of the connections."""

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue with the user's own entries."""
        return self.common.catalog()

    def compose(self, composition: Composition) -> ComposedCallback:
        """Generate a callback, as ``emit`` does.

        Raises:
            UsageError: there is no such shape, state, form, metric, event, profile or mutator.
        """
        from tcop_mock.console.ports import ComposedCallback  # noqa: PLC0415 - an extra

        shape = self.catalog.get(composition.shape)
        options, flags = _generation(composition, shape)
        source = CallbackSource.build(options, self._common(composition.seed, composition.profile))
        [callbacks] = source.lifecycles([shape])
        command = ["tcop-mock", "emit", shape.id, "--seed", str(composition.seed), *flags]
        for folder in self.common.catalog_folders:
            command += ["--catalog", folder]
        last = " | tail -n 1" if len(callbacks) > 1 else ""
        return ComposedCallback(callbacks[-1].callback.body, shlex.join(command) + last)

    def edit(self, body: bytes, sets: tuple[str, ...], removals: tuple[str, ...]) -> bytes:
        """Change values of a body by path, as ``--set`` and ``--unset`` do.

        Raises:
            UsageError: the body is not a JSON object, or has no such path.
        """
        return apply_edits(body, list(map(parse_edit, sets)), removals, "the body")

    def prepare_storm(self, target: Target, options: StormOptions) -> PreparedStorm:
        """Prepare a scenario as ``load`` does, and send one callback first.

        Raises:
            UsageError: the scenario does not exist, or a ceiling is exceeded.
            TargetError: the target cannot be used.
        """
        from tcop_mock.console.ports import PreparedStorm  # noqa: PLC0415 - an extra

        common = self._common(options.seed, options.profile)
        generator = Generator(options.seed, wire_format=common.profile.wire_format)
        storm = ScenarioSchedule(load_scenario(options.scenario), self.catalog, generator)
        plan = build_storm_plan(storm, options.time_scale, _storm_options(options, target, self.reach), target, common)
        shape, _ = weighted_shapes(self.catalog, plan.mix)[0]
        ledger = Ledger(None)
        run = LoadRun(
            plan,
            self.catalog,
            generator,
            schedule=prepare_script(storm, options.time_scale, plan.count),
            on_delivery=ledger,
        )
        ledger(preflight(plan, BodyRenderer(generator, shape).body(0)))
        started = datetime.now(UTC)

        def result() -> LoadResult:
            summary = run.summary()
            return LoadResult(summary, evaluate((), summary), ledger.attempts, started)

        return PreparedStorm(run, result)

    def _common(self, seed: int, profile: str) -> CommonOptions:
        return replace(self.common, fixed_seed=seed, profile_name=profile)


def _generation(composition: Composition, shape: Shape) -> tuple[GenerationOptions, list[str]]:
    """Return the options of a callback, and the same as flags of ``emit``."""
    states = [state.value for state in State]
    if composition.state not in states:
        raise UsageError(f"unknown state {composition.state!r}; write {', '.join(states)}")
    given: dict[str, Any] = {
        "metric": composition.metric or None,
        "event": composition.event or None,
        "lang": _member(Lang, composition.lang, "language"),
        "form": _member(Form, composition.form, "form"),
        "mutate": composition.mutate or None,
    }
    if composition.state == State.RESOLVED and composition.repeats:
        given["lifecycle"] = f"fire,repeat:{composition.repeats},resolve"
    elif composition.state == State.REPEATED and composition.repeats > 1:
        given["lifecycle"] = f"repeat:{composition.repeats}"
    elif not composition.mutate or composition.state != State.FIRING:
        given["state"] = composition.state
    flags = [part for name, value in given.items() if value for part in (f"--{name}", value)]
    flags += ["--profile", composition.profile]
    if shape.kind is AlarmKind.METRIC and composition.notify:
        try:
            given["notify"] = notify(composition.notify)
        except click.ClickException as problem:
            raise UsageError(problem.message) from None
        flags += ["--notify", composition.notify]
    return GenerationOptions(**given), flags


def _member(enum: type[Form | Lang], value: str, name: str) -> str:
    values = [one.value for one in enum]
    if value not in values:
        raise UsageError(f"unknown {name} {value!r}; write {', '.join(values)}")
    return value


def _storm_options(options: StormOptions, target: Target, reach: ReachOptions) -> LoadOptions:
    return LoadOptions(
        rate=None,
        arrivals="constant",
        ramp=None,
        stages=None,
        concurrency=None,
        duration=options.duration_s,
        count=None,
        warm_up=0.0,
        max_inflight=MAX_STORM_IN_FLIGHT,
        mixes=(),
        reach=reach,
        timeout=None,
        allow_host=(target.host,),
        max_rate=MAX_STORM_RATE,
        max_count=MAX_STORM_COUNT,
        workers=1,
    )
