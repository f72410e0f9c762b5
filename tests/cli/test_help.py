"""Help and version, and their cost."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import shlex
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import click
import pytest

from tcop_mock.__main__ import main as short_way
from tcop_mock.cli.command import Command
from tcop_mock.cli.main import cli
from tcop_mock.cli.main import main as long_way_of
from tcop_mock.cli.main_help import COMMANDS
from tcop_mock.cli.stdout import _take_descriptor

if TYPE_CHECKING:
    from commands import RunCommand

VERBS = ["list", "show", "emit", "validate", "learn", "diff", "export", "send", "replay", "check", "load"]
VERBS += ["reconcile", "listen", "console", "explain", "demo", "doctor", "init", "config", "completion"]
OPTIONS = [
    (verb, option)
    for verb, command in [("", cli), *cli.commands.items()]
    for option in command.params
    if isinstance(option, click.Option)
]
_NO_ALARMS = {"diff", "explain", "reconcile", "init", "config", "completion"}
FLAGS_OF = {
    "--seed": _NO_ALARMS | {"list", "validate", "learn"},
    "--profile": _NO_ALARMS | {"list", "learn"},
    "--catalog": _NO_ALARMS - {"explain"},
}
"""The commands without each flag: they draw nothing, or read no profile or catalogue."""
HEAVY = ["asyncio", "h11", "aiohappyeyeballs", "jsonschema", "rich", "tcop_mock.contract", "tcop_mock.transport"]
COMMON = {"--json", "--quiet", "--debug"}


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_verb(tcop: RunCommand, flag: str) -> None:
    """Help names every verb with a word on it, and the exit codes."""
    done = tcop(flag)
    listed = [line.split()[0] for line in done.stdout.partition("Commands:\n")[2].splitlines() if line[2:3].strip()]
    assert listed[: len(VERBS)] == VERBS == list(cli.commands)
    assert "Exit codes: 0 kept, 1 broken or not accepted, 2 usage, 3 target unusable" in " ".join(done.stdout.split())
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(tcop: RunCommand, verb: str) -> None:
    """A verb's help begins with how to call it, and names each of its flags and those of all verbs."""
    done = tcop(verb, "--help")
    assert done.stdout.startswith(f"Usage: tcop-mock {verb} [OPTIONS]")
    flags = {flag for name, option in OPTIONS if name == verb for flag in option.opts}
    assert {flag for flag in flags if flag not in done.stdout} == set()
    assert flags >= COMMON
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", VERBS)
def test_help_leads_with_examples(tcop: RunCommand, verb: str) -> None:
    """A command's help begins with usage, its line of the top-level help, and examples; common options come last."""
    command = cli.commands[verb]
    summary = (command.help or "").partition("\n\n")[0]
    assert summary == COMMANDS[verb][1]
    heads = [line for line in tcop(verb, "--help").stdout.splitlines() if line[:1].isalpha() and line.endswith(":")]
    assert heads[0] == "Examples:"
    assert heads[-1] == "Common:"
    assert len(heads) == len(set(heads))


@pytest.mark.parametrize("verb", VERBS)
def test_examples_are_calls(verb: str) -> None:
    """Each example in the help of a command is a call that it parses."""
    command = cli.commands[verb]
    assert isinstance(command, Command)
    lines = "\n".join(command.examples).replace("\\\n", "").splitlines()
    words = (shlex.split(line.replace('"$(', "").replace(')"', ""), comments=True) for line in lines)
    calls = [
        itertools.takewhile(lambda word: word not in {"|", ">"}, line[line.index("tcop-mock") + 1 :]) for line in words
    ]
    assert calls
    for name, *call in calls:
        if name != verb:  # an example may prepare its input with another command
            continue
        parsed = [word for index, word in enumerate(call) if "--catalog" not in {word, call[index - 1]}]
        command.make_context(verb, parsed, click.Context(cli))


def test_a_flag_stands_where_it_has_an_effect() -> None:
    """Seed, profile and catalogue are options only of the commands that use them."""
    verbs = {flag: {verb for verb, option in OPTIONS if flag in option.opts} for flag in FLAGS_OF}
    assert verbs == {flag: set(VERBS) - without for flag, without in FLAGS_OF.items()}


@pytest.mark.parametrize("verb, option", OPTIONS, ids=[f"{verb}{option.opts[0]}" for verb, option in OPTIONS])
def test_ranges_are_not_shown(verb: str, option: click.Option) -> None:
    """The help of an option does not show click's notation of ranges."""
    record = option.get_help_record(click.Context(click.Command(verb)))
    assert record is not None
    assert "x>" not in record[1]
    assert "<=x" not in record[1]


@pytest.mark.parametrize("verb, option", OPTIONS, ids=[f"{verb}{option.opts[0]}" for verb, option in OPTIONS])
def test_every_option_has_a_help(verb: str, option: click.Option) -> None:  # noqa: ARG001 - in the id
    """An option says in a sentence what it is for."""
    assert option.help
    assert option.help.rpartition("  [default")[0].endswith(".") or option.help.endswith(".")


def test_version(tcop: RunCommand) -> None:
    """--version prints the version of the installed package."""
    assert tcop("--version") == (0, f"tcop-mock {version('tcop-mock')}\n", "")


def test_without_a_verb_the_help_is_an_error(tcop: RunCommand) -> None:
    """Without arguments the help goes to standard error, and the code is 2."""
    done = tcop()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: tcop-mock [OPTIONS]")


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["chek"], "unknown command 'chek'; did you mean 'check'? (see `tcop-mock --help`)"),
        (["zzz"], "unknown command 'zzz' (see `tcop-mock --help`)"),
    ],
)
def test_an_unknown_verb_is_refused(tcop: RunCommand, arguments: list[str], complaint: str) -> None:
    """A verb that is not there gives one line with the nearest that is, and code 2."""
    done = tcop(*arguments)
    assert (done.exit_code, done.error_message) == (2, complaint)


@pytest.mark.parametrize("arguments", [["--nosuch"], ["list", "--jsno"], ["emit"], ["show"], ["show", "--seed", "x"]])
def test_a_wrong_flag_is_refused(tcop: RunCommand, arguments: list[str]) -> None:
    """A flag that is not there, a missing argument and a wrong value give one line that names the help, and code 2."""
    done = tcop(*arguments)
    assert done.exit_code == 2
    assert "--help`)" in done.error_message


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_costs_little(arguments: list[str]) -> None:
    """Neither help nor version imports what only a run needs."""
    program = (
        "import json, sys; from tcop_mock.__main__ import main; code = main(sys.argv[1:]); "
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603 - it is ours
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    code, modules = json.loads(done.stderr)
    assert code == 0
    assert [name for name in HEAVY if name in modules] == []
    assert ("click" in modules) == (len(arguments) > 1)


@pytest.mark.parametrize("flag", ["-h", "--help", "--version"])
def test_what_is_reported_without_the_command_line_is_what_it_reports(tcop: RunCommand, flag: str) -> None:
    """Help and version by the short way are those of the long one, to the letter."""
    long_way = tcop(flag)
    with contextlib.redirect_stdout(io.StringIO()) as raised:
        assert short_way([flag]) == 0
    assert (long_way.exit_code, raised.getvalue()) == (0, long_way.stdout)


class Full(io.StringIO):
    """A disk that is full."""

    def flush(self) -> None:
        """Take nothing."""
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["emit", "cvm/basic-monitoring"], ["explain", "TCM302"]]
)
def test_a_closed_standard_output_is_reported(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line; it is not an error of ours."""
    monkeypatch.setattr(sys, "stdout", None)
    assert short_way(arguments) == 2
    assert capfd.readouterr().err == "tcop-mock: standard output is closed: send it to a file, or to /dev/null\n"


def test_closed_standard_streams_keep_their_descriptors(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A closed stream keeps its descriptor, so that no new file takes it; the exit code stays."""
    taken: list[int] = []
    monkeypatch.setattr("tcop_mock.cli.stdout._take_descriptor", lambda: taken.append(0))
    monkeypatch.setattr(sys, "stdin", None)
    assert long_way_of(["validate", "-"]) == 2
    assert capfd.readouterr().err == "tcop-mock: standard input is closed: give a file\n"
    monkeypatch.setattr(sys, "stderr", None)
    assert long_way_of(["validate", "-"]) == 2
    assert taken == [0, 0]
    sys.stderr.close()
    assert capfd.readouterr().err == ""


def test_the_null_device_takes_the_lowest_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The null device takes the descriptor of a closed standard stream."""
    opened: list[tuple[object, ...]] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", lambda *arguments: opened.append(arguments))
        _take_descriptor()
    assert opened == [(os.devnull, os.O_RDONLY)]


def test_a_full_disk_behind_standard_output_is_reported(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error names the full disk, and has the exit code of a file that cannot be written."""
    monkeypatch.setattr("tcop_mock.cli.main.silence_stdout", lambda: None)
    with contextlib.redirect_stdout(Full()):
        assert long_way_of(["explain", "TCM302"]) == 2
    expected = "tcop-mock: standard output cannot be written: No space left on device\n"
    assert capfd.readouterr().err == expected


def test_help_that_cannot_be_written_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help that cannot be written ends with the error of the full command."""
    asked: list[list[str]] = []

    def long_way(arguments: list[str]) -> int:
        asked.append(arguments)
        return 7

    monkeypatch.setattr("tcop_mock.cli.main.main", long_way)
    with contextlib.redirect_stdout(Full()):
        assert short_way(["--version"]) == 7
    assert asked == [["--version"]]
