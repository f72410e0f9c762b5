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
    full_name: str
    city: str
    city_zh: str


@cache
def regions() -> tuple[Region, ...]:
    """Return the regions that callbacks can come from."""
    return tuple(
        Region(row["code"], row["full"], row["city"], row["city_zh"]) for row in _load_table("regions.toml")["region"]
    )


def find_region(code: str) -> Region:
    """Return a region by its short code.

    Raises:
        UnknownNameError: callbacks come from no such region.
    """
    match = next((region for region in regions() if region.code == code), None)
    if match is None:
        known = [region.code for region in regions()]
        raise UnknownNameError("region", code, known, listing=f"one of {', '.join(known)}")
    return match


@cache
def names_of_pool(pool: str, lang: Lang) -> tuple[str, ...]:
    """Return one pool of names in a language; a pool of technical names has English ones only.

    Raises:
        UnknownNameError: there is no such pool.
    """
    table = _load_table("names.toml")
    if pool not in table:
        raise UnknownNameError("pool of names", pool, table)
    names_by_language: dict[str, list[str]] = table[pool]
    return tuple(names_by_language.get(lang, names_by_language[Lang.EN]))


@cache
def _load_table(name: str) -> dict[str, Any]:
    return tomllib.loads((data_root("payload_catalog") / "_pools" / name).read_text(encoding="utf-8"))
