"""/account/*: the routes with which users see and change their account."""

from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.payments.packages import CURRENCY
from transcription_proxy.payments.store import Purchase as PurchaseRow
from transcription_proxy.web import cursors
from transcription_proxy.web.auth import Answer, Tokens, new_tokens
from transcription_proxy.web.cursors import MAX_ROWS, Before, Limit
from transcription_proxy.web.errors import FOR_ACCOUNT, FOR_BODY, documented
from transcription_proxy.web.services import Client, LoggedIn, Provided, SignedIn
from transcription_wire.codes import Reason, Status

router = APIRouter(prefix="/account", tags=["Account"])
Moment = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
MAX_LIVE_ROWS = 1000
DEFAULT_ROWS = 10
"""Sessions in a page, unless the request gives a `limit`."""


class DayCount(IntEnum):
    WEEK = 7
    MONTH = 30
    QUARTER = 90


class PasswordChange(BaseModel):
    current: str
    new: str


class Credits(BaseModel):
    """`minutes_remaining`: whole minutes, never below 0."""

    seconds_remaining: int
    minutes_remaining: int


class Me(BaseModel):
    """`confirmed`: there only where a trial needs it. false: the account gets its trial once its email is confirmed."""

    email: str
    credits: Credits
    created_at: Moment
    confirmed: bool | None = None


class Day(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    date: date
    seconds_used: int
    seconds_purchased: int
    seconds_adjusted: int


class Session(BaseModel):
    """`seconds_used`: seconds billed; `audio_seconds`: length of the audio, once the session has ended.

    `model`: the model that the client asked for; `engine`: what listened, as people read it.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    started_at: Moment
    ended_at: Moment | None
    seconds_used: int
    audio_seconds: float | None
    model: str | None
    engine: str
    status: Status
    reason: Reason | None


class Sessions(BaseModel):
    sessions: list[Session]


class SessionPage(Sessions):
    """`next`: send it as `before` for what follows; null: there is no more."""

    next: str | None


class Totals(BaseModel):
    """`sessions`: how many began; `spent_cents`: paid less what was refunded, in hundredths of `currency`."""

    seconds_used: int
    seconds_purchased: int
    seconds_adjusted: int
    sessions: int
    spent_cents: int
    currency: str = CURRENCY


class Usage(Sessions):
    """`totals`: what came together in `days`."""

    days: list[Day]
    totals: Totals


class Purchase(BaseModel):
    """`status`: pending, failed, paid, disputed, partially_refunded or refunded; `amount_cents`: the price paid."""

    date: Moment
    label: str
    amount_cents: int
    currency: str
    seconds: int
    status: str
    receipt_url: str | None

    @classmethod
    def of(cls, row: PurchaseRow) -> Self:
        return cls(
            date=row.created_at,
            label=row.label,
            amount_cents=row.amount_cents if row.paid_cents is None else row.paid_cents,
            currency=row.currency,
            seconds=row.seconds,
            status=row.shown_status,
            receipt_url=row.receipt_url,
        )


class Purchases(BaseModel):
    """`next`: send it as `before` for what follows; null: there is no more."""

    purchases: list[Purchase]
    next: str | None


def minutes(seconds: int) -> int:
    return max(0, seconds // 60)


@router.post(
    "/password",
    summary="Change your password",
    responses=documented(
        "invalid_credentials", "login_required", "weak_password", "rate_limited", *FOR_ACCOUNT, *FOR_BODY
    ),
)
async def change_password(body: PasswordChange, user: LoggedIn, client: Client, services: Provided) -> Tokens:
    """Revokes every token of the account, ends its live sessions and returns new tokens."""
    await services.limits.check("change password", str(user.id), services.per_minute)
    return new_tokens(await services.accounts.change_password(user, body.current, body.new, client))


@router.get(
    "/me",
    summary="Get your account and balance",
    response_model_exclude_none=True,
    responses=documented(*FOR_ACCOUNT),
)
async def me(user: SignedIn, services: Provided) -> Me:
    left = (await services.ledger.balance(user.id)).seconds_remaining
    balance = Credits(seconds_remaining=left, minutes_remaining=minutes(left))
    confirmed = await services.accounts.is_confirmed(user)
    return Me(email=user.email, credits=balance, created_at=user.created_at, confirmed=confirmed)


@router.post(
    "/confirmation",
    status_code=202,
    summary="Request another confirmation mail",
    responses=documented("rate_limited", *FOR_ACCOUNT),
)
async def send_confirmation(user: SignedIn, services: Provided) -> Answer:
    """Sends nothing if the email is confirmed. At most one a minute."""
    await services.limits.check("confirmation mail", str(user.id), 1)
    await services.accounts.send_confirmation(user)
    return Answer(message=sentences.CONFIRMATION_SENT)


@router.get(
    "/usage",
    summary="Get the last 7, 30 or 90 days, and the last 10 sessions",
    responses=documented("invalid_timezone", "invalid_request", *FOR_ACCOUNT),
)
async def usage(
    user: SignedIn,
    services: Provided,
    tz: Annotated[str, Query(description="Time zone of the days.")] = "UTC",
    days: Annotated[DayCount, Query(description="Number of days.")] = DayCount.MONTH,
) -> Usage:
    """Days up to today in the time zone, oldest first, those without use included; sessions newest first."""
    found = await services.ledger.usage_days(user.id, tz, days)
    rows = await services.ledger.sessions(user.id, limit=DEFAULT_ROWS)
    return Usage(
        days=[Day.model_validate(day) for day in found],
        totals=Totals(
            seconds_used=sum(day.seconds_used for day in found),
            seconds_purchased=sum(day.seconds_purchased for day in found),
            seconds_adjusted=sum(day.seconds_adjusted for day in found),
            sessions=await services.ledger.count_sessions(user.id, tz, days),
            spent_cents=await services.payments.spent(user.id, tz, days),
        ),
        sessions=[Session.model_validate(row) for row in rows],
    )


@router.get("/sessions", summary="List sessions, newest first", responses=documented("invalid_request", *FOR_ACCOUNT))
async def sessions(
    user: SignedIn,
    services: Provided,
    live: Annotated[bool, Query(description="Only live sessions, all of them unless `limit` is given.")] = False,
    before: Before = None,
    limit: Limit = None,
) -> SessionPage:
    """A page of 10 unless `limit` is given."""
    most = limit or (MAX_LIVE_ROWS if live else DEFAULT_ROWS)
    rows = await services.ledger.sessions(user.id, live, most + 1, cursors.read(before))
    page, following = cursors.cut(rows, most, lambda row: (row.started_at, row.id))
    return SessionPage(sessions=[Session.model_validate(row) for row in page], next=following)


@router.get("/purchases", summary="List purchases, newest first", responses=documented("invalid_request", *FOR_ACCOUNT))
async def purchases(user: SignedIn, services: Provided, before: Before = None, limit: Limit = None) -> Purchases:
    """A page of 100 unless `limit` is given, without checkouts that were never completed."""
    most = limit or MAX_ROWS
    rows = await services.payments.purchases(user.id, most + 1, cursors.read(before))
    page, following = cursors.cut(rows, most, lambda row: (row.created_at, row.id))
    return Purchases(purchases=[Purchase.of(row) for row in page], next=following)


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="End a live session",
    responses=documented("not_found", *FOR_ACCOUNT),
)
async def end_session(session_id: str, user: SignedIn, services: Provided) -> None:
    """The session ends with reason `ended_by_user` once its last words have arrived."""
    wanted = _session_id(session_id)
    if wanted is None or not await services.ledger.mark_ending(wanted, user.id, Reason.ENDED_BY_USER):
        raise Refusal("not_found", sentences.NO_SUCH_SESSION)


def _session_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
