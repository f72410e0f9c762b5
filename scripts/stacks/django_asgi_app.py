"""The receiver of django_app.py by ASGI."""

import django_app  # noqa: F401 - it sets Django up
from django.core.asgi import get_asgi_application

app = get_asgi_application()
