"""Options about the effects of a receiver: how a check observes them, and how it starts the receiver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcop_mock.cli.choices import STUB_SERVICES
from tcop_mock.cli.command import option
from tcop_mock.cli.options import EFFECTS, TARGET, listed, with_options
from tcop_mock.cli.value_types import positive_duration

if TYPE_CHECKING:
    from tcop_mock.cli.command import Decorator, Function


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserverOptions:
    """Options that select the observer of a receiver's effects."""

    url: str | None = None
    header: str | None = None
    """Sent to the URL; it may hold a secret."""
    command: str | None = None
    call: str | None = None
    log: str | None = None
    database: str | None = None
    effects_path: str | None = None
    open_path: str | None = None
    downstream: str | None = None
    restart_command: str | None = None
    effect_timeout_s: float = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """Options that start a receiver and select its calls to catch."""

    run: str | None = None
    catch: bool = True
    catch_hosts: tuple[str, ...] = ()


def run_options(function: Function) -> Function:
    """Add the options of a receiver that the check starts; pass ``running``."""
    return with_options(
        RunOptions,
        "running",
        [
            option(
                "--run",
                group=TARGET,
                metavar="CMD",
                help="Start the receiver with this command, and end it afterwards. It listens at {port} in CMD, or at "
                "PORT in its environment; TARGET may be a path.",
            ),
            option(
                "--catch/--no-catch",
                group=EFFECTS,
                default=True,
                help="With --run or MODULE:APP: answer the receiver's calls to chats and PagerDuty in their place, "
                "observe them, and refuse all others.  [default: catch]",
            ),
            option(
                "--catch-host",
                "catch_hosts",
                group=EFFECTS,
                multiple=True,
                metavar="HOST=KIND",
                help=f"Also catch calls to this host, as those to {listed(STUB_SERVICES)}; repeatable.",
            ),
        ],
    )(function)


def observer_options(function: Function) -> Function:
    """Add the options of observed effects; pass ``observer``."""
    return with_options(ObserverOptions, "observer", [*_observers(), _downstream(), *_actions()])(function)


def page_observer_options(function: Function) -> Function:
    """Add the same for a page, whose receiver has the downstream services; pass ``observer``."""
    return with_options(ObserverOptions, "observer", [*_observers(), *_actions()])(function)


def _observers() -> list[Decorator]:
    return [
        option(
            "--observe-url",
            "url",
            group=EFFECTS,
            metavar="URL",
            help="Returns the receiver's effects as JSON; {token} stands for the object of an alarm.",
        ),
        option(
            "--observe-header",
            "header",
            group=EFFECTS,
            metavar="'NAME: VALUE'",
            help="Request header for --observe-url. TCOP_MOCK_OBSERVE_HEADER keeps a token out of the process list.",
        ),
        option(
            "--observe-cmd",
            "command",
            group=EFFECTS,
            metavar="CMD",
            help="Command that prints the effects as JSON; {token} as above.",
        ),
        option(
            "--observe-call",
            "call",
            group=EFFECTS,
            metavar="MODULE:CALLABLE",
            help="Callable that takes the token and returns the effects.",
        ),
        option(
            "--observe-log",
            "log",
            group=EFFECTS,
            metavar="FILE|-",
            help="Log of the receiver, - for the output of --run: each line that names an alarm is an effect.",
        ),
        option(
            "--observe-sql",
            "database",
            group=EFFECTS,
            metavar="URL",
            help="Database of the receiver: each row that names an alarm is an effect. It is only read.",
        ),
        option(
            "--observe-all",
            "effects_path",
            group=EFFECTS,
            metavar="JSONPATH",
            help="All effects in that JSON: rows, messages, incidents. For a log a regular expression of its "
            "lines, for a database its tables.",
        ),
        option(
            "--observe-open",
            "open_path",
            group=EFFECTS,
            metavar="JSONPATH",
            help="Open incidents in that JSON. For a database 'TABLE: CONDITION'.  [default: detected]",
        ),
    ]


def _downstream() -> Decorator:
    return option(
        "--downstream",
        group=EFFECTS,
        metavar="HOST:PORT",
        help=f"Listen there in place of the services that the receiver forwards to "
        f"({listed(f'/{name}' for name in STUB_SERVICES)}), and observe their messages.",
    )


def _actions() -> list[Decorator]:
    return [
        option(
            "--restart-cmd",
            "restart_command",
            group=EFFECTS,
            metavar="CMD",
            help="Command that restarts the receiver, for TCM518.",
        ),
        option(
            "--effect-timeout",
            "effect_timeout_s",
            group=EFFECTS,
            type=positive_duration,
            default="5s",
            show_default=True,
            metavar="TIME",
            help="How long to wait for an effect.",
        ),
    ]
