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
    store(alarm)


def store(alarm: dict[str, Any]) -> None:
    incidents[key(alarm)] = str(alarm.get("alarmStatus")) != "0"


def key(alarm: dict[str, Any]) -> str:
    """Identify an alarm by the fields that stay the same: policy, metric or event, region, dimensions, first time."""
    policy, about = alarm.get("alarmPolicyInfo") or {}, alarm.get("alarmObjInfo") or {}
    conditions = policy.get("conditions") or {}
    name = conditions.get("metricName") or conditions.get("eventName")
    began = alarm.get("firstOccurTime")
    return json.dumps(
        [policy.get("policyId"), name, about.get("region"), about.get("dimensions"), began], ensure_ascii=False
    )
