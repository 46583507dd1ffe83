"""What routes are given: the services, and the account that a request's token belongs to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from transcription_proxy.accounts.service import Accounts
from transcription_proxy.accounts.store import User
from transcription_proxy.accounts.tokens import unauthorized
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.service import Ledger


@dataclass(frozen=True, slots=True)
class Services:
    """`ready`: whether this process takes sessions now."""

    accounts: Accounts
    ledger: Ledger
    database: Database
    ready: Callable[[], bool]


def _services(request: Request) -> Services:
    services: Any = request.app.state.services
    assert isinstance(services, Services)
    return services


Provided = Annotated[Services, Depends(_services)]
_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The `token` of a login.")


async def _user(
    services: Provided, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> User:
    if credentials is None:
        raise unauthorized()
    return await services.accounts.authenticate(credentials.credentials)


SignedIn = Annotated[User, Depends(_user)]
