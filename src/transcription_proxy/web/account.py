"""/account/*: what a user sees of the account, and what can be changed about it."""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.web.auth import Tokens, new_tokens
from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Client, Provided, SignedIn
from transcription_wire.codes import Reason, Status

router = APIRouter(prefix="/account", tags=["Account"])
Moment = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
MOST_LIVE = 1000


class PasswordChange(BaseModel):
    current: str
    new: str


class Credits(BaseModel):
    """`minutes_remaining`: whole minutes, never below 0."""

    seconds_remaining: int
    minutes_remaining: int


class Me(BaseModel):
    email: str
    credits: Credits
    created_at: Moment


class Day(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    date: date
    seconds_used: int
    seconds_purchased: int
    seconds_adjusted: int


class Session(BaseModel):
    """`seconds_used`: seconds billed; `audio_seconds`: length of the audio, once the session has ended."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    started_at: Moment
    ended_at: Moment | None
    seconds_used: int
    audio_seconds: float | None
    model: str | None
    status: Status
    reason: Reason | None


class Sessions(BaseModel):
    sessions: list[Session]


class Usage(Sessions):
    days: list[Day]


class Purchase(BaseModel):
    """`status`: pending, failed, paid, disputed, partially_refunded or refunded; `amount_cents`: the price paid."""

    date: Moment
    label: str
    amount_cents: int
    currency: str
    seconds: int
    status: str
    receipt_url: str | None


class Purchases(BaseModel):
    purchases: list[Purchase]


def minutes(seconds: int) -> int:
    return max(0, seconds // 60)


@router.post(
    "/password",
    summary="Change your password",
    responses=documented("unauthorized", "invalid_credentials", "weak_password", "invalid_request", "rate_limited"),
)
async def change_password(body: PasswordChange, user: SignedIn, client: Client, services: Provided) -> Tokens:
    """Revokes every token of the account, ends its live sessions and returns new tokens."""
    services.password_changes.admit(str(user.id))
    return new_tokens(await services.accounts.change_password(user, body.current, body.new, client))


@router.get("/me", summary="Get your account and balance", responses=documented("unauthorized"))
async def me(user: SignedIn, services: Provided) -> Me:
    left = (await services.ledger.balance(user.id)).seconds_remaining
    balance = Credits(seconds_remaining=left, minutes_remaining=minutes(left))
    return Me(email=user.email, credits=balance, created_at=user.created_at)


@router.get(
    "/usage",
    summary="Get the last 30 days and the last 10 sessions",
    responses=documented("unauthorized", "invalid_timezone"),
)
async def usage(
    user: SignedIn, services: Provided, tz: Annotated[str, Query(description="Time zone of the days.")] = "UTC"
) -> Usage:
    """Days up to today in the time zone, oldest first, those without use included; sessions newest first."""
    days = await services.ledger.usage_days(user.id, tz)
    return Usage(days=[Day.model_validate(day) for day in days], sessions=await _sessions(services, user, False))


@router.get("/sessions", summary="List sessions, newest first", responses=documented("unauthorized", "invalid_request"))
async def sessions(
    user: SignedIn,
    services: Provided,
    live: Annotated[bool, Query(description="Only live sessions. Otherwise the last 10.")] = False,
) -> Sessions:
    return Sessions(sessions=await _sessions(services, user, live))


@router.get("/purchases", summary="List purchases, newest first", responses=documented("unauthorized"))
async def purchases(user: SignedIn, services: Provided) -> Purchases:
    """Leaves out checkouts that were never completed."""
    found = await services.payments.purchases(user.id)
    return Purchases(
        purchases=[
            Purchase(
                date=one.created_at,
                label=one.label,
                amount_cents=one.amount_cents if one.paid_cents is None else one.paid_cents,
                currency=one.currency,
                seconds=one.seconds,
                status=one.shown_status,
                receipt_url=one.receipt_url,
            )
            for one in found
        ]
    )


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="End a live session",
    responses=documented("unauthorized", "not_found"),
)
async def end_session(session_id: str, user: SignedIn, services: Provided) -> None:
    """The session ends with reason `ended_by_user` once its last words have arrived."""
    wanted = _session_id(session_id)
    if wanted is None or not await services.ledger.mark_ending(wanted, Reason.ENDED_BY_USER, user_id=user.id):
        raise Refusal("not_found", sentences.NO_SUCH_SESSION)


async def _sessions(services: Provided, user: SignedIn, live: bool) -> list[Session]:
    rows = await services.ledger.sessions(user_id=user.id, live=live, limit=MOST_LIVE if live else 10)
    return [Session.model_validate(row) for row in rows]


def _session_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
