"""Every page in each of its states, except /captions and the overlay."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import expect

from tests.browser.lives import HOSTILE, balance, live, session
from tests.browser.visitor import SITE, Visitor

Step = Callable[[Visitor], Awaitable[None]]
LONG: Final = f"{'w' * 300}@example.org"
SESSIONS: Final = [session(1, "client_stop"), session(2, "insufficient_credits"), session(3, "internal")]
USED: Final = {"d0": 754, "d3": 9000, "d9": 14400}
BOUGHT: Final[dict[str, Any]] = {
    "date": "2026-11-20T10:00:00Z",
    "label": "500 minutes",
    "amount_cents": 300,
    "currency": "usd",
    "seconds": 30000,
    "status": "paid",
    "receipt_url": "https://pay.example/r",
}


async def nothing(_visitor: Visitor) -> None:
    pass


@dataclass(frozen=True, slots=True)
class State:
    """A state of a page. `prepare` runs before the page opens, `act` on it. `bones`: placeholders stay visible."""

    path: str
    prepare: Step = nothing
    act: Step = nothing
    bones: bool = False

    async def enter(self, visitor: Visitor) -> None:
        await self.prepare(visitor)
        await visitor.goto(self.path)
        await self.settle(visitor)
        await self.act(visitor)

    async def settle(self, visitor: Visitor) -> None:
        """Wait until the page's content and the installation's links have loaded."""
        await expect(visitor.page.locator("#links li")).to_have_count(2 + len(SITE))
        if not self.bones:
            await expect(visitor.page.locator(".bone")).to_have_count(0)


def member(left: dict[str, int], **about: Any) -> Step:
    """Return a `prepare` for a made-up account. `answers`: for other paths."""

    async def prepare(visitor: Visitor) -> None:
        answers: dict[str, Any] = about.get("answers", {})
        await visitor.become(await visitor.service.user())
        await live(visitor, left, **{name: value for name, value in about.items() if name != "answers"})
        for path, body in answers.items():
            await visitor.answer(path, body)

    return prepare


def failing(*paths: str) -> Step:
    """Return a `prepare` for a user for whom these paths fail."""

    async def prepare(visitor: Visitor) -> None:
        await visitor.become(await visitor.service.user())
        for path in paths:
            await visitor.refuse(path, 500, "internal")

    return prepare


def checkout(status: str) -> Step:
    return member(balance(30600), answers={"/billing/checkout/cs_1": {"status": status, "seconds": 30000}})


async def silent(visitor: Visitor) -> None:
    """Return a `prepare` for a user whose requests time out."""
    await visitor.become(await visitor.service.user())
    await visitor.context.route("**/billing/balance", lambda _: None)
    await visitor.page.clock.install()


async def wait(visitor: Visitor) -> None:
    await visitor.page.clock.run_for(4500)
    await visitor.says("The service is slow to respond.")


async def log_in_wrongly(visitor: Visitor) -> None:
    await visitor.log_in("nobody", "")
    await visitor.wrong("email", "Enter an email address like")


async def register_wrongly(visitor: Visitor) -> None:
    await visitor.register(LONG.replace("@", ""), "short")
    await visitor.wrong("email", "Enter an email address like")


async def ask_for_a_link(visitor: Visitor) -> None:
    await visitor.answer("/auth/forgot", {}, 202)
    await visitor.fill(email=LONG)
    await visitor.press("Send reset link")
    await visitor.says("a reset link is on its way")


async def customize(visitor: Visitor) -> None:
    await visitor.page.get_by_text("Customize").click()
    await expect(visitor.page.locator("#overlay-copy")).to_be_enabled()


async def regenerate(visitor: Visitor) -> None:
    await visitor.press("Regenerate URL")
    await visitor.says("The old URL stops working immediately.")


HOSTILE_ACCOUNT: Final = {
    "/account/me": {"email": LONG, "created_at": "2026-11-20T10:00:00Z", "credits": balance(0)},
    "/account/purchases": {"purchases": [{**BOUGHT, "label": HOSTILE, "status": HOSTILE}]},
    "/billing/packages": {
        "packages": [{"id": "x", "label": HOSTILE, "seconds": 60, "price_cents": 10**9, "currency": "usd"}]
    },
}
PURCHASES: Final = {
    "/account/purchases": {
        "purchases": [{**BOUGHT, "status": each} for each in ("paid", "pending", "failed", "refunded", "disputed")]
    }
}
PENDING: Final = {"purchases": [{**BOUGHT, "status": "pending", "receipt_url": None}, BOUGHT], "next": None}
MANY_SESSIONS: Final = {
    "sessions": [session(n, SESSIONS[n % 3]["reason"]) for n in range(1, 26)],
    "next": "1770000000000000.0",
}
MANY_PURCHASES: Final = {"purchases": PURCHASES["/account/purchases"]["purchases"] * 5, "next": "1770000000000000.0"}
BACK: Final = "/billing/success?session_id=cs_1"
STATES: Final = {
    "landing": State("/"),
    "login wrong": State("/", act=log_in_wrongly),
    "landing of a member": State("/", member(balance(600))),
    "register": State("/register"),
    "register wrong": State("/register", act=register_wrongly),
    "forgot": State("/forgot"),
    "forgot sent": State("/forgot", act=ask_for_a_link),
    "reset": State("/reset#token=x"),
    "reset dead": State("/reset"),
    "confirm dead": State("/confirm"),
    "dashboard new": State("/dashboard", member(balance(600))),
    "dashboard in use": State("/dashboard", member(balance(30200), sessions=SESSIONS, used=USED)),
    "dashboard live": State("/dashboard", member(balance(30200, 45), live=[session(4, None)], used=USED)),
    "dashboard low": State(
        "/dashboard", member(balance(412), sessions=SESSIONS, used=USED, answers={"/account/purchases": PENDING})
    ),
    "dashboard low and live": State(
        "/dashboard", member(balance(412, 45), live=[session(4, None)], sessions=SESSIONS, used=USED)
    ),
    "dashboard empty": State("/dashboard", member(balance(0))),
    "dashboard debt": State("/dashboard", member(balance(-4200), sessions=SESSIONS)),
    "dashboard frozen": State("/dashboard", member(balance(30200, 0, 30000), sessions=SESSIONS)),
    "dashboard failed": State("/dashboard", failing("/billing/balance", "/billing/packages")),
    "dashboard slow": State("/dashboard", silent, wait, bones=True),
    "dashboard hostile": State(
        "/dashboard",
        member(
            balance(30200),
            sessions=[session(1, HOSTILE, engine=HOSTILE)],
            live=[session(2, None, engine=HOSTILE)],
            answers=HOSTILE_ACCOUNT,
        ),
    ),
    "account": State("/account", member(balance(30200, 45), live=[session(4, None)], answers=PURCHASES)),
    "account new": State("/account", member(balance(600))),
    "account failed": State("/account", failing("/account/me", "/account/sessions", "/account/purchases")),
    "account hostile": State(
        "/account", member(balance(0), live=[session(2, None, engine=HOSTILE)], answers=HOSTILE_ACCOUNT)
    ),
    "overlay setup": State("/overlay/setup", member(balance(600)), customize),
    "overlay setup regenerating": State("/overlay/setup", member(balance(600)), regenerate),
    "overlay setup failed": State("/overlay/setup", failing("/account/overlay", "/captions/options")),
    "sessions": State("/sessions", member(balance(600), answers={"/account/sessions": MANY_SESSIONS})),
    "sessions none": State("/sessions", member(balance(600))),
    "sessions failed": State("/sessions", failing("/account/sessions")),
    "purchases": State("/purchases", member(balance(600), answers={"/account/purchases": MANY_PURCHASES})),
    "purchases none": State("/purchases", member(balance(600))),
    "success waiting": State(BACK, checkout("open"), bones=True),
    "success paid": State(BACK, checkout("paid")),
    "success pending": State(BACK, checkout("pending")),
    "success unknown": State("/billing/success?session_id=cs_of_another", member(balance(600))),
    "cancel": State("/billing/cancel"),
    "missing": State("/nothing/here"),
    "docs": State("/docs"),
    "status": State("/status"),
}
