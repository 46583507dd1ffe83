"""/auth/*: exchanges an email and password, or a refresh token, for tokens."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from transcription_proxy import metrics, sentences
from transcription_proxy.accounts.logins import IssuedTokens
from transcription_proxy.accounts.service import account_key
from transcription_proxy.errors import Refusal
from transcription_proxy.web.errors import FOR_AUTH, documented
from transcription_proxy.web.services import Client, Provided
from transcription_wire.lengths import length

router = APIRouter(prefix="/auth", tags=["Accounts"])


class Credentials(BaseModel):
    email: Annotated[str, Field(json_schema_extra={"format": "email"}, examples=["ann@example.org"])]
    password: Annotated[str, Field(examples=["four words of mine"])]


class RefreshToken(BaseModel):
    refresh_token: str


class Address(BaseModel):
    email: str


class Reset(BaseModel):
    reset_token: str
    password: str


class Confirmation(BaseModel):
    confirm_token: str


class Answer(BaseModel):
    """An answer with a sentence for people."""

    message: str


class UserBody(BaseModel):
    id: UUID
    email: str


class Tokens(BaseModel):
    """`token` goes into `Authorization: Bearer`, for `expires_in` seconds; then `refresh_token` buys the next pair."""

    token: str
    refresh_token: str
    expires_in: int


class Login(Tokens):
    user: UserBody


def new_tokens(issued: IssuedTokens) -> Tokens:
    return Tokens(token=issued.token, refresh_token=issued.refresh_token, expires_in=issued.expires_in)


def _login(issued: IssuedTokens) -> Login:
    user = UserBody(id=issued.user.id, email=issued.user.email)
    return Login(user=user, **new_tokens(issued).model_dump())


@router.post(
    "/register",
    status_code=201,
    summary="Create an account",
    responses=documented("invalid_email", "weak_password", "email_taken", *FOR_AUTH),
)
async def register(body: Credentials, client: Client, services: Provided) -> Login:
    """The email is stored in lower case. The password has at least 8 characters and at most 72 bytes, and can't be a
    very common one."""
    return _login(await services.accounts.register(body.email, body.password, client))


@router.post(
    "/login",
    summary="Log in",
    responses=documented("invalid_credentials", "unauthorized", *FOR_AUTH),
)
async def login(body: Credentials, client: Client, services: Provided) -> Login:
    """`unauthorized` means the account is blocked. Attempts count for the email too, from whatever address."""
    try:
        await services.limits.check("log in", account_key(body.email), services.per_minute)
        return _login(await services.accounts.login(body.email, body.password, client))
    except Refusal as refusal:
        metrics.REFUSED_LOGINS.labels(refusal.code).inc()
        raise


@router.post(
    "/refresh",
    summary="Exchange a refresh token for new tokens",
    responses=documented("refresh_reused", "unauthorized", *FOR_AUTH),
)
async def refresh(body: RefreshToken, services: Provided) -> Tokens:
    """A refresh token is valid for 30 days and works once. Using it again revokes all tokens of that login, unless it
    is within 30 seconds and its successor is unused: then it returns another pair, and both pairs work."""
    return new_tokens(await services.accounts.refresh(body.refresh_token))


@router.post("/logout", status_code=204, summary="Log out", responses=documented(*FOR_AUTH))
async def logout(body: RefreshToken, services: Provided) -> None:
    """Revokes all tokens of that login. Returns 204 even if there were none. Live sessions continue."""
    await services.accounts.logout(body.refresh_token)


@router.post(
    "/forgot",
    status_code=202,
    summary="Request a password reset link",
    responses=documented(*FOR_AUTH),
)
async def forgot(body: Address, services: Provided) -> Answer:
    """The response is the same whether or not the account exists. Sends at most three mails an hour per email."""
    await services.accounts.forgot(body.email)
    return Answer(message=sentences.RESET_SENT)


@router.post(
    "/reset",
    summary="Set a new password with the token of a reset link",
    responses=documented("weak_password", "invalid_reset_token", "unauthorized", *FOR_AUTH),
)
async def reset(body: Reset, client: Client, services: Provided) -> Answer:
    """The token works once, for an hour. Revokes every token of the account and ends its live sessions.
    `unauthorized` means the account is blocked."""
    await services.accounts.reset(body.reset_token, body.password, client)
    return Answer(message=sentences.PASSWORD_SET)


@router.post(
    "/confirm",
    summary="Confirm an email with the token of a confirmation link",
    responses=documented("invalid_confirmation", *FOR_AUTH),
)
async def confirm(body: Confirmation, services: Provided) -> Answer:
    """The account gets its trial now, unless the mailbox had one before. Confirming twice changes nothing."""
    given = await services.accounts.confirm(body.confirm_token)
    return Answer(message=sentences.trial_given(length(given)) if given else sentences.EMAIL_CONFIRMED)
