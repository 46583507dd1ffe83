"""Amounts in US dollars as people read and type them, and promotion codes."""

import re
from typing import Final

CODES: Final = {"FREE100": 100, "HALF50": 50}
"""Promotion codes, and the percentage that each takes off."""


def shown(cents: int) -> str:
    """Return an amount with its currency: $3.00."""
    return f"{'-' if cents < 0 else ''}${plain(abs(cents))}"


def plain(cents: int) -> str:
    """Return an amount as people type it: 3.00."""
    return f"{cents // 100}.{cents % 100:02}"


def typed(text: str) -> int | None:
    """Return the cents of a typed amount, None where the text is not an amount."""
    match = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,2}))?", text.strip(), re.ASCII)
    return int(match[1] + (match[2] or "").ljust(2, "0")) if match else None


def discount(cents: int, code: str | None) -> int:
    """Return what a code takes off an amount, rounded to the nearest cent, half a cent up."""
    return (cents * CODES[code] + 50) // 100 if code else 0
