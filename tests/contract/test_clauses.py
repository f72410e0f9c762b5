"""The clause and profile files keep their rules, and clauses are selected by glob."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.data_files import check_entry, data_root, iter_files, read_entry
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import PROFILE_SCHEMA, load_profile
from tcop_mock.contract.assertions import ASSERTIONS
from tcop_mock.contract.builders import BUILDERS
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import CLAUSE_SCHEMA, find_clause, load_clauses, parse_clause, select_clauses
from tcop_mock.contract.effect_assertions import EFFECT_ASSERTIONS
from tcop_mock.contract.process_assertions import PROCESS_ASSERTIONS
from tcop_mock.domain.callback import State
from tcop_mock.domain.contract import Level, Phase, Prerequisite
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.target import Target
from tcop_mock.errors import EntryError, UnknownNameError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from tcop_mock.domain.contract import Clause, ClauseTest

CLAUSES = load_clauses()
FILES = dict(iter_files(data_root("contracts") / "clauses", ".toml"))
PROFILES = dict(iter_files(data_root("contracts") / "profiles", ".toml"))
_BUILT: dict[str, ClauseTest] = {}
GUARDED = Target.parse("http://alice:s3cr3t@127.0.0.1:9/")
TABLE: dict[str, Any] = {
    "level": "must",
    "requirement": "Something is so.",
    "source": "a page somewhere",
    "why": "It would hurt.",
    "fix": "Make it so.",
    "requests": {"builder": "every_shape"},
    "expect": [{"assertion": "status", "allow": ["2xx"]}],
}


def _factory(clause: Clause) -> CaseFactory:
    return CaseFactory(
        Catalog.load(), Generator(7), clause.code, GUARDED.credentials, (("Content-Type", "application/json"),)
    )


@pytest.mark.parametrize("name", FILES)
def test_every_clause_file_keeps_its_schema_and_name(name: str) -> None:
    """A clause's file is named by code and slug and keeps the schema of clauses."""
    assert re.fullmatch(r"TCM\d{3}-[a-z0-9]+(-[a-z0-9]+)*", name)
    read_entry(FILES[name], CLAUSE_SCHEMA, check=True)


@pytest.mark.parametrize("file", PROFILES.values(), ids=PROFILES)
def test_every_profile_file_keeps_its_schema(file: Traversable) -> None:
    """A profile keeps the schema of profiles and lists its assumptions."""
    table = read_entry(file, PROFILE_SCHEMA, check=True)
    assert table["assumed"]


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_every_clause_builds_its_requests(clause: Clause) -> None:
    """Each clause's builder accepts its parameters and builds at least one asserted case, the same twice."""
    first, second = _built(clause), _build(clause, _factory(clause))
    assert first == second
    assert first.effect_scenarios or any(case.is_asserted for group in first.groups for case in group.cases)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_a_clause_sends_everything_that_it_names(clause: Clause) -> None:
    """In the default profile no mutation is skipped because callbacks lack the field that it changes."""
    params = clause.builder.params
    type_names = [
        type_name for field in params.get("fields", ()) for type_name in field["types"] * len(field.get("states", "1"))
    ]
    named = [*params.get("mutations", ()), *params.get("bodies", ()), *type_names]
    cases = [case for group in _built(clause).groups for case in group.cases]
    assert clause.builder.name not in {"mutations", "scalar_types"} or len(cases) == len(named)


def test_no_two_clauses_share_an_object() -> None:
    """Every alarm of every clause has its own policy id, so clauses can run concurrently.

    Resolves of ``every_shape`` belong to alarms that it posts firing.
    """
    ids: list[str] = []
    for clause in CLAUSES:
        for group in _built(clause).groups:
            for case in filter(None, (*group.cases, group.control)):
                policy_ids = re.findall(r'"policyId": ?"(policy-\w{8})"', case.request.body.decode("utf-8", "replace"))
                if clause.builder.name == "every_shape" and " resolved" in case.title:
                    assert set(policy_ids) <= set(ids)
                else:
                    ids += policy_ids
    assert len(ids) > 300
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("shapes", [["*"], ["redis/*"], ["redis/instance-1min"]])
def test_retired_shapes_are_posted_only_where_they_are_chosen(shapes: list[str]) -> None:
    """TCOP has no such policies any more, so no receiver must take them."""
    clause = parse_clause("TCM999-x", TABLE | {"requests": {"builder": "every_shape", "shapes": shapes}})
    titles = {case.title.split()[0] for group in _build(clause, _factory(clause)).groups for case in group.cases}
    retired = {shape.id for shape in Catalog.load() if shape.retired}
    assert titles & retired == (retired & set(shapes))


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_a_case_is_identified_by_its_title(clause: Clause) -> None:
    """Titles are unique within a clause. In a rerun only sessions and policies differ."""
    tests = (_built(clause), _build(clause, replace(_factory(clause), rerun=1)))
    first, again = ([case for group in test.groups for case in group.cases] for test in tests)
    assert [case.title for case in first] == [case.title for case in again]
    assert len({case.title for case in first}) == len(first)
    for case, repeated in zip(first, again, strict=True):
        assert _without_ids(case.request.body) == _without_ids(repeated.request.body)
        if b'"policyId"' in case.request.body and b"sessionId" in case.request.body:
            assert case.request.body != repeated.request.body


def _build(clause: Clause, factory: CaseFactory) -> ClauseTest:
    return BUILDERS[clause.builder.name](factory, **clause.builder.params)


def _built(clause: Clause) -> ClauseTest:
    """Return the requests of a clause; several tests share them."""
    if clause.code not in _BUILT:
        _BUILT[clause.code] = _build(clause, _factory(clause))
    return _BUILT[clause.code]


def _without_ids(body: bytes) -> bytes:
    return re.sub(rb'"(sessionId|policyId)": ?"[^"]*"|^\{"id":"[^"]*"', b"", body)  # a CloudEvent has an id


def test_codes_are_in_order_and_unique() -> None:
    """Codes are unique, and the clauses are in the order of their codes."""
    codes = [clause.code for clause in CLAUSES]
    assert codes == sorted(set(codes))


def test_the_schema_lists_every_builder_and_assertion() -> None:
    """The enums of the schema equal the names of builders and assertions."""
    schema = json.loads((data_root("contracts") / "schemas" / "clause.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]["requests"]["properties"]["builder"]["enum"]) == BUILDERS.keys()
    assertion_names = schema["properties"]["expect"]["items"]["properties"]["assertion"]["enum"]
    assert set(assertion_names) == ASSERTIONS.keys() | EFFECT_ASSERTIONS.keys() | PROCESS_ASSERTIONS.keys()


@pytest.mark.parametrize(
    "globs, skipped, expected",
    [
        ([], [], {clause.code for clause in CLAUSES}),
        (["TCM302"], [], {"TCM302"}),
        (["tcm40?"], ["TCM402"], {"TCM401", "TCM403", *(f"TCM40{number}" for number in range(4, 10))}),
        (["recover-*", "TCM101-accepts-catalogue"], [], {"TCM302", "TCM101"}),
        (["TCM2*"], ["*"], set()),
    ],
)
def test_clauses_are_selected_by_glob(globs: list[str], skipped: list[str], expected: set[str]) -> None:
    """Codes, slugs and ids match case-insensitively; skipped clauses are excluded."""
    assert {clause.code for clause in select_clauses(CLAUSES, globs, skipped)} == expected


@pytest.mark.parametrize(
    "glob, hint", [("TCM30Z", "TCM30"), ("recover-time-zro", "recover-time-zero"), ("x*", "--list")]
)
def test_a_glob_that_matches_nothing_is_an_error(glob: str, hint: str) -> None:
    """An unknown clause, selected or skipped, is an error with similar names or a hint."""
    for call in (
        lambda: select_clauses(CLAUSES, [glob]),
        lambda: select_clauses(CLAUSES, [], [glob]),
        lambda: find_clause(CLAUSES, glob),
    ):
        with pytest.raises(UnknownNameError) as caught:
            call()
        assert f"unknown clause {glob!r}" in str(caught.value)
        assert hint in str(caught.value)


def test_a_clause_is_found_by_code_slug_or_both() -> None:
    """TCM302, its slug, and both name the same clause."""
    assert {
        find_clause(CLAUSES, name).code for name in ("tcm302", "recover-time-zero", "TCM302-recover-time-zero")
    } == {"TCM302"}


def test_a_clause_has_defaults() -> None:
    """A file without profiles, needs and phase applies everywhere, needs nothing, and runs in the main phase."""
    clause = parse_clause("TCM999-some-thing", TABLE)
    assert (clause.id, clause.level, clause.profiles, clause.phase) == ("TCM999-some-thing", Level.MUST, (), Phase.MAIN)
    assert clause.prerequisites == frozenset()
    assert parse_clause("TCM999-x", TABLE | {"needs": ["auth"]}).prerequisites == {Prerequisite.AUTH}


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"requests": {"builder": "every_shap"}},
            "requests.builder: unknown builder 'every_shap'; did you mean 'every_shape'",
        ),
        ({"requests": {"builder": "burst", "count": 1, "over": 2}}, "requests: builder 'burst': "),
        ({"expect": [{"assertion": "stats"}]}, "expect.assertion: unknown assertion 'stats'; did you mean 'status'"),
        (
            {"expect": [{"assertion": "status", "alow": []}]},
            "expect: assertion 'status': got an unexpected keyword argument 'alow'",
        ),
    ],
)
def test_wrong_builders_assertions_and_parameters_are_errors(change: dict[str, Any], message: str) -> None:
    """The error of a clause with an unknown name has file, key and problem."""
    with pytest.raises(EntryError) as caught:
        parse_clause("TCM999-some-thing", TABLE | change)
    assert str(caught.value).startswith("TCM999-some-thing.toml: ")
    assert message in str(caught.value)


def test_the_schema_rejects_unknown_keys() -> None:
    """A misspelt key of a clause is an error."""
    with pytest.raises(EntryError, match=r"TCM999\.toml"):
        check_entry("TCM999.toml", TABLE | {"levels": "must"}, CLAUSE_SCHEMA)


def test_the_default_profile_is_that_of_2023() -> None:
    """Four POSTs of five seconds each, retries after every failure, and an assumption for everything undocumented."""
    profile = load_profile()
    assert (profile.name, profile.delivery.attempts, profile.delivery.timeout_s) == ("2023", 4, 5.0)
    assert profile.delivery.retry_on == set(Outcome) - {Outcome.ACKED, Outcome.CANCELLED}
    assert len(profile.assumptions) == 9


def test_an_unknown_profile_is_an_error() -> None:
    """The error of an unknown profile lists the existing ones."""
    with pytest.raises(UnknownNameError, match="unknown profile '2024'; did you mean '2025' or '2023'"):
        load_profile("2024")
    with pytest.raises(UnknownNameError, match="one of 2019-ack, 2021-verify, 2023, 2025, template"):
        load_profile("latest")


def test_a_form_is_posted_for_the_shapes_that_have_it() -> None:
    """EventBridge's form comes in both spellings, and metrics have none."""
    test = BUILDERS["every_shape"](
        _factory(CLAUSES[0]), shapes=["cvm/events", "cvm/basic-monitoring"], forms=["eventbridge"]
    )
    bodies = {case.title: case.request.body for group in test.groups for case in group.cases}
    assert len(bodies) == 4
    assert b'"key":"ip"' in bodies["cvm/events firing (eventbridge)"]
    assert b'"Key":"ip"' in bodies["cvm/events firing (eventbridge, keys in capitals)"]


def test_mutations_of_what_a_callback_lacks_have_no_cases() -> None:
    """Base values below a key that the body does not have leave nothing to change."""
    factory = _factory(CLAUSES[0])
    built = BUILDERS["mutations"](factory, mutations=[{"title": "x", "base_values": {"nosuch.key.path": 1}}])
    assert [group.cases for group in built.groups] == [()]


def test_a_resolve_without_a_policy_id_has_a_firing() -> None:
    """Callbacks of 2019 have no policyId, which the firing would otherwise share with the resolve."""
    factory = _factory(CLAUSES[0])
    alarm = factory.alarm(factory.catalog.get("cvm/basic-monitoring"), required_state=State.RESOLVED)
    firing = json.loads(factory.firing_of(alarm, {}).body)
    assert (firing["alarmStatus"], firing["alarmPolicyInfo"]["policyId"]) == ("1", alarm.policy_id)


def test_a_scenario_sends_the_credentials_that_it_names() -> None:
    """The scenarios of TCM527 send different credentials."""
    clause = next(clause for clause in CLAUSES if clause.code == "TCM527")
    scenarios = _build(clause, _factory(clause)).effect_scenarios
    sent = {case.request.credentials for scenario in scenarios for step in scenario.steps for case in step.cases}
    assert len(sent) > 1


def test_two_alarms_with_equal_bodies_are_left_out() -> None:
    """Callbacks of 2019 have no account, so the same ids in another account are one alarm."""
    clause = next(clause for clause in CLAUSES if clause.code == "TCM508")
    generator = Generator(7, wire_format=load_profile("2019-ack").wire_format)
    built = _build(clause, CaseFactory(Catalog.load(), generator, clause.code))
    assert any("so that they are one alarm" in scenario.left_out for scenario in built.effect_scenarios)
