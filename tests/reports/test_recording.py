"""Lines of ``listen`` about a request."""

from __future__ import annotations

import json

from tcop_mock.callbacks.generator import Generator, LifecyclePoint
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.alarm import State
from tcop_mock.reports.recording import record_lines

RECORD = {
    "received": "2026-11-23T22:31:05.123456+08:00",
    "method": "POST",
    "path": "/hook",
    "status": 200,
    "fault": None,
    "auth": "none",
    "as": "webhook",
    "said": "",
}


def test_a_body_with_many_problems_does_not_fill_the_screen() -> None:
    """Twelve issues are listed, and the others are counted."""
    catalog = Catalog.load()
    tree = json.loads(
        BodyRenderer(Generator(1), catalog.get("cvm/basic-monitoring"), LifecyclePoint(State.FIRING)).body(0)
    )
    conditions = tree["alarmPolicyInfo"]["conditions"]
    conditions |= {key: [] for key in conditions}
    verdict = CallbackValidator(catalog, load_profile()).validate(json.dumps(tree).encode())
    request, *notes, rest = record_lines(RECORD, verdict, quiet=False)
    assert request == "22:31:05.123 POST /hook 200"
    assert len(notes) == 12
    assert rest == "  … 1 more note; tcop-mock validate shows all"
