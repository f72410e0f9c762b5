"""A team's own clauses: loaded, checked completely, and run with built-in and third-party builders and assertions."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.assertions import Assertion
from tcop_mock.contract.builders import plain
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import PluginGroup, load_custom_clauses
from tcop_mock.domain.contract import Phase
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tcop_mock.domain.contract import ClauseTest
    from tcop_mock.domain.delivery import Attempt

CATALOG = Catalog.load()
TEXT = """
level = "must"
requirement = "Our gateway answers with 202."
source = "the handbook of our gateway"
why = "The dashboard counts nothing else."
fix = "Answer 202."

[requests]
builder = "every_shape"
shapes = ["cvm/*"]

[[expect]]
assertion = "status"
allow = ["202"]
"""


def build(factory: CaseFactory, *, count: int) -> ClauseTest:
    """Build requests as a third-party package does."""
    return plain(factory, count=count)


def check(attempt: Attempt, _context: object, *, word: str = "ok") -> str | None:
    """Assert as a third-party package does."""
    return None if attempt.body == word.encode() else f"the answer is not {word}"


READY = Assertion(check, needs_full_response=True)
NUMBER = 5


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install entry points of third-party builders and assertions, some of them broken."""
    here = __name__
    points = [
        EntryPoint("acme_builder", f"{here}:build", PluginGroup.BUILDERS.value),
        EntryPoint("acme_number", f"{here}:NUMBER", PluginGroup.BUILDERS.value),
        EntryPoint("acme_assertion", f"{here}:check", PluginGroup.ASSERTIONS.value),
        EntryPoint("acme_ready", f"{here}:READY", PluginGroup.ASSERTIONS.value),
        EntryPoint("acme_gone", "no_such_module_of_acme:x", PluginGroup.ASSERTIONS.value),
    ]

    def found(**wanted: Any) -> EntryPoints:
        return EntryPoints(points).select(**wanted)

    monkeypatch.setattr("importlib.metadata.entry_points", found)


def _write(folder: Path, text: str = TEXT, name: str = "ACME101-answers-202") -> str:
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def _messages(*globs: str) -> list[str]:
    return [str(problem) for problem in load_custom_clauses(globs, CATALOG)[1]]


def test_own_clauses_are_read_in_the_order_of_their_codes(tmp_path: Path) -> None:
    """Each file is loaded once, however many globs match it; folders are ignored."""
    _write(tmp_path, name="ZED100-b")
    (tmp_path / "sub.toml").mkdir()
    file = _write(tmp_path)
    clauses, problems = load_custom_clauses([str(tmp_path / "*.toml"), file], CATALOG)
    assert [clause.id for clause in clauses] == ["ACME101-answers-202", "ZED100-b"]
    assert problems == ()


def test_own_clauses_have_objects_of_their_own(tmp_path: Path) -> None:
    """Custom codes get other policies than built-in codes with the same digits, and than each other."""
    _write(tmp_path)
    _write(tmp_path, name="OTHER101-a")
    clauses, _ = load_custom_clauses([str(tmp_path / "*")], CATALOG)
    codes = [*(clause.code for clause in clauses), "TCM101"]
    drawn = {
        CaseFactory(CATALOG, Generator(7), code).unique_alarm(CATALOG.get("cvm/events")).policy_name for code in codes
    }
    assert len(drawn) == 3


@pytest.mark.parametrize(
    "builder_lines, phase",
    [
        ('builder = "every_shape"', Phase.MAIN),
        ('builder = "raw_bodies"\nbodies = [{ title = "x", text = "{" }]', Phase.MALFORMED_INPUT),
        ('builder = "burst"\ncount = 2\nduration_s = 1.0', Phase.BURST),
    ],
)
def test_the_default_phase_follows_from_the_builder(tmp_path: Path, builder_lines: str, phase: Phase) -> None:
    """Malformed input and bursts get a phase in which they disturb no other clause."""
    file = _write(tmp_path, TEXT.replace('builder = "every_shape"\nshapes = ["cvm/*"]', builder_lines))
    [clause], problems = load_custom_clauses([file], CATALOG)
    assert (clause.phase, problems) == (phase, ())


@pytest.mark.parametrize(
    "old, new, problems",
    [
        ('level = "must"', 'levl = "must"', ["'levl' is an unknown key; did you mean 'level'?", "'level' is missing"]),
        (
            '"every_shape"',
            '"every_shap"',
            ["requests.builder: unknown builder 'every_shap'; did you mean 'every_shape'"],
        ),
        ('"every_shape"', "5", ["requests.builder: is 5, not "]),
        ('"status"', '"stats"', ["expect.assertion: unknown assertion 'stats'; did you mean 'status'"]),
        (
            'shapes = ["cvm/*"]',
            "shape = 1",
            ["requests: builder 'every_shape': got an unexpected keyword argument 'shape'"],
        ),
        ('shapes = ["cvm/*"]', 'shapes = ["cvm2/*"]', ["requests: unknown shape 'cvm2/*'"]),
        ('shapes = ["cvm/*"]', "shapes = 5", ["requests: builder 'every_shape' failed: TypeError: "]),
        ('level = "must"', 'level = "must"\nprofiles = ["2024"]', ["profiles: unknown profile '2024'; did you mean "]),
        (
            'level = "must"',
            'level = "must"\nphase = "effects"',
            ["phase: is effects; for builder 'every_shape' it has "],
        ),
        ('level = "must"', "level = ", ["is not TOML: "]),
        (
            'builder = "every_shape"\nshapes = ["cvm/*"]',
            'builder = "credential_variants"\nvariants = ["none"]',
            ["needs: builder 'credential_variants' sends other credentials; write needs = [\"auth\"]"],
        ),
    ],
)
def test_all_problems_of_a_file_are_reported(tmp_path: Path, old: str, new: str, problems: list[str]) -> None:
    """Each problem has file and key; several are reported at once."""
    file = _write(tmp_path, TEXT.replace(old, new))
    messages = _messages(file)
    assert [line.startswith(f"{file}: ") for line in messages] == [True] * len(problems)
    for line, problem in zip(messages, problems, strict=True):
        assert problem in line


SCENARIO = """
[requests]
builder = "effect_scenarios"

[[requests.scenarios]]
steps = [{ title = "it fires", send = ["it fires"], expected_effects = ">=1" }]

[[expect]]
assertion = "effects_match"
"""


def test_effect_scenarios_run_in_the_effects_phase(tmp_path: Path) -> None:
    """A clause about effects needs an observer. Its default phase is effects, and other phases are rejected."""
    head = TEXT.partition("[requests]")[0]
    [clause], problems = load_custom_clauses([_write(tmp_path, f'needs = ["observer"]\n{head}{SCENARIO}')], CATALOG)
    assert (clause.phase, problems) == (Phase.EFFECTS, ())
    assert (
        'needs: effect_scenarios check effects; write needs = ["observer"]'
        in _messages(_write(tmp_path, head + SCENARIO))[0]
    )
    main = _write(tmp_path, f'needs = ["observer"]\nphase = "main"\n{head}{SCENARIO}')
    problem = "phase: is main; for builder 'effect_scenarios' it has to be effects, slow-effects or crashes"
    assert problem in _messages(main)[0]


PROCESS = '[requests]\nbuilder = "process_callbacks"\n\n[[expect]]\nassertion = "stops_in_time"\nwithin_s = 5\n'


@pytest.mark.parametrize(
    "needs, phase, requests, problem",
    [
        ("run", "process", PROCESS, ""),
        ("http", "process", PROCESS, 'needs: it ends or measures the receiver; write needs = ["run"]'),
        ("run", "main", PROCESS, "phase: is main; process is the phase of 'process_callbacks', and only of it"),
        (
            "observer",
            "crashes",
            SCENARIO,
            "phase: is crashes; crashes is the phase of send_mode during-restart, then-killed, while-stopped, and",
        ),
        (
            "observer",
            "crashes",
            SCENARIO.replace("send = [", 'send_mode = "then-killed", send = ['),
            'needs: it ends or measures the receiver; write needs = ["run"]',
        ),
        (
            "restart",
            "slow-effects",
            SCENARIO.replace("send = [", 'send_mode = "during-restart", send = ['),
            "phase: is slow-effects; crashes is the phase of send_mode during-restart",
        ),
    ],
)
def test_clauses_about_processes_have_phases_of_their_own(
    tmp_path: Path, needs: str, phase: str, requests: str, problem: str
) -> None:
    """They need the receiver of --run, and end it only where nothing else runs."""
    head = TEXT.partition("[requests]")[0]
    file = _write(tmp_path, f'needs = ["{needs}"]\nphase = "{phase}"\n{head}{requests}')
    clauses, problems = load_custom_clauses([file], CATALOG)
    assert [clause.phase for clause in clauses] == ([] if problem else [phase])
    assert problem in "".join(map(str, problems))


@pytest.mark.parametrize(
    "name, problem",
    [
        ("acme101-x", "the name of a clause file is its code and slug, as in ACME101-our-rule.toml"),
        ("TCM101-x", "codes that begin with TCM are tcop-mock's own; use letters of your own, as in ACME101"),
    ],
)
def test_a_file_is_named_by_a_code_of_its_own(tmp_path: Path, name: str, problem: str) -> None:
    """Custom clauses cannot use the codes of built-in clauses."""
    assert _messages(_write(tmp_path, name=name)) == [f"{tmp_path / name}.toml: {problem}"]


def test_a_code_is_unique(tmp_path: Path) -> None:
    """The second file with a code is an error."""
    first, second = _write(tmp_path, name="ACME101-a"), _write(tmp_path, name="ACME101-b")
    assert _messages(str(tmp_path / "*.toml")) == [f"{second}: ACME101 is already the code of {first}"]


def test_a_glob_that_matches_nothing_is_an_error() -> None:
    """A mistyped path is not silently ignored."""
    with pytest.raises(UsageError, match="--clause-files 'nosuch/\\*' matches no file"):
        load_custom_clauses(["nosuch/*"], CATALOG)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", ["acme_assertion", "acme_ready"])
def test_entry_points_provide_builders_and_assertions(tmp_path: Path, name: str) -> None:
    """A clause may name builders and assertions of other packages, with their parameters."""
    text = TEXT.replace('builder = "every_shape"\nshapes = ["cvm/*"]', 'builder = "acme_builder"\ncount = 2')
    text = text.replace('assertion = "status"\nallow = ["202"]', f'assertion = "{name}"\nword = "fine"')
    [clause], problems = load_custom_clauses([_write(tmp_path, text)], CATALOG)
    assert problems == ()
    assert clause.builder.plugin is build
    assert clause.assertions[0].plugin.check is check


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    "old, new, problem",
    [
        ('"status"', '"acme_gone"', "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module_of_acme'"),
        ('"every_shape"', '"acme_number"', "is of type int, which cannot be called"),
        ('"every_shape"', '"acme_bulder"', "unknown builder 'acme_bulder'; did you mean 'acme_builder'"),
        ('"every_shape"', '"acme_builder"', "builder 'acme_builder': missing a required "),
    ],
)
def test_broken_entry_points_are_errors(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """The error has the location and the cause, in one line."""
    [message] = _messages(_write(tmp_path, TEXT.replace(old, new)))
    assert problem in message
    assert len(message.splitlines()) == 1


def test_nothing_is_loaded_for_built_in_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points are not read for a clause that names only built-in functions."""

    def refused(**_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("importlib.metadata.entry_points", refused)
    assert _messages(_write(tmp_path)) == []


def test_custom_clauses_may_apply_to_parsers(tmp_path: Path) -> None:
    """Custom clauses state whether they apply to parsers."""
    [clause], _ = load_custom_clauses([_write(tmp_path, f'parsers = ["model"]\n{TEXT}')], CATALOG)
    assert clause.parsers == {"model"}
    assert load_custom_clauses([_write(tmp_path)], CATALOG)[0][0].parsers == frozenset()
