"""/billing/*: the packages for sale, checkouts at Stripe, and the balance."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.payments.packages import best_value
from transcription_proxy.web.account import Credits, minutes
from transcription_proxy.web.errors import FOR_ACCOUNT, FOR_BODY, documented
from transcription_proxy.web.services import Provided, SignedIn

router = APIRouter(prefix="/billing", tags=["Billing"])


class Package(BaseModel):
    """`price_cents`: in hundredths of `currency`. `best_value`: it has the lowest price per second of all."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    label: str
    seconds: int
    price_cents: int
    currency: str
    best_value: bool = False


class Packages(BaseModel):
    packages: list[Package]


def _or_null(kind: JsonValue) -> dict[str, JsonValue]:
    return {"anyOf": [{"type": kind}, {"type": "null"}]}


class Order(BaseModel):
    """A package, or `amount_cents` from 100 to 50000 where custom amounts are for sale."""

    package_id: Annotated[Any, Field(json_schema_extra=_or_null("string"), examples=["pack_500"])] = None
    amount_cents: Annotated[Any, Field(json_schema_extra=_or_null("integer"))] = None


class Checkout(BaseModel):
    """`checkout_url`: the Stripe page to pay on."""

    checkout_url: str
    session_id: str


class CheckoutState(BaseModel):
    """`pending`: the bank is processing the payment. `seconds`: the length of captions bought.

    `receipt_url`: the payment's receipt, where there is one.
    """

    status: Literal["open", "paid", "pending", "failed", "expired"]
    seconds: int
    receipt_url: str | None = None


class BalanceBody(Credits):
    """`seconds_held`: set aside for live sessions; `seconds_frozen`: of disputed payments.

    `low_at_seconds`: the balance is low below this, 20% of the last grant or purchase and 600 at most.
    """

    seconds_held: int
    seconds_frozen: int
    low_at_seconds: int


@router.get("/packages", summary="List packages for sale", response_model_exclude_defaults=True)
async def packages(services: Provided) -> Packages:
    """`best_value` is there where it is true."""
    sold = services.payments.packages
    best = best_value(sold)
    return Packages(
        packages=[Package.model_validate(one).model_copy(update={"best_value": one is best}) for one in sold]
    )


@router.post(
    "/checkout",
    summary="Buy minutes",
    responses=documented(
        "unknown_package",
        "invalid_amount",
        "amount_too_large",
        "payments_unavailable",
        "rate_limited",
        *FOR_ACCOUNT,
        *FOR_BODY,
    ),
)
async def checkout(order: Order, user: SignedIn, services: Provided) -> Checkout:
    """Repeating an unpaid order within a minute returns the same checkout."""
    await services.limits.check("buy", str(user.id), services.per_minute)
    if order.amount_cents is None:
        purchase = await services.payments.buy(user.id, str(order.package_id))
    elif order.package_id is not None:
        raise Refusal("invalid_amount", sentences.ONE_ORDER)
    else:
        purchase = await services.payments.top_up(user.id, _whole(order.amount_cents))
    return Checkout(checkout_url=purchase.checkout_url or "", session_id=purchase.checkout_session or "")


@router.get(
    "/checkout/{session_id}",
    summary="Get the status of a checkout",
    response_model_exclude_none=True,
    responses=documented("not_found", *FOR_ACCOUNT),
)
async def checkout_state(session_id: str, user: SignedIn, services: Provided) -> CheckoutState:
    """Asks Stripe if no webhook has arrived yet, every few seconds at most."""
    purchase = await services.payments.purchase(user.id, session_id)
    return CheckoutState.model_validate(purchase, from_attributes=True)


@router.get("/balance", summary="Get the balance", responses=documented(*FOR_ACCOUNT))
async def balance(user: SignedIn, services: Provided) -> BalanceBody:
    found = await services.ledger.balance(user.id)
    return BalanceBody(
        seconds_remaining=found.seconds_remaining,
        minutes_remaining=minutes(found.seconds_remaining),
        seconds_held=found.seconds_held,
        seconds_frozen=found.seconds_frozen,
        low_at_seconds=await services.ledger.low_mark(user.id),
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
