"""The way to a new password: its pages, and what they say for each answer of the service."""

import pytest
from playwright.async_api import expect

from tests.browser.visitor import PASSWORD, Visitor

TOKEN = "once-only"


async def test_the_answer_is_the_same_for_every_address(visitor: Visitor) -> None:
    await visitor.answer("/auth/forgot", {}, 202)
    await visitor.goto("/")
    await visitor.page.get_by_role("link", name="Forgot your password?").click()
    await visitor.fill(email="<i>a</i>@b.example")
    await visitor.press("Send the link")
    await visitor.says("If <i>a</i>@b.example has an account, a link is on its way.")
    await visitor.press("try another address")
    await expect(visitor.page.locator("#email")).to_be_focused()


async def test_the_link_sets_a_password_and_leaves_the_address_bar(visitor: Visitor) -> None:
    await visitor.answer("/auth/reset", {})
    await visitor.goto(f"/reset#token={TOKEN}")
    assert TOKEN not in await visitor.page.evaluate("location.href")
    await visitor.fill(password="short")
    await visitor.press("Set the password")
    await visitor.wrong("password", "Use 8 characters or more.")
    await visitor.fill(password=PASSWORD)
    await visitor.press("Set the password")
    await visitor.is_at("/")
    await visitor.says("Your new password is set. Log in with it.")
    (sent,) = [request for request in visitor.requests if request.url.endswith("/auth/reset")]
    assert sent.post_data_json == {"reset_token": TOKEN, "password": PASSWORD}
    assert not [request for request in visitor.requests if TOKEN in request.url]


@pytest.mark.parametrize("path", ["/reset", f"/reset#token={TOKEN}"])
async def test_a_link_that_is_used_up_leads_to_another_one(visitor: Visitor, path: str) -> None:
    await visitor.refuse("/auth/reset", 401, "invalid_reset_token")
    await visitor.goto(path)
    if TOKEN in path:
        await visitor.fill(password=PASSWORD)
        await visitor.press("Set the password")
    await visitor.says("This link does not work any more")
    await visitor.page.get_by_role("link", name="Get a new link").click()
    await visitor.is_at("/forgot")
