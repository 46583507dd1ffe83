"""Tokens as values: a signed JWT that names an account, and an opaque refresh token of which only a digest is stored.

Nothing here reads a clock or makes random numbers: both are arguments."""

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
"""How long after its first use a refresh token works again, while the pair that it gave has not been used."""
MAX_REFRESH_TOKENS: Final = 1000
"""Refresh tokens that are stored for one login, used ones included. The oldest are deleted first."""
LONGEST: Final = 4096
"""Characters of a JWT. Ours have a tenth of that; a longer one is refused unread."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The account and login that a token belongs to. A higher `token_version` in the database voids the token.

    `login`: the token ends with it. Tokens that the operator created have none.
    `granted`: what a token that was granted for a short time may do; None for a token of a login."""

    user_id: UUID
    email: str
    token_version: int
    login: UUID | None = None
    granted: "Granted | None" = None


@dataclass(frozen=True, slots=True)
class Granted:
    """The rights of a granted token: to open sessions, within the limits of the API key that it was granted to, if any.

    It reads no account and grants no further tokens."""

    key_id: UUID | None = None
    models: tuple[str, ...] | None = None
    """The models that the API key may use, None for every model."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token as it is stored. `successor_used`: a refresh token that it was exchanged for has been used."""

    login: UUID
    expires_at: datetime
    used_at: datetime | None
    login_ended: bool
    successor_used: bool

    def is_reused(self, now: datetime) -> bool:
        """Return whether a use at `now` ends the login. A repeat within REFRESH_GRACE does not."""
        if self.login_ended or self.used_at is None:
            return self.login_ended
        return self.successor_used or now - self.used_at > REFRESH_GRACE


def issue(identity: Identity, secret: str, now: datetime, expiry: timedelta, token_id: str) -> str:
    """Return a JWT for `identity`, valid until `now` + `expiry`."""
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
    if identity.granted is not None:
        claims["grant"] = _grant_claim(identity.granted)
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def verify(token: str, secret: str, now: datetime) -> Identity:
    """Return what a JWT says. Raise Refusal unauthorized where it is not ours, is malformed or has expired."""
    if len(token) > LONGEST:
        raise unauthorized()
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options=_OPTIONS)
        login = UUID(claims["sid"]) if "sid" in claims else None
        granted = _granted(claims["grant"]) if "grant" in claims else None
        identity = Identity(UUID(claims["sub"]), str(claims["email"]), int(claims["ver"]), login, granted)
        expired = now.timestamp() >= int(claims["exp"])
    except (jwt.PyJWTError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise unauthorized() from error
    if expired:
        raise unauthorized()
    return identity


def _grant_claim(granted: Granted) -> dict[str, Any]:
    return {"key": granted.key_id and str(granted.key_id), "models": granted.models}


def _granted(claim: Any) -> Granted:
    key, models = claim["key"], claim["models"]
    return Granted(key and UUID(key), None if models is None else tuple(map(str, models)))


def unauthorized() -> Refusal:
    """Return the refusal for a token that is not valid."""
    return Refusal(ErrorCode.UNAUTHORIZED, sentences.NOT_LOGGED_IN)


def digest(refresh_token: str) -> bytes:
    """Return the digest of a refresh token, which is stored in its place. It has 256 random bits: SHA-256 is enough."""
    return hashlib.sha256(refresh_token.encode("utf-8", "surrogatepass")).digest()


_OPTIONS: Final[Any] = {
    "require": ["sub", "email", "ver", "iat", "exp", "jti"],
    "verify_exp": False,  # `verify` compares it with `now`
    "verify_iat": False,
    "verify_nbf": False,
}
