"""Failures of the service: each page shows them in place, and recovers as soon as it can."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest
from playwright.async_api import Route, expect

from tests.browser.visitor import PASSWORD, Visitor
from tests.e2e.service import Service

PATIENT: Final = (
    "const waiting = []; AbortSignal.timeout = () => {"
    " const control = new AbortController(); waiting.push(control); return control.signal; };"
    "window.giveUp = () => waiting.forEach(each => each.abort(new DOMException('too late', 'TimeoutError')));"
)
"""Replaces timeouts: requests wait until `giveUp`."""
Fail = Callable[[Visitor, str], Awaitable[None]]


def refusing(status: int, code: str, **headers: str) -> Fail:
    async def fail(visitor: Visitor, path: str) -> None:
        await visitor.refuse(path, status, code, **headers)

    return fail


async def cut(visitor: Visitor, path: str) -> None:
    await visitor.answer(path)


async def stall(visitor: Visitor, path: str) -> None:
    """Let requests time out without an answer."""

    async def give_up(_: Route) -> None:
        await visitor.page.evaluate("giveUp()")

    await visitor.context.unroute_all()
    await visitor.context.route(f"**{path}*", give_up)


FAILURES: Final[dict[str, Fail]] = {
    "Something went wrong on our end.": refusing(500, "internal"),
    "The service is temporarily unavailable.": refusing(503, "service_unavailable"),
    "Try again in 7 seconds.": refusing(429, "rate_limited", **{"Retry-After": "7"}),
    "Can't reach the service.": cut,
    "The service is taking too long to respond.": stall,
}
ALL: Final = list(FAILURES)
ONE: Final = ALL[:1]


@dataclass(frozen=True, slots=True)
class Form:
    path: str
    asks: str
    button: str
    fields: dict[str, str]
    member: bool = False


FORMS: Final = [
    Form("/", "/auth/login", "Log in", {"email": "a@b.example", "password": PASSWORD}),
    Form("/register", "/auth/register", "Create account", {"email": "a@b.example", "password": PASSWORD}),
    Form("/forgot", "/auth/forgot", "Send reset link", {"email": "a@b.example"}),
    Form("/reset#token=x", "/auth/reset", "Save new password", {"password": PASSWORD}),
    Form(
        "/account",
        "/account/password",
        "Change password",
        {"current": PASSWORD, "new": "another passphrase"},
        member=True,
    ),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.path)
async def test_a_form_shows_the_failure_and_keeps_the_input(visitor: Visitor, service: Service, form: Form) -> None:
    if form.member:
        await visitor.become(await service.user())
    await visitor.page.add_init_script(PATIENT)
    await visitor.goto(form.path)
    await visitor.fill(**form.fields)
    alert = visitor.page.locator(f'form:has(button:text-is("{form.button}")) .alert')
    for sentence, fail in FAILURES.items():
        await fail(visitor, form.asks)
        await visitor.press(form.button)
        await expect(alert).to_contain_text(sentence)
    for name, value in form.fields.items():
        await expect(visitor.page.locator(f"#{name}")).to_have_value(value)


@pytest.mark.parametrize(
    ("path", "asks", "place", "failures"),
    [
        ("/", "/billing/packages", "#packages", ALL),
        ("/dashboard", "/billing/balance", "#alerts", ALL),
        ("/dashboard", "/account/usage", "#alerts", ONE),
        ("/dashboard", "/account/sessions", "#alerts", ONE),
        ("/dashboard", "/billing/packages", "#packages", ONE),
        ("/dashboard", "/account/purchases", "#alerts", ONE),
        ("/sessions", "/account/sessions", "#rows", ONE),
        ("/purchases", "/account/purchases", "#rows", ONE),
        ("/account", "/account/me", "#you-alert", ALL),
        ("/account", "/account/sessions", "#live-alert", ONE),
        ("/account", "/account/purchases", "#purchases", ONE),
        ("/billing/success?session_id=cs_1", "/billing/checkout/cs_1", "#state", ALL),
    ],
)
async def test_a_page_shows_the_failure_and_retries(
    visitor: Visitor, service: Service, path: str, asks: str, place: str, failures: list[str]
) -> None:
    if path != "/":
        await visitor.become(await service.user())
    await visitor.page.add_init_script(PATIENT)
    for sentence in failures:
        await FAILURES[sentence](visitor, asks)
        await visitor.goto("about:blank")
        await visitor.goto(path)
        await expect(visitor.page.locator(place)).to_contain_text(sentence)
    await visitor.context.unroute_all()
    await visitor.answer("/billing/checkout/cs_1", {"status": "paid", "seconds": 30000})
    await visitor.page.locator(place).get_by_role("button", name="Try again").click()
    await expect(visitor.page.locator(place)).not_to_contain_text("Try again")
    await expect(visitor.page.locator(".bone")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "asks"),
    [
        ("/dashboard", "/billing/balance"),
        ("/account", "/account/me"),
        ("/billing/success?session_id=cs_1", "/billing/checkout/cs_1"),
    ],
)
async def test_an_ended_login_leads_to_the_landing_page(
    visitor: Visitor, service: Service, path: str, asks: str
) -> None:
    await visitor.goto("/")
    await visitor.page.evaluate(
        "localStorage.setItem('session', JSON.stringify("
        "{token: 'a.b.c', refresh_token: 'gone', email: 'a@b.example', renew_at: 1e15, expires_at: 1e15}))"
    )
    await visitor.refuse(asks, 401, "unauthorized")
    await visitor.goto(path)
    await visitor.is_at("/")
    await visitor.says("You've been signed out. Log in to pick up where you left off.")
    assert await visitor.page.evaluate("sessionStorage.getItem('return_to')") == path
    assert visitor.asked("POST", "/auth/refresh") == 1
