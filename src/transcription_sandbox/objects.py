"""Customers, Checkout Sessions, events and lists as Stripe publishes them: every field that is always there. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from transcription_sandbox import names

Object = dict[str, Any]
API_VERSION: Final = "2026-10-28.endive"
WITH_PREVIOUS: Final = (".updated", ".refunded", ".closed", ".expired")


def customer(now: int, asked: Mapping[str, Any]) -> Object:
    return {
        "id": names.new("customer"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": asked.get("description"),
        "discount": None,
        "email": asked.get("email"),
        "invoice_prefix": names.chance(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "name": asked.get("name"),
        "next_invoice_sequence": 1,
        "phone": asked.get("phone"),
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def session(now: int, asked: Mapping[str, Any], *, subtotal: int, currency: str, email: str | None) -> Object:
    """An open one. Its URL is for the caller to fill in, who knows where the pages are."""
    return {
        "id": names.new("checkout.session"),
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": asked.get("allow_promotion_codes"),
        "amount_subtotal": subtotal,
        "amount_total": subtotal,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "branding_settings": None,
        "cancel_url": asked.get("cancel_url"),
        "client_reference_id": asked.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": asked.get("customer"),
        "customer_account": None,
        "customer_creation": None if "customer" in asked else "if_required",
        "customer_details": details(email) if email else None,
        "customer_email": asked.get("customer_email"),
        "discounts": [],
        "expires_at": asked["expires_at"],
        "invoice": None,
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "livemode": False,
        "locale": asked.get("locale"),
        "metadata": asked.get("metadata", {}),
        "mode": "payment",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card", "us_bank_account"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": asked.get("submit_type"),
        "subscription": None,
        "success_url": asked["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": None,
        "wallet_options": None,
    }


def details(email: str | None) -> Object:
    """Of the customer of a session."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def item(now: int, asked: Mapping[str, Any]) -> Object:
    """A line of a session, with the price and the product that were made for it."""
    data, quantity = asked["price_data"], asked["quantity"]
    amount = data["unit_amount"] * quantity
    return {
        "id": names.new("item"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": data["currency"],
        "description": data["product_data"]["name"],
        "metadata": {},
        "price": _price(now, data),
        "quantity": quantity,
    }


def _price(now: int, data: Mapping[str, Any]) -> Object:
    return {
        "id": names.new("price"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": now,
        "currency": data["currency"],
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": names.new("product"),
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": data["unit_amount"],
        "unit_amount_decimal": str(data["unit_amount"]),
    }


def event(
    name: str, kind: str, thing: Object, before: Object | None, now: int, request: tuple[str | None, str | None]
) -> Object:
    """`request`: the id and the idempotency key of the API call that it follows from."""
    data = {"object": thing}
    if before is not None and kind.endswith(WITH_PREVIOUS):
        data["previous_attributes"] = {field: old for field, old in before.items() if thing.get(field) != old}
    return {
        "id": name,
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": request[0], "idempotency_key": request[1]},
        "type": kind,
    }


def webhook_endpoint(url: str) -> Object:
    return {
        "id": "we_1sandbox0000000000000000",
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": 1735689600,
        "description": "The sandbox's only endpoint",
        "enabled_events": ["*"],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }


def account() -> Object:
    return {
        "id": "acct_1sandbox0000000",
        "object": "account",
        "business_profile": {"name": "Sandbox", "support_email": None, "support_url": None, "url": None},
        "business_type": None,
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": 1735689600,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def listing(path: str, data: Sequence[Object], *, has_more: bool = False) -> Object:
    return {"object": "list", "data": list(data), "has_more": has_more, "url": path}
