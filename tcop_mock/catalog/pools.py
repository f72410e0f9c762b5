"""Names and regions to draw from, shipped as data in ``payload_catalog/_pools/`` and read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from tcop_mock.catalog.data_files import data_root
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Region:
    """One region: the callback's short code and its names."""

    code: str
    full: str
    city: str
    city_zh: str


@cache
def regions() -> tuple[Region, ...]:
    """Return the regions that callbacks can come from."""
    return tuple(
        Region(row["code"], row["full"], row["city"], row["city_zh"]) for row in _read("regions.toml")["region"]
    )


def region_of(code: str) -> Region:
    """Return a region by its short code.

    Raises:
        UnknownNameError: callbacks come from no such region.
    """
    found = next((region for region in regions() if region.code == code), None)
    if found is None:
        known = [region.code for region in regions()]
        raise UnknownNameError("region", code, known, listing=f"one of {', '.join(known)}")
    return found


@cache
def names(pool: str, lang: Lang) -> tuple[str, ...]:
    """Return one pool of names in a language; a pool of technical names has English ones only.

    Raises:
        UnknownNameError: there is no such pool.
    """
    table = _read("names.toml")
    if pool not in table:
        raise UnknownNameError("pool of names", pool, table)
    chosen: dict[str, list[str]] = table[pool]
    return tuple(chosen.get(lang, chosen[Lang.EN]))


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((data_root("payload_catalog") / "_pools" / name).read_text(encoding="utf-8"))
