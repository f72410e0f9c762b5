"""The scenarios: read from ``contracts/scenarios/``, one file each, or from a file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tcop_mock._data import data_root, walk
from tcop_mock.entries import read_entry, read_schema
from tcop_mock.errors import EntryError, UnknownNameError, did_you_mean
from tcop_mock.generate.pools import region_of
from tcop_mock.model.alarm import Notify, NotifyType
from tcop_mock.model.scenario import Group, Scenario

SCHEMA = "scenario"
_TYPES = {"continuous": NotifyType.CONTINUOUS, "exponential": NotifyType.EXPONENTIAL}


def scenario_names() -> tuple[str, ...]:
    """Return the names of the shipped scenarios."""
    return tuple(name for name, _ in walk(data_root("contracts") / "scenarios", ".toml"))


def load_scenario(name: str) -> Scenario:
    """Return a shipped scenario by name, or the one that a file holds.

    Raises:
        UnknownNameError: there is neither; names near misses.
        EntryError: the file does not keep the format; says file, key and problem.
    """
    shipped = dict(walk(data_root("contracts") / "scenarios", ".toml"))
    if name in shipped:
        return parse_scenario(name, "", read_entry(shipped[name], SCHEMA, check=False))
    file = Path(name)
    if not file.exists():
        listing = f"there is {', '.join(shipped)}; or name a file"
        raise UnknownNameError("scenario", name, shipped, listing=listing)
    return parse_scenario(file.stem, str(file), read_entry(file, SCHEMA, check=True))


def parse_scenario(name: str, file: str, table: dict[str, Any]) -> Scenario:
    """Turn the table of a file that keeps its schema into a scenario.

    Args:
        name: of the scenario.
        file: how an error names the file; empty for a shipped one.
        table: of the file.

    Raises:
        EntryError: what it says does not fit together; says which key.
    """
    groups = tuple(_group(row) for row in table["groups"])
    ends_s = table.get("ends_s")
    for number, group in enumerate(groups):
        for key, problem in _misfits(group, ends_s):
            raise EntryError(file, f"groups.{number}.{key}", problem)
    for key in table.get("assumed", {}):
        _require_key(file, key)
    if region := table.get("region", ""):
        try:
            region_of(region)
        except UnknownNameError as problem:
            raise EntryError(file, "region", str(problem)) from None
    return Scenario(
        name=name,
        title=table["title"],
        source=table["source"],
        assumed=table.get("assumed", {}),
        groups=groups,
        region=region,
        ends_s=ends_s,
        file=file,
    )


def _group(row: dict[str, Any]) -> Group:
    repeats = row.get("repeats")
    given = {key: value for key, value in row.items() if key != "repeats"}
    given |= {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return Group(**given, notify=Notify(_TYPES[repeats["type"]], repeats["every_s"]) if repeats else None)


def _misfits(group: Group, ends_s: float | None) -> list[tuple[str, str]]:
    """Return keys that do not fit the others, and why."""
    fired_s = group.start_s + group.within_s
    found = []
    for key in ("lasts_s", "between_s"):
        low, high = getattr(group, key) or (0, 0)
        if low > high:
            found.append((key, f"{low} is more than {high}; the least comes first"))
    if group.lasts_s and group.over_s is not None:
        found.append(("over_s", "does not go with lasts_s: alarms end each by itself, or all together"))
    if group.over_s is not None and group.over_s <= fired_s:
        found.append(("over_s", f"{group.over_s} is not after the last firing, which may come at {fired_s:g}"))
    if group.lives > 1 and not group.lasts_s:
        found.append(("lives", "needs lasts_s: each life has to end before the next one begins"))
    if group.notify and not group.lasts_s and group.over_s is None and ends_s is None:
        found.append(("repeats", "its alarms are never over: give lasts_s or over_s, or the scenario ends_s"))
    return found


def _require_key(file: str, key: str) -> None:
    schema = read_schema(SCHEMA)
    known = {*schema["$defs"]["group"]["properties"], "region", "ends_s"}
    if key not in known:
        near = did_you_mean(key, known)
        hint = f"; did you mean {near}?" if near else ""
        raise EntryError(file, f"assumed.{key}", f"is no key of a group or of the scenario{hint}")
