"""Falcon: answers 200 to a JSON object, 400 to anything else."""

import falcon


class Receive:
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        try:
            alarm = request.get_media()
        except (falcon.HTTPError, RecursionError):
            alarm = None
        response.status = 200 if isinstance(alarm, dict) else 400


app = falcon.App()
app.add_route("/", Receive())
