"""The sandbox's pages: the checkout that a customer comes to, receipts, and the dashboard. They need no JavaScript.

They change things on a developer's machine, so only their own forms may: browsers say where a form was."""

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
from transcription_sandbox.bodies import body_of
from transcription_sandbox.checkout import Closed, Way
from transcription_sandbox.dashboard import Payment
from transcription_sandbox.guard import guarded, policy
from transcription_sandbox.markup import closed, render
from transcription_sandbox.refusals import Refused, malformed
from transcription_sandbox.state import Object, Records, State

STATIC: Final = Path(__file__).parent / "static"
PAYMENTS: Final = 50
EVENTS: Final = 60
WAYS: Final = {way.value: way for way in Way}
REFUND_ACTIONS: Final = {"succeed": refunds.succeed, "fail": refunds.fail, "cancel": refunds.cancel}
DISPUTE_ACTIONS: Final = {
    "win": disputes.win,
    "lose": disputes.lose,
    "reinstate": disputes.reinstate,
    "escalate": disputes.escalate,
}
Form = Mapping[str, str]


def pages(state: State, seller: str, clock: Callable[[], float] = time.time) -> list[BaseRoute]:
    """Return the routes. `seller`: the name that customers pay."""
    own = Pages(state, seller, clock)
    site = state.site

    def route(path: str, method: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, guarded(answer, site, own.refused), methods=[method])

    return [
        route("/", "GET", own.overview),
        route("/c/pay/{id}", "GET", own.checkout),
        route("/c/pay/{id}", "POST", own.pay),
        route("/receipts/{id}", "GET", own.receipt),
        route("/payments/{id}", "POST", own.on_payment),
        route("/refunds/{id}", "POST", own.on_refund),
        route("/disputes/{id}", "POST", own.on_dispute),
        route("/events/{id}", "POST", own.on_event),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


class Pages:
    """`root`: what the paths of the pages begin with."""

    def __init__(self, state: State, seller: str, clock: Callable[[], float]) -> None:
        self._state = state
        self._seller = seller
        self._clock = clock
        self._root = urlsplit(state.site).path

    def refused(self, refused: Refused) -> Response:
        title = "Page not found" if refused.status == 404 else "That didn't work"
        return self._page("message", refused.status, title=title, text=refused.message, back=None)

    def _page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(render(template, self._root, **values), status)

    async def checkout(self, request: Request) -> Response:
        return self._checkout(request.path_params["id"])

    def _checkout(self, name: str, error: str | None = None, wrong_code: str | None = None) -> Response:
        with self._state.transaction(self._clock()) as records:
            session = records.get("checkout.session", name)
            if session["status"] != "open":
                back = session["cancel_url"] if session["status"] == "expired" else _success(session)
                return HTMLResponse(closed(self._root, session, back))
            lines = checkout.items(records, session)
            shown = error or _last_error(records, session)
        answer = self._page(
            "checkout",
            400 if error or wrong_code else 200,
            seller=self._seller,
            session=session,
            lines=lines,
            codes=money.CODES,
            error=shown,
            wrong_code=wrong_code,
        )
        answer.headers["Content-Security-Policy"] = policy(session["success_url"])
        return answer

    async def pay(self, request: Request) -> Response:
        name, form = request.path_params["id"], await _form(request)
        action = form.get("action", "")
        try:
            if action in ("code", "no-code"):
                return self._take_code(name, form.get("code", "").strip().upper() if action == "code" else None)
            if action not in WAYS:
                raise malformed("This form has no such button.")
            return self._pay(name, WAYS[action], form.get("email", "").strip())
        except Closed:
            return self._to_seller(name)

    def _take_code(self, name: str, code: str | None) -> Response:
        with self._state.transaction(self._clock()) as records:
            allowed = records.get("checkout.session", name)["allow_promotion_codes"]
            if code is None or (allowed and code in money.CODES):
                checkout.take_code(records, name, code)
                return _see(f"{self._root}/c/pay/{name}")
        wrong = f"There is no promotion code {code}." if code else "Enter a promotion code."
        return self._checkout(name, wrong_code=wrong if allowed else "This checkout takes no promotion codes.")

    def _pay(self, name: str, way: Way, email: str) -> Response:
        with self._state.transaction(self._clock()) as records:
            known = records.get("checkout.session", name)["customer_details"]
            if known or ("@" in email and len(email) <= 254):
                session = checkout.pay(records, name, way, email)
                return _see(_success(session) if session["status"] == "complete" else f"{self._root}/c/pay/{name}")
        return self._checkout(name, "Enter an email address like name@example.com.")

    def _to_seller(self, name: str) -> Response:
        """A second click, or a second tab, ends where the first did."""
        with self._state.transaction(self._clock()) as records:
            session = records.get("checkout.session", name)
        return _see(_success(session)) if session["status"] == "complete" else self._checkout(name)

    async def receipt(self, request: Request) -> Response:
        with self._state.transaction(self._clock()) as records:
            charge = records.get("charge", request.path_params["id"])
            what = _payment(records, _session_of(records, charge)).what
        return self._page("receipt", charge=charge, what=what)

    async def overview(self, request: Request) -> Response:
        return self._overview(request.query_params.get("before"))

    def _overview(self, before: str | None = None, error: str | None = None) -> Response:
        with self._state.transaction(self._clock()) as records:
            narrow = {"after": before} if before else {}
            sessions = records.listed("checkout.session", narrow, PAYMENTS + 1)
            payments = [_payment(records, session) for session in sessions[:PAYMENTS]]
            events = records.deliveries(EVENTS)
        older = sessions[PAYMENTS - 1]["id"] if len(sessions) > PAYMENTS else None
        return self._page(
            "dashboard",
            400 if error else 200,
            payments=payments,
            events=events,
            older=older,
            endpoint=self._state.endpoint,
            error=error,
        )

    async def on_payment(self, request: Request) -> Response:
        form = await _form(request)

        def act(records: Records, name: str) -> str:
            _act_on_payment(records, records.get("checkout.session", name), form)
            return name

        return self._done(request, act)

    async def on_refund(self, request: Request) -> Response:
        return await self._on_part(request, REFUND_ACTIONS)

    async def on_dispute(self, request: Request) -> Response:
        return await self._on_part(request, DISPUTE_ACTIONS)

    async def on_event(self, request: Request) -> Response:
        def act(records: Records, name: str) -> str:
            records.send_again(name)
            return name

        return self._done(request, act)

    async def _on_part(self, request: Request, actions: Mapping[str, Callable[[Records, str], Object]]) -> Response:
        action = (await _form(request)).get("action", "")

        def act(records: Records, name: str) -> str:
            if action not in actions:
                raise malformed("This form has no such button.")
            session: str = _session_of(records, actions[action](records, name))["id"]
            return session

        return self._done(request, act)

    def _done(self, request: Request, act: Callable[[Records, str], str]) -> Response:
        """Does it, and goes back to that place of the dashboard; or says there why not."""
        try:
            with self._state.transaction(self._clock()) as records:
                place = act(records, request.path_params["id"])
        except Refused as refused:
            if refused.status == 404:
                raise
            return self._overview(error=refused.message)
        return _see(f"{self._root}/#{place}")


def _act_on_payment(records: Records, session: Object, form: Form) -> None:
    """Raises Refused."""
    action, intent = form.get("action"), session["payment_intent"]
    if intent is None or action not in ("settle", "fail", "refund", "dispute", "inquiry"):
        raise malformed("This payment doesn't allow that.")
    if action == "settle":
        checkout.settle(records, intent)
    elif action == "fail":
        checkout.fail(records, intent)
    else:
        charge = records.get("charge", records.get("payment_intent", intent)["latest_charge"])
        if form.get("refunded", str(charge["amount_refunded"])) != str(charge["amount_refunded"]):
            raise malformed("The payment has changed since you loaded this page. Check it again.")
        amount = _amount(form.get("amount", ""), charge["currency"])
        if action == "refund":
            refunds.create(records, {"charge": charge["id"], **({} if amount is None else {"amount": amount})})
        else:
            disputes.create(records, charge["id"], inquiry=action == "inquiry", amount=amount)


def _amount(typed: str, currency: str) -> int | None:
    """None: all of it. Raises Refused."""
    if not typed.strip():
        return None
    amount = money.cents(typed, currency)
    if not amount:
        raise malformed(f"{typed} isn't a valid amount.")
    return amount


def _payment(records: Records, session: Object) -> Payment:
    charge = None
    if session["payment_intent"]:
        charge = records.get("charge", records.get("payment_intent", session["payment_intent"])["latest_charge"])
    of_charge = {"charge": charge["id"]} if charge else {}
    return Payment(
        session,
        records.beside(session["id"])["items"][0]["description"],
        charge,
        records.listed("refund", of_charge) if charge else (),
        records.listed("dispute", of_charge) if charge else (),
    )


def _session_of(records: Records, thing: Object) -> Object:
    return records.listed("checkout.session", {"payment_intent": thing["payment_intent"]}, 1)[0]


def _last_error(records: Records, session: Object) -> str | None:
    if session["payment_intent"] is None:
        return None
    error = records.get("payment_intent", session["payment_intent"])["last_payment_error"]
    return f"{error['message']} You weren't charged. Try again." if error else None


def _success(session: Object) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


async def _form(request: Request) -> Form:
    """Raises Refused."""
    try:
        return dict(parse_qsl((await body_of(request)).decode("utf-8", "replace"), max_num_fields=100))
    except ValueError:
        raise malformed("A form can have at most 100 fields.") from None


def _see(url: str) -> Response:
    return RedirectResponse(url, 303)
