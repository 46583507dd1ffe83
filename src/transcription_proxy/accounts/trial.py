"""The trial: seconds that a new account gets once, for a mailbox that never had them (docs/decisions/0024).

Where it `needs_confirmation`, the account gets them when its owner opens the link in the confirmation mail."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import digest
from typing import Final
from uuid import UUID

import jwt
from disposable_email_domains import blocklist

from transcription_proxy import sentences
from transcription_proxy.accounts import store
from transcription_proxy.accounts.store import Connection, User
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Description

DISPOSABLE_DOMAINS: Final[Set[str]] = frozenset(blocklist)
"""Domains of mailboxes that anybody gets for a few minutes: a maintained list."""
LINK_LIFETIME: Final = timedelta(days=7)
LINK_JOB: Final = "confirmation_link"
_GMAIL: Final = ("gmail.com", "googlemail.com")


@dataclass(frozen=True, slots=True)
class Trial:
    """`seconds` 0: there is no trial. Mailboxes of `excluded_domains` get none."""

    seconds: int = 0
    needs_confirmation: bool = False
    excluded_domains: Set[str] = DISPOSABLE_DOMAINS

    async def grant(self, connection: Connection, user: User) -> int:
        """Give an account the trial, unless its mailbox had it before or is disposable. Return the seconds given."""
        balance = await ledger.lock_or_add_balance(connection, user.id)
        box = mailbox(user.email)
        if not self.seconds or is_excluded(box, self.excluded_domains):
            return 0
        if not await store.add_trial(connection, sha256(box.encode()).digest()):
            return 0
        await ledger.credit(connection, user.id, balance, self.seconds, Description.TRIAL)
        return self.seconds


def mailbox(address: str) -> str:
    """Return what all spellings of a mailbox have in common: no tag after a plus sign, and for Gmail no dots."""
    local, _, domain = address.partition("@")
    local = local.partition("+")[0]
    return f"{local.replace('.', '')}@gmail.com" if domain in _GMAIL else f"{local}@{domain}"


def is_excluded(address: str, domains: Set[str]) -> bool:
    """Return whether the domain of an address, or one that it is part of, is one of `domains`."""
    labels = address.partition("@")[2].split(".")
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))


def read_domains(text: str) -> Set[str]:
    """Return the domains in a file that has one on each line. Lines that begin with # are comments."""
    lines = (line.strip().lower() for line in text.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))


def link(site: str, token: str) -> str:
    """Return the link for a token. It is in the fragment, which browsers do not send, so no log contains it."""
    return f"{site}/confirm#token={token}"


def make_token(user: User, secret: str, now: datetime) -> str:
    """Return the token that proves that its bearer reads the mail of the account's address."""
    claims = {"sub": str(user.id), "email": user.email, "exp": now + LINK_LIFETIME}
    return jwt.encode(claims, _key(secret), algorithm="HS256")


def read_token(token: str, secret: str, now: datetime) -> tuple[UUID, str]:
    """Return the account's id and address. Raise Refusal invalid_confirmation."""
    try:
        claims = jwt.decode(
            token, _key(secret), algorithms=["HS256"], options={"verify_exp": False, "require": ["exp", "sub"]}
        )
        if claims["exp"] <= now.timestamp():
            raise invalid()
        return UUID(claims["sub"]), str(claims["email"])
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
        raise invalid() from None


def invalid() -> Refusal:
    """Return the refusal for a token that does not work."""
    return Refusal("invalid_confirmation", sentences.CONFIRMATION_EXPIRED)


def _key(secret: str) -> bytes:
    """Return a key of its own, so that no access token passes for a confirmation, and no confirmation for a login."""
    return digest(secret.encode(), b"email confirmation", "sha256")
