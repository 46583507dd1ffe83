"""Email addresses in the form in which they are compared and stored: stripped, in lower case, plain ASCII."""

import re
from typing import Final

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal

LONGEST: Final = 254
"""Characters of an address (RFC 5321, erratum 1690)."""
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(
    rf"[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_LABEL}(?:\.{_LABEL})+"
)


def normal(email: str) -> str:
    """Return an address in its stored form. Raise Refusal invalid_email."""
    stripped = email.strip()
    address = stripped.lower()
    if not stripped.isascii() or len(address) > LONGEST or not _ADDRESS.fullmatch(address):
        raise Refusal("invalid_email", sentences.INVALID_EMAIL)
    return address
