"""Which passwords are accepted, and the bytes of a password that are hashed.

One password is one text whatever the keyboard sends: it is normalised as RFC 8265 says (OpaqueString: other spaces
become U+0020, then NFC). Passwords set before that rule were hashed as they were typed, so both forms are looked at."""

import unicodedata
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal

SHORTEST: Final = 8
"""Characters."""
LONGEST: Final = 72
"""Bytes in UTF-8: bcrypt ignores the rest."""
LONGEST_UNIT: Final = 4
"""Characters. A password that only repeats so few of them is as good as none."""
SITE_NAMES: Final = ("livecaptions", "transcriptionproxy")


def accept(password: str, email: str = "") -> bytes:
    """The bytes to hash for a new password of that account. Raises Refusal weak_password."""
    prepared = _prepare(password)
    encoded = _encode(prepared)
    if encoded is None or len(prepared) < SHORTEST:
        raise Refusal("weak_password", sentences.weak_password(SHORTEST, LONGEST))
    if _is_guessable(prepared.casefold(), email.casefold()):
        raise Refusal("weak_password", sentences.COMMON_PASSWORD)
    return encoded


def forms(password: str) -> list[bytes]:
    """What a hash of this password may have been made from, the normalised form first; none if nobody can have it."""
    encoded = (_encode(form) for form in dict.fromkeys((_prepare(password), password)))
    return [form for form in encoded if form is not None]


def _prepare(password: str) -> str:
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    return unicodedata.normalize("NFC", spaced)


def _encode(password: str) -> bytes | None:
    """None for what cannot be a password: over bcrypt's limit, with a NUL, or no Unicode text."""
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        return None
    return encoded if len(encoded) <= LONGEST and b"\0" not in encoded else None


def _is_guessable(password: str, email: str) -> bool:
    """Whether it is among the first guesses of an attacker who knows the address. Both are case-folded."""
    word = _letters(password)
    names = {_letters(name) for name in (email, email.partition("@")[0], *SITE_NAMES)} - {""}
    return password in _common() or word in names or _repeats(password) or _counts(password)


def _letters(text: str) -> str:
    """`text` without spaces and punctuation."""
    return "".join(filter(str.isalnum, text))


def _repeats(password: str) -> bool:
    """Whether it is a few characters over and over, as "abababab" is."""
    return any(password == (password[:unit] * len(password))[: len(password)] for unit in range(1, LONGEST_UNIT + 1))


def _counts(password: str) -> bool:
    """Whether each character follows the one before, up or down, as in "23456789"."""
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return steps in ({1}, {-1})


@cache
def _common() -> frozenset[str]:
    text = (files("transcription_proxy.accounts") / "common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
