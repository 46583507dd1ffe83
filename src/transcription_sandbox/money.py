"""Amounts as people read them, and the codes that lower them. Pure."""

from typing import Final

WITHOUT_CENTS: Final = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf")
)
SYMBOLS: Final = {"usd": "$", "eur": "€", "gbp": "£"}
SMALLEST: Final = 50
"""Stripe's, for most currencies; those without cents have others, which it says when it counts."""
CODES: Final = {"FREE100": 100, "HALF50": 50}
"""Promotion codes, and the percentage that each takes off."""


def shown(amount: int, currency: str) -> str:
    """$3.00; 300 JPY."""
    if currency in WITHOUT_CENTS:
        return f"{amount} {currency.upper()}"
    symbol = SYMBOLS.get(currency)
    figure = f"{abs(amount) // 100}.{abs(amount) % 100:02}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{symbol}{figure}" if symbol else f"{sign}{figure} {currency.upper()}"


def plain(amount: int, currency: str) -> str:
    """3.00; 300: as one types it."""
    return str(amount) if currency in WITHOUT_CENTS else f"{amount // 100}.{amount % 100:02}"


def cents(typed: str, currency: str) -> int | None:
    """The amount that somebody typed; None where it is none."""
    whole, point, part = typed.strip().partition(".")
    places = 0 if currency in WITHOUT_CENTS else 2
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 9) or len(part) > places or (point and not part):
        return None
    if part and not (part.isascii() and part.isdigit()):
        return None
    return int(whole + part.ljust(places, "0"))


def discount(subtotal: int, code: str | None) -> int:
    """What a code takes off: rounded to the nearest cent, half of one up."""
    return (subtotal * CODES[code] + 50) // 100 if code else 0
