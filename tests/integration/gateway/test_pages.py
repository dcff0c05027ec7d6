"""How the console's files are served."""

from __future__ import annotations

import httpx
import pytest

from foldline_gateway import console
from foldline_gateway.console import Console

PAGE = b"<!doctype html><title>Foldline</title>" + b" " * 1000
SCRIPT = b"console.log('built');" * 100


@pytest.fixture
def browser() -> httpx.AsyncClient:
    """The ASGI part alone: which files a build makes is not this test's business."""
    files = {"/index.html": PAGE, "/assets/index-1.js": SCRIPT}
    built = Console({path: console.make_asset(path, body) for path, body in files.items()})
    return httpx.AsyncClient(transport=httpx.ASGITransport(built), base_url="http://console")


@pytest.mark.parametrize("path", ["/", "/w/lab/workflows/digits", "/login"])
async def test_every_address_of_the_page_gets_the_page(browser: httpx.AsyncClient, path: str) -> None:
    reply = await browser.get(path)

    assert (reply.status_code, reply.content) == (200, PAGE)
    assert reply.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in reply.headers["content-security-policy"]


async def test_hashed_files_may_be_kept_for_ever(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/assets/index-1.js")

    assert reply.content == SCRIPT
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in reply.headers["cache-control"]
    assert reply.headers["content-encoding"] == "gzip"


async def test_a_file_of_an_older_build_is_not_the_page(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/assets/index-0.js")).status_code == 404


async def test_a_known_page_is_not_sent_again(browser: httpx.AsyncClient) -> None:
    first = await browser.get("/")

    second = await browser.get("/", headers={"if-none-match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")


async def test_only_reading_is_allowed(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/")).status_code == 405


async def test_a_console_that_is_not_built_says_how_to_build_it() -> None:
    transport = httpx.ASGITransport(Console({}))
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as browser:
        reply = await browser.get("/")

    assert reply.status_code == 503
    assert "python hatch_build.py" in reply.text
