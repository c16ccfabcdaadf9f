"""A real browser for tests: headless Chromium that records requests and errors of a page."""

import shutil
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.patience import PATIENCE

Scheme = Literal["light", "dark"]
Media = Literal["screen", "print"]

# Root cannot run the sandbox. The other flags stop Chromium's own requests to its vendor.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
_FLAGS += ["--disable-component-update", "--disable-sync"]

_PATIENT = 1000 * PATIENCE  # Playwright counts milliseconds

_SIZE = """() => {
  const root = document.documentElement;
  const { right, bottom } = root.getBoundingClientRect();
  return [Math.max(right, root.scrollWidth), Math.max(bottom, root.scrollHeight)];
}"""


class Opened:
    """An open page, with its requests and the errors of its console and scripts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on(
            "console", lambda message: self.complaints.append(f"{message.type}: {message.text}")
        )
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error.message}"))

    @property
    def left(self) -> list[str]:
        """The requests for anything except the page itself and its embedded data."""
        return [url for url in self.requests[1:] if not url.startswith(("data:", "blob:"))]

    def evaluate(self, script: str, given: object = None) -> Any:  # noqa: ANN401 -- whatever the script answers
        """Run a function of JavaScript in the page and return its answer."""
        return self.page.evaluate(script, given)

    def show(self, scheme: Scheme = "light", media: Media = "screen") -> None:
        """Show the page as to somebody with a light or dark screen, or on paper."""
        self.page.emulate_media(color_scheme=scheme, media=media)

    def fit(self) -> None:
        """Make the window as large as what is in it."""
        width, height = self.evaluate(_SIZE)
        self.page.set_viewport_size({"width": ceil(width), "height": ceil(height)})

    def screenshot(self, path: Path) -> None:
        """Take a picture of the window as PNG."""
        session = self.page.context.new_cdp_session(
            self.page
        )  # Playwright's own screenshot waits without end where the page is an SVG
        path.write_bytes(b64decode(session.send("Page.captureScreenshot")["data"]))
        session.detach()

    def pdf(self) -> bytes:
        """Print the page, on the paper that its style asks for."""
        session = self.page.context.new_cdp_session(self.page)
        printed = session.send("Page.printToPDF", {"preferCSSPageSize": True})
        session.detach()
        return b64decode(printed["data"])


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser; skip the test where there is no Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        # Who works on rules need not install a browser; .ci/run has one, and lets no test skip.
        pytest.skip("needs Chromium; tools/ci_tools.sh installs it on Debian")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=_FLAGS, timeout=_PATIENT
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, what: Path) -> Iterator[Opened]:
    """Open a file, HTML or SVG, in a page of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(_PATIENT)
    page = Opened(context.new_page())
    page.page.goto(what.resolve().as_uri())
    page.fit()
    yield page
    context.close()
