"""The part of Stripe's API that the sandbox has: what the service and the tests call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from transcription_sandbox import checkout, objects
from transcription_sandbox.errors import ApiError, not_found
from transcription_sandbox.expand import expand
from transcription_sandbox.params import Field, Raw, checked, choice, flag, many, metadata, shape, text, whole
from transcription_sandbox.state import Object, Records

Action: TypeAlias = Callable[[Records, Mapping[str, Any], str], Object]
"""Returns the answer for the checked parameters and the id in the path. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path`: its segments below /v1, with "*" for an id."""

    method: str
    path: tuple[str, ...]
    fields: Mapping[str, Field]
    act: Action

    def matches(self, method: str, path: Sequence[str]) -> bool:
        """Return whether a request is for this endpoint."""
        return (
            method == self.method
            and len(path) == len(self.path)
            and all(own in ("*", segment) for own, segment in zip(self.path, path, strict=True))
        )

    def perform(self, records: Records, path: Sequence[str], raw: dict[str, Raw]) -> Object:
        """Do what is asked, and return the answer. Raise ApiError."""
        asked = checked(raw, self.fields)
        name = path[self.path.index("*")] if "*" in self.path else ""
        return expand(records, self.act(records, asked, name), asked.get("expand", ()))


def find(method: str, path: Sequence[str]) -> Endpoint:
    """Return the endpoint of a request. Raise ApiError for none."""
    for endpoint in ENDPOINTS:
        if endpoint.matches(method, path):
            return endpoint
    raise ApiError(
        f"Unrecognized request URL ({method}: /v1/{'/'.join(path)}). The sandbox knows only a part of Stripe's API.",
        status=404,
    )


def _one(path: str, kind: str) -> Endpoint:
    """Return the endpoint for one object of a kind."""
    return Endpoint("GET", (*path.split("/"), "*"), EXPAND, lambda records, _, name: records.get(kind, name))


def _page(path: str, kind: str, *filters: str) -> Endpoint:
    """Return the endpoint for a list. `filters`: parameters that the field of the same name must equal."""

    def act(records: Records, asked: Mapping[str, Any], _: str) -> Object:
        limit = asked.get("limit", 10)
        where = {name: asked[name] for name in filters if name in asked} | asked.get("created", {})
        if "starting_after" in asked:
            where["after"] = _named(records, kind, asked["starting_after"], "starting_after")["id"]
        found = records.find(kind, where, limit + 1)
        return objects.page(f"/v1/{path}", found[:limit], has_more=len(found) > limit)

    return Endpoint("GET", tuple(path.split("/")), PAGE | {name: Field(text) for name in filters}, act)


def _named(records: Records, kind: str, name: str, param: str) -> Object:
    """Return the object that a parameter names. Raise ApiError if there is none."""
    try:
        return records.get(kind, name)
    except ApiError:
        raise not_found(kind, name, param=param, status=400) from None


def _create_customer(records: Records, asked: Mapping[str, Any], _: str) -> Object:
    customer = records.add(objects.customer(records.now, asked))
    records.add_event("customer.created", customer)
    return customer


def _create_session(records: Records, asked: Mapping[str, Any], _: str) -> Object:
    customer = _named(records, "customer", asked["customer"], "customer")
    return checkout.create(records, asked, customer)


def _expire_session(records: Records, _: Mapping[str, Any], name: str) -> Object:
    return checkout.expire(records, name)


def _webhook_endpoints(records: Records, _asked: Mapping[str, Any], _: str) -> Object:
    known = [objects.webhook_endpoint(records.webhook_url)] if records.webhook_url else []
    return objects.page("/v1/webhook_endpoints", known)


EXPAND: Final = {"expand": Field(many(text))}
PAGE: Final = EXPAND | {
    "limit": Field(whole(1, 100)),
    "starting_after": Field(text),
    "created": Field(shape({"gte": Field(whole(0, 10**12))})),
}
PRICE: Final = {
    "currency": Field(choice(objects.CURRENCY), needed=True),
    "unit_amount": Field(whole(0, 99_999_999), needed=True),
    "product_data": Field(shape({"name": Field(text, needed=True)}), needed=True),
}
LINE: Final = {"quantity": Field(whole(1, 1), needed=True), "price_data": Field(shape(PRICE), needed=True)}
SESSION: Final = EXPAND | {
    "mode": Field(choice("payment"), needed=True),
    "customer": Field(text, needed=True),
    "line_items": Field(shape({"0": Field(shape(LINE), needed=True)}), needed=True),
    "success_url": Field(text, needed=True),
    "cancel_url": Field(text),
    "client_reference_id": Field(text),
    "metadata": Field(metadata),
    "payment_intent_data": Field(shape({"metadata": Field(metadata)})),
    "allow_promotion_codes": Field(flag),
}
CUSTOMER: Final = EXPAND | {"email": Field(text, needed=True), "metadata": Field(metadata)}
ENDPOINTS: Final = (
    Endpoint("POST", ("customers",), CUSTOMER, _create_customer),
    _one("customers", "customer"),
    _page("customers", "customer", "email"),
    Endpoint("POST", ("checkout", "sessions"), SESSION, _create_session),
    Endpoint("POST", ("checkout", "sessions", "*", "expire"), EXPAND, _expire_session),
    _one("checkout/sessions", "checkout.session"),
    _page("checkout/sessions", "checkout.session"),
    _one("refunds", "refund"),
    _page("refunds", "refund", "payment_intent", "charge"),
    _one("disputes", "dispute"),
    _page("disputes", "dispute", "payment_intent"),
    _page("events", "event", "type"),
    Endpoint("GET", ("webhook_endpoints",), PAGE, _webhook_endpoints),
)
