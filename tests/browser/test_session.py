"""The browser's login over time: renewed once for all tabs, requested if missing, dropped if ended."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.visitor import PASSWORD, Visitor, nobody

SESSION = "JSON.parse(localStorage.getItem('session'))"
POLLS = "() => { dispatchEvent(new Event('online')); }"
"""Makes the page load everything at once, as when the network is back."""
LEAVES = "() => import('/static/session.js').then((module) => { module.leave(); })"
"""Makes a page leave, as after a 401."""


async def arrived(visitor: Visitor) -> str:
    """Register an account and open its dashboard. Return its email."""
    email = nobody()
    await visitor.goto("/register")
    await visitor.register(email)
    await visitor.is_at("/captions")
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator("#minutes")).to_be_visible()
    return email


async def age(visitor: Visitor, **fields: object) -> None:
    """Change the stored login as if time had passed."""
    await visitor.page.evaluate(
        f"fields => localStorage.setItem('session', JSON.stringify({{...{SESSION}, ...fields}}))", fields
    )


async def test_an_expiring_token_is_renewed_once_for_all_tabs(visitor: Visitor) -> None:
    """At most twice: Chromium may pass the lock to a tab before the last holder's localStorage."""
    await arrived(visitor)
    before = await visitor.page.evaluate(SESSION)
    tabs = [await visitor.context.new_page() for _ in range(4)]
    await visitor.goto("/billing/cancel")  # a page without requests
    await age(visitor, renew_at=0)
    await asyncio.gather(*(tab.goto("/dashboard") for tab in tabs))
    for tab in tabs:
        await expect(tab.locator("#minutes")).to_have_text("10min")
    after = await visitor.page.evaluate(SESSION)
    assert visitor.asked("POST", "/auth/refresh") in (1, 2)
    assert after["token"] != before["token"]
    assert after["renew_at"] < after["expires_at"]


async def test_without_web_locks_two_tabs_that_renew_at_once_stay_logged_in(visitor: Visitor) -> None:
    """A page without TLS on another machine has no Web Locks."""
    await visitor.context.add_init_script("delete Navigator.prototype.locks")
    await arrived(visitor)
    tabs = [visitor.page, await visitor.context.new_page()]
    both = asyncio.Event()

    async def meet(route: Route) -> None:
        if visitor.asked("POST", "/auth/refresh") == len(tabs):
            both.set()
        await both.wait()
        await route.continue_()

    for tab in tabs:
        await tab.goto("/billing/cancel")
    await visitor.context.route("**/auth/refresh", meet)
    await age(visitor, renew_at=0)
    for _ in range(2):
        await asyncio.gather(*(tab.goto("/account") for tab in tabs))
        for tab in tabs:
            await expect(tab.locator("#email")).to_contain_text("@")
    assert visitor.asked("POST", "/auth/refresh") == len(tabs)
    await age(visitor, renew_at=0)
    await visitor.page.reload()
    await expect(visitor.page.locator("#email")).to_contain_text("@")
    assert visitor.asked("POST", "/auth/refresh") == len(tabs) + 1


async def test_a_refused_token_is_renewed_too(visitor: Visitor) -> None:
    await arrived(visitor)
    await age(visitor, token="a.b.c")
    await visitor.page.reload()
    await expect(visitor.page.locator("#minutes")).to_have_text("10min")
    assert visitor.asked("POST", "/auth/refresh") == 1


async def test_a_failed_renewal_does_not_end_the_login(visitor: Visitor) -> None:
    await arrived(visitor)
    await visitor.refuse("/auth/refresh", 503, "service_unavailable")
    await age(visitor, renew_at=0)
    await visitor.page.reload()
    await expect(visitor.page.locator("#minutes")).to_have_text("10min")
    await age(visitor, renew_at=0, expires_at=0)
    await visitor.page.reload()
    await visitor.says("The service is temporarily unavailable.")
    await visitor.is_at("/dashboard")


@pytest.mark.parametrize("path", ["/dashboard", "/account", "/billing/success?session_id=cs_unknown"])
async def test_the_login_leads_back_to_the_requested_page(visitor: Visitor, path: str) -> None:
    email = nobody()
    await visitor.service.http.post("/auth/register", json={"email": email, "password": PASSWORD})
    await visitor.goto(path)
    await visitor.is_at("/")
    await visitor.says("Log in")
    assert await visitor.page.locator("#notice").inner_text() != ""
    await expect(visitor.page.locator("#email")).to_be_focused()
    await visitor.log_in(email)
    await visitor.is_at(path)
    await visitor.page.get_by_role("link", name="Account").click()
    await visitor.is_at("/account")


async def test_an_ended_login_leads_to_the_landing_page_and_back(visitor: Visitor) -> None:
    email = await arrived(visitor)
    await visitor.goto("/account")
    await age(visitor, token="a.b.c", refresh_token="gone")
    await visitor.page.reload()
    await visitor.is_at("/")
    await visitor.says("You've been signed out.")
    await visitor.log_in(email)
    await visitor.is_at("/account")


async def test_logging_out_reaches_the_other_tabs(visitor: Visitor) -> None:
    await arrived(visitor)
    other = await visitor.context.new_page()
    await other.goto("/account")
    await expect(other.locator("#email")).to_contain_text("@")
    await visitor.press("Log out")
    await visitor.is_at("/", other)
    await expect(other.get_by_text("You were logged out in another tab.")).to_be_visible()


async def test_requests_during_a_logout_change_nothing(visitor: Visitor) -> None:
    """A poll finds no tokens, and a pending answer says that the old token is not valid."""
    email = await arrived(visitor)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(route: Route) -> None:
        asked.set()
        await answered.wait()
        await route.continue_()

    await visitor.context.route("**/auth/logout", slow)
    other = await visitor.context.new_page()
    await other.goto("/dashboard")
    await expect(other.locator("#minutes")).to_have_text("10min")
    await visitor.press("Log out")
    await asked.wait()
    await visitor.page.evaluate(POLLS)
    await expect(other.get_by_text("You were logged out in another tab.")).to_be_visible()
    await visitor.page.evaluate(LEAVES)
    await visitor.is_at("/dashboard")
    assert await visitor.page.evaluate("Object.keys(sessionStorage)") == []
    answered.set()
    await visitor.says("You're logged out.")
    await visitor.log_in(email)
    await visitor.is_at("/dashboard")


async def test_a_new_login_in_another_tab_survives_the_end_of_the_old_one(visitor: Visitor) -> None:
    await arrived(visitor)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(route: Route) -> None:
        asked.set()
        await answered.wait()
        await route.continue_()

    await visitor.context.route("**/auth/logout", slow)
    other = await visitor.context.new_page()
    await other.goto("/register")
    await visitor.press("Log out")
    await asked.wait()
    email = nobody()
    await other.locator("#email").fill(email)
    await other.locator("#password").fill(PASSWORD)
    await other.get_by_role("button", name="Create account", exact=True).click()
    await visitor.is_at("/captions", other)
    answered.set()
    await visitor.is_at("/")
    await visitor.says(f"You're logged in as {email}.")
    await expect(other.locator("#left")).to_have_text("10 min left")


async def test_no_token_is_ever_in_a_url(visitor: Visitor) -> None:
    await arrived(visitor)
    session = await visitor.page.evaluate(SESSION)
    await visitor.goto("/account")
    await expect(visitor.page.locator("#email")).to_contain_text("@")
    for request in visitor.requests:
        assert session["token"] not in request.url
        assert session["refresh_token"] not in request.url
