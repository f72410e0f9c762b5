"""A receiver of TCOP callbacks that keeps incidents."""

import json
from typing import Any

from fastapi import FastAPI, HTTPException, Request

app = FastAPI()
incidents: dict[str, bool] = {}


@app.post("/", status_code=204)
async def receive(request: Request) -> None:
    try:
        alarm = json.loads((await request.body()).decode("utf-8"))
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    if not isinstance(alarm, dict):
        raise HTTPException(400)
    take(alarm)


def take(alarm: dict[str, Any]) -> None:
    incidents[key(alarm)] = str(alarm.get("alarmStatus")) != "0"


def key(alarm: dict[str, Any]) -> str:
    """Tell alarms apart by all that stays the same while they last: policy, what is measured, object, beginning."""
    policy, about = alarm.get("alarmPolicyInfo") or {}, alarm.get("alarmObjInfo") or {}
    conditions = policy.get("conditions") or {}
    what = conditions.get("metricName") or conditions.get("eventName")
    began = alarm.get("firstOccurTime")
    return json.dumps(
        [policy.get("policyId"), what, about.get("region"), about.get("dimensions"), began], ensure_ascii=False
    )
