"""The requests that the sandbox answers, as a table: method and path, its parameters, what it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from transcription_sandbox import checkout, objects, refunds
from transcription_sandbox.expand import expanded
from transcription_sandbox.params import (
    Field,
    Raw,
    checked,
    choice,
    currency,
    flag,
    many,
    metadata,
    moment,
    shape,
    text,
    url,
    whole,
)
from transcription_sandbox.refusals import Refused, missing
from transcription_sandbox.state import Object, Records

Act: TypeAlias = Callable[[Records, Mapping[str, Any], str], Object]
"""From the checked parameters and the id in the path. Raises Refused."""
EXPAND: Final = {"expand": Field(many(text()))}
PAGE: Final = {
    **EXPAND,
    "limit": Field(whole(1, 100)),
    "starting_after": Field(text()),
    "ending_before": Field(text()),
    "created": Field(moment),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path`: its segments below /v1, with "*" for an id."""

    method: str
    path: tuple[str, ...]
    fields: Mapping[str, Field]
    act: Act

    def fits(self, method: str, path: Sequence[str]) -> bool:
        return (
            method == self.method
            and len(path) == len(self.path)
            and all(here in ("*", there) for here, there in zip(self.path, path, strict=True))
        )

    def perform(self, records: Records, path: Sequence[str], raw: dict[str, Raw]) -> Object:
        """Raises Refused."""
        asked = checked(raw, self.fields)
        name = path[self.path.index("*")] if "*" in self.path else ""
        return expanded(records, self.act(records, asked, name), asked.get("expand", ()))


def found(method: str, path: Sequence[str]) -> Endpoint:
    """Raises Refused where there is none."""
    for endpoint in ENDPOINTS:
        if endpoint.fits(method, path):
            return endpoint
    raise Refused(
        f"Unrecognized request URL ({method}: /v1/{'/'.join(path)}). The sandbox knows only a part of Stripe's API.",
        status=404,
    )


def _one(kind: str) -> Act:
    return lambda records, _, name: records.get(kind, name)


def _list(kind: str, path: str, *filters: str) -> Act:
    """`filters`: parameters that an object's field of the same name must equal."""

    def act(records: Records, asked: Mapping[str, Any], _: str) -> Object:
        limit, backwards = asked.get("limit", 10), "ending_before" in asked
        narrow = {name: asked[name] for name in filters if name in asked} | asked.get("created", {})
        for name, side in (("starting_after", "after"), ("ending_before", "before")):
            if name in asked:
                narrow[side] = _known(records, kind, asked[name], name)
        page = records.listed(kind, narrow, limit + 1, oldest_first=backwards)
        data = page[:limit][::-1] if backwards else page[:limit]
        return objects.listing(path, data, has_more=len(page) > limit)

    return act


def _known(records: Records, kind: str, name: str, param: str) -> str:
    """The id that a parameter names. Raises Refused."""
    try:
        return str(records.get(kind, name)["id"])
    except Refused:
        raise missing(kind, name, param=param, status=400) from None


def _new_customer(records: Records, asked: Mapping[str, Any], _: str) -> Object:
    customer = records.add(objects.customer(records.now, asked))
    records.tell("customer.created", customer)
    return customer


def _line_items(records: Records, asked: Mapping[str, Any], name: str) -> Object:
    lines = checkout.items(records, records.get("checkout.session", name))
    limit = asked.get("limit", 10)
    path = f"/v1/checkout/sessions/{name}/line_items"
    return objects.listing(path, lines[:limit], has_more=len(lines) > limit)


def _endpoints(records: Records, _asked: Mapping[str, Any], _: str) -> Object:
    known = [objects.webhook_endpoint(records.endpoint)] if records.endpoint else []
    return objects.listing("/v1/webhook_endpoints", known)


def _get(path: str, kind: str) -> Endpoint:
    return Endpoint("GET", (*path.split("/"), "*"), EXPAND, _one(kind))


def _all(path: str, kind: str, *filters: str) -> Endpoint:
    fields = PAGE | {name: Field(text()) for name in filters}
    return Endpoint("GET", tuple(path.split("/")), fields, _list(kind, f"/v1/{path}", *filters))


LINE: Final = {
    "quantity": Field(whole(1, 999_999), needed=True),
    "price_data": Field(
        shape(
            {
                "currency": Field(currency, needed=True),
                "unit_amount": Field(whole(0, checkout.MOST), needed=True),
                "product_data": Field(
                    shape(
                        {
                            "name": Field(text(), needed=True),
                            "description": Field(text()),
                            "images": Field(many(url)),
                            "metadata": Field(metadata),
                        }
                    ),
                    needed=True,
                ),
            }
        ),
        needed=True,
    ),
}
SESSION: Final = EXPAND | {
    "mode": Field(choice("payment"), needed=True),
    "line_items": Field(many(shape(LINE), least=1), needed=True),
    "success_url": Field(url, needed=True),
    "cancel_url": Field(url),
    "customer": Field(text()),
    "customer_email": Field(text(800)),
    "client_reference_id": Field(text(200)),
    "metadata": Field(metadata),
    "payment_intent_data": Field(
        shape({"metadata": Field(metadata), "description": Field(text(1000)), "receipt_email": Field(text(800))})
    ),
    "allow_promotion_codes": Field(flag),
    "expires_at": Field(whole(0, 10**12)),
    "locale": Field(text(10)),
    "submit_type": Field(choice("auto", "book", "donate", "pay")),
    "ui_mode": Field(choice("hosted_page")),
}
REFUND: Final = EXPAND | {
    "charge": Field(text()),
    "payment_intent": Field(text()),
    "amount": Field(whole(1, checkout.MOST)),
    "reason": Field(choice("duplicate", "fraudulent", "requested_by_customer")),
    "metadata": Field(metadata),
}
CUSTOMER: Final = EXPAND | {
    "email": Field(text(512)),
    "name": Field(text(256)),
    "description": Field(text(350)),
    "phone": Field(text(20)),
    "metadata": Field(metadata),
}
ENDPOINTS: Final = (
    Endpoint("POST", ("customers",), CUSTOMER, _new_customer),
    _get("customers", "customer"),
    _all("customers", "customer", "email"),
    Endpoint("POST", ("checkout", "sessions"), SESSION, lambda records, asked, _: checkout.create(records, asked)),
    Endpoint(
        "POST", ("checkout", "sessions", "*", "expire"), EXPAND, lambda records, _, name: checkout.expire(records, name)
    ),
    Endpoint("GET", ("checkout", "sessions", "*", "line_items"), PAGE, _line_items),
    _get("checkout/sessions", "checkout.session"),
    _all("checkout/sessions", "checkout.session", "payment_intent", "status", "customer"),
    _get("payment_intents", "payment_intent"),
    _all("payment_intents", "payment_intent", "customer"),
    _get("charges", "charge"),
    _all("charges", "charge", "payment_intent", "customer"),
    Endpoint("POST", ("refunds",), REFUND, lambda records, asked, _: refunds.create(records, asked)),
    Endpoint("POST", ("refunds", "*", "cancel"), EXPAND, lambda records, _, name: refunds.cancel(records, name)),
    _get("refunds", "refund"),
    _all("refunds", "refund", "payment_intent", "charge"),
    _get("disputes", "dispute"),
    _all("disputes", "dispute", "payment_intent", "charge"),
    _get("events", "event"),
    _all("events", "event", "type"),
    Endpoint("GET", ("webhook_endpoints",), PAGE, _endpoints),
    Endpoint("GET", ("account",), EXPAND, lambda *_: objects.account()),
)
