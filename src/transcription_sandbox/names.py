"""Names of new objects, as Stripe makes them: a prefix that says what it is, and chance."""

import secrets
import string
from typing import Final

LETTERS: Final = string.ascii_letters + string.digits
SHAPES: Final = {
    "checkout.session": ("cs_test_a1", 56),
    "payment_intent": ("pi_3", 23),
    "charge": ("ch_3", 23),
    "refund": ("re_3", 23),
    "dispute": ("du_1", 23),
    "customer": ("cus_", 14),
    "event": ("evt_1", 23),
    "request": ("req_", 14),
    "item": ("li_1", 23),
    "price": ("price_1", 23),
    "product": ("prod_", 14),
    "payment_method": ("pm_1", 23),
    "balance_transaction": ("txn_1", 23),
}


def new(kind: str) -> str:
    prefix, length = SHAPES[kind]
    return prefix + chance(length)


def chance(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))
