"""Pools of names and the list of regions, shipped as data in ``payload_catalog/_pools/`` and read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import tomli

from tcop_mock.catalog.data_files import data_root
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Region:
    """One region: its short code in callbacks and its names."""

    code: str
    full_name: str
    city: str
    city_zh: str


@cache
def regions() -> tuple[Region, ...]:
    """Return the regions of callbacks."""
    return tuple(
        Region(row["code"], row["full"], row["city"], row["city_zh"]) for row in _load_table("regions.toml")["region"]
    )


def find_region(code: str) -> Region:
    """Return a region by its short code.

    Raises:
        UnknownNameError: no callback region has this code.
    """
    match = next((region for region in regions() if region.code == code), None)
    if match is None:
        known = [region.code for region in regions()]
        raise UnknownNameError("region", code, known, listing=f"one of {', '.join(known)}")
    return match


@cache
def names_of_pool(pool: str, lang: Lang) -> tuple[str, ...]:
    """Return one pool of names in a language; a pool of technical names is always English.

    Raises:
        UnknownNameError: the pool does not exist.
    """
    table = _load_table("names.toml")
    if pool not in table:
        raise UnknownNameError("pool of names", pool, table)
    names_by_language: dict[str, list[str]] = table[pool]
    return tuple(names_by_language.get(lang, names_by_language[Lang.EN]))


@cache
def _load_table(name: str) -> dict[str, Any]:
    return tomli.loads((data_root("payload_catalog") / "_pools" / name).read_text(encoding="utf-8"))
