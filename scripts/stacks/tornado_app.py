"""Tornado: answers 200 to a JSON object, 400 to anything else."""

import asyncio
import json
import sys

from tornado.web import Application, RequestHandler


class Receive(RequestHandler):
    def post(self) -> None:
        try:
            alarm = json.loads(self.request.body)
        except (ValueError, RecursionError):
            alarm = None
        self.set_status(200 if isinstance(alarm, dict) else 400)


async def main() -> None:
    Application([("/", Receive)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
