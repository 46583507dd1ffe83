"""Decides which passwords are accepted, and which bytes of a password are hashed.

Keyboards encode the same characters differently, so a password is normalised as RFC 8265 says (OpaqueString: other
spaces become U+0020, then NFC). Older passwords were hashed as they were typed, so a login tries both forms."""

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
"""Characters. A password that repeats a group of at most this many is refused."""
SITE_NAMES: Final = ("livecaptions", "transcriptionproxy")
"""Names of the service, which are refused as passwords."""


def accept(password: str, email: str = "") -> bytes:
    """Return the bytes to hash for a new password of the account `email`. Raise Refusal weak_password."""
    prepared = _prepare(password)
    encoded = _encode(prepared)
    if encoded is None or len(prepared) < SHORTEST:
        raise Refusal("weak_password", sentences.weak_password(SHORTEST, LONGEST))
    if _is_guessable(prepared.casefold(), email.casefold()):
        raise Refusal("weak_password", sentences.COMMON_PASSWORD)
    return encoded


def forms(password: str) -> list[bytes]:
    """Return the byte forms of a password that an account's hash may be computed from, the normalised form first.

    The list is empty for text that cannot be a password.
    """
    encoded = (_encode(form) for form in dict.fromkeys((_prepare(password), password)))
    return [form for form in encoded if form is not None]


def _prepare(password: str) -> str:
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    return unicodedata.normalize("NFC", spaced)


def _encode(password: str) -> bytes | None:
    """Return a password's bytes; None where it is over bcrypt's limit, has a NUL, or is not Unicode text."""
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        return None
    return encoded if len(encoded) <= LONGEST and b"\0" not in encoded else None


def _is_guessable(password: str, email: str) -> bool:
    """Return whether an attacker who knows the address would try this password first. Both are case-folded."""
    word = _alphanumeric(password)
    names = {_alphanumeric(name) for name in (email, email.partition("@")[0], *SITE_NAMES)} - {""}
    return password in _common() or word in names or _is_repetition(password) or _is_sequence(password)


def _alphanumeric(text: str) -> str:
    """Return `text` without spaces and punctuation."""
    return "".join(filter(str.isalnum, text))


def _is_repetition(password: str) -> bool:
    """Return whether a password repeats a few characters, as "abababab" does."""
    return any(password == (password[:unit] * len(password))[: len(password)] for unit in range(1, LONGEST_UNIT + 1))


def _is_sequence(password: str) -> bool:
    """Return whether a password counts up or down, as "23456789" does."""
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return steps in ({1}, {-1})


@cache
def _common() -> frozenset[str]:
    text = (files("transcription_proxy.accounts") / "common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
