"""The pages that reset a password, for each answer of the service."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.visitor import PASSWORD, Visitor, nobody
from tests.e2e.service import Service
from tests.waiting import until

TOKEN = "once-only"


async def mailed(service: Service, email: str) -> str:
    """Wait for a mail to this address, and return its link."""
    outbox = Path(service.env["DATA_DIR"]) / "outbox"

    def link() -> str:
        texts = [file.read_text() for file in outbox.glob("*.eml")]
        found = [re.search(r"/reset#token=[\w.-]+", text) for text in texts if f"To: {email}" in text]
        return next((match[0] for match in found if match), "")

    return str(await until(link))


async def test_the_link_in_the_mail_sets_a_password_once(visitor: Visitor, service: Service) -> None:
    email = nobody()
    await service.http.post("/auth/register", json={"email": email, "password": "forgotten since"})
    await visitor.goto("/forgot")
    await visitor.fill(email=email)
    await visitor.press("Send reset link")
    await visitor.says("a reset link is on its way")
    link = await mailed(service, email)
    for sentence in ("Password changed.", "This link has expired or has already been used."):
        await visitor.goto(link)
        await visitor.fill(password=PASSWORD)
        await visitor.press("Save new password")
        await visitor.says(sentence)
    await visitor.goto("/")
    await visitor.log_in(email)
    await visitor.is_at("/dashboard")


async def test_the_answer_is_the_same_for_every_email(visitor: Visitor) -> None:
    await visitor.answer("/auth/forgot", {}, 202)
    await visitor.goto("/")
    await visitor.page.get_by_role("link", name="Forgot your password?").click()
    await visitor.fill(email="<i>a</i>@b.example")
    await visitor.press("Send reset link")
    await visitor.says("If <i>a</i>@b.example has an account, a reset link is on its way.")
    await visitor.press("try another email")
    await expect(visitor.page.locator("#email")).to_be_focused()


async def test_the_link_sets_a_password_and_leaves_the_address_bar(visitor: Visitor) -> None:
    await visitor.answer("/auth/reset", {})
    await visitor.goto(f"/reset#token={TOKEN}")
    assert TOKEN not in await visitor.page.evaluate("location.href")
    await visitor.page.reload()
    await visitor.fill(password="short")
    await visitor.press("Save new password")
    await visitor.wrong("password", "Use at least 8 characters.")
    await visitor.fill(password=PASSWORD)
    await visitor.press("Save new password")
    await visitor.is_at("/")
    await visitor.says("Password changed. Log in with your new password.")
    (sent,) = [request for request in visitor.requests if request.url.endswith("/auth/reset")]
    assert sent.post_data_json == {"reset_token": TOKEN, "password": PASSWORD}
    assert not [request for request in visitor.requests if TOKEN in request.url]


async def test_a_second_link_in_the_same_tab_replaces_the_first(visitor: Visitor) -> None:
    await visitor.refuse("/auth/reset", 422, "invalid_reset_token")
    await visitor.goto("/reset#token=the-first")
    await visitor.fill(password=PASSWORD)
    await visitor.press("Save new password")
    await visitor.says("This link has expired or has already been used.")
    await visitor.page.reload()
    await visitor.says("This link has expired or has already been used.")
    await visitor.answer("/auth/reset", {})
    await visitor.page.evaluate("location.href = '/reset#token=the-second'")
    await visitor.fill(password=PASSWORD)
    await visitor.press("Save new password")
    await visitor.is_at("/")
    sent = [request.post_data or "" for request in visitor.requests if request.url.endswith("/auth/reset")]
    assert [json.loads(body)["reset_token"] for body in sent] == ["the-first", "the-second"]


@pytest.mark.parametrize("path", ["/reset", f"/reset#token={TOKEN}"])
async def test_a_used_link_leads_to_a_new_one(visitor: Visitor, path: str) -> None:
    await visitor.refuse("/auth/reset", 422, "invalid_reset_token")
    await visitor.goto(path)
    if TOKEN in path:
        await visitor.fill(password=PASSWORD)
        await visitor.press("Save new password")
    await visitor.says("This link has expired or has already been used.")
    await visitor.page.get_by_role("link", name="Get a new link").click()
    await visitor.is_at("/forgot")


async def test_a_blocked_user_is_told_so_instead_of_an_invalid_link(visitor: Visitor) -> None:
    await visitor.refuse("/auth/reset", 401, "unauthorized", "This account is blocked.")
    await visitor.goto(f"/reset#token={TOKEN}")
    await visitor.fill(password=PASSWORD)
    await visitor.press("Save new password")
    await visitor.says("This account is blocked.")
    await expect(visitor.page.get_by_role("link", name="Get a new link")).to_be_hidden()
