"""The account's page: who one is, and sessions that can be ended from here."""

from playwright.async_api import expect

from tests.browser.lives import HOSTILE
from tests.browser.states import LONG, STATES
from tests.browser.visitor import Visitor
from tests.e2e.service import Service


async def test_a_live_session_can_be_ended_from_here(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    captions = await service.captions(user)
    await captions.ready()
    await visitor.goto("/account")
    await visitor.page.get_by_role("button", name="End the session").click()
    assert (await captions.end())["reason"] == "ended_by_user"
    await visitor.says("Nothing runs at the moment.")
    await visitor.goto("/dashboard")
    await visitor.says("You ended it on this site")


async def test_a_session_that_could_not_be_ended_says_so(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    captions = await service.captions(user)
    session_id = await captions.ready()
    await visitor.refuse(f"/account/sessions/{session_id}", 500, "internal")
    await visitor.goto("/account")
    end = visitor.page.get_by_role("button", name="End the session")
    await end.click()
    await visitor.says("Something failed on our side.")
    await expect(end).to_have_text("End")
    await captions.stop()
    await expect(end).to_have_count(0)


async def test_it_says_who_one_is_and_tries_again_what_failed(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    await visitor.refuse("/account/me", 500, "internal")
    await visitor.goto("/account")
    await visitor.says("not known")
    await visitor.context.unroute_all()
    await visitor.press("Try again")
    await expect(visitor.page.locator("#email")).to_have_text(user.email)
    await expect(visitor.page.locator("#minutes")).to_have_text("1 h")


async def test_markup_and_very_long_words_are_text(visitor: Visitor) -> None:
    await STATES["account hostile"].enter(visitor)
    await expect(visitor.page.locator("#email")).to_have_text(LONG)
    await expect(visitor.page.get_by_text(HOSTILE)).to_have_count(3)
    assert await visitor.page.locator("[onerror]").count() == 0
