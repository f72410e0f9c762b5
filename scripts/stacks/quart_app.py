"""Quart: answers 200 to a JSON object, 400 to anything else."""

from quart import Quart, request

app = Quart(__name__)


@app.post("/")
async def receive() -> tuple[str, int]:
    alarm = await request.get_json(force=True, silent=True)
    return ("", 200) if isinstance(alarm, dict) else ("", 400)
