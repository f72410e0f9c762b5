"""A receiver of TCOP callbacks that sends messages to a WeCom group robot."""

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
    send_message(f"{state(alarm)}: {json.dumps(about.get('dimensions'), ensure_ascii=False)}"[:500])
    return "", 204


def state(alarm: dict[str, Any]) -> str:
    """Describe the state of an alarm, with the time of its end if known: recoverTime can be 0, "0" or empty."""
    if str(alarm.get("alarmStatus")) != "0":
        return "firing"
    try:
        return f"resolved at {datetime.strptime(str(alarm.get('recoverTime')), '%Y-%m-%d %H:%M:%S')}"
    except ValueError:
        return "resolved"


def send_message(text: str) -> None:
    message = {"msgtype": "text", "text": {"content": text}}
    with urllib.request.urlopen(current_app.config["ROBOT"], json.dumps(message).encode(), timeout=3) as response:
        response.read()
