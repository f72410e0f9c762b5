"""``tcop-mock doctor``: what is in the way between here and a receiver."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tcop_mock.callbacks.generator import Generator
from tcop_mock.cli.options import target_of, with_common
from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.doctor.run import DoctorRun, exit_code, harmless_callback, utc_now
from tcop_mock.errors import UsageError
from tcop_mock.reports.doctor import diagnosis_document, diagnosis_lines
from tcop_mock.reports.json import write_json

if TYPE_CHECKING:
    from tcop_mock.cli.options import Common


@with_common
def doctor(target: str | None, *, timeout: float | None, insecure: bool, common: Common) -> int:
    """Look at the way from here to the receiver at URL, and bring one harmless callback."""
    aim = target_of(target, flag="URL")
    if aim.app:
        raise UsageError(f"{aim} is an app in this process, and there is no way to it; tcop-mock check judges it")
    rules = common.profile.delivery
    visit = DoctorRun(
        aim,
        rules if timeout is None else replace(rules, timeout_s=timeout),
        harmless_callback(
            Generator(common.seed, wire_format=common.profile.wire_format), common.catalog().get(PLAIN_SHAPE)
        ),
        os.environ,
        time.perf_counter,
        utc_now,
        socket.getaddrinfo,
        insecure=insecure,
    )
    found = asyncio.run(visit.run())
    if common.as_json:
        profile, seed = common.profile.name, common.seed
        write_json(diagnosis_document(found, target=str(aim), profile=profile, seed=seed), sys.stdout)
        return exit_code(found)
    for line in diagnosis_lines(found, quiet=common.quiet):
        click.echo(line)
    return exit_code(found)
