"""The loop through the pages in a real browser: the clinic sends, the CBO accepts and closes, the plan sees it move.

Comes in: the running exchange. Goes out: assertions, and two pictures of made-up people. Must never skip in CI.
"""

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.e2e.pages_scene import furnish
from tests.support.running import RunningExchange, until

pytestmark = [pytest.mark.browser, pytest.mark.real]

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=800)
NARROW = ViewportSize(width=320, height=640)
STARTS = {"riverside-clinic": "/clinic", "harvest-food-bank": "/cbo", "golden-health-plan": "/mco"}
STARTS |= {"county-hub": "/hub", "state-health-office": "/state", "exchange-operator": "/operator"}
PATIENCE_MS = 20_000


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, headless."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("REFEX_REQUIRE_ALL") == "1":
            pytest.fail("no chromium on the PATH; tests/ensure_browser.sh installs it")
        pytest.skip("no chromium on the PATH; tests/ensure_browser.sh installs it")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        await chromium.close()


async def logged_in(
    browser: Browser,
    exchange: RunningExchange,
    organization: str,
    size: ViewportSize,
    script: bool = True,
    who: dict[str, str] | None = None,
) -> Page:
    """A page of its own on which that person, or the organization's first, has logged in by the form."""
    user = who or exchange.organization(organization)["users"][0]
    context = await browser.new_context(
        base_url=exchange.url, viewport=size, java_script_enabled=script, locale="en-US"
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto("/login")
    await page.get_by_label("E-mail").fill(user["email"])
    await page.get_by_label("Password").fill(user["password"])
    await page.get_by_role("main").get_by_role("button", name="Log in", exact=True).click()
    await page.wait_for_url(f"**{STARTS[organization]}")
    return page


async def send(page: Page, family: str) -> str:
    """Send a referral for food by the clinic's form; answers its id."""
    await page.goto("/clinic/new")
    await page.get_by_label("Kind of help").select_option("food-insecurity")
    await page.get_by_label("First name").fill("Rosa")
    await page.get_by_label("Last name").fill(family)
    await page.get_by_label("Date of birth").fill("1984-05-27")
    await page.get_by_label("Your id of the person").fill(f"MRN-{family}")
    await page.get_by_label("ZIP code").fill("94607")
    await page.get_by_label("Phone", exact=False).first.fill("510-555-0142")
    await page.get_by_label("Health plan").select_option("golden-health-plan")
    await page.get_by_label("Organization the person prefers").select_option("harvest-food-bank")
    await page.get_by_role("group", name="Does the person agree").get_by_label("Yes").check()
    await page.get_by_role("button", name="Send referral").click()
    await page.wait_for_url(re.compile(r"/clinic/referrals/[0-9a-f-]{36}"))
    found = re.search(r"referrals/([0-9a-f-]{36})", page.url)
    assert found is not None
    return found[1]


WRITE = os.environ.get("REFEX_WRITE_SCREENSHOTS") == "1"


def picture(name: str) -> Path:
    """Where a screenshot goes: into the documentation when it is asked for, else beside the test results."""
    folder = ROOT / "docs" / "images" if WRITE else ROOT / "test-results"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


async def count_of(page: Page, step: str) -> int:
    """A number of the plan's funnel table."""
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=step, exact=True)).first
    return int(await row.get_by_role("cell").first.inner_text())


async def test_the_loop_closes_through_the_pages(browser: Browser, exchange: RunningExchange) -> None:
    if WRITE:
        await furnish(exchange)
    plan = await logged_in(browser, exchange, "golden-health-plan", DESK)
    before = {step: await count_of(plan, step) for step in ("Received", "Accepted", "Accepted and closed")}
    cbo = await logged_in(browser, exchange, "harvest-food-bank", PHONE)
    clinic = await logged_in(browser, exchange, "riverside-clinic", DESK)
    id = await send(clinic, "Delgado")
    await expect(clinic.get_by_text("Waiting for reply from Harvest Food Bank").first).to_be_visible()

    card = cbo.locator(f"#r-{id}")
    await expect(card).to_be_visible(timeout=PATIENCE_MS)  # by itself: nobody reloads this page
    await expect(card.get_by_text("ZIP 94607").first).to_be_visible()
    assert "Delgado" not in await cbo.content()
    await cbo.screenshot(path=picture("cbo-inbox.png"))
    await card.get_by_role("button", name="Accept referral").click()
    await expect(cbo.get_by_text("Rosa Delgado").first).to_be_visible()
    await expect(clinic.get_by_text("Harvest Food Bank accepted").first).to_be_visible(timeout=PATIENCE_MS)

    await cbo.get_by_role("link", name="Close", exact=True).click()
    await cbo.get_by_label("Service provided").check()
    await cbo.get_by_role("button", name="Need resolved").click()
    await expect(cbo.get_by_text("Closed. The clinic and the plan see the outcome.")).to_be_visible()
    await expect(clinic.get_by_text("Harvest Food Bank closed this: Service provided").first).to_be_visible(
        timeout=PATIENCE_MS
    )

    async def moved() -> bool:
        now = {step: await count_of(plan, step) for step in before}
        return all(now[step] > before[step] for step in before)

    await until(moved)
    await plan.screenshot(path=picture("plan-page.png"))


async def test_it_works_without_script_and_says_who_was_faster(
    browser: Browser, exchange: RunningExchange
) -> None:
    clinic = await logged_in(browser, exchange, "riverside-clinic", DESK, script=False)
    first = await logged_in(browser, exchange, "harvest-food-bank", PHONE, script=False)
    second = await logged_in(browser, exchange, "harvest-food-bank", PHONE, script=False)
    id = await send(clinic, "Okafor")
    for page in (first, second):
        await page.goto(f"/cbo/referrals/{id}")
    await first.get_by_role("link", name="Decline").click()
    await first.get_by_label("No capacity now").check()
    await first.get_by_role("button", name="Decline referral").click()
    await expect(first.get_by_text("You declined.")).to_be_visible()
    await second.get_by_role("button", name="Accept referral").click()
    await expect(second.get_by_role("heading", name="Somebody was faster")).to_be_visible()
    await expect(second.get_by_text("Harvest Food Bank: Declined").first).to_be_visible()


async def test_wrong_fields_are_named_beside_them(browser: Browser, exchange: RunningExchange) -> None:
    clinic = await logged_in(browser, exchange, "riverside-clinic", DESK)
    await clinic.goto("/clinic/new")
    await clinic.get_by_role("button", name="Send referral").click()
    await expect(clinic.get_by_role("alert")).to_contain_text("There is a problem")
    await clinic.get_by_role("alert").get_by_role("link").first.click()
    assert await clinic.evaluate("document.activeElement.id") == "domain"


async def test_a_form_in_use_is_not_replaced_by_a_live_update(
    browser: Browser, exchange: RunningExchange
) -> None:
    cbo = await logged_in(browser, exchange, "harvest-food-bank", PHONE)
    clinic = await logged_in(browser, exchange, "riverside-clinic", DESK)
    first = await send(clinic, "Nguyen")
    button = cbo.locator(f"#r-{first}").get_by_role("button", name="Accept referral")
    await button.focus()
    second = await send(clinic, "Marsh")
    await expect(cbo.locator("[data-live-status]")).to_contain_text("Something changed", timeout=PATIENCE_MS)
    await expect(button).to_be_focused()
    await cbo.get_by_role("link", name="Refresh").focus()
    await expect(cbo.locator(f"#r-{second}")).to_be_visible(timeout=PATIENCE_MS)
    await expect(cbo.locator("[data-live-status]")).to_contain_text("Updated just now")


@pytest.mark.parametrize("organization", STARTS)
async def test_every_start_page_fits_a_narrow_phone_and_breaks_no_policy(
    browser: Browser, exchange: RunningExchange, organization: str
) -> None:
    page = await logged_in(browser, exchange, organization, NARROW)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for language in ("es", "en"):
        await page.goto(f"/language?to={language}&next={STARTS[organization]}")
        assert await page.evaluate("document.documentElement.lang") == language
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        small = await page.evaluate(
            "[...document.querySelectorAll('button, .button, nav a')].filter(e => e.offsetHeight && "
            "e.offsetHeight < 44).map(e => e.textContent)"
        )
        assert small == []
    assert [s for s in said if "Content Security Policy" in s or "Refused" in s] == []


async def test_an_admin_manages_people_on_a_phone(browser: Browser, exchange: RunningExchange) -> None:
    home = "riverside-clinic"
    admin = next(u for u in exchange.organization(home)["users"] if u["role"] == "admin")
    page = await logged_in(browser, exchange, home, NARROW, who=admin)
    await page.get_by_role("link", name="People", exact=True).click()
    pages = [page.url]
    await page.get_by_role("link", name="Add a person").first.click()
    pages.append(page.url)
    await page.get_by_label("Name", exact=True).fill("Ben Ode")
    await page.get_by_label("E-mail").fill("ben@riverside.example.org")
    await page.get_by_role("group", name="Role").get_by_label(re.compile("^Staff")).check()
    await page.get_by_role("button", name="Add a person").click()
    await expect(page.get_by_role("heading", name="Hand this over")).to_be_visible()
    password = await page.locator("code").inner_text()
    await page.get_by_role("link", name="I have noted it").click()
    await expect(page.get_by_role("heading", name="Ben Ode")).to_be_visible()
    pages.append(page.url)
    ben = {"email": "ben@riverside.example.org", "password": password}
    theirs = await logged_in(browser, exchange, home, DESK, who=ben)
    await expect(theirs.get_by_role("link", name="People", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="Shut out").click()
    await expect(page.get_by_text("Shut out, and logged out everywhere.")).to_be_visible()
    await theirs.goto("/clinic")
    await expect(theirs).to_have_url(re.compile("/login"))
    for address in pages:
        await page.goto(address)
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], address
        for name, size in (("phone", PHONE), ("desk", DESK)):
            await page.set_viewport_size(size)
            await page.screenshot(path=picture(f"people-{pages.index(address)}-{name}.png"), full_page=True)
        await page.set_viewport_size(NARROW)


async def test_a_page_of_another_kind_of_organization_is_refused(
    browser: Browser, exchange: RunningExchange
) -> None:
    page = await logged_in(browser, exchange, "harvest-food-bank", PHONE)
    answer = await page.goto("/mco")
    assert answer is not None
    assert answer.status == 403
    await page.goto("/cbo")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_text("You are logged out.")).to_be_visible()
    await page.goto("/cbo")
    await expect(page).to_have_url(re.compile(r"/login\?next="))
