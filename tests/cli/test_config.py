"""Configuration: files, variables and flags, their precedence and their errors."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click
import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.cli.main import cli
from tcop_mock.cli.settings import Settings, search_path
from tcop_mock.errors import EntryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import RunCommand

    Write = Callable[..., Path]
CDN = "cdn/domain"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the repository of a user at home, where configuration files are looked for."""
    repository = tmp_path / "home" / "receiver"
    (repository / ".git").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TCOP_MOCK_CONFIG")
    monkeypatch.chdir(repository)
    return repository


@pytest.fixture
def write(home: Path) -> Write:
    """Write a configuration file into the repository."""

    def write_file(text: str, name: str = "tcop-mock.toml") -> Path:
        file = home / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write_file


def reported(tcop: RunCommand, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return every row of ``config --json`` by verb and key."""
    done = tcop("config", "--json", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return {(row["verb"], row["key"]): row for row in done.document["settings"]}


def test_flag_beats_variable_beats_verb_beats_file(
    tcop: RunCommand, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flag beats a variable, that the table of a verb, that what stands above the tables, that the default."""
    file = write("seed = 1\n")
    assert reported(tcop)["emit", "seed"]["where"] == f"{file}: seed"
    write("seed = 1\n[emit]\nseed = 2\n")
    of_all, of_verb, of_file = tcop("emit", CDN, "--seed", "1"), tcop("emit", CDN, "--seed", "2"), tcop("emit", CDN)
    assert (reported(tcop)["emit", "seed"]["where"], reported(tcop)["show", "seed"]["value"]) == (
        f"{file}: emit.seed",
        "1",
    )
    monkeypatch.setenv("TCOP_MOCK_SEED", "3")
    of_variable, of_flag = tcop("emit", CDN), tcop("emit", CDN, "--seed", "1")
    assert of_file.stdout == of_verb.stdout != of_all.stdout == of_flag.stdout
    assert of_variable.stderr == "seed 3\n"
    row = reported(tcop)["emit", "seed"]
    assert (row["value"], row["source"], row["where"]) == ("3", "environment", "TCOP_MOCK_SEED")
    row = reported(tcop, "--quiet")["emit", "quiet"]
    assert (row["value"], row["source"], row["where"]) == (True, "flag", "--quiet")


def test_the_table_of_pyproject(tcop: RunCommand, write: Write) -> None:
    """[tool.tcop-mock] counts where its folder has no tcop-mock.toml; a table of somebody else's changes nothing."""
    shared = write('[tool.tcop-mock]\nprofile = "2025"\n[tool.tcop-mock.emit]\npretty = true\n', "pyproject.toml")
    row = reported(tcop)["emit", "pretty"]
    assert (row["value"], row["where"]) == (True, f"{shared}: tool.tcop-mock.emit.pretty")
    assert tcop("emit", CDN).stdout.startswith("{\n")
    own = write("")
    assert tcop("config", "--json").document["file"] == str(own)
    own.unlink()
    for text in ("[tool.black]\n# tcop-mock comes later\n", "[project\n", 'tool = "tcop-mock"\n'):
        write(text, "pyproject.toml")
        assert tcop("config", "--json").document["file"] is None


def test_where_the_file_is_looked_for(home: Path) -> None:
    """Up to the root of the repository; outside of one up to the home folder; outside of that only here."""
    deep, user = home / "a" / "b", home.parent
    assert search_path(deep, user) == [deep, deep.parent, home]
    assert search_path(user / "x" / "y", user) == [user / "x" / "y", user / "x", user]
    assert search_path(user.parent / "x", user) == [user.parent / "x"]


def test_the_nearest_file_counts(tcop: RunCommand, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a folder further up is found, and hidden by a nearer one; TCOP_MOCK_CONFIG names another."""
    far = write("seed = 1\n")
    near = write("seed = 2\n", "service/tcop-mock.toml")
    monkeypatch.chdir(near.parent)
    assert reported(tcop)["show", "seed"]["value"] == "2"
    near.unlink()
    assert reported(tcop)["show", "seed"]["where"] == f"{far}: seed"
    monkeypatch.setenv("TCOP_MOCK_CONFIG", str(write("[tool.tcop-mock]\nseed = 5\n", "pyproject.toml")))
    assert reported(tcop)["show", "seed"]["value"] == "5"
    monkeypatch.setenv("TCOP_MOCK_CONFIG", str(home / "none.toml"))
    assert tcop("list").error_message == f"{home / 'none.toml'}: cannot be read: No such file or directory"


def test_paths_are_seen_from_the_file(
    tcop: RunCommand, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is resolved from the folder of the settings file; an absolute path stays as it is."""
    write(
        'target = "@target"\ncatalog = "own"\n[check]\nreport = ["junit=r.xml", "json=/r.json", "text"]\n'
        'watch = "src/**/*.py"\nlast-failed = "r.json"\n'
        '[listen]\nrecord = "r.jsonl"\nauth = "@-"\n[send]\nintegration-key = "@key"\n[emit]\ntemplate = "-"\n'
        'unset = ["alarmObjInfo.uin"]\n'
    )
    (home / "own").mkdir()
    here = reported(tcop)
    assert here["check", "target"]["value"] == "@target"
    (home / "deep").mkdir()
    monkeypatch.chdir(home / "deep")
    there = {at: row["value"] for at, row in reported(tcop).items()}
    assert there["check", "target"] == there["send", "to"] == f"@{home}/target"
    assert there["list", "catalog"] == [f"{home}/own"]
    assert there["check", "report"] == [f"junit={home}/r.xml", "json=/r.json", "text"]
    assert (there["check", "watch"], there["check", "last-failed"]) == ([f"{home}/src/**/*.py"], f"{home}/r.json")
    assert (there["listen", "record"], there["listen", "auth"]) == (f"{home}/r.jsonl", "@-")
    assert (there["send", "integration-key"], there["emit", "template"]) == (f"@{home}/key", "-")
    assert there["emit", "unset"] == ["alarmObjInfo.uin"]


def test_the_files_of_clauses(write: Write, home: Path) -> None:
    """``clauses`` above the tables is ``--clause-files`` of the verb that has it."""
    flag = click.Option(["--clause-files", "files"], multiple=True, metavar="GLOB")
    group = click.Group("g", commands={"judge": click.Command("judge", params=[flag])})
    file = write('clauses = ["contracts/*.toml"]\n')
    settings = Settings(group, {"HOME": str(home)}, home)
    found = settings.lookup(settings.keys_by_command["judge"]["clause-files"])
    assert found is not None
    assert (found.value, found.where) == (("contracts/*.toml",), f"{file}: clauses")


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("profle = '2023'", "profle: is not a setting; did you mean 'profile'?"),
        ("xyzzy = 1", "xyzzy: is not a setting; tcop-mock config lists them"),
        ("[chek]\nfail-on = 'must'", "chek: is not a setting; did you mean 'check'?"),
        ("[check]\nfail_on = 'must'", "check.fail_on: is not a setting; did you mean 'fail-on'?"),
        ("debug = true", "debug: is not a setting"),
        ("fail-on = 'must'", "fail-on: belongs into the table of its command: [check]"),
        ("pretty = true\n", "pretty: belongs into the table of its command: [emit]"),
        ("insecure = true", "insecure: belongs into the table of its command: [emit], [send]"),
        ("check = 1", "check: must be a table; write [check] above its settings"),
        ("[check]\nfail-on = 'shuold'", "check.fail-on: 'shuold' is not one of 'must', 'should'"),
        ("[check]\nfail-on = true", "check.fail-on: must be a text or a number, not true or false"),
        ("[check]\nfail-on = ['must']", "check.fail-on: must be a text or a number, not a list"),
        ("[check]\nskip = [['x']]", "check.skip: must be texts or numbers, in a list, not a list"),
        ("[check]\ninsecure = 1", "check.insecure: must be true or false, not a number"),
        ("[check]\ninsecure = 'yes'", "check.insecure: must be true or false, not a text"),
        ("[check]\nwait = 2026-01-01", "check.wait: must be a text or a number, not a date or time"),
        ("[check]\nwait = {s = 1}", "check.wait: must be a text or a number, not a table"),
        ("[check]\nwait = 'soon'", "check.wait: 'soon' is not a duration; write 500ms, 30s, 10m or bare seconds"),
        ("seed = 1.5", "seed: '1.5' is not a valid integer"),
        ("seed = ", "is not TOML: Invalid value"),
        (f"seed = {'[' * 5000}", "is not TOML: TOML inline arrays/tables are nested more than"),
    ],
)
def test_what_a_file_cannot_say(tcop: RunCommand, write: Write, text: str, complaint: str) -> None:
    """A key that is not there and a value of another kind are one line, with file, key and what was meant; code 2."""
    file = write(text)
    for call in (["check", "--list"], ["config"]):
        done = tcop(*call)
        assert done.exit_code == 2
        assert done.error_message.startswith(f"{file}: {complaint}")
    assert tcop("check", "--help").exit_code == tcop("--version").exit_code == 0


def test_files_that_cannot_be_read(tcop: RunCommand, write: Write, home: Path) -> None:
    """A file that is not UTF-8, or whose table is none, is one line."""
    file = home / "tcop-mock.toml"
    file.write_bytes(b'profile = "\xff"')
    assert tcop("list").error_message == f"{file}: is not UTF-8 (byte 11)"
    file.unlink()
    shared = write('[tool]\ntcop-mock = "2023"\n', "pyproject.toml")
    why = "tool.tcop-mock: must be a table; write [tool.tcop-mock] above the settings"
    assert tcop("list").error_message == f"{shared}: {why}"


def test_a_value_that_a_flag_replaces_need_not_be_right(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the wrong kind is one line that names it, unless a flag takes its place; an empty one is none."""
    monkeypatch.setenv("TCOP_MOCK_SEED", "x")
    assert tcop("show", CDN).error_message == "TCOP_MOCK_SEED: 'x' is not a valid integer"
    assert tcop("show", CDN, "--seed", "1").exit_code == 0
    monkeypatch.setenv("TCOP_MOCK_SEED", "")
    assert tcop("show", CDN).exit_code == 0


def test_variables(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each flag has a variable; each line is a value of a repeatable flag; unknown variables get a warning."""
    monkeypatch.setenv("TCOP_MOCK_CLAUSES", "TCM301\nTCM302\n")
    monkeypatch.setenv("TCOP_MOCK_QUIET", "true")
    assert tcop("check", "--list").stdout.count("\n") == 2
    assert reported(tcop)["check", "clauses"]["value"] == ["TCM301", "TCM302"]
    monkeypatch.setenv("TCOP_MOCK_QUIET", "0")
    monkeypatch.setenv("TCOP_MOCK_FAIL_NO", "must")
    monkeypatch.setenv("TCOP_MOCK_ZZZ", "x")
    done = tcop("config", "check")
    assert done.stderr.splitlines() == [
        "warning: TCOP_MOCK_FAIL_NO is not a setting; did you mean 'TCOP_MOCK_FAIL_ON'?",
        "warning: TCOP_MOCK_ZZZ is not a setting",
    ]


def test_kubernetes_sets_no_port(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that a cluster puts into TCOP_MOCK_PORT beside a service of our name is nobody's port."""
    monkeypatch.setenv("TCOP_MOCK_PORT", "tcp://10.0.0.1:8080")
    assert reported(tcop)["listen", "port"]["source"] == "default"


def test_every_command_names_unknown_variables(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unknown variable is reported with a suggestion and without its value; names of Kubernetes are ignored."""
    monkeypatch.setenv("TCOP_MOCK_PROFIL", "s3cret")
    monkeypatch.setenv("TCOP_MOCK_FAILON", "s3cret")
    for name in ("PORT", "PORT_80_TCP_ADDR", "SERVICE_HOST", "SERVICE_PORT_HTTP", "LOAD_SEED", "TOKEN", "COMPLETE"):
        monkeypatch.setenv(f"TCOP_MOCK_{name}", "")
    done = tcop("emit", "cvm/basic-monitoring", "--quiet")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "warning: TCOP_MOCK_FAILON is not a setting; did you mean 'TCOP_MOCK_FAIL_ON'?",
        "warning: TCOP_MOCK_PROFIL is not a setting; did you mean 'TCOP_MOCK_PROFILE'?",
    ]


def test_the_target_of_the_environment(tcop: RunCommand, closed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCOP_MOCK_TARGET is the receiver of all verbs that have one, and never the kind of end."""
    monkeypatch.setenv("TCOP_MOCK_TARGET", closed_url)
    rows = reported(tcop)
    assert (
        rows["send", "to"]["value"] == rows["replay", "to"]["value"] == rows["check", "target"]["value"] == closed_url
    )
    assert (rows["send", "target"]["value"], rows["send", "target"]["variable"]) == ("webhook", None)
    assert tcop("check").error_message.startswith(f"{closed_url} cannot be reached")


def test_the_target_of_the_file(tcop: RunCommand, write: Write, closed_url: str) -> None:
    """The target applies to each command that needs one; a table applies to its own command."""
    write(f'target = "http://h/"\n[check]\ntarget = "{closed_url}"\n')
    assert tcop("check").error_message.startswith(f"{closed_url} cannot be reached")
    assert "to http://h/" in tcop("send", CDN, "--dry-run").stdout
    assert "http://h/" in tcop("emit", CDN, "--format", "curl").stdout
    assert "to http://other/" in tcop("send", CDN, "--dry-run", "--to", "http://other/").stdout


def test_no_secret_is_shown(tcop: RunCommand, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and keys are ***, in lines, in the document and in what is wrong with the file."""
    write(
        'target = "http://u:Kq/7x@h/?key=Kq7x"\n[send]\nintegration-key = "Kq7x"\nheader = ["X-Key: Kq7x"]\n'
        '[listen]\nauth = "u:Kq7x"\n[check]\nobserve-url = "http://u:Kq 7x@h/?token=Kq7x"\n'
        'observe-header = "Authorization: Bearer Kq7x"\n'
    )
    done, document = tcop("config"), tcop("config", "--json")
    assert "7x" not in done.stdout + document.stdout + done.stderr + document.stderr
    assert done.stdout.count("***") >= 6
    monkeypatch.setenv("TCOP_MOCK_TARGET", "http://u:Kq7x@h/x")
    assert reported(tcop)["check", "target"]["value"] == "http://***@h/x"
    write('[send]\nintegration-key = ["Kq7x"]\n')
    assert "Kq7x" not in tcop("config").stderr


def test_config_in_words(tcop: RunCommand, write: Write) -> None:
    """All verbs: what they share once, and then each; one verb: all that it has; an unknown one is refused."""
    assert tcop("config").stdout.startswith(
        "file: none (no tcop-mock.toml, and no [tool.tcop-mock] in a pyproject.toml, "
    )
    file = write('seed = 1\nquiet = true\n[check]\nskip = ["TCM1*", "TCM2*"]\nseed = 2\n')
    words = tcop("config").stdout
    assert words.startswith(f"file: {file}\nevery command\n  json ")
    assert words.count("  quiet ") == 1
    lines = [line.split(maxsplit=1) for line in tcop("config", "check").stdout.splitlines()]
    assert ["skip", f"TCM1*, TCM2*  ({file}: check.skip)"] in lines
    assert ["seed", f"2  ({file}: check.seed)"] in lines
    assert ["quiet", f"true  ({file}: quiet)"] in lines
    assert ["effect-timeout", "5s  (default)"] in lines
    assert tcop("config", "chek").error_message == "unknown command 'chek'; did you mean 'check'?"


def test_the_document_keeps_its_schema(tcop: RunCommand, write: Write) -> None:
    """Every flag of every verb is in the document, which keeps its schema."""
    write('seed = 1\n[check]\nskip = "TCM1*"\n')
    document = tcop("config", "--json").document
    schema = read_schema("config-report")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
    shown = {(row["verb"], row["key"]) for row in document["settings"]}
    for verb, command in cli.commands.items():
        flags = [option for option in command.params if isinstance(option, click.Option) and option.expose_value]
        assert {(verb, max(flag.opts, key=len).lstrip("-")) for flag in flags} <= shown


def test_what_is_configured_for_an_id_does_not_stop_a_file(tcop: RunCommand, write: Write, home: Path) -> None:
    """Configured options of generation and PagerDuty are ignored by a call that uses neither."""
    write('target = "http://h/"\n[send]\nlang = "zh"\nintegration-key = "k"\n')
    (home / "body").write_text("{}", encoding="utf-8")
    assert tcop("send", "body", "--dry-run").exit_code == 0
    assert tcop("send", "body", "--dry-run", "--lang", "zh").exit_code == 2
    assert tcop("send", "body", "--dry-run", "--integration-key", "k").error_message == (
        "--integration-key goes with --target pagerduty"
    )


def test_values_reach_their_verbs(tcop: RunCommand, write: Write) -> None:
    """Lists, one value for a list, numbers for texts, and flags with a no- form."""
    write(
        'profile = 2025\n[check]\nclauses = ["TCM301", "TCM302"]\nskip = "TCM301"\nlist = true\n'
        "[send]\nverify = false\n"
    )
    assert tcop("check").stdout.split()[0] == "TCM302"
    assert reported(tcop)["send", "verify"]["value"] is False
    assert json.loads(tcop("emit", CDN, "--seed", "1").stdout)["alarmStatus"] in {0, 1}


def test_unreadable_keys_are_reported_from_a_program(write: Write, home: Path) -> None:
    """Code that reads settings without a command gets the same error."""
    write("xyzzy = 1\n")
    with pytest.raises(EntryError, match="xyzzy: is not a setting"):
        _ = Settings(cli, {"HOME": str(home)}, home).file


def test_a_setting_that_is_not_there(home: Path) -> None:
    """Looked up as click does, what nothing is said of is not there."""
    settings = Settings(cli, {"HOME": str(home)}, home)
    with click.Context(cli.commands["list"]), pytest.raises(KeyError, match="seed"):
        _ = settings["list"]["seed"]


@pytest.mark.parametrize("call", ["list cdn/*", "emit cdn/domain --seed 1", "explain TCM302"])
def test_no_file_changes_nothing(tcop: RunCommand, home: Path, call: str) -> None:
    """Without file and variables every command uses its defaults."""
    assert home.is_dir()
    assert tcop(*shlex.split(call)).exit_code == 0


def test_all_that_is_wrong_with_the_settings_is_reported_at_once(tcop: RunCommand, write: Write) -> None:
    """Each mistake in the table of the running command is reported with its place; mistakes in other tables are not."""
    write('[check]\nwait = true\nfail-on = "musst"\n[load]\nrate = true\nworkers = true\n')
    done = tcop("check", "http://127.0.0.1:1/")
    assert done.exit_code == 2
    assert "check.wait: must be a text or a number, not true or false; " in done.stderr
    assert "check.fail-on: 'musst' is not one of 'must', 'should'" in done.stderr
    assert "load" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_option_that_is_given_twice_is_a_warning(tcop: RunCommand) -> None:
    """The last one counts; flags and repeatable options may be repeated."""
    edits = ("--unset", "alarmStatus", "--unset", "sessionId")
    done = tcop("emit", "cvm/basic-monitoring", "--seed", "1", "--seed", "2", "--pretty", "--pretty", *edits)
    assert "warning: --seed is given more than once; the last one counts\n" in done.stderr
    assert done.stderr.count("warning") == 1


def test_a_wrong_name_or_number_is_reported_in_plain_words(tcop: RunCommand) -> None:
    """The nearest option first, and no type of click."""
    assert "No such option '--waitt'; did you mean '--wait', " in tcop("check", "--waitt").stderr
    assert "'abc' is not a valid whole number" in tcop("emit", "cvm/basic-monitoring", "-n", "abc").stderr
