"""A real Chromium for the tests of the console; skipped, by name, where the machine has none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: No sandbox: tests run as root in containers. The rest keeps Chromium from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

PATIENCE_MS = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(NAMES)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_page(browser: Browser, *, scheme: str = "light") -> Iterator[Page]:
    """A page in a session of its own, which must not report an error of its own making."""
    dark = scheme == "dark"
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda message: mistakes.extend(_mistake(message)))
    try:
        yield page
    finally:
        context.close()
    assert mistakes == []


def _mistake(message: ConsoleMessage) -> list[str]:
    """Chromium also logs every status from 400 on, which may be what a test is about."""
    wrong = message.type == "error" and not message.text.startswith("Failed to load resource")
    return [message.text] if wrong else []
