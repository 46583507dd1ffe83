"""Tokens as values: a signed JWT says who is asking, and an opaque refresh token is known here by its digest only.

Time and chance are arguments."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt

from transcription_proxy.errors import Refusal
from transcription_wire.codes import ErrorCode

ALGORITHM: Final = "HS256"
REFRESH_DAYS: Final = 30
LONGEST: Final = 4096
"""Characters of a JWT that are looked at: ours are a tenth of that."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token belongs to. `token_version` is the account's epoch: a later one makes the token void."""

    user_id: UUID
    email: str
    token_version: int


def issue(identity: Identity, secret: str, now: datetime, expiry: timedelta, token_id: str) -> str:
    """A JWT for `identity`, valid until `now` + `expiry`."""
    claims = {
        "sub": str(identity.user_id),
        "email": identity.email,
        "ver": identity.token_version,
        "iat": int(now.timestamp()),
        "exp": int((now + expiry).timestamp()),
        "jti": token_id,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def verify(token: str, secret: str, now: datetime) -> Identity:
    """Raises Refusal unauthorized for a token that is not ours, is malformed or has expired."""
    if len(token) > LONGEST:
        raise unauthorized()
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options=_OPTIONS)
        identity = Identity(UUID(claims["sub"]), str(claims["email"]), int(claims["ver"]))
        expired = now.timestamp() >= int(claims["exp"])
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise unauthorized() from error
    if expired:
        raise unauthorized()
    return identity


def unauthorized() -> Refusal:
    return Refusal(ErrorCode.UNAUTHORIZED, "Log in: the token is missing, wrong or has expired.")


def digest(refresh_token: str) -> bytes:
    """What is stored of a refresh token; it holds 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(refresh_token.encode("utf-8", "surrogatepass")).digest()


_OPTIONS: Final[Any] = {
    "require": ["sub", "email", "ver", "iat", "exp", "jti"],
    "verify_exp": False,  # done here, with the time that is given
    "verify_iat": False,
    "verify_nbf": False,
}
