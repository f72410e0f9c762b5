"""A receiver of TCOP callbacks on Django, in one file: ``python django_receiver.py [PORT]``; 0: a free port."""

import json
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATA_UPLOAD_MAX_MEMORY_SIZE=4 << 20,
    LOGGING_CONFIG=None,
)


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    try:
        alarm = json.loads(request.body.decode("utf-8"))
    except (ValueError, RecursionError):
        return HttpResponse(status=400)
    if not isinstance(alarm, dict):
        return HttpResponse(status=400)
    print(json.dumps(alarm), flush=True)  # your code goes here; respond within five seconds
    return HttpResponse(status=202)


urlpatterns = [path("", receive)]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 1024


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Quiet)
    server.set_app(get_wsgi_application())
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
