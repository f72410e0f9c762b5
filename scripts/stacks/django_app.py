"""Django in one file: answers 200 to a JSON object, 400 to anything else."""

import json

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="for a test alone")  # noqa: S106 - it signs nothing
django.setup()


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    try:
        alarm = json.loads(request.body)
    except (ValueError, RecursionError):
        alarm = None
    return HttpResponse(status=200 if isinstance(alarm, dict) else 400)


urlpatterns = [path("", receive)]
app = get_wsgi_application()
