"""The account page: the email, and live sessions that can be ended."""

from playwright.async_api import expect

from tests.browser.lives import HOSTILE
from tests.browser.states import LONG, STATES
from tests.browser.visitor import PASSWORD, Visitor, nobody
from tests.e2e.client import User
from tests.e2e.service import Service


async def test_a_live_session_can_be_ended_on_the_account_page(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    captions = await service.captions(user)
    await captions.ready()
    await visitor.goto("/account")
    await visitor.page.get_by_role("button", name="End the session").click()
    assert (await captions.end())["reason"] == "ended_by_user"
    await visitor.says("Nothing live right now.")
    await visitor.goto("/dashboard")
    await visitor.says("Ended from the website")


async def test_a_new_password_ends_live_captions_and_the_page_warns_first(visitor: Visitor, service: Service) -> None:
    email = nobody()
    await visitor.goto("/register")
    await visitor.register(email)
    await visitor.is_at("/captions")
    await visitor.goto("/account")
    warning = visitor.page.get_by_text("You have live captions. They stop when you change your password.")
    await visitor.says("Nothing live right now.")
    await expect(warning).to_be_hidden()
    token = await visitor.page.evaluate("JSON.parse(localStorage.getItem('session')).token")
    captions = await service.captions(User(email, token))
    await captions.ready()
    await visitor.page.reload()
    await visitor.page.locator("#current").focus()
    await expect(warning).to_be_visible()
    await visitor.fill(current=PASSWORD, new=PASSWORD + "!")
    await visitor.press("Change password")
    await visitor.says("Password changed. You've been signed out on other devices.")
    assert (await captions.end())["reason"] == "signed_out"
    assert (captions.errors(), captions.close_code) == (["unauthorized"], 4401)
    await expect(warning).to_be_hidden()
    await visitor.goto("/dashboard")
    await visitor.says("Signed out")


async def test_a_failure_to_end_a_session_is_shown(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    captions = await service.captions(user)
    session_id = await captions.ready()
    await visitor.refuse(f"/account/sessions/{session_id}", 500, "internal")
    await visitor.goto("/account")
    end = visitor.page.get_by_role("button", name="End the session")
    await end.click()
    await visitor.says("Something went wrong on our end.")
    await expect(end).to_have_text("End")
    await captions.stop()
    await expect(end).to_have_count(0)


async def test_the_account_page_shows_the_email_and_retries_after_a_failure(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    await visitor.refuse("/account/me", 500, "internal")
    await visitor.goto("/account")
    await visitor.says("not available")
    await visitor.context.unroute_all()
    await visitor.press("Try again")
    await expect(visitor.page.locator("#email")).to_have_text(user.email)
    await expect(visitor.page.locator("#minutes")).to_have_text("1 h")


async def test_markup_and_very_long_words_are_text(visitor: Visitor) -> None:
    await STATES["account hostile"].enter(visitor)
    await expect(visitor.page.locator("#email")).to_have_text(LONG)
    await expect(visitor.page.get_by_text(HOSTILE)).to_have_count(2)
    assert await visitor.page.locator("[onerror]").count() == 0
