"""The sandbox's pages: the checkout that a customer comes to, receipts, and the dashboard. They need no JavaScript."""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from transcription_sandbox import checkout, disputes, money, refunds
from transcription_sandbox.bodies import read_body
from transcription_sandbox.checkout import Attempt, SessionClosed
from transcription_sandbox.dashboard import Payment
from transcription_sandbox.errors import ApiError, bad_request
from transcription_sandbox.guard import guarded, policy
from transcription_sandbox.markup import closed, render
from transcription_sandbox.state import Object, Records, State

STATIC: Final = Path(__file__).parent / "static"
MAX_PAYMENTS: Final = 50
MAX_EVENTS: Final = 60
"""The last payments and events, which the dashboard shows."""
ATTEMPTS: Final = {attempt.value: attempt for attempt in Attempt}
REFUND_ACTIONS: Final = {"succeed": refunds.succeed, "fail": refunds.fail, "cancel": refunds.cancel}
DISPUTE_ACTIONS: Final = {
    "win": disputes.win,
    "lose": disputes.lose,
    "reinstate": disputes.reinstate,
    "escalate": disputes.escalate,
}
Form = Mapping[str, str]


def pages(state: State, seller: str) -> list[BaseRoute]:
    """Return the routes. `seller`: the name that customers pay."""
    own = Pages(state, seller)

    def route(path: str, method: str, handler: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, guarded(handler, state.site, own.error_page), methods=[method])

    return [
        route("/", "GET", own.dashboard),
        route("/c/pay/{id}", "GET", own.checkout),
        route("/c/pay/{id}", "POST", own.pay),
        route("/receipts/{id}", "GET", own.receipt),
        route("/payments/{id}", "POST", own.change_payment),
        route("/refunds/{id}", "POST", own.change_refund),
        route("/disputes/{id}", "POST", own.change_dispute),
        route("/events/{id}", "POST", own.send_event),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


class Pages:
    """The handlers of the pages and their forms."""

    def __init__(self, state: State, seller: str) -> None:
        self._state = state
        self._seller = seller
        self._root = urlsplit(state.site).path

    def error_page(self, error: ApiError) -> Response:
        """Return an error as a page."""
        title = "Page not found" if error.status == 404 else "That didn't work"
        return self._page("message", error.status, title=title, text=error.message, back=None)

    def _page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(render(template, self._root, **values), status)

    async def checkout(self, request: Request) -> Response:
        """Show a Checkout Session."""
        return self._checkout(request.path_params["id"])

    def _checkout(self, name: str, wrong_code: str | None = None) -> Response:
        with self._state.transaction(time.time()) as records:
            session = records.get("checkout.session", name)
            if session["status"] != "open":
                back = session["cancel_url"] if session["status"] == "expired" else _success_url(session)
                return HTMLResponse(closed(self._root, session, back))
            product, error = checkout.product(records, session), _last_error(records, session)
        page = self._page(
            "checkout",
            400 if wrong_code else 200,
            seller=self._seller,
            session=session,
            product=product,
            codes=money.CODES,
            error=error,
            wrong_code=wrong_code,
        )
        page.headers["Content-Security-Policy"] = policy(session["success_url"])
        return page

    async def pay(self, request: Request) -> Response:
        """Handle the checkout's buttons: the ways to pay, and promotion codes."""
        name, form = request.path_params["id"], await _form(request)
        action = form.get("action", "")
        try:
            if action in ("code", "no-code"):
                return self._apply_code(name, form.get("code", "").strip().upper() if action == "code" else None)
            if action not in ATTEMPTS:
                raise bad_request("This form has no such button.")
            return self._pay(name, ATTEMPTS[action])
        except SessionClosed:
            return self._leave_closed(name)

    def _apply_code(self, name: str, code: str | None) -> Response:
        with self._state.transaction(time.time()) as records:
            allowed = records.get("checkout.session", name)["allow_promotion_codes"]
            if code is None or (allowed and code in money.CODES):
                checkout.apply_code(records, name, code)
                return _redirect(f"{self._root}/c/pay/{name}")
        wrong = f"There is no promotion code {code}." if code else "Enter a promotion code."
        return self._checkout(name, wrong if allowed else "This checkout takes no promotion codes.")

    def _pay(self, name: str, attempt: Attempt) -> Response:
        with self._state.transaction(time.time()) as records:
            session = checkout.pay(records, name, attempt)
        complete = session["status"] == "complete"
        return _redirect(_success_url(session) if complete else f"{self._root}/c/pay/{name}")

    def _leave_closed(self, name: str) -> Response:
        """Lead a second click, or a second tab, to where the first one went."""
        with self._state.transaction(time.time()) as records:
            session = records.get("checkout.session", name)
        return _redirect(_success_url(session)) if session["status"] == "complete" else self._checkout(name)

    async def receipt(self, request: Request) -> Response:
        """Show the receipt of a charge."""
        with self._state.transaction(time.time()) as records:
            charge = records.get("charge", request.path_params["id"])
            product = checkout.product(records, _session_of(records, charge))
        return self._page("receipt", charge=charge, product=product)

    async def dashboard(self, request: Request) -> Response:
        """Show the last payments and events."""
        return self._dashboard()

    def _dashboard(self, error: str | None = None) -> Response:
        with self._state.transaction(time.time()) as records:
            sessions = records.find("checkout.session", limit=MAX_PAYMENTS)
            payments = [_payment(records, session) for session in sessions]
            events = records.deliveries(MAX_EVENTS)
        values = {"payments": payments, "events": events, "endpoint": self._state.webhook_url, "error": error}
        return self._page("dashboard", 400 if error else 200, **values)

    async def change_payment(self, request: Request) -> Response:
        """Handle the buttons of a payment."""
        form = await _form(request)

        def act(records: Records, name: str) -> str:
            _change_payment(records, records.get("checkout.session", name), form)
            return name

        return self._act(request, act)

    async def change_refund(self, request: Request) -> Response:
        """Handle the buttons of a refund."""
        return await self._change_part(request, REFUND_ACTIONS)

    async def change_dispute(self, request: Request) -> Response:
        """Handle the buttons of a dispute."""
        return await self._change_part(request, DISPUTE_ACTIONS)

    async def send_event(self, request: Request) -> Response:
        """Handle the button that sends an event again."""

        def act(records: Records, name: str) -> str:
            records.send_again(name)
            return name

        return self._act(request, act)

    async def _change_part(self, request: Request, actions: Mapping[str, Callable[[Records, str], Object]]) -> Response:
        action = (await _form(request)).get("action", "")

        def act(records: Records, name: str) -> str:
            if action not in actions:
                raise bad_request("This form has no such button.")
            session: str = _session_of(records, actions[action](records, name))["id"]
            return session

        return self._act(request, act)

    def _act(self, request: Request, act: Callable[[Records, str], str]) -> Response:
        """Call `act`, and lead to the element of the dashboard that it returns, or show there why it failed."""
        try:
            with self._state.transaction(time.time()) as records:
                element = act(records, request.path_params["id"])
        except ApiError as error:
            if error.status == 404:
                raise
            return self._dashboard(error.message)
        return _redirect(f"{self._root}/#{element}")


def _change_payment(records: Records, session: Object, form: Form) -> None:
    """Do what a button of a payment says. Raise ApiError."""
    action, intent = form.get("action"), session["payment_intent"]
    if intent is None or action not in ("settle", "fail", "refund", "dispute", "inquiry"):
        raise bad_request("This payment doesn't allow that.")
    if action == "settle":
        checkout.settle(records, intent)
    elif action == "fail":
        checkout.fail(records, intent)
    else:
        charge = records.get("charge", records.get("payment_intent", intent)["latest_charge"])
        if form.get("refunded", str(charge["amount_refunded"])) != str(charge["amount_refunded"]):
            raise bad_request("The payment has changed since you loaded this page. Check it again.")
        cents = _cents(form.get("amount", ""))
        if action == "refund":
            refunds.create(records, charge["id"], cents)
        else:
            disputes.create(records, charge["id"], inquiry=action == "inquiry", cents=cents)


def _cents(text: str) -> int | None:
    """Return a typed amount, None for an empty one, which means all of it. Raise ApiError."""
    if not text.strip():
        return None
    cents = money.typed(text)
    if not cents:
        raise bad_request(f"{text} isn't a valid amount.")
    return cents


def _payment(records: Records, session: Object) -> Payment:
    product, intent = checkout.product(records, session), session["payment_intent"]
    if intent is None:
        return Payment(session, product, None, (), ())
    charge = records.get("charge", records.get("payment_intent", intent)["latest_charge"])
    of_charge = {"charge": charge["id"]}
    return Payment(session, product, charge, records.find("refund", of_charge), records.find("dispute", of_charge))


def _session_of(records: Records, thing: Object) -> Object:
    return records.find("checkout.session", {"payment_intent": thing["payment_intent"]}, 1)[0]


def _last_error(records: Records, session: Object) -> str | None:
    if session["payment_intent"] is None:
        return None
    error = records.get("payment_intent", session["payment_intent"])["last_payment_error"]
    return f"{error['message']} You weren't charged. Try again." if error else None


def _success_url(session: Object) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


async def _form(request: Request) -> Form:
    """Return the fields of a form. Raise ApiError."""
    try:
        return dict(parse_qsl((await read_body(request)).decode("utf-8", "replace"), max_num_fields=100))
    except ValueError:
        raise bad_request("A form can have at most 100 fields.") from None


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 303)
