"""What a navigator and an organization do on their pages besides yes and no: offer, tell, correct, reopen, give back.

Comes in: the running exchange. Goes out: assertions, and pictures of made-up people beside the test results.
"""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.test_journey import routed, shown, submission
from tests.e2e.test_pages_browser import DESK, PHONE, browser, logged_in, picture  # noqa: F401
from tests.support.running import RunningExchange, until

pytestmark = [pytest.mark.browser, pytest.mark.real]
CLINIC, HUB, FRONT, NAME = "riverside-clinic", "county-hub", "harvest-food-bank", "Harvest Food Bank"


async def waiting(exchange: RunningExchange) -> str:
    """A referral that a navigator must place."""
    body = submission(f"ACTS-{datetime.now(UTC):%H%M%S%f}") | {"routing": "ask-first"}
    async with exchange.http(CLINIC) as http:
        answer = await http.post("/v1/referrals", json=body)
    assert answer.status_code == 202, answer.text
    referral = str(answer.json()["id"])
    await reaches(exchange, referral, "needs-review")
    return referral


async def reaches(exchange: RunningExchange, referral: str, status: str) -> None:
    async def there() -> bool:
        return str((await shown(exchange, CLINIC, referral))["status"]) == status

    await until(there)


async def said(page: Page, flash: str) -> None:
    await expect(page.get_by_role("status").filter(has_text=flash)).to_be_visible()


async def test_a_navigator_offers_is_told_closes_and_takes_up_again(
    browser: Browser,  # noqa: F811
    exchange: RunningExchange,
) -> None:
    referral = await waiting(exchange)
    hub = await logged_in(browser, exchange, HUB, DESK)
    await hub.screenshot(path=picture("hub-queue.png"), full_page=True)
    await hub.goto(f"/hub/referrals/{referral}")
    await hub.get_by_role("checkbox").filter(visible=True).first.wait_for()
    await hub.locator("label.choice", has_text=NAME).get_by_role("checkbox").first.check()
    other = hub.locator("label.choice:has(input[name=service])").filter(has_not_text=NAME)
    await other.get_by_role("checkbox").first.check()
    await hub.get_by_label("Why this one?").fill("The person knows both")
    await hub.screenshot(path=picture("hub-offer.png"), full_page=True)
    await hub.get_by_role("button", name="Assign and ask").click()
    await said(hub, "The first to accept gets it")
    hops = (await routed(exchange, CLINIC, referral))["hops"]
    assert [h["status"] for h in hops] == ["requested"] * 2 and len({h["offer"] for h in hops}) == 1

    await hub.get_by_role("link", name="Under way").click()
    await expect(hub.locator(f'a[href="/hub/referrals/{referral}"]')).to_be_visible()
    await hub.goto(f"/hub/referrals/{referral}")
    told = hub.locator("details", has_text=f"{NAME} told you its answer")
    await told.locator("summary").click()
    await told.get_by_label("What did they say?").select_option("accept")
    await hub.screenshot(path=picture("hub-told.png"), full_page=True)
    await told.get_by_role("button", name="Record the answer").click()
    await said(hub, "recorded for the organization")
    await reaches(exchange, referral, "accepted")
    await hub.screenshot(path=picture("hub-accepted.png"), full_page=True)

    second = await waiting(exchange)
    await hub.goto(f"/hub/referrals/{second}")
    await hub.locator("#close-details summary").click()
    close = hub.locator("#close-details")
    await close.get_by_label("No service found").check()
    await close.get_by_label("Is the need met?").select_option("unresolved")
    await close.get_by_role("button", name="Close the referral").click()
    await said(hub, "The clinic sees the outcome")
    await hub.screenshot(path=picture("hub-closed.png"), full_page=True)
    await hub.get_by_role("button", name="Open it again").click()
    await reaches(exchange, second, "needs-review")


async def test_an_organization_corrects_reopens_and_gives_back_on_a_phone(
    browser: Browser,  # noqa: F811
    exchange: RunningExchange,
) -> None:
    body = submission(f"ACTS-{datetime.now(UTC):%H%M%S%f}") | {"preferred_organization": FRONT}
    async with exchange.http(CLINIC) as http:
        referral = str((await http.post("/v1/referrals", json=body)).json()["id"])
    assert (await routed(exchange, CLINIC, referral))["hops"][0]["organization"] == FRONT
    cbo = await logged_in(browser, exchange, FRONT, PHONE)
    await cbo.locator(f"#r-{referral}").get_by_role("button", name="Accept referral").click()
    await said(cbo, "You accepted")
    await cbo.screenshot(path=picture("cbo-accepted.png"), full_page=True)
    await cbo.get_by_role("link", name="Record a contact").click()
    await cbo.get_by_label("No, nobody answered").check()
    await cbo.screenshot(path=picture("cbo-contact.png"), full_page=True)
    await cbo.get_by_role("button", name="Record a contact").click()
    await said(cbo, "contact was recorded")
    await cbo.get_by_role("link", name="Close", exact=True).click()
    await cbo.get_by_label("Person declined").check()
    await cbo.get_by_role("button", name="Not resolved").click()
    await said(cbo, "Closed without help")

    await cbo.goto(f"/cbo/referrals/{referral}")
    await cbo.get_by_role("link", name="Correct the outcome").click()
    await cbo.get_by_label("Enrolled in a program").check()
    await cbo.get_by_role("button", name="Need resolved").click()
    await said(cbo, "outcome was corrected")
    await cbo.screenshot(path=picture("cbo-corrected.png"), full_page=True)
    await cbo.get_by_role("button", name="Open it again").click()
    await said(cbo, "Opened again")
    await cbo.get_by_role("link", name="Hand it on").click()
    await cbo.screenshot(path=picture("cbo-transfer.png"), full_page=True)
    await expect(cbo.get_by_label("To whom?")).to_be_visible()
    await cbo.go_back()
    await cbo.get_by_role("link", name="Give it back").click()
    await cbo.get_by_label("Need already met").check()
    await cbo.get_by_role("button", name="Give the referral back").click()
    await said(cbo, "Do not contact the person any more")
    seen = await shown(exchange, CLINIC, referral)
    assert (seen["status"], seen["reason"]) == ("needs-review", "organization-withdrew")
    assert await cbo.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
