"""A typed email is carried between the pages for logging in, registering and resetting a password."""

from playwright.async_api import expect

from tests.browser.visitor import PASSWORD, Visitor, nobody


async def test_a_typed_email_is_carried_along_outside_the_url(visitor: Visitor) -> None:
    email, page = nobody(), visitor.page
    await visitor.goto("/login")
    await visitor.fill(email=email)
    await page.get_by_role("link", name="Create one").click()
    await visitor.is_at("/register")
    await expect(page.locator("#email")).to_have_value(email)
    await visitor.fill(email=f"x{email}")
    await page.locator("main").get_by_role("link", name="Log in").click()
    await expect(page.locator("#email")).to_have_value(f"x{email}")
    await expect(page.locator("#password")).to_be_focused()
    await page.get_by_role("link", name="Forgot your password?").click()
    await visitor.is_at("/forgot")
    await expect(page.locator("#email")).to_have_value(f"x{email}")
    await page.get_by_role("link", name="Back to log in").click()
    await expect(page.locator("#email")).to_have_value(f"x{email}")
    assert not [request.url for request in visitor.requests if email in request.url]


async def test_a_typed_email_is_forgotten_after_the_login(visitor: Visitor) -> None:
    await visitor.goto("/register")
    await visitor.register(nobody(), PASSWORD)
    await visitor.page.wait_for_url(lambda url: not url.endswith("/register"))
    await visitor.press("Log out")
    await visitor.is_at("/")
    await expect(visitor.page.locator("#email")).to_have_value("")


async def test_another_tab_does_not_get_the_email(visitor: Visitor) -> None:
    await visitor.goto("/register")
    await visitor.fill(email=nobody())
    other = await visitor.context.new_page()
    await other.goto("/forgot")
    await expect(other.locator("#email")).to_have_value("")
