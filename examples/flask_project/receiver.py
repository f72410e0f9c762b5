"""A receiver of TCOP callbacks that tells a WeCom group robot."""

import json
import urllib.request
from datetime import datetime
from typing import Any

from flask import Flask, abort, current_app, request


def create_app(robot: str) -> Flask:
    app = Flask(__name__)
    app.config["ROBOT"] = robot
    app.add_url_rule("/", view_func=receive, methods=["POST"])
    return app


def receive() -> tuple[str, int]:
    try:
        alarm = json.loads(request.get_data().decode("utf-8"))
    except (ValueError, RecursionError):
        abort(400)
    if not isinstance(alarm, dict):
        abort(400)
    about = alarm.get("alarmObjInfo") or {}
    tell(f"{ended(alarm)}: {json.dumps(about.get('dimensions'), ensure_ascii=False)}"[:500])
    return "", 204


def ended(alarm: dict[str, Any]) -> str:
    """Say whether an alarm is over, and since when, where that is told: recoverTime may be 0, "0" or empty."""
    if str(alarm.get("alarmStatus")) != "0":
        return "firing"
    try:
        return f"over since {datetime.strptime(str(alarm.get('recoverTime')), '%Y-%m-%d %H:%M:%S')}"
    except ValueError:
        return "over"


def tell(text: str) -> None:
    message = {"msgtype": "text", "text": {"content": text}}
    with urllib.request.urlopen(current_app.config["ROBOT"], json.dumps(message).encode(), timeout=3) as answer:
        answer.read()
