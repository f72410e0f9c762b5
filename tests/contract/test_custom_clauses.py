"""A team's own clauses: read, held to all rules at once, played by built-in players and judges and by others."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.assertions import Assertion
from tcop_mock.contract.builders import plain
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import PluginGroup
from tcop_mock.contract.custom_clauses import load_custom_clauses
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

[play]
player = "catalogue"
shapes = ["cvm/*"]

[[expect]]
judge = "status"
allow = ["202"]
"""


def player(shop: CaseFactory, *, count: int) -> ClauseTest:
    """Play as a package of somebody else's does."""
    return plain(shop, count=count)


def judge(attempt: Attempt, _context: object, *, word: str = "ok") -> str | None:
    """Judge as a package of somebody else's does."""
    return None if attempt.body == word.encode() else f"the answer is not {word}"


READY = Assertion(judge, needs_full_response=True)
NUMBER = 5


@pytest.fixture
def plugs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have packages around that bring players and judges, of which some are broken."""
    here = __name__
    points = [
        EntryPoint("acme_player", f"{here}:player", PluginGroup.BUILDERS.value),
        EntryPoint("acme_number", f"{here}:NUMBER", PluginGroup.BUILDERS.value),
        EntryPoint("acme_judge", f"{here}:judge", PluginGroup.ASSERTIONS.value),
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


def _told(*globs: str) -> list[str]:
    return [str(problem) for problem in load_custom_clauses(globs, CATALOG)[1]]


def test_own_clauses_are_read_in_the_order_of_their_codes(tmp_path: Path) -> None:
    """Each file once, whichever globs name it; folders are passed over."""
    _write(tmp_path, name="ZED100-b")
    (tmp_path / "sub.toml").mkdir()
    file = _write(tmp_path)
    clauses, problems = load_custom_clauses([str(tmp_path / "*.toml"), file], CATALOG)
    assert [clause.id for clause in clauses] == ["ACME101-answers-202", "ZED100-b"]
    assert problems == ()


def test_own_clauses_have_objects_of_their_own(tmp_path: Path) -> None:
    """Own codes draw other policies than ours with the same digits, and than each other."""
    _write(tmp_path)
    _write(tmp_path, name="OTHER101-a")
    clauses, _ = load_custom_clauses([str(tmp_path / "*")], CATALOG)
    codes = [*(clause.code for clause in clauses), "TCM101"]
    drawn = {
        CaseFactory(CATALOG, Generator(7), code).unique_alarm(CATALOG.get("cvm/events")).policy_name for code in codes
    }
    assert len(drawn) == 3


@pytest.mark.parametrize(
    "player_lines, stage",
    [
        ('player = "catalogue"', Phase.MAIN),
        ('player = "bodies"\nbodies = [{ title = "x", text = "{" }]', Phase.MALFORMED_INPUT),
        ('player = "burst"\ncount = 2\nover_s = 1.0', Phase.BURST),
    ],
)
def test_a_stage_that_is_not_said_is_that_of_its_player(tmp_path: Path, player_lines: str, stage: Phase) -> None:
    """Broken input and crowds are played where they harm no other clause."""
    file = _write(tmp_path, TEXT.replace('player = "catalogue"\nshapes = ["cvm/*"]', player_lines))
    [clause], problems = load_custom_clauses([file], CATALOG)
    assert (clause.phase, problems) == (stage, ())


@pytest.mark.parametrize(
    "old, new, problems",
    [
        ('level = "must"', 'levl = "must"', ["'levl' is an unknown key; did you mean 'level'?", "'level' is missing"]),
        ('"catalogue"', '"catalog"', ["play.player: unknown player 'catalog'; did you mean 'catalogue'"]),
        ('"catalogue"', "5", ["play.player: is 5, not "]),
        ('"status"', '"stats"', ["expect.judge: unknown judge 'stats'; did you mean 'status'"]),
        ('shapes = ["cvm/*"]', "shape = 1", ["play: player 'catalogue': got an unexpected keyword argument 'shape'"]),
        ('shapes = ["cvm/*"]', 'shapes = ["cvm2/*"]', ["play: unknown shape 'cvm2/*'"]),
        ('shapes = ["cvm/*"]', "shapes = 5", ["play: player 'catalogue' cannot play it: TypeError: "]),
        ('level = "must"', 'level = "must"\nprofiles = ["2024"]', ["profiles: unknown profile '2024'; did you mean "]),
        ('level = "must"', 'level = "must"\nstage = "effects"', ["stage: is effects; for player 'catalogue' it has "]),
        ('level = "must"', "level = ", ["is not TOML: "]),
        (
            'player = "catalogue"\nshapes = ["cvm/*"]',
            'player = "credentials"\noffers = ["none"]',
            ["needs: player 'credentials' shows other ones; write needs = [\"auth\"]"],
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, old: str, new: str, problems: list[str]) -> None:
    """File, key and problem; several at once."""
    file = _write(tmp_path, TEXT.replace(old, new))
    told = _told(file)
    assert [line.startswith(f"{file}: ") for line in told] == [True] * len(problems)
    for line, problem in zip(told, problems, strict=True):
        assert problem in line


STORY = """
[play]
player = "stories"

[[play.stories]]
acts = [{ title = "it fires", send = ["it fires"], effects = ">=1" }]

[[expect]]
judge = "as_told"
"""


def test_stories_are_played_where_effects_are_seen(tmp_path: Path) -> None:
    """A clause about effects needs an observer and a stage of its own, which it has by itself."""
    head = TEXT.partition("[play]")[0]
    [clause], problems = load_custom_clauses([_write(tmp_path, f'needs = ["observer"]\n{head}{STORY}')], CATALOG)
    assert (clause.phase, problems) == (Phase.EFFECTS, ())
    assert 'needs: stories are about effects; write needs = ["observer"]' in _told(_write(tmp_path, head + STORY))[0]
    main = _write(tmp_path, f'needs = ["observer"]\nstage = "main"\n{head}{STORY}')
    assert "stage: is main; for player 'stories' it has to be effects or patience" in _told(main)[0]


@pytest.mark.parametrize(
    "name, problem",
    [
        ("acme101-x", "the name of a clause's file is its code and slug, as in ACME101-our-rule.toml"),
        ("TCM101-x", "codes that begin with TCM are tcop-mock's own; take letters of your own, as in ACME101"),
    ],
)
def test_a_file_is_named_by_a_code_of_its_own(tmp_path: Path, name: str, problem: str) -> None:
    """Our codes never change their meaning, so no other clause has one."""
    assert _told(_write(tmp_path, name=name)) == [f"{tmp_path / name}.toml: {problem}"]


def test_a_code_is_given_once(tmp_path: Path) -> None:
    """Two files of one code are told, the second by name."""
    first, second = _write(tmp_path, name="ACME101-a"), _write(tmp_path, name="ACME101-b")
    assert _told(str(tmp_path / "*.toml")) == [f"{second}: ACME101 is the code of {first} already"]


def test_a_glob_that_matches_nothing_is_an_error() -> None:
    """A path with a typing error leaves out no clause in silence."""
    with pytest.raises(UsageError, match="--clause-files 'nosuch/\\*' matches no file"):
        load_custom_clauses(["nosuch/*"], CATALOG)


@pytest.mark.usefixtures("plugs")
@pytest.mark.parametrize("name", ["acme_judge", "acme_ready"])
def test_entry_points_bring_players_and_judges(tmp_path: Path, name: str) -> None:
    """A clause may name those of other packages, with their parameters."""
    text = TEXT.replace('player = "catalogue"\nshapes = ["cvm/*"]', 'player = "acme_player"\ncount = 2')
    text = text.replace('judge = "status"\nallow = ["202"]', f'judge = "{name}"\nword = "fine"')
    [clause], problems = load_custom_clauses([_write(tmp_path, text)], CATALOG)
    assert problems == ()
    assert clause.builder.plugin is player
    assert clause.assertions[0].plugin.check is judge


@pytest.mark.usefixtures("plugs")
@pytest.mark.parametrize(
    "old, new, problem",
    [
        ('"status"', '"acme_gone"', "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module_of_acme'"),
        ('"catalogue"', '"acme_number"', "is of type int, which cannot be called"),
        ('"catalogue"', '"acme_plyer"', "unknown player 'acme_plyer'; did you mean 'acme_player'"),
        ('"catalogue"', '"acme_player"', "player 'acme_player': missing a required argument: 'count'"),
    ],
)
def test_entry_points_that_are_broken_are_told(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """Where it is, and what it raises, in a line."""
    [told] = _told(_write(tmp_path, TEXT.replace(old, new)))
    assert problem in told
    assert len(told.splitlines()) == 1


def test_nothing_is_loaded_for_built_in_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at other packages for a clause that names none of theirs."""

    def refused(**_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("importlib.metadata.entry_points", refused)
    assert _told(_write(tmp_path)) == []


def test_a_parser_is_asked_about_its_own_clauses(tmp_path: Path) -> None:
    """Own clauses say themselves whether they are about parsed bodies."""
    [clause], _ = load_custom_clauses([_write(tmp_path, f'parsers = ["model"]\n{TEXT}')], CATALOG)
    assert clause.parsers == {"model"}
    assert load_custom_clauses([_write(tmp_path)], CATALOG)[0][0].parsers == frozenset()
