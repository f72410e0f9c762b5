"""Write the pictures of the console in docs/pictures/, from a real run.

``python scripts/console_pictures.py`` starts ``tcop-mock console`` beside a receiver with bugs, operates the page in
Chromium, driven by Playwright, and writes ``console-*.png``. It does nothing if the files of the page are those of the
last pictures, or if Chromium or Playwright is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures"
PAGE_FILES = sorted([*(ROOT / "tcop_mock/console/static").iterdir(), *(ROOT / "tcop_mock/console/templates").iterdir()])
RENDERED_FROM = FOLDER / "console-rendered-from.txt"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = (1280, 760)
_LATE_S = 5.6
SEED = 20


async def _answer(request: ReceivedRequest) -> Reply:
    """Answer late about Redis, and with 500 to a resolved alarm whose recoverTime is "0" or whose product is COS."""
    tree = json.loads(request.body)
    text = request.body.decode()
    if "redis" in text and tree["alarmStatus"] == "1":
        await asyncio.sleep(_LATE_S)
    is_bad = tree["alarmStatus"] == "0" and ("cos" in text or tree.get("recoverTime") == "0")
    return Reply(500 if is_bad else 200, b'{"error": "KeyError"}' if is_bad else b'{"ok": true}')


@contextmanager
def _receiver(port: int) -> Iterator[None]:
    """Run the receiver on a port, in a thread of its own."""
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def serve() -> None:
        async with HttpServer(_answer, port=port):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def _console(target: str, port: int) -> Iterator[dict[str, str]]:
    """Start the command, and give its addresses."""
    command = [sys.executable, "-m", "tcop_mock", "console", target, "--port", str(port), "--listen-port", "9000"]
    process = subprocess.Popen([*command, "--seed", str(SEED), "--json"], stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    assert process.stdout is not None  # noqa: S101 - asked for
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def _play(tab: Any, receiver: str) -> None:  # noqa: ANN401 - Playwright is not installed everywhere
    """Send alarms, take messages, and write the pictures."""
    tab.click("a[data-view=send]")
    for shape, steps in (
        ("redis/instance-5s", "fire"),
        ("cos/bucket", "fire,repeat,resolve"),
        ("cvm/basic-monitoring", "fire,repeat,repeat,resolve"),
        ("scf/function", "fire,resolve"),
        ("clb/private-listener", "fire,repeat,repeat,resolve"),
    ):
        tab.fill("#shape-search", shape)
        tab.click("#shapes [role=option] >> nth=0")
        for step in steps.split(","):
            tab.wait_for_timeout(400)
            with tab.expect_response("**/api/send"):
                tab.click(f"#do-{step}")
        body = json.loads(tab.input_value("#body-text"))
        name = body["alarmObjInfo"]["dimensions"].get("objId", "")
        if shape != "redis/instance-5s":
            _tell(receiver, f"{body['alarmPolicyInfo']['policyName']}: {name}")
    tab.wait_for_timeout(3500)
    tab.screenshot(path=FOLDER / "console-send.png")
    tab.click("a[data-view=stream]")
    tab.wait_for_timeout(int(1000 * _LATE_S))
    tab.screenshot(path=FOLDER / "console-stream.png")
    tab.click(".row >> nth=0")
    tab.click("text=resolved #", timeout=5000)
    tab.click("#tab-diff")
    tab.wait_for_timeout(300)
    tab.screenshot(path=FOLDER / "console-callback.png")
    tab.click("a[data-view=contract]")
    tab.fill("#clauses", "TCM3*")
    tab.click("#start-check")
    tab.wait_for_selector("#TCM302")
    tab.wait_for_selector("#start-check")
    tab.wait_for_timeout(300)
    tab.screenshot(path=FOLDER / "console-contract.png")


def _tell(receiver: str, text: str) -> None:
    """Send a message to the stand-in of WeCom, as a receiver does."""
    body = json.dumps({"msgtype": "text", "text": {"content": text}}).encode()
    request = urllib.request.Request(f"{receiver}/wecom/send?key=k", body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - ours
        pass


def main() -> None:
    """Write the pictures, if they are old."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in PAGE_FILES)).hexdigest() + "\n"
    if RENDERED_FROM.is_file() and RENDERED_FROM.read_text(encoding="utf-8") == digest:
        return
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or find_spec("playwright") is None:
        print("no Chromium or no Playwright here: console-*.png stay as they are", file=sys.stderr)
        return
    from playwright.sync_api import ViewportSize, sync_playwright  # noqa: PLC0415 - not everywhere

    flags = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with (
        _receiver(8080),
        _console("http://alarms:secret@127.0.0.1:8080/tcop", 8090) as addresses,
        sync_playwright() as driver,
    ):
        started = driver.chromium.launch(executable_path=browser, args=flags)
        tab = started.new_page(viewport=ViewportSize(width=SIZE[0], height=SIZE[1]), locale="en-US")
        tab.goto(addresses["page"])
        tab.wait_for_selector("#link.live")
        _play(tab, addresses["url"])
        started.close()
    RENDERED_FROM.write_text(digest, encoding="utf-8")


if __name__ == "__main__":
    main()
