"""Ids of new objects: a prefix that says the kind, as Stripe's have, and random letters."""

import secrets
import string
from typing import Final

LETTERS: Final = string.ascii_letters + string.digits
PREFIXES: Final = {
    "checkout.session": "cs_test_a1",
    "payment_intent": "pi_3",
    "charge": "ch_3",
    "refund": "re_3",
    "dispute": "du_1",
    "customer": "cus_",
    "event": "evt_1",
    "request": "req_",
    "balance_transaction": "txn_1",
}


def new(kind: str) -> str:
    """Return a new id for an object of a kind."""
    return PREFIXES[kind] + "".join(secrets.choice(LETTERS) for _ in range(23))
