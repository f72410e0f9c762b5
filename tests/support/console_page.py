"""The page of the console without a browser: its app, a client in the same event loop, and a receiver."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.cli.console import ConsoleCommands
from tcop_mock.cli.options import CommonOptions
from tcop_mock.console.access import TOKEN_HEADER, Session
from tcop_mock.console.app import ConsoleApp
from tcop_mock.console.contract_check import ContractCheck
from tcop_mock.console.conversation import Conversation
from tcop_mock.console.delivery import CallbackSender, TargetSetting
from tcop_mock.console.storm import Storm
from tcop_mock.domain.target import Target
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import Handler, ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

PORT = 8765
CVM = "cvm/basic-monitoring"
ACCEPTED = Reply()
_catalog = Catalog.load()
_validator = CallbackValidator(_catalog)


async def no_sleep(_seconds: float) -> None:
    """Pause for no time."""
    await asyncio.sleep(0)


class OneCatalog(ConsoleCommands):
    """Commands that share one catalogue between tests."""

    @property
    def catalog(self) -> Catalog:
        """The built-in catalogue."""
        return _catalog


@dataclass
class Page:
    """An open page."""

    app: ConsoleApp
    client: httpx.AsyncClient
    requests: list[ReceivedRequest] = field(default_factory=list)
    """What the receiver got."""

    @property
    def conversation(self) -> Conversation:
        """The exchanges."""
        return self.app.conversation

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Read something."""
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, document: Any = None, **headers: str) -> httpx.Response:
        """Change something."""
        content = (
            document
            if isinstance(document, bytes)
            else json.dumps({} if document is None else document, ensure_ascii=False).encode()
        )
        return await self.client.post(path, content=content, headers={TOKEN_HEADER: self.app.session.token, **headers})

    async def ended(self) -> None:
        """Wait until no delivery is under way."""
        await asyncio.gather(*self.app.sender.tasks)


def new_app(target: str = "", **options: Any) -> ConsoleApp:
    """Return an app without a server."""
    conversation = Conversation(time.time, **options.pop("limits", {}))
    setting = TargetSetting(Target.parse(target) if target else None, **options)
    commands = OneCatalog(CommonOptions(fixed_seed=7))
    return ConsoleApp(
        session=Session(PORT),
        conversation=conversation,
        sender=CallbackSender(setting, conversation, _validator, no_sleep),
        check=ContractCheck(setting, conversation, _catalog),
        storm=Storm(setting, conversation, commands),
        commands=commands,
        profile="2023",
        seed=7,
        receiver_url="http://127.0.0.1:9000",
    )


def client_of(app: ConsoleApp, **headers: str) -> httpx.AsyncClient:
    """Return a client with the cookie of the session."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app.asgi()),
        base_url=f"http://127.0.0.1:{PORT}",
        headers={"cookie": f"{app.session.cookie_name}={app.session.cookie}", **headers},
    )


@asynccontextmanager
async def open_page(reply: Reply | Handler = ACCEPTED, *, userinfo: str = "", **options: Any) -> AsyncGenerator[Page]:
    """Open a page whose target is a receiver on a loopback port."""
    requests: list[ReceivedRequest] = []

    def answer(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
        requests.append(request)
        return reply if isinstance(reply, Reply) else reply(request)

    async with HttpServer(answer) as receiver:
        app = new_app(receiver.url.replace("://", f"://{userinfo}") + "/hook", **options)
        async with client_of(app) as client:
            try:
                yield Page(app, client, requests)
            finally:
                await app.close()
