"""Verbs that set up: what is configured and where that came from."""

from __future__ import annotations

import click

from tcop_mock.cli.flags import common
from tcop_mock.cli.verbs.calling import calling

CONFIG = click.Command(
    "config",
    callback=calling("config", "config"),
    help="Show every setting, of all verbs or of VERB, and where its value came from.\n\n"
    "A flag is a setting: --fail-on of check is fail-on in the table [check] of tcop-mock.toml, or of "
    "[tool.tcop-mock.check] in pyproject.toml, and the variable TCOP_MOCK_FAIL_ON. What all verbs have, target, and "
    "clauses stand above the tables. A flag beats a variable, and that the file. Passwords and keys are not shown.",
    short_help="Show every setting and where its value came from.",
    params=[click.Argument(["verb"], required=False, metavar="[VERB]"), *common()],
)
