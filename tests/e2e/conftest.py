"""The served app in a real browser: one browser and one Home for the whole test session.

Every page made here fails its test when a request leaves this machine or the console shows an error.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.home import Home
from engine.core.settings import Settings, save
from tests.browser import QUIET, installed

FLAGS = ("--headless", *QUIET, "--js-flags=--liftoff-only")
"""Compiled once and quickly: a client that runs for seconds is not worth a second, better compilation."""
START_SECONDS = 60
COARSE = 0.5
"""Points of the picture for each of the page where no picture is looked at: painting without a graphics card costs."""
COMPLAINTS = ("the page reports", "could not be drawn", "failed", "Unhandled", "Traceback")
"""A layout that Flutter cannot draw is told to the app, not to the browser's console."""
SERVE = (
    "import sys; from pathlib import Path; from studio.web import Where, serve_home; "
    "serve_home(Path(sys.argv[1]), Where(login='login' in sys.argv), browser=False, json=True)"
)


def chromium() -> str:
    """The browser of this machine; without one the tests are skipped, and in CI they fail."""
    found = installed()
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium found, and CI must run the browser tests")
    if found is None:
        pytest.skip("no Chromium found")
    return found


@dataclass
class Served:
    """A running app: its process, its Home, its address, and the cookie that opens it."""

    process: subprocess.Popen[str]
    home: Path
    link: str
    state: Any = None

    def complaints(self) -> list[str]:
        """What the app's log says of components, handlers and layouts that failed."""
        lines = (self.home.parent / "app.log").read_text().splitlines()
        return [line for line in lines if any(words in line for words in COMPLAINTS)]

    @property
    def address(self) -> str:
        return self.link.split("/?")[0].rstrip("/")

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])


@dataclass
class Watched:
    """What a page did that it should not."""

    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def start_app(home: Path, *words: str, before: str = "") -> Served:
    """The app in a process of its own, as the command line starts it; with the word login it asks for an account.

    `before` is Python that runs there first.
    """
    log = (home.parent / "app.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-c", f"{before}\n{SERVE}", str(home), *words],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError((home.parent / "app.log").read_text())
    return Served(process, home, msgspec.json.decode(line)["link"])


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One app for all tests of the session."""
    chromium()
    home = Home.open(tmp_path_factory.mktemp("e2e") / "home")
    # no model host outlives the tests for long, and what turns while work goes on would cost more than the work
    save(home.settings, Settings(idle_host_seconds=20, motion="reduced"))
    app = start_app(home.path)
    yield app
    app.process.terminate()
    app.process.wait(20)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app whose Home has datasets and runs of every kind; tests look at it and change nothing of theirs."""
    from tests.e2e.screenshots import furnish

    chromium()
    home = Home.open(tmp_path_factory.mktemp("furnished") / "home")
    furnish(home.path)
    save(home.settings, Settings(debug=True))
    app = start_app(home.path)
    yield app
    app.process.terminate()
    app.process.wait(20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests of the session."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


def watch(page: Any, address: str) -> Watched:
    """Note foreign requests and console errors of a page."""
    seen = Watched()
    host = address.removeprefix("http://")

    def requested(request: Any) -> None:
        if host not in request.url and not request.url.startswith(("data:", "blob:")):
            seen.foreign.append(request.url)

    page.on("request", requested)
    page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    return seen


def open_app(browser: Any, served: Served, width: int = 1440, height: int = 900, **options: Any) -> tuple[Any, Watched]:
    """A page of its own with the app in it, readable by roles and text."""
    looks = {"viewport": {"width": width, "height": height}, "device_scale_factor": COARSE, **options}
    return enter(browser.new_context(storage_state=served.state, **looks), served)


def enter(context: Any, served: Served, route: str = "") -> tuple[Any, Watched]:
    """Open the app in a new tab at an address. The first one uses the one-time link."""
    page = context.new_page()
    seen = watch(page, served.address)
    if served.state is None:
        page.goto(served.link)
        ready(page)
        served.state = context.storage_state()
        if not route:
            return page, seen
    page.goto(served.address + route)
    ready(page)
    return page, seen


def ready(page: Any) -> None:
    """Wait for the first picture and switch the screen reader's tree on."""
    page.wait_for_selector("flt-semantics-placeholder", state="attached", timeout=START_SECONDS * 1000)
    page.evaluate("document.querySelector('flt-semantics-placeholder').click()")


GO = "route => { history.pushState(null, '', route); dispatchEvent(new PopStateEvent('popstate', {state: null})); }"


def visit(page: Any, route: str) -> None:
    """Go to an address inside the app that is open: loading it anew takes seconds of the processor."""
    page.evaluate(GO, route)


SAID = """
    () => [...document.querySelectorAll("flt-semantics-host *")]
      .flatMap(each => [
        (each.getAttribute("aria-label") || "") + (each.childElementCount ? "" : each.textContent),
        ...(each.getAttribute("aria-description") ? [each.getAttribute("aria-description")] : []),
      ])
      .join("\\n")
"""


def wait_until_said(page: Any, pattern: str, times: int = 1, seconds: float = 60) -> None:
    """Wait until a screen reader would read this so many times, as text or as a label."""
    end, pause = time.monotonic() + seconds, 200.0
    while len(re.findall(pattern, page.evaluate(SAID))) < times:
        assert time.monotonic() < end, f"“{pattern}” was not said; but this: {page.evaluate(SAID)}"
        page.wait_for_timeout(pause)
        pause = min(1.2 * pause, 1000)


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """A page that must stay on this machine and without errors."""
    found, seen = open_app(browser, served)
    yield found
    found.context.close()
    assert seen.foreign == []
    assert seen.errors == []
    assert served.complaints() == []


@pytest.fixture(scope="session")
def window(browser: Any, furnished: Served) -> Iterator[Any]:
    """One window for all who look at the furnished app: what it is made of is fetched once."""
    context = browser.new_context(storage_state=furnished.state, viewport={"width": 1440, "height": 900})
    yield context
    context.close()


@pytest.fixture(scope="session")
def tab(window: Any, furnished: Served) -> tuple[Any, Watched]:
    """One tab of the furnished app, for those who only look."""
    return enter(window, furnished, "/")


@pytest.fixture
def glance(tab: tuple[Any, Watched], furnished: Served) -> Iterator[Callable[[str, str], Any]]:
    """Goes to an address in the one tab, as large as at first, and waits until that is said there."""
    page, seen = tab
    before = len(furnished.complaints())

    def at(route: str, pattern: str) -> Any:
        page.set_viewport_size({"width": 1440, "height": 900})
        visit(page, route)
        page.wait_for_timeout(300)  # what the page before says is not taken for it
        wait_until_said(page, pattern, seconds=30)
        return page

    yield at
    foreign, errors = seen.foreign.copy(), seen.errors.copy()
    seen.foreign.clear()
    seen.errors.clear()  # what comes late is the next one's to find
    assert foreign == []
    assert errors == []
    assert furnished.complaints()[before:] == []


@pytest.fixture
def look(window: Any, furnished: Served) -> Iterator[Callable[[str, str], Any]]:
    """Opens a tab of its own at an address and waits until that is said there, for those who change what they see."""
    before = len(furnished.complaints())
    tabs: list[tuple[Any, Watched]] = []

    def at(route: str, pattern: str) -> Any:
        page, seen = enter(window, furnished, route)
        tabs.append((page, seen))
        wait_until_said(page, pattern, seconds=30)
        return page

    yield at
    for page, _ in tabs:
        page.close()
    for _, seen in tabs:
        assert seen.foreign == []
        assert seen.errors == []
    assert furnished.complaints()[before:] == []


@pytest.fixture
def press() -> Callable[[Any, str], None]:
    """Press the button whose name begins with these words: explained terms are buttons too, and may contain them."""

    def press_button(page: Any, words: str, timeout: float = 15_000) -> None:
        name = re.compile(f"^{re.escape(words)}", re.IGNORECASE)
        page.get_by_role("button", name=name).first.click(timeout=timeout)

    return press_button


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep a picture of what was on the screen when a test failed, in the folder PEFT_STUDIO_PICTURES names."""
    outcome: Any = yield
    report = outcome.get_result()
    folder = os.environ.get("PEFT_STUDIO_PICTURES")
    found: Any = item.funcargs.get("page") if isinstance(item, pytest.Function) else None
    if folder and report.when == "call" and report.failed and found is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        found.screenshot(path=str(Path(folder) / f"{item.name}.png"))


def fill(page: Any, label: str, words: str) -> None:
    """Type into a field as a person does: look whether it took the words, and try again when it was not ready yet."""
    field = page.get_by_label(label).first
    for _ in range(4):
        field.click()
        page.wait_for_timeout(250)
        page.keyboard.press("Control+A")
        page.keyboard.type(words)
        page.wait_for_timeout(500)
        if page.evaluate("document.activeElement?.value") == words:
            return
    raise AssertionError(f"the field {label} did not take {words!r}")
