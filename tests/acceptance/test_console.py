"""The console in a real browser, on a real installation, by what people see and say."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.acceptance.browser import PATIENCE_MS, chromium, new_page
from tests.acceptance.installation import EXAMPLES, Installation
from tests.waiting import until_sync

pytestmark = pytest.mark.browser

WATCHED = Path(__file__).parent / "console" / "watched.py"
AXE = Path(__file__).parents[2] / "services/gateway/console/node_modules/axe-core/axe.min.js"
RUN_SECONDS = 240

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address(browser: Browser, platform: Installation) -> str:
    """The console's address with the token, as `foldline up` prints it; both test workflows are released."""
    del browser  # where there is none, nothing else is made
    for workflow in ("held", "broken"):
        platform.ask("release", str(WATCHED), "--workflow", workflow, timeout=300)
    client = platform.client
    return f"{client['console']}/#token={client['token']}"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that is signed in and shows the workflows."""
    with new_page(browser) as opened:
        opened.goto(address)
        expect(table(opened, "Workflows")).to_be_visible()
        yield opened


def table(page: Page, name: str) -> Locator:
    return page.get_by_role("table", name=name)


def step(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=re.compile(f"^Step {name}:"))


def has_status(page: Page, name: str, status: str) -> None:
    shown = page.get_by_role("button", name=f"Step {name}: {status}")
    expect(shown).to_be_visible(timeout=RUN_SECONDS * 1000)


def open_workflow(page: Page, name: str) -> Locator:
    """Its page; returns the configuration form."""
    table(page, "Workflows").get_by_role("link", name=name, exact=True).click()
    return page.get_by_role("form", name="Configuration")


def start(page: Page) -> None:
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Start run").click()
    expect(page.get_by_role("group", name="Graph of steps")).to_be_visible()


def test_the_address_of_foldline_up_signs_in_and_leaves_no_token_behind(page: Page) -> None:
    assert "token" not in page.url
    assert page.evaluate("history.length") <= 3
    page.reload()

    expect(table(page, "Workflows")).to_be_visible()


def test_a_token_that_is_wrong_is_refused_with_the_reason(browser: Browser, platform: Installation) -> None:
    with new_page(browser) as page:
        page.goto(platform.client["console"])
        page.get_by_role("textbox", name="Token").fill("not a token")
        page.get_by_role("button", name="Sign in").click()

        expect(page.get_by_role("alert")).to_contain_text("the token is not one of this installation")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_signing_out_forgets_the_token(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.reload()

    expect(page.get_by_role("textbox", name="Token")).to_be_visible()


def test_from_the_gallery_to_a_result(page: Page, platform: Installation, tmp_path: Path) -> None:
    """Subscribe, import, configure, start, watch, read the outputs, go back in time."""
    pytest.importorskip("sklearn")
    terms = tmp_path / "TERMS.md"
    terms.write_text("# Terms\n\nBe *kind*.\n")
    platform.ask("workspace", "create", "gazers")
    platform.ask("release", str(EXAMPLES / "digits" / "digits.py"), timeout=300)
    publish = ("gallery", "publish", "digits", "--asset", "seen-digits", "--visibility", "public")
    platform.ask(*publish, "--agreement", f"terms={terms}")

    page.reload()
    page.get_by_role("combobox", name="Workspace").click()
    page.get_by_role("option", name="gazers").click()
    expect(page.get_by_text("No workflow yet")).to_be_visible()

    subscribe_and_import(page)
    configure(page)
    start(page)
    for name in ("split", "train", "evaluate", "accept", "model_card"):
        has_status(page, name, "completed")
    has_status(page, "reject", "skipped")

    look_at_the_picture(page, tmp_path)
    look_at_the_numbers(page)
    go_back_in_time(page)


def subscribe_and_import(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Gallery").click()
    card = page.get_by_role("listitem").filter(has_text="default/seen-digits")
    card.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Terms")).to_be_visible()
    subscribe = page.get_by_role("button", name="Subscribe", exact=True)
    expect(subscribe).to_be_disabled()
    page.get_by_role("checkbox", name="I accept “terms”").check()
    subscribe.click()

    page.get_by_role("textbox", name="Name of the workflow").fill("my-digits")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Handwritten digits", level=1)).to_be_visible()


def configure(page: Page) -> None:
    form = page.get_by_role("form", name="Configuration")
    accept_at = form.get_by_role("textbox", name="Accept at")
    expect(accept_at).to_have_attribute("placeholder", "0.95")
    accept_at.fill("2")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("accept_at")
    accept_at.fill("0.9")
    form.get_by_role("combobox", name="kernel").click()
    page.get_by_role("option", name="linear").click()
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Configuration saved.")).to_be_visible()
    page.reload()
    expect(accept_at).to_have_value("0.9")


def look_at_the_picture(page: Page, folder: Path) -> None:
    step(page, "model_card").click()
    page.get_by_role("tab", name="Outputs").click()
    picture = page.get_by_role("img", name="Picture confusion")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    with page.expect_download() as download:
        page.get_by_role("button", name="Download confusion").click()
    saved = folder / "confusion.png"
    download.value.save_as(saved)
    digest = page.get_by_role("region", name="Output confusion").get_by_title("sha256:")
    assert digest.get_attribute("title") == f"sha256:{hashlib.sha256(saved.read_bytes()).hexdigest()}"


def look_at_the_numbers(page: Page) -> None:
    step(page, "split").click()
    page.get_by_role("tab", name="Outputs").click()
    images = page.get_by_role("region", name="Output train_images")
    expect(images).to_contain_text("dtype")
    expect(images).to_contain_text("mean")
    step(page, "evaluate").click()
    page.get_by_role("tab", name="Metrics").click()
    expect(page.get_by_role("img", name="Course of accuracy")).to_be_visible()


def go_back_in_time(page: Page) -> None:
    page.get_by_role("tab", name="Events").click()
    expect(page.get_by_text("hash chain holds")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Event 1 .*Run created")).click()
    has_status(page, "split", "waiting")
    has_status(page, "model_card", "waiting")
    page.get_by_role("slider", name="Event").press("End")
    has_status(page, "model_card", "completed")


def test_the_form_tells_what_is_missing_and_what_is_wrong(page: Page) -> None:
    form = open_workflow(page, "held")
    expect(page.get_by_text("needs subject")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("subject")
    expect(dialog.get_by_role("button", name="Start run")).to_be_disabled()
    dialog.get_by_role("button", name="Cancel").click()

    form.get_by_role("textbox", name="How often").fill("99")
    expect(form.get_by_text("Must be 1 to 10.")).to_be_visible()
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("is 99, but must be at most 10", exact=True)).to_be_visible()
    form.get_by_role("button", name="Discard changes").click()
    expect(form.get_by_role("textbox", name="How often")).to_have_value("")


def test_a_run_is_watched_live_and_stopped(page: Page, platform: Installation) -> None:
    form = open_workflow(page, "held")
    form.get_by_role("textbox", name="Subject").fill("world")
    form.get_by_role("switch", name="Loud").check()
    start(page)
    has_status(page, "greet", "completed")
    has_status(page, "hold", "running")

    step(page, "hold").click()
    page.get_by_role("tab", name="Log").click()
    log = page.get_by_role("log", name="Log of hold, attempt 1")
    expect(log).to_contain_text("holding 3 words")

    page.get_by_role("button", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Reason").fill("seen enough")
    dialog.get_by_role("button", name="Stop run").click()
    has_status(page, "hold", "stopped")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)

    run_id = page.url.partition("/runs/")[2].partition("?")[0]
    record = platform.ask("show", run_id)
    assert record["run"]["status"] == "stopped"
    assert record["run"]["parameters"]["loud"] is True
    assert "seen enough" in platform.call("history", run_id).out


def test_the_page_goes_on_after_the_gateway_was_killed(page: Page, platform: Installation) -> None:
    form = open_workflow(page, "held")
    form.get_by_role("textbox", name="Subject").fill("survivor")
    start(page)
    has_status(page, "hold", "running")
    killed = platform.process("gateway")["pid"]
    os.kill(killed, signal.SIGKILL)
    until_sync(lambda: platform.process("gateway")["pid"] not in {killed, None, 0}, 60)

    run_id = page.url.partition("/runs/")[2].partition("?")[0]

    def stopped() -> bool:
        return platform.call("stop", run_id).code == 0

    until_sync(stopped, 60)
    has_status(page, "hold", "stopped")
    expect(page.get_by_text("Not live at the moment")).to_have_count(0)


def test_a_failed_step_shows_its_traceback_and_the_log_of_each_attempt(page: Page) -> None:
    open_workflow(page, "broken")
    start(page)
    has_status(page, "break_it", "failed")

    step(page, "break_it").click()
    failure = page.get_by_role("group", name="Step break_it failed")
    expect(failure).to_contain_text("no place for hello world 1")
    expect(failure.get_by_label("Traceback")).to_contain_text("raise LookupError")
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_role("log", name="Log of break_it, attempt 2")).to_contain_text("about to break")
    page.get_by_role("combobox", name="Attempt").click()
    page.get_by_role("option", name="1 (failed)").click()
    expect(page.get_by_role("log", name="Log of break_it, attempt 1")).to_contain_text("about to break")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download log").click()
    assert "about to break" in Path(download.value.path()).read_text()


def test_the_keyboard_alone_goes_from_the_list_into_a_step_and_back_in_time(page: Page) -> None:
    open_workflow(page, "broken")
    start(page)
    has_status(page, "break_it", "failed")
    step(page, "greet").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Step greet")).to_be_visible()

    slider = page.get_by_role("slider", name="Event")
    slider.focus()
    page.keyboard.press("Home")
    has_status(page, "greet", "waiting")
    page.keyboard.press("ArrowRight")
    has_status(page, "greet", "scheduled")
    page.get_by_role("button", name="Newest").focus()
    page.keyboard.press("Enter")
    has_status(page, "break_it", "failed")


def test_a_run_that_does_not_exist_says_so_and_what_to_do(page: Page) -> None:
    page.goto(page.url.replace("/workflows", "/runs/01900000-0000-7000-8000-000000000000"))

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("has no run")
    expect(alert).to_contain_text("Check the address")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_colours_of_the_machine_and_can_be_switched(
    browser: Browser, address: str, scheme: str
) -> None:
    other = {"light": "dark", "dark": "light"}[scheme]
    root = "document.documentElement.dataset.mantineColorScheme"
    with new_page(browser, scheme=scheme) as page:
        page.goto(address)
        expect(table(page, "Workflows")).to_be_visible()
        assert page.evaluate(root) == scheme
        page.get_by_role("button", name=f"Switch to {other} colours").click()

        expect(page.get_by_role("button", name=f"Switch to {scheme} colours")).to_be_visible()
        assert page.evaluate(root) == other


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_with_other_eyes_or_hands_out(
    browser: Browser, address: str, scheme: str
) -> None:
    """The rules of WCAG 2.1 A and AA that a program can check, on each kind of page."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed here; python hatch_build.py --check installs it")
    with new_page(browser, scheme=scheme) as page:
        page.goto(address)
        expect(table(page, "Workflows")).to_be_visible()
        faults = [*faults_of(page)]
        open_workflow(page, "broken")
        faults += faults_of(page)
        start(page)
        has_status(page, "break_it", "failed")
        step(page, "break_it").click()
        expect(page.get_by_role("group", name="Step break_it failed")).to_be_visible()
        faults += faults_of(page)
        page.get_by_role("tab", name="Log").click()
        faults += faults_of(page)
        page.get_by_role("tab", name="Events").click()
        expect(page.get_by_text("hash chain holds")).to_be_visible()
        faults += faults_of(page)
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Gallery").click()
        expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
        faults += faults_of(page)

    assert faults == []


def faults_of(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    return [
        f"{page.url}: {fault['help']}: {node['html']}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]
