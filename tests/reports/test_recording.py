"""What ``listen`` tells of a request."""

from __future__ import annotations

import json

from tcop_mock.callbacks.generator import Generator, Moment
from tcop_mock.callbacks.rendering import Bodies
from tcop_mock.callbacks.validator import BodyJudge
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.alarm import State
from tcop_mock.reports.recording import told_lines

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
    """Twelve notes are told, and how many more there are."""
    catalog = Catalog.load()
    tree = json.loads(Bodies(Generator(1), catalog.get("cvm/basic-monitoring"), Moment(State.FIRING)).body(0))
    conditions = tree["alarmPolicyInfo"]["conditions"]
    conditions |= {key: [] for key in conditions}
    verdict = BodyJudge(catalog, load_profile()).judge(json.dumps(tree).encode())
    request, *notes, rest = told_lines(RECORD, verdict, quiet=False)
    assert request == "22:31:05.123 POST /hook 200"
    assert len(notes) == 12
    assert rest == "  … 1 more note; tcop-mock validate tells them all"
