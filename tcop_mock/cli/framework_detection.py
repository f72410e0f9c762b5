"""Detection of the framework, app and route of a receiver: its files are parsed, never run."""

from __future__ import annotations

import ast
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_FILES, _MAX_DEPTH, _MAX_BYTES = 500, 4, 200_000
_NOT_OURS = {"node_modules", "venv", "env", "site-packages", "build", "dist", "tests", "test", "__pycache__", "docs"}
_POSTS = ("post", "add_post")
_ROUTES = ("route", "api_route", "Route", "add_route", "add_url_rule")
_CLASSES = {"FastAPI": "fastapi", "Starlette": "starlette", "Flask": "flask"}
_FACTORIES = ("get_wsgi_application", "get_asgi_application")
_AIOHTTP_APP = "web.Application"
_RELEVANT = re.compile("|".join(map(re.escape, (*_CLASSES, *_FACTORIES, _AIOHTTP_APP, *_POSTS, *_ROUTES))).encode())
"""A file without any of these is not parsed: parsing a large project takes seconds."""


@dataclass(frozen=True, slots=True)
class Framework:
    """A web framework."""

    name: str
    title: str
    in_process: bool = False
    """Whether tcop-mock can call its apps without a server (ASGI, WSGI)."""
    port: int = 8080
    """Port in the documentation of the framework."""
    build: str = ""
    """Command that builds a receiver; empty if there is nothing to build, or it is unknown."""
    run: str = ""
    """Command that runs a receiver in the foreground, with places for ``{app}`` and ``{module}``; empty if unknown."""
    python: bool = False

    @property
    def packages(self) -> str:
        """The packages that a receiver in Python needs at least, for pip."""
        return f"{self.name} uvicorn" if self.run is _UVICORN else self.name


_UVICORN, _FLASK = "uvicorn {app} --port {{port}}", "flask --app {app} run --port {{port}}"
_DJANGO = "python manage.py runserver --noreload {{port}}"
_MAVEN_RUN = "./mvnw spring-boot:run -Dspring-boot.run.arguments=--server.port={{port}}"
_GRADLE_RUN = "./gradlew bootRun --args=--server.port={{port}}"

FRAMEWORKS = {
    one.name: one
    for one in (
        Framework("fastapi", "FastAPI", in_process=True, python=True, run=_UVICORN),
        Framework("starlette", "Starlette", in_process=True, python=True, run=_UVICORN),
        Framework("flask", "Flask", in_process=True, python=True, run=_FLASK),
        Framework("django", "Django", in_process=True, python=True, run=_DJANGO),
        Framework("aiohttp", "aiohttp", python=True, run="python -m {module}"),
        Framework("express", "Express", port=3000, build="npm ci", run="npm start"),
        Framework("spring", "Spring", build="./mvnw -q package -DskipTests", run=_MAVEN_RUN),
        Framework("go", "Go", build="go build ./...", run="go run ."),
        Framework("other", "no framework"),
    )
}
"""By name, in order of preference."""


_SRC = "src"
_UNKNOWN_APP = "main:app"
_FACTORY = "()"


@dataclass(frozen=True, slots=True)
class DetectedApp:
    """A receiver in a folder."""

    framework: Framework
    app: str = ""
    """``module:app`` or ``module:factory()``; empty if unknown."""
    route: str = ""
    """The only path for POST requests; empty if there are none or several."""
    in_src: bool = False
    """Whether the module is below ``src``, where Python finds it only if the package is installed."""

    @property
    def target(self) -> str:
        """The target for ``check``."""
        if self.framework.in_process:
            return f"{self.app or _UNKNOWN_APP}{self.route}"
        return f"http://127.0.0.1:{self.framework.port}{self.route or '/'}"

    @property
    def run(self) -> str:
        """The command that runs it in the foreground, at ``{port}`` or at ``PORT``; empty if unknown."""
        name = self.app or _UNKNOWN_APP
        app = name.removesuffix(_FACTORY)
        command = self.framework.run.format(app=app, module=app.partition(":")[0])
        if app != name and self.framework.run is _UVICORN:  # flask calls a factory by itself
            command += " --factory"
        return f"PYTHONPATH={_SRC} {command}" if command and self.in_src else command


def detect_apps(folder: Path) -> list[DetectedApp]:
    """Return the apps in a folder, the likeliest first."""
    found: dict[str, DetectedApp] = {}
    routes: set[str] = set()
    for file in _sources(folder):
        with suppress(OSError, SyntaxError, ValueError, RecursionError):
            source = file.read_bytes()
            if not _RELEVANT.search(source):
                continue
            tree = ast.parse(source)
            routes |= set(_post_routes(tree))
            place = file.relative_to(folder)
            for name, app in _apps(tree, place):
                found.setdefault(name, DetectedApp(FRAMEWORKS[name], app, in_src=place.parts[0] == _SRC))
    route = routes.pop() if len(routes) == 1 else ""
    found |= {one.framework.name: one for one in _foreign(folder)}
    return [
        replace(found[name], route=route if found[name].framework.python else "")
        for name in FRAMEWORKS
        if name in found
    ]


def _sources(folder: Path) -> Iterator[Path]:
    """Yield Python files, the nearest first."""
    left, level = _MAX_FILES, [folder]
    for _ in range(_MAX_DEPTH):
        below: list[Path] = []
        for place in level:
            with suppress(OSError):
                for item in sorted(place.iterdir()):
                    if item.is_dir() and not item.name.startswith(".") and item.name not in _NOT_OURS:
                        below.append(item)
                    elif item.suffix == ".py" and left and item.stat().st_size <= _MAX_BYTES:
                        left -= 1
                        yield item
        level = below


def _apps(tree: ast.Module, file: Path) -> Iterator[tuple[str, str]]:
    parts = file.with_suffix("").parts
    parts = parts[1:] if parts[0] == _SRC else parts
    module = ".".join(part for part in parts if part != "__init__")
    if not module or not all(part.isidentifier() for part in module.split(".")):
        return
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and (name := _framework(node.value)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield name, f"{module}:{target.id}"
        elif isinstance(node, ast.FunctionDef) and not _requires_arguments(node.args):
            for name in filter(None, map(_framework, ast.walk(node))):
                yield name, f"{module}:{node.name}()"


def _requires_arguments(arguments: ast.arguments) -> bool:
    """Return whether a function needs arguments."""
    return len(arguments.posonlyargs + arguments.args) > len(arguments.defaults) or None in arguments.kw_defaults


def _framework(node: ast.AST | None) -> str:
    """Return the framework whose app an expression creates, or an empty string."""
    if not isinstance(node, ast.Call):
        return ""
    called = ast.unparse(node.func)
    if called in _FACTORIES:
        return "django"
    return "aiohttp" if called == _AIOHTTP_APP else _CLASSES.get(called.rpartition(".")[2], "")


def _post_routes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            path, called = node.args[0].value, ast.unparse(node.func).rpartition(".")[2]
            posts = any(word.arg == "methods" and "'POST'" in ast.unparse(word.value) for word in node.keywords)
            is_post = called in _POSTS or (called in _ROUTES and posts)
            if is_post and isinstance(path, str) and path.startswith("/") and not {"{", "<"} & set(path):
                yield path


def _foreign(folder: Path) -> Iterator[DetectedApp]:
    with suppress(ValueError, AttributeError, TypeError, RecursionError):
        package = json.loads(_text(folder / "package.json") or "{}")
        if "express" in {**package.get("dependencies", {}), **package.get("devDependencies", {})}:
            yield DetectedApp(FRAMEWORKS["express"])
    for file, build, run in (
        ("pom.xml", FRAMEWORKS["spring"].build, _MAVEN_RUN),
        ("build.gradle", "./gradlew assemble", _GRADLE_RUN),
        ("build.gradle.kts", "./gradlew assemble", _GRADLE_RUN),
    ):
        if "spring" in _text(folder / file):
            yield DetectedApp(replace(FRAMEWORKS["spring"], build=build, run=run))
            break
    if os.path.lexists(folder / "go.mod"):
        yield DetectedApp(FRAMEWORKS["go"])


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
