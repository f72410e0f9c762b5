"""The page in a real browser: Debian's Chromium, driven by Playwright, without a window."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from console_page import new_app

from tcop_mock.callbacks.generator import Generator, serial_for_policy
from tcop_mock.console.access import Session
from tcop_mock.console.exchange import Direction
from tcop_mock.console.server import bind, serving
from tcop_mock.domain.callback import State
from tcop_mock.domain.target import Target
from tcop_mock.reports.recording import Record
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

    from tcop_mock.console.app import ConsoleApp

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser (pip: playwright)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
]
WIDTHS = pytest.mark.parametrize("width", [1280, 390])
PASSWORD = "S3ntinel-pw"
REFUSED = "the server responded with a status of 422"
"""What Chromium prints when the page was right to ask, and the user wrong."""


_CHECK = r"""() => {
  const problems = [];
  const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push(`twice: ${id}`);
  for (const one of all("button, a[href], input, select, textarea, [role=option], [role=listbox], [role=img]")) {
    const labels = [...(one.labels || [])].map((each) => each.textContent.trim()).join("");
    const name = one.getAttribute("aria-label") || one.textContent.trim() || labels;
    if (!name) problems.push(`no name: ${one.outerHTML.slice(0, 120)}`);
  }
  for (const name of ["aria-labelledby", "aria-controls", "aria-describedby"]) {
    for (const one of all(`[${name}]`)) {
      if (!document.getElementById(one.getAttribute(name))) problems.push(`${name}: ${one.getAttribute(name)}`);
    }
  }
  const parts = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  for (const one of all("body *")) {
    const hasText = [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!hasText || one.disabled || one.closest("svg, select, .visually-hidden")) continue;
    const [a, b] = [light(parts(getComputedStyle(one).color)), light(ground(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${one.outerHTML.slice(0, 120)}`);
  }
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth) problems.push(`wider than the screen: ${width}`);
  return problems;
}"""


def _axe_problems(tab: Tab) -> list[str]:
    """Return the serious findings of axe-core in what the page shows now: all in light colours, contrast in dark."""
    found: list[str] = []
    for scheme, rules in (("light", None), ("dark", ["color-contrast"])):
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
        found += tab.evaluate(_AXE, rules)
    return found


_AXE = """async (rules) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
  return violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`));
}"""


class Site:
    """A page with a server and a receiver, in a loop and a thread of its own."""

    def __init__(self) -> None:
        self.app: ConsoleApp = new_app()
        self.bodies: list[bytes] = []
        self.loop = asyncio.new_event_loop()
        self._started: Future[None] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self._started.result(20)

    def run(self, function: Any, *arguments: Any) -> Any:
        """Call a function in the loop of the server."""

        async def call() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(20)

    def stop(self) -> None:
        """Stop the server."""
        self.run(self._stop.set)
        self._thread.join(20)
        self.loop.close()

    def _answer(self, request: ReceivedRequest) -> Reply:
        self.bodies.append(request.body)
        tree = json.loads(request.body)
        is_zero = (tree.get("alarmStatus"), tree.get("recoverTime")) == ("0", "0")
        return Reply(500 if is_zero else 200, b'{"ok": "<b>\xe2\x80\xae</b>"}')

    async def _serve(self) -> None:
        async with HttpServer(self._answer) as receiver:
            listening = bind(0)
            self.app.session = Session(listening.getsockname()[1])
            userinfo = f"alarms:{PASSWORD}@"
            self.app.sender.setting.target = Target.parse(receiver.url.replace("://", f"://{userinfo}") + "/hook")
            async with serving(self.app.asgi(), listening):
                self._started.set_result(None)
                await self._stop.wait()
                await self.app.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the browser once."""
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve a page."""
    started = Site()
    yield started
    started.stop()


@contextmanager
def _open(browser: Browser, site: Site, width: int) -> Iterator[Tab]:
    """Open the page; at the end there was no error, no request elsewhere, and no password."""
    scheme = "light" if width > 1000 else "dark"
    options: Any = {"viewport": {"width": width, "height": 800}, "locale": "en-US", "color_scheme": scheme}
    context = browser.new_context(**options)
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    errors: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(site.app.session.address)
    tab.wait_for_selector("#link.live", state="attached")
    yield tab
    own = f"http://127.0.0.1:{site.app.session.port}/"
    assert [url for url in requests if not url.startswith(own)] == []
    assert tab.url == own or tab.url.startswith(f"{own}#")
    assert PASSWORD not in tab.content()
    assert [text for text in errors if REFUSED not in text] == []
    for view in ("stream", "send", "contract", "storm", "share"):
        tab.click(f"a[data-view={view}]", force=True)
        assert _problems(tab) == []
    context.close()


def _problems(tab: Tab) -> list[str]:
    """Return what a screen reader or a narrow screen would stumble over."""
    found: list[str] = tab.evaluate(_CHECK)
    return found


def _send(tab: Tab, *steps: str) -> None:
    tab.click("a[data-view=send]")
    tab.fill("#shape-search", "内网监听器")
    tab.click("#shapes [role=option] >> nth=0")
    tab.wait_for_selector("#body-text")
    for number, step in enumerate(steps, start=1):
        tab.click(f"#do-{step}")
        tab.wait_for_selector(f"#sent >> text=#{number}:")


@WIDTHS
def test_an_alarm_by_three_clicks_its_diff_and_another_port(browser: Browser, site: Site, width: int) -> None:
    """Fire, repeat and resolve a CLB alarm, see what changed, and resend it with another vport."""
    with _open(browser, site, width) as tab:
        _send(tab, "fire", "repeat", "resolve")
        tab.click("a[data-view=stream]")
        row = tab.locator(".row")
        assert row.count() == 1
        assert row.locator(".mark").count() == 3
        row.click()
        tab.wait_for_selector("#detail-title")
        tab.click("#tab-diff")
        assert 'alarmStatus: "1" -> "0"' in tab.inner_text("#detail-panel")
        tab.click("#tab-answer")
        assert "\\u202e" in tab.inner_text("#detail-panel")
        assert tab.locator("#detail-panel b:has-text('ok')").count() == 0
        tab.click("#tab-commands")
        assert "tcop-mock emit clb/private-listener" in tab.inner_text("#detail-panel")
        tab.click("text=Edit and send")
        tab.wait_for_selector("#body-text")
        tab.fill("#edit-path", "alarmObjInfo.dimensions.vprt")
        tab.fill("#edit-value", "8443")
        tab.click("#edit-set")
        tab.wait_for_selector("#toast >> text=did you mean")
        tab.fill("#edit-path", "alarmObjInfo.dimensions.vport")
        tab.click("#edit-set")
        tab.wait_for_selector("#verdict >> text=alarmObjInfo.dimensions.vport")
        playwright.expect(tab.locator("#body-text")).to_have_value(re.compile("8443"))
        tab.click("#send-body")
        tab.wait_for_selector("#sent >> text=#4:")
        assert json.loads(site.bodies[-1])["alarmObjInfo"]["dimensions"]["vport"] == 8443
        assert [json.loads(body)["alarmStatus"] for body in site.bodies] == ["1", "1", "0", "0"]


_HOLD = """(path) => {
  const read = window.fetch;
  const held = new Promise((go) => { window.release = go; });
  window.fetch = async (...all) => {
    const answer = await read(...all);
    if (all[0].startsWith(path)) await held;
    return answer;
  };
}"""
"""Keep the answers to a path from the page until it calls `release()`."""


def test_late_answers_keep_the_order_of_the_clicks(browser: Browser, site: Site) -> None:
    """A click acts on the body that the clicks before it leave, whenever the server answers."""
    with _open(browser, site, 1280) as tab:
        _send(tab, "fire")
        tab.evaluate(_HOLD, "/api/edit")
        tab.fill("#edit-path", "alarmObjInfo.dimensions.vport")
        tab.fill("#edit-value", "8443")
        tab.click("#edit-set")
        tab.click("#send-body")
        tab.evaluate("window.release()")
        tab.wait_for_selector("#sent >> text=#2:")
        assert json.loads(site.bodies[-1])["alarmObjInfo"]["dimensions"]["vport"] == 8443


def test_a_body_to_edit_replaces_the_one_before_at_once(browser: Browser, site: Site) -> None:
    """While the body of an exchange loads, the editor does not show another one."""
    with _open(browser, site, 1280) as tab:
        _send(tab, "fire", "resolve")
        tab.click("a[data-view=stream]")
        tab.click(".row")
        tab.click("#tab-commands")
        tab.evaluate(_HOLD, "/api/inspect")
        tab.click("text=Edit and send")
        assert tab.locator("#body-text").count() == 0
        tab.evaluate("window.release()")
        tab.wait_for_selector("#body-text")


@WIDTHS
def test_a_check_turns_its_clauses(browser: Browser, site: Site, width: int) -> None:
    """A check of a receiver with a bug shows the finding with its evidence, and sends it again."""
    with _open(browser, site, width) as tab:
        tab.click("a[data-view=contract]")
        tab.fill("#clauses", "TCM302")
        tab.click("#start-check")
        tab.wait_for_selector("#TCM302")
        tab.wait_for_selector("#start-check")
        assert "HTTP/1.1 500" in tab.inner_text("#TCM302")
        with tab.expect_download() as download:
            tab.click("text=HTML report")
        assert download.value.suggested_filename == "contract.html"
        tab.click("#TCM302 >> text=See it again")
        tab.wait_for_selector(".row >> text=rejected 500")


def test_a_storm_is_shown_second_by_second(browser: Browser, site: Site) -> None:
    """A storm shows its tiles and charts, and its end."""
    with _open(browser, site, 1280) as tab:
        tab.click("a[data-view=storm]")
        tab.select_option("#storm-speed", "0.001")
        tab.click("#start-storm")
        tab.wait_for_selector("text=amplification")
        assert tab.locator("#storm svg").count() == 3
        assert "540 notifications" in tab.inner_text("#storm .headline")


def test_the_keyboard_is_enough(browser: Browser, site: Site) -> None:
    """j, k, Enter, r, / and Escape work on the list; a typed target does not keep its password."""
    with _open(browser, site, 1280) as tab:
        site.run(_fill, site.app, 3)
        tab.wait_for_selector(".row >> nth=2")
        for key in ("j", "j", "k", "Enter"):
            tab.keyboard.press(key)
        tab.wait_for_selector("#detail-title")
        tab.keyboard.press("r")
        tab.wait_for_selector("#toast >> text=Sent #4")
        tab.keyboard.press("Escape")
        assert tab.is_hidden("#detail")
        tab.keyboard.press("/")
        tab.keyboard.type("no such alarm")
        tab.wait_for_selector("text=Nothing matches the filter")
        tab.fill("#target", f"http://x:{PASSWORD}2@127.0.0.1:9/")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#toast >> text=Target set")
        assert tab.input_value("#target") == "http://***@127.0.0.1:9/"


def test_what_was_closed_while_it_was_loading_stays_closed(browser: Browser, site: Site) -> None:
    """Escape wins over a detail that the server sends later."""
    with _open(browser, site, 1280) as tab:
        site.run(_fill, site.app, 1)
        tab.wait_for_selector(".row")
        tab.evaluate(_HOLD, "/")
        for key in ("j", "Enter"):
            tab.keyboard.press(key)
        tab.keyboard.press("Escape")
        tab.evaluate("async () => { window.release(); await new Promise((go) => setTimeout(go, 100)); }")
        assert tab.is_hidden("#detail")


def test_ten_thousand_callbacks_stay_smooth(browser: Browser, site: Site) -> None:
    """Only visible rows of 10,000 alarms are elements, and a new alarm shows at once."""
    site.run(_fill, site.app, 10_000)
    with _open(browser, site, 1280) as tab:
        tab.wait_for_selector(".row")
        assert tab.locator(".row").count() < 40
        tab.evaluate("document.getElementById('list').scrollTop = 300000")
        tab.wait_for_selector("[aria-posinset='5001']")
        started_s = time.perf_counter()
        site.run(_fill, site.app, 1, 10_000)
        tab.evaluate("document.getElementById('list').scrollTop = 0")
        tab.wait_for_selector("[aria-posinset='1'][aria-setsize='10000']")
        assert time.perf_counter() - started_s < 5


def test_axe_finds_nothing_serious(browser: Browser, site: Site) -> None:
    """Each view, with content, keeps the rules of axe-core that are serious or critical, in both colour schemes."""
    pytest.importorskip("axe_playwright_python", reason="it has axe-core (pip: axe-playwright-python)")
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    with _open(browser, site, 1280) as tab:
        tab.evaluate(f"{axe}; null")
        _send(tab, "fire", "resolve")
        assert _axe_problems(tab) == []
        tab.click("a[data-view=contract]")
        tab.fill("#clauses", "TCM302,TCM501")
        tab.click("#start-check")
        tab.wait_for_selector("#TCM302")
        tab.wait_for_selector("#start-check")
        assert _axe_problems(tab) == []
        tab.click("a[data-view=storm]")
        tab.select_option("#storm-speed", "0.001")
        tab.click("#start-storm")
        tab.wait_for_selector("text=amplification")
        assert _axe_problems(tab) == []
        tab.click("a[data-view=share]")
        assert _axe_problems(tab) == []
        tab.click("a[data-view=stream]")
        tab.click(".row")
        for name in ("body", "answer", "diff", "commands"):
            tab.click(f"#tab-{name}")
            assert _axe_problems(tab) == []


def test_chinese_labels(browser: Browser, site: Site) -> None:
    """The button changes all labels to Chinese, and the language of the page."""
    with _open(browser, site, 390) as tab:
        tab.click("#language")
        assert tab.inner_text("a[data-view=stream]") == "实时流"
        assert tab.get_attribute("html", "lang") == "zh-CN"


def _fill(app: ConsoleApp, count: int, first: int = 0) -> None:
    """Add received callbacks, each of another alarm."""
    generator = Generator(1)
    shape = app.commands.catalog.get("cvm/basic-monitoring")
    body = generator.callback(generator.alarm(shape, serial_for_policy(1)), State.FIRING).to_bytes()
    result = app.sender.validator.validate(body)
    name = json.loads(body)["alarmObjInfo"]["dimensions"]["objId"].encode()
    for number in range(first, first + count):
        record = Record(
            request=ReceivedRequest("POST", "/", (), body.replace(name, b"ins-%06d" % number), 0.0),
            received_at="2026-11-30T10:00:00.000",
            auth="none",
            service="webhook",
            status=200,
            fault=None,
            note="",
            result=result,
        ).to_json()
        exchange = app.conversation.add(Direction.IN, json.loads(record), result)
        if count < 10 or number == first + count - 1:  # a page that opens later reads the state
            app.conversation.changed(exchange)
