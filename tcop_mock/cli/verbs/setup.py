"""Verbs that set up: is the way to a receiver free, what does a project or a shell need, what is configured."""

from __future__ import annotations

import click

from tcop_mock.cli.flags import common, insecure, timeout
from tcop_mock.cli.verbs import completing
from tcop_mock.cli.verbs.calling import calling

DOCTOR = click.Command(
    "doctor",
    callback=calling("doctor", "doctor"),
    help="Look at the way from here to the receiver at URL: DNS, TCP, TLS, port, proxies; bring one harmless "
    "callback (a resolved alarm, marked as a test), and look at the answer, its time, credentials, redirects and "
    "clock.\n\n"
    "Of a URL with USER:PASSWORD@ the same callback is sent once more without. Each line says what it means and what "
    "to do; --quiet tells problems only. @FILE reads URL from a file; without one it comes from TCOP_MOCK_TARGET. "
    "Exit code 0: no problem, 1: problems, 3: the receiver cannot be reached.",
    params=[
        click.Argument(["target"], required=False, metavar="[URL]"),
        timeout("Limit of each step.  [default: the profile's, of one POST]"),
        insecure(),
        *common(),
    ],
)

INIT = click.Command(
    "init",
    callback=calling("init", "init"),
    help="Write what judges the receiver in the current folder: a commented tcop-mock.toml, a test for pytest "
    "(FastAPI, Flask, Starlette, Django), and a CI job. The framework is found by what is there (also aiohttp, "
    "Express, Spring, Go).\n\n"
    "Nothing is ever written over: where one of the files is there already, none is written, and the exit code is 2.",
    params=[
        click.Option(
            ["--framework"],
            type=click.Choice(
                ["fastapi", "starlette", "flask", "django", "aiohttp", "express", "spring", "go", "other"]
            ),
            help="Of the receiver.  [default: found by what is there]",
        ),
        click.Option(
            ["--ci"],
            type=click.Choice(["github", "gitlab", "none"]),
            default="github",
            show_default=True,
            help="Whose job to write.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Show what would be written, write nothing."),
        *common(),
    ],
)

CONFIG = click.Command(
    "config",
    callback=calling("config", "config"),
    help="Show every setting, of all verbs or of VERB, and where its value came from.\n\n"
    "A flag is a setting: --fail-on of check is fail-on in the table [check] of tcop-mock.toml, or of "
    "[tool.tcop-mock.check] in pyproject.toml, and the variable TCOP_MOCK_FAIL_ON. What all verbs have, target, and "
    "clauses stand above the tables. A flag beats a variable, and that the file. Passwords and keys are not shown.",
    params=[click.Argument(["verb"], required=False, metavar="[VERB]", shell_complete=completing.verbs), *common()],
)

COMPLETION = click.Command(
    "completion",
    callback=calling("completion", "completion"),
    help="Print the script that lets a shell complete verbs, flags, ids of shapes, codes of clauses and profiles.\n\n"
    'bash: put eval "$(tcop-mock completion bash)" into ~/.bashrc; zsh: the same with zsh into ~/.zshrc; fish: '
    "tcop-mock completion fish > ~/.config/fish/completions/tcop-mock.fish",
    params=[click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"])), *common()],
)
