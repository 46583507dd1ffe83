"""Registering, logging in and out, and changing a password in the browser."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.visitor import PASSWORD, Visitor, nobody


async def test_a_new_account_can_start_captions_with_the_trial(visitor: Visitor) -> None:
    await visitor.goto("/")
    await visitor.says("Your first 10 minutes are free.")
    await visitor.page.get_by_role("link", name="Create an account").first.click()
    await visitor.register(nobody())
    await visitor.is_at("/captions")
    await expect(visitor.page.locator("#left")).to_have_text("10 min left")
    await expect(visitor.page.get_by_role("button", name="Start", exact=True)).to_be_enabled()


async def test_logging_out_ends_the_login_and_logging_in_begins_another(visitor: Visitor) -> None:
    email = nobody()
    await visitor.goto("/register")
    await visitor.register(email.upper())
    await visitor.is_at("/captions")
    await expect(visitor.page.locator("#left")).to_have_text("10 min left")
    old = await visitor.page.evaluate("JSON.parse(localStorage.getItem('session')).refresh_token")
    await visitor.press("Log out")
    await visitor.is_at("/")
    await visitor.says("You're logged out.")
    assert await visitor.page.evaluate("localStorage.getItem('session')") is None
    used = await visitor.service.http.post("/auth/refresh", json={"refresh_token": old})
    assert used.status_code == 401
    await visitor.log_in(email)
    await visitor.is_at("/dashboard")
    await visitor.goto("/")
    await visitor.says(f"You're logged in as {email}.")


@pytest.mark.parametrize(
    ("email", "password", "field", "sentence"),
    [
        ("", PASSWORD, "email", "Enter your email."),
        ("somebody", PASSWORD, "email", "Enter an email address like"),
        ("a@b.example", "short", "password", "Use at least 8 characters."),
        ("a@b.example", "e\u0301" * 7, "password", "Use at least 8 characters."),
        ("a@b.example", "ä" * 37, "password", "Use at most 72 characters."),
        ("a@b.example", "Password123", "password", "This password is too common."),
        ("<b>a</b>" + "x" * 300 + "@b.example", PASSWORD, "email", ""),
    ],
)
async def test_problems_are_shown_beside_their_field(
    visitor: Visitor, email: str, password: str, field: str, sentence: str
) -> None:
    await visitor.goto("/register")
    await visitor.register(email, password)
    await visitor.wrong(field, sentence)
    await visitor.page.locator(f"#{field}").press("a")
    await expect(visitor.page.locator(f"#{field}-wrong")).to_be_empty()


async def test_a_taken_email_and_a_wrong_password_are_shown(visitor: Visitor) -> None:
    email = nobody()
    await visitor.service.http.post("/auth/register", json={"email": email, "password": PASSWORD})
    await visitor.goto("/register")
    await visitor.register(email)
    await visitor.wrong("email", "You already have an account. Log in instead.")
    link = visitor.page.get_by_role("link", name="Log in instead.")
    await expect(link).to_have_attribute("href", "/#log-in")
    await visitor.goto("/")
    await visitor.log_in(email, "not " + PASSWORD)
    await visitor.wrong("password", "Wrong email or password.")
    await visitor.is_at("/")


@pytest.mark.parametrize(
    ("status", "code", "headers", "sentence"),
    [
        (429, "rate_limited", {"Retry-After": "41"}, "Too many attempts. Try again in 41 seconds."),
        (500, "internal", {}, "Something went wrong on our end."),
        (503, "service_unavailable", {}, "The service is temporarily unavailable."),
    ],
)
async def test_a_failing_service_is_shown_above_the_button(
    visitor: Visitor, status: int, code: str, headers: dict[str, str], sentence: str
) -> None:
    await visitor.refuse("/auth/login", status, code, **headers)
    await visitor.goto("/")
    await visitor.log_in("a@b.example")
    await expect(visitor.page.get_by_role("alert").first).to_contain_text(sentence)


async def test_an_unreachable_service_is_shown_above_the_button(visitor: Visitor) -> None:
    await visitor.answer("/auth/login")
    await visitor.goto("/")
    await visitor.log_in("a@b.example")
    await visitor.says("Can't reach the service. Check your connection and try again.")


async def test_a_form_is_sent_once_for_many_clicks(visitor: Visitor) -> None:
    await visitor.goto("/register")
    await visitor.fill(email=nobody(), password=PASSWORD)
    await visitor.page.locator("#register").evaluate("form => { form.requestSubmit(); form.requestSubmit(); }")
    await visitor.is_at("/captions")
    assert visitor.asked("POST", "/auth/register") == 1


async def test_a_password_can_be_changed_and_all_other_logins_end(visitor: Visitor) -> None:
    email = nobody()
    await visitor.goto("/register")
    await visitor.register(email)
    await visitor.is_at("/captions")
    elsewhere = (await visitor.service.http.post("/auth/login", json={"email": email, "password": PASSWORD})).json()
    await visitor.goto("/account")
    await visitor.fill(current="not this one", new=PASSWORD + "!")
    await visitor.press("Change password")
    await visitor.wrong("current", "")
    await visitor.fill(current=PASSWORD, new=PASSWORD + "!")
    await visitor.press("Change password")
    await visitor.says("Password changed.")
    await visitor.page.reload()
    await expect(visitor.page.locator("#email")).to_have_text(email)
    headers = {"Authorization": f"Bearer {elsewhere['token']}"}
    assert (await visitor.service.http.get("/account/me", headers=headers)).status_code == 401
    login = {"email": email, "password": PASSWORD + "!"}
    assert (await visitor.service.http.post("/auth/login", json=login)).status_code == 200


async def test_a_typed_password_can_be_shown(visitor: Visitor) -> None:
    await visitor.goto("/register")
    password = visitor.page.locator("#password")
    await visitor.page.get_by_role("button", name="Show password").click()
    await expect(password).to_have_attribute("type", "text")
    await visitor.page.get_by_role("button", name="Show password").click()
    await expect(password).to_have_attribute("type", "password")


async def test_the_footer_has_the_installations_links(visitor: Visitor) -> None:
    await visitor.goto("/register")
    foot = visitor.page.get_by_role("contentinfo")
    for name, target in [
        ("Source", "https://captions.example/source"),
        ("Contact", "mailto:help@captions.example"),
        ("Terms", "https://captions.example/terms"),
        ("Privacy", "https://captions.example/privacy"),
        ("Refunds", "https://captions.example/refunds"),
        ("Status", "/status"),
    ]:
        await expect(foot.get_by_role("link", name=name)).to_have_attribute("href", target)
    await visitor.says("By creating an account, you agree to our terms and privacy policy.")


async def test_the_login_link_focuses_the_first_empty_field(visitor: Visitor) -> None:
    link, email = visitor.page.get_by_role("link", name="Log in").first, visitor.page.locator("#email")
    await visitor.goto("/forgot")
    await link.click()
    await visitor.is_at("/")
    await expect(email).to_be_focused()
    await visitor.page.evaluate("scrollTo(0, 0); document.activeElement.blur(); location.hash = ''")
    await link.click()
    await expect(email).to_be_focused()
    await expect(email).to_be_in_viewport()


async def test_a_form_sent_before_its_script_loads_waits(visitor: Visitor) -> None:
    arrived = asyncio.Event()

    async def late(route: Route) -> None:
        await arrived.wait()
        await route.continue_()

    await visitor.context.route("**/static/register.js", late)
    await visitor.page.goto("/register", wait_until="commit")
    await visitor.register(nobody())
    assert await visitor.page.evaluate("location.href") == f"{visitor.service.url}/register"
    assert visitor.asked("POST", "/auth/register") == 0
    arrived.set()
    await visitor.is_at("/captions")
    assert visitor.asked("POST", "/auth/register") == 1


async def test_log_out_waits_for_its_script(visitor: Visitor) -> None:
    email = nobody()
    await visitor.goto("/register")
    await visitor.register(email)
    await visitor.is_at("/captions")
    is_clicked = asyncio.Event()

    async def load_later(route: Route) -> None:
        await is_clicked.wait()
        await route.continue_()

    await visitor.page.route("**/static/log-out.js", load_later)
    await visitor.page.goto(f"{visitor.service.url}/dashboard", wait_until="commit")
    await visitor.press("Log out")
    is_clicked.set()
    await visitor.is_at("/")
    await visitor.says("You're logged out.")
