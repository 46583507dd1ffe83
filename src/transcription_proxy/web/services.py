"""The arguments of routes: the services, the client's address, and the account of a request's token."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from transcription_proxy import sentences
from transcription_proxy.accounts.api_keys import ApiKeys, is_key
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.accounts.store import User
from transcription_proxy.accounts.tokens import unauthorized
from transcription_proxy.clients import bucket
from transcription_proxy.db.rate_limits import RateLimits
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.metering.rates import Rates
from transcription_proxy.overlay.feeds import Feeds
from transcription_proxy.overlay.keys import Keys
from transcription_proxy.overlay.seats import Seats
from transcription_proxy.payments.service import Payments
from transcription_proxy.web.board import Board


@dataclass(frozen=True, slots=True)
class Site:
    """This installation, as its pages describe it. `sandbox`: payments are fake. `status_url` None: our own page."""

    name: str = "Live Captions"
    public_url: str = ""
    trial_seconds: int = 0
    trial_needs_confirmation: bool = False
    sandbox: bool = False
    support_email: str | None = None
    terms_url: str | None = None
    privacy_url: str | None = None
    refunds_url: str | None = None
    status_url: str | None = None
    source_url: str | None = None
    sessions_per_user: int = 2


@dataclass(frozen=True, slots=True)
class Services:
    """The services that routes use. `ready`: whether this process takes sessions now.

    `per_minute`: how often an account may do what is limited."""

    accounts: Accounts
    api_keys: ApiKeys
    ledger: Ledger
    payments: Payments
    overlay_keys: Keys
    feeds: Feeds
    seats: Seats
    rates: Rates
    watch: Watch
    ready: Callable[[], bool]
    limits: RateLimits
    per_minute: int
    board: Board
    metrics_token: str | None = None
    site: Site = field(default_factory=Site)


def _services(request: Request) -> Services:
    services: Any = request.app.state.services
    assert isinstance(services, Services)
    return services


def _client(request: Request) -> str:
    return bucket(request.state.client)


Client = Annotated[str, Depends(_client)]
"""The address that a request comes from, as `clients.bucket` names it for rate limits."""
Provided = Annotated[Services, Depends(_services)]
_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The `token` from logging in, or an API key.")


async def _user(
    services: Provided, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> User:
    if credentials is None:
        raise unauthorized()
    token = credentials.credentials
    if is_key(token):
        return (await services.api_keys.authenticate(token)).user
    return await services.accounts.authenticate(token)


async def _logged_in(
    user: Annotated[User, Depends(_user)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> User:
    if credentials is not None and is_key(credentials.credentials):
        raise Refusal("login_required", sentences.KEYS_NEED_LOGIN)
    return user


SignedIn = Annotated[User, Depends(_user)]
"""The account of a token or API key."""
LoggedIn = Annotated[User, Depends(_logged_in)]
"""The account of a token. An API key is not enough: it could lift its own limits."""
