"""The same seeds give the same bytes as before: digests over all shapes, states, forms, languages and profiles.

``WRITE_DIGESTS=1 python -m pytest tests/callbacks/test_digests.py`` rewrites the file, for an intended change of bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import AlarmKind, Lang

if TYPE_CHECKING:
    from tcop_mock.domain.callback import Form
    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
FILE = Path(__file__).parent / "digests.json"
PROFILES = ("2019-ack", "2021-verify", "2023", "2025", "template")
SERIALS = (0, 5017)
SEED = 20261130


@cache
def generator_of(profile: str, lang: Lang, form: Form) -> Generator:
    """Return a generator for a profile."""
    return Generator(SEED, lang, form=form, wire_format=load_profile(profile).wire_format)


def digests(shape: Shape) -> dict[str, str]:
    """Return a digest of the bodies of all profiles and some serials, by state, form and language."""
    found = {}
    for state in State:
        if not (
            state is State.FIRING or shape.kind is AlarmKind.METRIC or (state is State.RESOLVED and shape.can_resolve)
        ):
            continue
        for form in forms_of(shape):
            for lang in Lang:
                digest = hashlib.sha256()
                for profile in PROFILES:
                    generator = generator_of(profile, lang, form)
                    for serial in SERIALS:
                        alarm = generator.alarm(shape, serial, required_state=state)
                        digest.update(generator.callback(alarm, state).to_bytes() + b"\n")
                found[f"{state}/{form}/{lang}"] = digest.hexdigest()[:16]
    return found


@pytest.mark.parametrize("shape", list(CATALOG), ids=[shape.id for shape in CATALOG])
def test_the_same_seed_gives_the_same_bytes_as_in_the_file(shape: Shape) -> None:
    """The digests of a shape's bodies equal those in the file."""
    if os.environ.get("WRITE_DIGESTS"):
        known = json.loads(FILE.read_text()) if FILE.exists() else {}
        FILE.write_text(json.dumps(known | {shape.id: digests(shape)}, indent=1, sort_keys=True) + "\n")
    assert json.loads(FILE.read_text())[shape.id] == digests(shape)
