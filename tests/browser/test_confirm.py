"""The page that a confirmation mail links to, and what the dashboard says until then."""

import pytest
from playwright.async_api import expect

from tests.browser.lives import balance
from tests.browser.states import member
from tests.browser.visitor import Visitor

GIVEN = "Your email is confirmed, and 10 min of captions are yours. Enjoy!"
EXPIRED = "This link has expired. Open your dashboard to get a new one."


async def test_the_link_confirms_the_email_and_its_token_leaves_the_address(visitor: Visitor) -> None:
    await visitor.answer("/auth/confirm", {"message": GIVEN})
    await visitor.goto("/confirm#token=the-token")
    await visitor.says(GIVEN)
    assert "the-token" not in visitor.page.url
    await visitor.page.get_by_role("link", name="Start captions").click()
    sent = [request.post_data_json for request in visitor.requests if request.url.endswith("/auth/confirm")]
    assert sent == [{"confirm_token": "the-token"}]


@pytest.mark.parametrize(
    ("path", "sentence"), [("/confirm", "Open the link in the email"), ("/confirm#token=x", EXPIRED)]
)
async def test_a_link_that_does_not_work_says_what_to_do(visitor: Visitor, path: str, sentence: str) -> None:
    await visitor.refuse("/auth/confirm", 422, "invalid_confirmation", EXPIRED)
    await visitor.goto(path)
    await visitor.says(sentence)
    await expect(visitor.page.get_by_role("link", name="Start captions")).to_be_hidden()


async def test_the_dashboard_asks_for_the_confirmation_and_sends_the_mail_again(visitor: Visitor) -> None:
    await member(balance(0))(visitor)
    await visitor.answer("/site", {"trial_seconds": 600, "trial_needs_confirmation": True, "sandbox": False})
    me = {"email": "a@b.example", "confirmed": False, "created_at": "2026-11-20T10:00:00Z", "credits": balance(0)}
    await visitor.answer("/account/me", me)
    await visitor.answer("/account/confirmation", {"message": "Check your email for the link."}, 202)
    await visitor.goto("/dashboard")
    await visitor.says("Confirm your email to get 10 minutes of captions for free.")
    await visitor.press("Send the email again")
    await visitor.says("Check your email for the link.")
