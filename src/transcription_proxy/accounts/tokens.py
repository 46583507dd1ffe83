"""Tokens as values: a signed JWT says who is asking, and an opaque refresh token is known here by its digest only.

Time and chance are arguments."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_wire.codes import ErrorCode

ALGORITHM: Final = "HS256"
REFRESH_LIFE: Final = timedelta(days=30)
REFRESH_GRACE: Final = timedelta(seconds=30)
"""How long after its first use a refresh token gives another pair, while the pair before it has not been used."""
MOST_REFRESH_TOKENS: Final = 1000
"""Of one login, used ones included. A client that refreshes more often has its oldest ones forgotten."""
LONGEST: Final = 4096
"""Characters of a JWT that are looked at: ours are a tenth of that."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token belongs to. `token_version` is the account's epoch: a later one makes the token void.

    `login` is the login that the token came from and ends with. Tokens that the operator made have none."""

    user_id: UUID
    email: str
    token_version: int
    login: UUID | None = None


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token as it is stored. `successor_used`: whether a refresh token that it was exchanged for was used."""

    login: UUID
    expires_at: datetime
    used_at: datetime | None
    login_ended: bool
    successor_used: bool

    def is_reused(self, now: datetime) -> bool:
        """Whether a use at `now` ends the login. A client that lost the answer, or has two tabs, may repeat itself."""
        if self.login_ended or self.used_at is None:
            return self.login_ended
        return self.successor_used or now - self.used_at > REFRESH_GRACE


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
    if identity.login is not None:
        claims["sid"] = str(identity.login)
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def verify(token: str, secret: str, now: datetime) -> Identity:
    """Raises Refusal unauthorized for a token that is not ours, is malformed or has expired."""
    if len(token) > LONGEST:
        raise unauthorized()
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options=_OPTIONS)
        login = UUID(claims["sid"]) if "sid" in claims else None
        identity = Identity(UUID(claims["sub"]), str(claims["email"]), int(claims["ver"]), login)
        expired = now.timestamp() >= int(claims["exp"])
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise unauthorized() from error
    if expired:
        raise unauthorized()
    return identity


def unauthorized() -> Refusal:
    return Refusal(ErrorCode.UNAUTHORIZED, sentences.NOT_LOGGED_IN)


def digest(refresh_token: str) -> bytes:
    """What is stored of a refresh token; it holds 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(refresh_token.encode("utf-8", "surrogatepass")).digest()


_OPTIONS: Final[Any] = {
    "require": ["sub", "email", "ver", "iat", "exp", "jti"],
    "verify_exp": False,  # done here, with the time that is given
    "verify_iat": False,
    "verify_nbf": False,
}
