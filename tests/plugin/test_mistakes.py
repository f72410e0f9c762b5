"""Mistakes in options, ini files, marks and fixtures are reported in one line with a suggestion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tcop_mock.reports.formats import format_names

if TYPE_CHECKING:
    from pytester_runs import RunPytest

CONTRACT = "def test_contract(tcop_contract): tcop_contract.check()"


def refusal(result: pytest.RunResult) -> str:
    """Return the one line of a run that was refused before any test."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line.strip()]
    return line.removeprefix("ERROR: tcop-mock: ")


def set_up_failure(result: pytest.RunResult) -> str:
    """Return the one line by which the set-up of the one test failed."""
    assert result.parseoutcomes() == {"errors": 1}
    [line] = [line for line in result.outlines if line.startswith("tcop-mock: ")]
    return line.removeprefix("tcop-mock: ")


OPTIONS = {
    "--tcop-profile=2032": "unknown profile '2032'; did you mean '2025' or '2023'?",
    "--tcop-clauses=TCM999": "unknown clause 'TCM999'; did you mean 'TCM5",
    "--tcop-clauses=,": "--tcop-clauses is empty; give a name, several with commas between them",
    "--tcop-skip=TCM*": "--tcop-skip leaves no clause to check",
    "--tcop-fail-on=shuold": "--tcop-fail-on 'shuold': did you mean 'should'?",
    "--tcop-fail-on=7": "--tcop-fail-on '7': write must or should",
    "--tcop-seed=x": "--tcop-seed 'x' is not an integer",
    "--tcop-report=xml=a": "--tcop-report 'xml=a': unknown report format 'xml'; use one of "
    + ", ".join(format_names()),
    "--tcop-report=jsn=a": "--tcop-report 'jsn=a': unknown report format 'jsn'; did you mean 'json' or 'ndjson'?",
    "--tcop-report=junit": "--tcop-report 'junit': write KIND=PATH, as in junit=report.xml",
    "--tcop-report=json=-": "--tcop-report 'json=-': a report is a file; --json writes the document to standard output",
    "--tcop-report=json=no/a": "report 'no/a': there is no folder",
    "--tcop-allow-host=": "--tcop-allow-host is empty",
    "--tcop-baseline=nosuch.json": "baseline 'nosuch.json' is not there; --baseline-update writes it",
    "--tcop-target=": "--tcop-target is empty; write a URL or module:app",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_wrong_option_ends_the_run(inner: RunPytest, option: str) -> None:
    """A wrong option is refused before any test is run, whether one uses it or not."""
    assert refusal(inner("def test(): pass", option)).startswith(OPTIONS[option])


@pytest.mark.parametrize(
    "line, message",
    [
        ("tcop_profile = 2032", "unknown profile '2032'; did you mean '2025' or '2023'?"),
        ("tcop_fail_on = shuold", "tcop_fail_on in the ini file 'shuold': did you mean 'should'?"),
        ("tcop_seed = x", "tcop_seed in the ini file 'x' is not an integer"),
        ("tcop_clauses = TCM999", "unknown clause 'TCM999'; did you mean 'TCM5"),
    ],
)
def test_a_wrong_line_of_the_ini_file_ends_the_run(
    inner: RunPytest, pytester: pytest.Pytester, line: str, message: str
) -> None:
    """An invalid ini value fails tests that use our fixtures, and no other tests."""
    pytester.makeini(f"[pytest]\n{line}")
    assert refusal(inner(CONTRACT, target="apps.wsgi")).startswith(message)
    assert inner("def test(): pass").ret == 0


MARKS = {
    "tcop(profle='2023')": "unknown argument 'profle' in the mark tcop; did you mean 'profile'?",
    "tcop(zzz=1)": "unknown argument 'zzz' in the mark tcop; it has profile, form, attempts, deadline",
    "tcop('2023')": "the mark tcop has no positional arguments; write tcop(profile='2023')",
    "tcop(profile='2032')": "unknown profile '2032'; did you mean '2025' or '2023'?",
    "tcop(form='observd')": "unknown form 'observd' in the mark tcop; did you mean 'observed'?",
    "tcop(attempts=0)": "the mark tcop: attempts is a whole number from 1, not 0",
    "tcop(attempts=True)": "the mark tcop: attempts is a whole number from 1, not True",
    "tcop(deadline='soon')": "the mark tcop: deadline is more than 0 seconds, as 5 or '500ms', not 'soon'",
    "tcop_clauses('TCM9*')": "unknown clause 'TCM9*'",
    "tcop_clauses(7)": "the mark tcop_clauses takes texts, not 7; write tcop_clauses('TCM302')",
    "tcop_clauses(fail_on='may')": "the mark tcop_clauses, fail_on 'may': write must or should",
    "tcop_skip_clause('TCM302')": "the mark tcop_skip_clause wants clauses and a reason: ",
    "tcop_skip_clause(reason='why')": "the mark tcop_skip_clause wants clauses and a reason: ",
    "tcop_skip_clause('TCM999', reason='why')": "unknown clause 'TCM999'; did you mean 'TCM5",
}


@pytest.mark.parametrize("mark", MARKS)
def test_a_wrong_mark_ends_the_run(inner: RunPytest, mark: str) -> None:
    """A wrong mark is refused before any test is run, and the test is named."""
    message = refusal(inner(f"import pytest\n@pytest.mark.{mark}\n{CONTRACT}", target="apps.wsgi"))
    assert message.startswith(f"test_it.py::test_contract: {MARKS[mark]}")


def test_a_test_without_a_target_says_how_to_give_one(inner: RunPytest) -> None:
    """Without a target the set-up fails in a line that names all ways to give one."""
    message = set_up_failure(inner(CONTRACT))
    assert message.startswith("no target: override the fixture tcop_target in conftest.py")
    assert message.endswith("or give --tcop-target, tcop_target in the ini file, or TCOP_MOCK_TARGET")


TARGETS = {
    "'http://u:geheim@alarms.example/'": "tcop_target http://***@alarms.example/ is on another machine; "
    "--tcop-allow-host alarms.example, or tcop_allow_host in the ini file, allows it",
    "'http://u:geheim@10.1.1.1/'": "tcop_target http://***@10.1.1.1/ is on another machine",
    "'ftp://127.0.0.1'": "tcop_target: 'ftp://127.0.0.1' is not a usable target: ",
    "'nosuch:app'": "tcop_target: nosuch:app is not an app: ModuleNotFoundError: No module named 'nosuch'",
    "7": "tcop_target: the target is of type int; give a URL, an ASGI or WSGI app, a test client, ",
    "lambda: 7": "tcop_target: the target is a callable without arguments, perhaps a factory",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_that_is_none_is_reported(inner: RunPytest, target: str) -> None:
    """An unusable value of ``tcop_target`` is reported in one line without its password."""
    message = set_up_failure(inner("def test(_tcop_target_under_test): pass", target=target))
    assert message.startswith(TARGETS[target])
    assert "geheim" not in message


def test_another_machine_can_be_allowed(inner: RunPytest) -> None:
    """A host that is named may be sent to; this machine's own always."""
    for allowed in ("--tcop-allow-host=alarms.example,b.example", "--tcop-allow-host=ALARMS.example"):
        inner("def test(_tcop_target_under_test): pass", allowed, target="'http://alarms.example/'").assert_outcomes(
            passed=1
        )
    for url in ("http://[::1]/", "http://127.0.0.7/", "http://app.localhost/", "localhost:80/"):
        inner("def test(_tcop_target_under_test): pass", target=f"'{url}'").assert_outcomes(passed=1)


def test_the_target_comes_from_option_ini_file_or_environment(
    inner: RunPytest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option comes before the ini file, that before the environment; ``@FILE`` is read; no password is shown."""
    monkeypatch.setenv("TCOP_MOCK_TARGET", "http://u:geheim@127.0.0.1:3/")
    tests = "def test(tcop_target): assert str(tcop_target) == ''"
    result = inner(tests)
    assert "http://***@127.0.0.1:3/" in str(result.stdout)
    assert "geheim" not in str(result.stdout)
    pytester.makeini("[pytest]\ntcop_target = 127.0.0.1:2")
    assert "'http://127.0.0.1:2/'" in str(inner(tests).stdout)
    (pytester.path / "target.txt").write_text("127.0.0.1:1\n", encoding="utf-8")
    assert "'http://127.0.0.1:1/'" in str(inner(tests, "--tcop-target=@target.txt").stdout)
    (pytester.path / "target.txt").write_text("\n", encoding="utf-8")
    assert set_up_failure(inner(tests, "--tcop-target=@target.txt")).endswith("is empty; write the URL into it")
    assert "cannot be read: " in set_up_failure(inner(tests, "--tcop-target=@nosuch"))


def test_shapes_that_are_not_there_are_reported_when_tests_are_collected(inner: RunPytest) -> None:
    """``tcop_mock.parametrize`` fails the collection of its module in a line that says what was meant."""
    for call, message in {
        "'cvm/basic-monitorin'": "unknown shape 'cvm/basic-monitorin'; did you mean 'cvm/basic-monitoring', ",
        "'cvm/*', states=['fireing']": "unknown state 'fireing'; did you mean 'firing'?",
        "'cvm/events*', states=['repeated']": "no shape that matches cvm/events* has such a state or form",
    }.items():
        result = inner(f"import tcop_mock\n@tcop_mock.parametrize({call})\ndef test(tcop_callback): pass")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert f"tcop_mock.parametrize: {message}" in str(result.stdout)


def test_a_receiver_needs_the_extra(inner: RunPytest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pytest-httpserver, ``tcop_receiver`` says in a line what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    message = set_up_failure(inner("def test(tcop_receiver): pass"))
    assert message == 'tcop_receiver and its like need pytest-httpserver: pip install "tcop-mock[pytest]"'
