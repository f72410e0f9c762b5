"""Commands that set things up: doctor, init, config, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tcop_mock.cli import completers
from tcop_mock.cli.choices import FRAMEWORKS
from tcop_mock.cli.command import command, option
from tcop_mock.cli.options import OUTPUT, TARGET, common_options, listed
from tcop_mock.cli.target_options import reach_options, timeout_option

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions, ReachOptions


@command(
    "doctor",
    examples="""
tcop-mock doctor http://user:password@alarms.example/tcop
tcop-mock doctor @url.txt --quiet   # problems only
""",
)
@click.argument("target", required=False, metavar="[URL]")
@timeout_option(TARGET, "Time limit of each step.  [default: deadline of one POST in the profile]")
@reach_options(TARGET)
@common_options(seed=True, profile=True, catalog=True)
def doctor_command(target: str | None, *, timeout: float | None, reach: ReachOptions, common: CommonOptions) -> int:
    """Diagnose the way to a receiver: DNS, TLS, time, credentials, clock.

    Also checks TCP, port, proxies and redirects. Sends one harmless callback (a resolved alarm, marked as a test), and
    once more without credentials if the URL has USER:PASSWORD@. Each line has its meaning and what to do. @FILE
    reads URL from a file; the default is TCOP_MOCK_TARGET. Exit code: 0 no problem, 1 problems, 3 the receiver cannot
    be reached.
    """
    from tcop_mock.cli.setup import doctor

    return doctor(target, timeout_s=timeout, reach=reach, common=common)


@command(
    "init",
    examples="""
tcop-mock init --dry-run
tcop-mock init --framework flask --ci gitlab
tcop-mock init --package git+https://git.example.com/me/tcop-mock
""",
)
@option(
    "--framework",
    group=OUTPUT,
    type=click.Choice(FRAMEWORKS),
    metavar="NAME",
    help=f"Framework of the receiver: {listed(FRAMEWORKS)}.  [default: detected]",
)
@option(
    "--ci",
    group=OUTPUT,
    type=click.Choice(["github", "gitlab", "none"]),
    default="github",
    show_default=True,
    help="CI system of the job.",
)
@option(
    "--package",
    group=OUTPUT,
    metavar="REQUIREMENT",
    help="Where the job gets tcop-mock: a git URL, a wheel, a folder, a requirement.  [default: as installed here]",
)
@option("--dry-run", group=OUTPUT, is_flag=True, help="Print the files, and write nothing.")
@common_options()
def init_command(*, framework: str | None, ci: str, package: str | None, dry_run: bool, common: CommonOptions) -> None:
    """Write settings, a test and a CI job for the receiver in this folder.

    The settings are a commented tcop-mock.toml. The test is for pytest, if tcop-mock can call apps of the framework in
    process. The job installs tcop-mock from where it was installed here; if the job cannot reach that, name another
    place with --package. Existing files are never overwritten: if one of the files exists, none is written, and the
    exit code is 2.
    """
    from tcop_mock.cli.setup import init

    init(framework, ci, package=package, dry_run=dry_run, common=common)


@command(
    "config",
    examples="""
tcop-mock config
tcop-mock config check
""",
)
@click.argument("verb", required=False, metavar="[COMMAND]", shell_complete=completers.commands)
@common_options()
def config_command(verb: str | None, *, common: CommonOptions) -> None:
    """Show every setting and where its value came from.

    Every flag is a setting: --fail-on of check is fail-on in the table [check] of tcop-mock.toml, or of
    [tool.tcop-mock.check] in pyproject.toml, and the variable TCOP_MOCK_FAIL_ON. Common options, target and clauses can
    stand above the tables. A flag overrides a variable, and a variable overrides the file. Passwords and keys are not
    shown.
    """
    from tcop_mock.cli.config import show_settings

    show_settings(verb, common)


@command(
    "completion",
    examples="""
eval "$(tcop-mock completion bash)"      # in ~/.bashrc
eval "$(tcop-mock completion zsh)"       # in ~/.zshrc
tcop-mock completion fish > tcop-mock.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options()
def completion_command(shell: str, *, common: CommonOptions) -> None:
    """Print the completion script for a shell.

    The shell then completes commands, flags, shape ids, clause codes and profiles.
    """
    from tcop_mock.cli.setup import completion

    completion(shell, common)
