"""The shipped scenarios, and errors in users' own."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.data_files import data_root, iter_files, read_entry, read_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback_view import CallbackView, key_from_body
from tcop_mock.errors import EntryError, UnknownNameError
from tcop_mock.load.scenario import SCHEMA, ScenarioSchedule, load_scenario, parse_scenario, scenario_names

if TYPE_CHECKING:
    from pathlib import Path

    from tcop_mock.domain.load import Scenario, ScheduledCallback

CATALOG = Catalog.load()
FILES = dict(iter_files(data_root("contracts") / "scenarios", ".toml"))
_NUMBERS = {"alarms", "start_s", "within_s", "lasts_s", "over_s", "lives", "between_s", "period_s", "period_num"}
_FEW = 6
_GROUP: dict[str, Any] = {"title": "some", "shapes": ["cvm/basic-monitoring"], "alarms": 3, "within_s": 5}


def small(name: str) -> Scenario:
    """Return a shipped scenario with few alarms."""
    table = read_entry(FILES[name], SCHEMA, check=True)
    for group in table["groups"]:
        group["alarms"] = min(group["alarms"], _FEW)
    return parse_scenario(name, "", table)


@cache
def played(name: str) -> list[ScheduledCallback]:
    """Return all callbacks of a small run of a scenario."""
    return list(ScenarioSchedule(small(name), CATALOG, Generator(3)).schedule())


def test_the_shipped_scenarios_are_those_of_the_folder() -> None:
    """One file is one scenario; the ones that are promised are there."""
    assert [load_scenario(name).name for name in FILES] == list(FILES)
    assert scenario_names() == tuple(FILES)
    assert set(FILES) >= {"zone-outage", "flapping", "daily-repeats", "deploy-noise"}
    Draft202012Validator.check_schema(read_schema(SCHEMA))


@pytest.mark.parametrize("name", FILES)
def test_every_number_is_sourced_or_assumed(name: str) -> None:
    """Each number of a shipped scenario, and its region, has a sentence under ``assumed``, which reports print."""
    table = read_entry(FILES[name], SCHEMA, check=True)
    numbers = {key for group in table["groups"] for key in group if key in _NUMBERS or key == "repeats"}
    numbers |= {key for key in ("region", "ends_s") if key in table}
    assert numbers == set(table["assumed"])
    assert "assumed" in table["source"]
    assert load_scenario(name).assumptions == tuple(table["assumed"].values())


@pytest.mark.proof
@pytest.mark.parametrize("name", FILES)
def test_a_storm_is_reported_in_order_by_bodies_that_are_valid(name: str) -> None:
    """The earliest first; every body could have come from TCOP, says what its script says, and no two are the same."""
    dues = played(name)
    judge = CallbackValidator(CATALOG, load_profile())
    assert all(before.at_s <= after.at_s for before, after in pairwise(dues))
    assert len({due.session_id for due in dues}) == len({due.body for due in dues}) == len(dues)
    for due in dues[:: max(1, len(dues) // 10)]:
        verdict = judge.validate(due.body)
        assert (verdict.is_valid, verdict.deviations) == (True, ())
        alarm, thing, session, _ = key_from_body(due.body)
        assert (due.alarm_key, due.object_id, due.session_id) == (alarm, thing, session)


@pytest.mark.parametrize("name", FILES)
def test_the_alarms_of_a_storm_live_true_lives(name: str) -> None:
    """Fired before they are repeated or resolved, of one age with the storm's clock, all of one account and region."""
    dues = played(name)
    lives: dict[str, list[ScheduledCallback]] = {}
    for due in dues:
        lives.setdefault(due.alarm_key, []).append(due)
    for life in lives.values():
        states = " ".join(due.state for due in life)
        assert re.fullmatch(r"(firing( repeated)*( resolved|$) ?)+", states)
    for due in dues[::25]:
        reported = CallbackView(json.loads(due.body))
        fired = next(one for one in reversed(lives[due.alarm_key]) if one.state == "firing" and one.at_s <= due.at_s)
        if "metricName" in reported.conditions:
            assert reported.duration_s == round(due.at_s - fired.at_s)
        assert reported.first_occurred_at == CallbackView(json.loads(fired.body)).first_occurred_at
        assert reported.is_resolved == (due.state == "resolved")
        if reported.is_resolved:
            assert (reported.recovered_at - reported.first_occurred_at).total_seconds() == round(due.at_s - fired.at_s)  # type: ignore[operator]  # both are there
    abouts = [json.loads(due.body)["alarmObjInfo"] for due in dues]
    assert len({about["appId"] for about in abouts if "appId" in about}) == 1
    if region := small(name).region:
        assert {about["region"] for about in abouts if "region" in about} == {region}


def test_the_same_seed_gives_the_same_storm() -> None:
    """Byte for byte; another seed gives another one, and so does another scenario of the same groups."""
    scenario = small("deploy-noise")
    first, again, other = (list(ScenarioSchedule(scenario, CATALOG, Generator(seed)).schedule()) for seed in (3, 3, 4))
    assert first == again
    assert not {due.body for due in first} & {due.body for due in other}
    renamed = list(ScenarioSchedule(replace(scenario, name="mine"), CATALOG, Generator(3)).schedule())
    assert [due.at_s for due in renamed] != [due.at_s for due in first]


def test_time_can_be_compressed() -> None:
    """Scaled are the times at which things are due, not those that bodies tell."""
    storm = ScenarioSchedule(small("flapping"), CATALOG, Generator(3))
    whole, fast = list(storm.schedule()), list(storm.schedule(0.01))
    assert [due.body for due in whole] == [due.body for due in fast]
    assert [due.at_s for due in fast] == pytest.approx([due.at_s / 100 for due in whole])
    assert storm.size() == (len(whole), whole[-1].at_s, max(Counter(int(due.at_s) for due in whole).values()))
    assert storm.size(0.0) == (len(whole), 0.0, len(whole))


def own(*groups: dict[str, Any], **scenario: Any) -> Scenario:
    """Return a scenario of groups of one's own."""
    table = {"title": "mine", "source": "ours", "groups": [_GROUP | group for group in groups], **scenario}
    return parse_scenario("mine", "mine.toml", table)


def test_what_is_never_over_ends_with_the_scenario() -> None:
    """Repeats go on until ``ends_s``; of a group that is reported once, one firing is all there is."""
    forever = own({"repeats": {"type": "exponential", "every_s": 300}}, ends_s=4000)
    dues = list(ScenarioSchedule(forever, CATALOG, Generator(1)).schedule())
    assert max(due.at_s for due in dues) <= 4000
    assert [due.state for due in dues].count("repeated") == 3 * 3
    once = list(ScenarioSchedule(own({}), CATALOG, Generator(1)).schedule())
    assert [due.state for due in once] == ["firing"] * 3


def test_groups_of_one_shape_have_policies_of_their_own() -> None:
    """No policy watches two metrics, and events that do not recover are not resolved."""
    scenario = own(
        {"metric": "cpu_usage", "lasts_s": [1, 2]},
        {"metric": "mem_used", "lasts_s": [1, 2]},
        {"shapes": ["cvm/events"], "event": "ping_unreachable", "lasts_s": [1, 2]},
        {"shapes": ["cvm/events"], "event": "guest_reboot", "over_s": 60},
        {"shapes": ["cvm/events"], "over_s": 60},
    )
    dues = list(ScenarioSchedule(scenario, CATALOG, Generator(1)).schedule())
    watched: dict[str, set[str]] = {}
    for due in dues:
        reported = CallbackView(json.loads(due.body))
        watched.setdefault(str(reported.policy["policyId"]), set()).add(reported.metric_name)
    assert {name for names in watched.values() for name in names} >= {"cpu_usage", "mem_used"}
    assert all(len(names) == 1 for names in watched.values())
    resolved = {CallbackView(json.loads(due.body)).metric_name for due in dues if due.state == "resolved"}
    assert "ping_unreachable" in resolved
    assert "guest_reboot" not in resolved


@pytest.mark.parametrize(
    "groups, scenario, complaint",
    [
        ([{"lasts_s": [9, 3]}], {}, "groups.0.lasts_s: 9 is more than 3; the least comes first"),
        ([{}, {"between_s": [9, 3]}], {}, "groups.1.between_s: 9 is more than 3; the least comes first"),
        ([{"lasts_s": [1, 2], "over_s": 9}], {}, "groups.0.over_s: does not go with lasts_s: alarms end each by "),
        ([{"over_s": 5}], {}, "groups.0.over_s: 5 is not after the last firing, which may come at 5"),
        ([{"lives": 2}], {}, "groups.0.lives: needs lasts_s: each life has to end before the next one begins"),
        (
            [{"repeats": {"type": "continuous", "every_s": 300}}],
            {},
            "groups.0.repeats: its alarms are never over: give lasts_s or over_s, or the scenario ends_s",
        ),
        ([{}], {"assumed": {"alarm": "x"}}, "assumed.alarm: is not a key of a group or of the scenario; did you mean "),
        ([{}], {"assumed": {"zzz": "x"}}, "assumed.zzz: is not a key of a group or of the scenario"),
        ([{}], {"region": "zz"}, "region: unknown region 'zz'; one of "),
    ],
)
def test_what_does_not_fit_together_is_reported(groups: Any, scenario: Any, complaint: str) -> None:
    """File, key, and what is wrong with it."""
    with pytest.raises(EntryError) as raised:
        own(*groups, **scenario)
    assert str(raised.value).startswith(f"mine.toml: {complaint}")


@pytest.mark.parametrize(
    "group, complaint",
    [
        ({"shapes": ["cvm/basic"]}, "groups.0.shapes: unknown shape 'cvm/basic'; did you mean "),
        ({"metric": "cpu_usages"}, "groups.0.metric: unknown metric 'cpu_usages' in cvm/basic-monitoring; did you"),
        ({"event": "ping_unreachable"}, "groups.0.event: cvm/basic-monitoring is of metric alarms"),
        ({"shapes": ["cvm/events"], "metric": "cpu_usage"}, "groups.0.metric: cvm/events is of event alarms"),
        (
            {"shapes": ["cvm/events"], "repeats": {"type": "continuous", "every_s": 300}, "over_s": 9},
            "groups.0.repeats: cvm/events: event alarms never repeat; only single is possible",
        ),
    ],
)
def test_what_is_not_in_the_catalogue_is_reported(group: dict[str, Any], complaint: str) -> None:
    """Before anything is sent."""
    with pytest.raises(EntryError) as raised:
        ScenarioSchedule(own(group), CATALOG, Generator(1))
    assert str(raised.value).startswith(f"mine.toml: {complaint}")


@pytest.mark.parametrize(
    "changed, complaint",
    [
        ("alarms = 3.5", "groups.0.alarms: is a number, not an integer"),
        ('alarms = "3"', "groups.0.alarms: is a string, not an integer (Number of alarms.)"),
        ("alarms = 3\nlast_s = [1, 2]", "groups.0: 'last_s' is an unknown key; did you mean 'lasts_s'"),
        ("alarms = 3\nlasts_s = [1]", "groups.0.lasts_s: "),
        ("alarms =", "is not TOML: "),
    ],
)
def test_a_file_of_ones_own_keeps_the_format(tmp_path: Path, changed: str, complaint: str) -> None:
    """The same format as the shipped ones, read from a path; what breaks it is reported by file and key."""
    text = 'title = "mine"\nsource = "ours"\n[[groups]]\ntitle = "x"\nshapes = ["cvm/events"]\nwithin_s = 1\n'
    file = tmp_path / "mine.toml"
    file.write_text(f"{text}alarms = 3\n", encoding="utf-8")
    scenario = load_scenario(str(file))
    assert (scenario.name, scenario.alarm_count, scenario.location) == ("mine", 3, str(file))
    file.write_text(f"{text}{changed}\n", encoding="utf-8")
    with pytest.raises(EntryError) as raised:
        load_scenario(str(file))
    assert str(raised.value).startswith(f"{file}: {complaint}")


def test_a_name_that_is_not_there_is_refused() -> None:
    """The error lists the nearest names, or all of them."""
    with pytest.raises(UnknownNameError, match="unknown scenario 'zone-outgae'; did you mean 'zone-outage'"):
        load_scenario("zone-outgae")
    with pytest.raises(UnknownNameError, match=r"unknown scenario 'xx'; there is daily-repeats, .*; or name a file"):
        load_scenario("xx")
    assert load_scenario("flapping").location == "flapping"
