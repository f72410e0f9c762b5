"""Options of the target and of delivery to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.command import option
from tcop_mock.cli.options import DELIVER, TARGET, ReachOptions, with_options
from tcop_mock.cli.value_types import (
    Number,
    RateLimit,
    WholeNumber,
    durations,
    positive_duration,
    rate_limit_or_none,
    retry_on,
)
from tcop_mock.domain.profile import Accept, RetryAfter

if TYPE_CHECKING:
    from tcop_mock.cli.command import Decorator, Function

FROM_PROFILE = "  [default: from the profile]"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryOptions:
    """Options of a delivery: target, connection and rules."""

    to: str | None
    service: str
    """``webhook``, ``pagerduty`` or ``wecom``."""
    integration_key: str | None
    reach: ReachOptions
    dry_run: bool
    attempts: int | None
    timeout: float | None
    retry_on: tuple[str, ...] | None
    pause: tuple[float, ...] | None
    retry_after: str | None
    accept: str | None
    verify: bool
    pace: RateLimit | None
    time_scale: float | None


def timeout_option(group: str, text: str) -> Decorator:
    """Return the option of a deadline."""
    return option("--timeout", group=group, type=positive_duration, metavar="TIME", help=text)


def reach_options(group: str) -> Decorator:
    """Add request headers and the options of connections, which are named as those of curl; pass ``reach``."""

    def file_option(name: str, text: str) -> Decorator:
        return option(name, group=group, metavar="FILE", shell_complete=completers.files, help=text)

    return with_options(
        ReachOptions,
        "reach",
        [
            option(
                "--header",
                "headers",
                group=group,
                multiple=True,
                metavar="'NAME: VALUE'",
                help="Request header; repeatable.",
            ),
            option("--insecure", group=group, is_flag=True, help="Do not verify the receiver's certificate."),
            file_option("--cacert", "PEM file of the authorities to trust, in place of the system's."),
            file_option("--cert", "PEM file of a client certificate, with its key or without; see --key."),
            file_option("--key", "PEM file of the key of --cert."),
            option(
                "--resolve",
                group=group,
                multiple=True,
                metavar="HOST:PORT:ADDRESS",
                help="Connect to this address for that host and port; repeatable.",
            ),
        ],
    )


def delivery_options(function: Function) -> Function:
    """Add the options of target and delivery; pass ``delivery``."""
    return with_options(DeliveryOptions, "delivery", [*_target_options(), *_profile_rules(), *_speed_options()])(
        function
    )


def _target_options() -> list[Decorator]:
    return [
        option(
            "--to",
            group=TARGET,
            metavar="URL",
            help="Receiver; @FILE reads it from a file.  [default: $TCOP_MOCK_TARGET]",
        ),
        option(
            "--target",
            "service",
            group=TARGET,
            type=click.Choice(["webhook", "pagerduty", "wecom"]),
            default="webhook",
            show_default=True,
            help="Service at --to. PagerDuty (Events API v2) and WeCom robots get messages in their own formats.",
        ),
        option(
            "--integration-key",
            group=TARGET,
            metavar="KEY|@FILE",
            help="PagerDuty integration key.  [default: $TCOP_MOCK_INTEGRATION_KEY]",
        ),
        reach_options(TARGET),
        option("--dry-run", group=TARGET, is_flag=True, help="Print what would be sent, and send nothing."),
    ]


def _profile_rules() -> list[Decorator]:
    """Return the options that replace delivery rules of the profile."""
    return [
        option(
            "--attempts",
            group=DELIVER,
            type=WholeNumber(min=1),
            metavar="N",
            help=f"Maximum number of POSTs per callback.{FROM_PROFILE}",
        ),
        timeout_option(DELIVER, f"Total deadline of one POST.{FROM_PROFILE}"),
        option(
            "--retry-on",
            group=DELIVER,
            type=retry_on,
            metavar="OUTCOME,...",
            help=f"Outcomes to retry: timed_out, 5xx, ... or none.{FROM_PROFILE}",
        ),
        option(
            "--pause",
            group=DELIVER,
            type=durations,
            metavar="TIME,...",
            help=f"Delays before retries; the last value repeats.{FROM_PROFILE}",
        ),
        option(
            "--retry-after",
            group=DELIVER,
            type=click.Choice([value.value for value in RetryAfter]),
            help=f"Whether a Retry-After header can lengthen a delay.{FROM_PROFILE}",
        ),
        option(
            "--accept",
            group=DELIVER,
            type=click.Choice([value.value for value in Accept]),
            help=f"Responses that accept a callback.{FROM_PROFILE}",
        ),
        option(
            "--verify/--no-verify",
            group=DELIVER,
            default=True,
            help="Verify the URL first, if the profile does that.  [default: verify]",
        ),
    ]


def _speed_options() -> list[Decorator]:
    return [
        option(
            "--pace",
            group=DELIVER,
            type=rate_limit_or_none,
            metavar="N/min",
            help="Maximum rate: 20/min, 5/s, or none.  [default: 20/min for wecom, else none]",
        ),
        option(
            "--time-scale",
            group=DELIVER,
            type=Number(min=0, max=1e6),
            metavar="FACTOR",
            help="Multiply all simulated waits by this factor.  [default: 1 between attempts, 0 between callbacks]",
        ),
    ]
