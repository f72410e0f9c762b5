"""FastAPI: answers 200 to a JSON object, 422 to anything else."""

from typing import Any

from fastapi import FastAPI

app = FastAPI()


@app.post("/")
def receive(alarm: dict[str, Any]) -> dict[str, bool]:
    return {"ok": bool(alarm)}
