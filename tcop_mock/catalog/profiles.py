"""The profiles: one file of ``contracts/profiles/`` per published generation of the callback contract."""

from __future__ import annotations

from typing import Any

from tcop_mock.catalog.data_files import data_root, iter_files, read_entry
from tcop_mock.domain.callback import Envelope, StatusType, TimesLocation, WireFormat
from tcop_mock.domain.profile import DEFAULT_PROFILE, Accept, DeliveryRules, Profile, RetryAfter
from tcop_mock.errors import UnknownNameError

PROFILE_SCHEMA = "profile"


def load_profile(name: str = DEFAULT_PROFILE) -> Profile:
    """Return a profile by name.

    Raises:
        UnknownNameError: the profile does not exist; suggests similar names.
    """
    files = dict(iter_files(data_root("contracts") / "profiles", ".toml"))
    if name not in files:
        listing = f"one of {', '.join(sorted(files))}"
        raise UnknownNameError("profile", name, files, listing=listing)
    return _parse_profile(name, read_entry(files[name], PROFILE_SCHEMA, check=False))


def load_profiles() -> tuple[Profile, ...]:
    """Return all profiles, by name."""
    names = sorted(name for name, _ in iter_files(data_root("contracts") / "profiles", ".toml"))
    return tuple(map(load_profile, names))


def _parse_profile(name: str, table: dict[str, Any]) -> Profile:
    delivery = table["delivery"]
    return Profile(
        name=name,
        title=table["title"],
        source=table["source"],
        assumed=table["assumed"],
        wire_format=WireFormat(
            _parse_envelope(table["wire"]["documented"]), _parse_envelope(table["wire"]["observed"])
        ),
        delivery=DeliveryRules(
            attempts=delivery["attempts"],
            timeout_s=float(delivery["timeout_s"]),
            accept=Accept(delivery["accept"]),
            answer_cap_bytes=delivery["answer_cap_bytes"],
            retry_on=frozenset(delivery["retry_on"]),
            pauses_s=tuple(map(float, delivery["pauses_s"])),
            headers=tuple((str(key), str(value)) for key, value in delivery["headers"].items()),
            retry_after=RetryAfter(delivery["retry_after"]),
            probe=delivery["probe"].encode() if "probe" in delivery else None,
        ),
    )


def _parse_envelope(table: dict[str, Any]) -> Envelope:
    return Envelope(
        status_type=StatusType(table["alarmStatus"]),
        times_location=TimesLocation(table["times"]),
        fields=frozenset(table["fields"]),
        notify_periods=tuple(table.get("alarmNotifyPeriod", ())),
        is_period_num_in_seconds=table.get("periodNum") == "seconds",
    )
