"""New payments, charges, refunds and disputes as Stripe publishes them: every field that is always there. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from transcription_sandbox import names

Object = dict[str, Any]
CARD: Final = "card"
DELAYED: Final = "us_bank_account"
"""A method whose payments take days: those that are paid later here."""
ADDRESS: Final = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
EVIDENCE: Final = dict.fromkeys(
    (
        "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
        "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
        "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
        "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
        "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
        "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file",
        "uncategorized_text",
    )
)  # fmt: skip


def payment_intent(now: int, session: Object, data: Mapping[str, Any]) -> Object:
    """Of a session; `data`: its payment_intent_data."""
    name = names.new("payment_intent")
    return {
        "id": name,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{name}_secret_{names.chance(25)}",
        "confirmation_method": "automatic",
        "created": now,
        "currency": session["currency"],
        "customer": session["customer"],
        "customer_account": None,
        "description": data.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": data.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": session["payment_method_types"],
        "processing": None,
        "receipt_email": data.get("receipt_email"),
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def charge(now: int, intent: Object, *, method: str, email: str | None, site: str) -> Object:
    """A try to pay, under way: whether it succeeds is for the caller to fill in."""
    name = names.new("charge")
    return {
        "id": name,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {"address": dict(ADDRESS), "email": email, "name": None, "phone": None, "tax_id": None},
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": names.new("payment_method"),
        "payment_method_details": _method_details(method),
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{site}/receipts/{name}",
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }


def _method_details(method: str) -> Object:
    if method == DELAYED:
        bank = {
            "account_holder_type": "individual",
            "account_type": "checking",
            "bank_name": "SANDBOX TEST BANK",
            "fingerprint": "sandboxFprintBank",
            "last4": "6789",
            "mandate": None,
            "payment_reference": None,
            "routing_number": "110000000",
        }
        return {"type": DELAYED, DELAYED: bank}
    card = {
        "amount_authorized": None,
        "authorization_code": None,
        "brand": "visa",
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": "sandboxFprintCard",
        "funding": "credit",
        "installments": None,
        "last4": "4242",
        "mandate": None,
        "network": "visa",
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "wallet": None,
    }
    return {"type": CARD, CARD: card}


def outcome(*, approved: bool) -> Object:
    """Of a charge by card."""
    return {
        "advice_code": None if approved else "try_again_later",
        "network_advice_code": None,
        "network_decline_code": None if approved else "01",
        "network_status": "approved_by_network" if approved else "declined_by_network",
        "reason": None if approved else "generic_decline",
        "risk_level": "normal",
        "risk_score": 7,
        "seller_message": "Payment complete." if approved else "The bank did not return any further details.",
        "type": "authorized" if approved else "issuer_declined",
    }


def refund(now: int, charge: Object, amount: int, asked: Mapping[str, Any]) -> Object:
    """One that is under way."""
    method = charge["payment_method_details"]["type"]
    return {
        "id": names.new("refund"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "destination_details": {method: {}, "type": method},
        "metadata": asked.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "reason": asked.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending",
        "transfer_reversal": None,
    }


def dispute(now: int, charge: Object, amount: int, *, reason: str, inquiry: bool) -> Object:
    return {
        "id": names.new("dispute"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**EVIDENCE, "customer_email_address": charge["billing_details"]["email"], "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + 7 * 86400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "inquiry" if inquiry else "chargeback", "network_reason_code": "10"},
            "type": CARD,
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
