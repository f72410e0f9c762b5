"""Write docs/profiles.md, the reference of the profiles: delivery rules, envelope, assumptions.

``python scripts/profiles.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from generated import Page, code_span, escape_markdown, escaped_row, main, markdown_row

from tcop_mock.catalog.data_files import data_root, iter_files
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.profile import DEFAULT_PROFILE, Accept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.domain.callback import Envelope
    from tcop_mock.domain.profile import DeliveryRules, Profile

FILE = Path(__file__).parent.parent / "docs" / "profiles.md"

_HEAD = f"""\
# Profiles

<!-- Written by scripts/profiles.py from contracts/profiles/; change that and run `make docs`. -->

A profile is one published generation of the callback contract: the delivery rules and the envelope of the bodies.
`--profile NAME` selects one; the default is `{DEFAULT_PROFILE}`. Rules without a source are assumptions; every
report lists them, and `check -v` prints them. [Why each assumption](explanation/assumptions.md) gives the reasons.
"""
_ACCEPTS = {
    Accept.ANY_2XX: "any status 2xx",
    Accept.EXACTLY_200: "status 200",
    Accept.RET_CODE: "status 2xx and JSON with the same `sessionId` and `retCode` 0",
    Accept.ERRCODE: "status 2xx and JSON with `errcode` 0",
}


def page() -> str:
    """Return the whole page."""
    names = [name for name, _ in iter_files(data_root("contracts") / "profiles", ".toml")]
    return "\n".join([_HEAD, *(line for name in names for line in _profile(load_profile(name)))])


def _profile(profile: Profile) -> Iterator[str]:
    yield f"## {profile.name}\n"
    yield f"{escape_markdown(profile.title)}.\n"
    yield f"Source: {escape_markdown(profile.source)}.\n"
    yield "| delivery | value |\n| --- | --- |"
    for name, text in _delivery(profile.delivery):
        yield markdown_row(name, text)
    yield "\n| envelope of metric alarms | documented | observed |\n| --- | --- | --- |"
    wire = profile.wire_format
    for (name, documented), (_, observed) in zip(_envelope(wire.documented), _envelope(wire.observed), strict=True):
        yield markdown_row(name, documented, observed)
    yield "\n| assumption | behaviour of this profile |\n| --- | --- |"
    for key, text in profile.assumed.items():
        yield escaped_row(key, text)
    yield ""


def _delivery(rules: DeliveryRules) -> Iterator[tuple[str, str]]:
    yield "maximum number of POSTs", str(rules.attempts)
    yield "deadline per POST", f"{rules.timeout_s:g} s"
    yield "accepted by", _ACCEPTS[rules.accept]
    yield "retried after", _codes(sorted(rules.retry_on))
    yield "pauses before retries", ", ".join(f"{pause_s:g} s" for pause_s in rules.pauses_s)
    yield "Retry-After", str(rules.retry_after)
    yield "response read up to", f"{rules.answer_cap_bytes // 1024} KiB"
    yield "headers", _codes(f"{name}: {value}" for name, value in rules.headers)
    yield (
        "URL verification",
        f"a POST of {code_span(rules.probe.decode())} with response 200" if rules.probe else "not verified",
    )


def _envelope(envelope: Envelope) -> Iterator[tuple[str, str]]:
    yield "`alarmStatus`", str(envelope.status_type)
    yield (
        "location of the times",
        "the root" if envelope.times_location == "root" else code_span(str(envelope.times_location)),
    )
    yield "fields that differ between generations", _codes(sorted(envelope.fields)) or "none"
    periods = ", ".join(map(str, envelope.notify_periods))
    yield "`alarmNotifyPeriod`", f"{periods}, as captured" if periods else "seconds"
    yield "`periodNum`", "seconds, as captured" if envelope.is_period_num_in_seconds else "number of periods"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(code_span, texts))


PAGES = (Page(FILE, page, "what contracts/profiles/ says"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
