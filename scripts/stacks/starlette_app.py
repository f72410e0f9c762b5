"""Starlette: answers 200 to a JSON object, 400 to anything else."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def receive(request: Request) -> Response:
    try:
        alarm = await request.json()
    except (ValueError, RecursionError):
        alarm = None
    return Response(status_code=200 if isinstance(alarm, dict) else 400)


app = Starlette(routes=[Route("/", receive, methods=["POST"])])
