"""Joins words into a line of text: with spaces, except in scripts that are written without them."""

import re
from collections.abc import Iterable
from typing import Final

UNSPACED: Final = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f"  # kana, bopomofo
)
"""Scripts without spaces between words. Korean is not among them. web/static/spacing.js has the same table."""
WIDE: Final = "\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
"""Punctuation as wide as a Han character. It contains its own space, so none is added on either side."""

_BOUNDARY: Final = re.compile(f"[{UNSPACED}] [{UNSPACED}]|[{WIDE}] .|. [{WIDE}]", re.DOTALL)


def gap(before: str, after: str) -> str:
    """Return what separates two pieces of text: a space or nothing."""
    if not before or not after:
        return ""
    return "" if _BOUNDARY.fullmatch(f"{before[-1]} {after[0]}") else " "


def join(words: Iterable[str]) -> str:
    """Return a line of text made of words."""
    line = ""
    for word in words:
        line += gap(line, word) + word
    return line
