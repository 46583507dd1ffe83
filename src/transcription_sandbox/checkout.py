"""A Checkout Session from its beginning to its end: paid, paid later, declined, expired."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from transcription_sandbox import money, objects, payment_objects
from transcription_sandbox.refusals import Refused, missing
from transcription_sandbox.state import Object, Records

DAY: Final = 86400
SOONEST: Final = 1800
"""Seconds that a session is open at least, and a day at most: Stripe's."""
MOST: Final = 99_999_999
DECLINED: Final = ("card_declined", "Your card was declined.")
BOUNCED: Final = ("payment_intent_payment_attempt_failed", "The bank account has insufficient funds.")


class Closed(Exception):
    """The session is not open any more: `status` is complete or expired."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Way(Enum):
    """How a customer tries to pay."""

    CARD = "pay"
    DELAYED = "later"
    DECLINED_CARD = "decline"


def create(records: Records, asked: Mapping[str, Any]) -> Object:
    """Raises Refused."""
    items = [objects.item(records.now, one) for one in asked["line_items"]]
    currency, subtotal = items[0]["currency"], sum(item["amount_subtotal"] for item in items)
    if any(item["currency"] != currency for item in items):
        raise Refused("All prices of a session must have the same currency.", param="line_items")
    _check_amount(subtotal, currency)
    email = _email(records, asked)
    filled = {"expires_at": records.now + DAY, **asked}
    if not records.now + SOONEST <= filled["expires_at"] <= records.now + DAY:
        raise Refused(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    session = objects.session(records.now, filled, subtotal=subtotal, currency=currency, email=email)
    session["url"] = f"{records.site}/c/pay/{session['id']}"
    extra = {"items": items, "payment": asked.get("payment_intent_data", {})}
    return records.add(session, extra)


def _check_amount(subtotal: int, currency: str) -> None:
    """Nothing at all may be asked for, but not less than Stripe's smallest amount."""
    if subtotal > MOST:
        raise Refused("The total amount due is too large.", code="amount_too_large", param="line_items")
    if 0 < subtotal < money.SMALLEST and currency not in money.WITHOUT_CENTS:
        shown = money.shown(money.SMALLEST, currency)
        raise Refused(
            f"The Checkout Session's total amount due must add up to at least {shown} {currency}",
            code="amount_too_small",
            param="line_items",
        )


def _email(records: Records, asked: Mapping[str, Any]) -> str | None:
    if "customer" not in asked:
        return asked.get("customer_email")
    if "customer_email" in asked:
        raise Refused("You may only specify one of these parameters: customer, customer_email.", param="customer")
    try:
        customer = records.get("customer", asked["customer"])
    except Refused:
        raise missing("customer", asked["customer"], param="customer", status=400) from None
    email: str | None = customer["email"]
    return email


def items(records: Records, session: Object) -> list[Object]:
    """What is sold, with its share of the discount."""
    lines: list[Object] = records.beside(session["id"])["items"]
    off, subtotal = session["total_details"]["amount_discount"], session["amount_subtotal"]
    if not off:
        return lines
    shares = [off * line["amount_subtotal"] // subtotal for line in lines]
    shares[-1] += off - sum(shares)
    return [
        line | {"amount_discount": share, "amount_total": line["amount_subtotal"] - share}
        for line, share in zip(lines, shares, strict=True)
    ]


def take_code(records: Records, name: str, code: str | None) -> Object:
    """Lowers the price by a promotion code, or raises it again without one. Raises Closed."""
    session = _open(records, name)
    off = money.discount(session["amount_subtotal"], code)
    session["amount_total"] = session["amount_subtotal"] - off
    session["total_details"]["amount_discount"] = off
    session["discounts"] = [{"coupon": None, "promotion_code": f"promo_1sandbox{code}"}] if code else []
    return records.put(session)


def pay(records: Records, name: str, way: Way, email: str | None = None) -> Object:
    """The session after a try to pay; it is still open when the card was declined. Raises Closed."""
    session = _open(records, name)
    if email and not session["customer_details"]:
        session["customer_details"] = objects.details(email)
    if session["amount_total"] == 0:
        return _complete(records, session, "no_payment_required")
    intent = _intent(records, session)
    session["payment_intent"] = intent["id"]
    if way is Way.DECLINED_CARD:
        records.put(session)
        _decline(records, intent, session)
        return session
    if way is Way.DELAYED:
        _begin(records, intent, session)
        return _complete(records, session, "unpaid")
    charge = _charge(records, intent, session, payment_objects.CARD)
    _succeed(records, intent, charge | {"outcome": payment_objects.outcome(approved=True)})
    return _complete(records, session, "paid")


def settle(records: Records, name: str) -> Object:
    """A payment that was under way has arrived. The session that it is of. Raises Refused."""
    intent, session = _under_way(records, name)
    _succeed(records, intent, records.get("charge", intent["latest_charge"]))
    session["payment_status"] = "paid"
    records.tell("checkout.session.async_payment_succeeded", records.put(session))
    return session


def fail(records: Records, name: str) -> Object:
    """A payment that was under way has failed. The session that it is of. Raises Refused."""
    intent, session = _under_way(records, name)
    _fail(records, intent, records.get("charge", intent["latest_charge"]), BOUNCED)
    records.tell("checkout.session.async_payment_failed", session)
    return session


def expire(records: Records, name: str) -> Object:
    """Raises Refused where it is not open."""
    session = records.get("checkout.session", name)
    if session["status"] != "open":
        raise Refused(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}."
        )
    return _expire(records, session)


def expire_due(records: Records) -> int | None:
    """Ends what has been open for too long; when the next one will have been."""
    for session in records.listed("checkout.session", {"status": "open", "expires_by": records.now}):
        _expire(records, session)
    open_still = records.listed("checkout.session", {"status": "open"}, 10_000)
    return min((session["expires_at"] for session in open_still), default=None)


def _open(records: Records, name: str) -> Object:
    session = records.get("checkout.session", name)
    if session["status"] == "open" and session["expires_at"] <= records.now:
        session = _expire(records, session)
    if session["status"] != "open":
        raise Closed(session["status"])
    return session


def _expire(records: Records, before: Object) -> Object:
    session = records.put(before | {"status": "expired", "url": None})
    if session["payment_intent"]:
        intent = records.get("payment_intent", session["payment_intent"])
        changes = {"status": "canceled", "canceled_at": records.now, "cancellation_reason": "expired"}
        records.tell("payment_intent.canceled", records.put(intent | changes))
    records.tell("checkout.session.expired", session)
    return session


def _complete(records: Records, session: Object, payment_status: str) -> Object:
    done = records.put(session | {"status": "complete", "payment_status": payment_status, "url": None})
    records.tell("checkout.session.completed", done)
    return done


def _intent(records: Records, session: Object) -> Object:
    """The payment of a session: the same one for every try."""
    if session["payment_intent"]:
        intent = records.get("payment_intent", session["payment_intent"])
        return intent | {"amount": session["amount_total"]}
    intent = records.add(payment_objects.payment_intent(records.now, session, records.beside(session["id"])["payment"]))
    records.tell("payment_intent.created", intent)
    return intent


def _charge(records: Records, intent: Object, session: Object, method: str) -> Object:
    email = (session["customer_details"] or {}).get("email")
    return records.add(payment_objects.charge(records.now, intent, method=method, email=email, site=records.site))


def _begin(records: Records, intent: Object, session: Object) -> None:
    charge = _charge(records, intent, session, payment_objects.DELAYED)
    records.tell("charge.pending", charge)
    changes = _latest(charge) | {"status": "processing", "last_payment_error": None}
    records.tell("payment_intent.processing", records.put(intent | changes))


def _succeed(records: Records, intent: Object, charge: Object) -> None:
    paid = {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
    records.tell("charge.succeeded", records.put(charge | paid))
    changes = {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
    records.tell("payment_intent.succeeded", records.put(intent | _latest(charge) | changes))


def _decline(records: Records, intent: Object, session: Object) -> None:
    charge = _charge(records, intent, session, payment_objects.CARD)
    _fail(records, intent, charge | {"outcome": payment_objects.outcome(approved=False)}, DECLINED)


def _fail(records: Records, intent: Object, charge: Object, why: tuple[str, str]) -> None:
    code, message = why
    failed = {"status": "failed", "failure_code": code, "failure_message": message}
    records.tell("charge.failed", records.put(charge | failed))
    error = {
        "charge": charge["id"],
        "code": code,
        "decline_code": "generic_decline" if why is DECLINED else None,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "type": "card_error" if why is DECLINED else "invalid_request_error",
    }
    changes = {"status": "requires_payment_method", "last_payment_error": error, "payment_method": None}
    records.tell("payment_intent.payment_failed", records.put(intent | _latest(charge) | changes))


def _latest(charge: Object) -> Object:
    return {"latest_charge": charge["id"], "payment_method": charge["payment_method"]}


def _under_way(records: Records, name: str) -> tuple[Object, Object]:
    """A payment and its session. Raises Refused where it is not under way."""
    intent = records.get("payment_intent", name)
    if intent["status"] != "processing":
        raise Refused(f"This payment is {intent['status']}. Only one that is processing can settle or fail.")
    return intent, records.listed("checkout.session", {"payment_intent": name}, 1)[0]
