"""/account/keys: API keys of the account. They are managed with a login, not with a key."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from transcription_proxy import sentences
from transcription_proxy.accounts.api_keys import ApiKey
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger.entries import MAX_CREDITS
from transcription_proxy.ledger.spending import Spending
from transcription_proxy.web.errors import FOR_ACCOUNT, FOR_BODY, documented
from transcription_proxy.web.services import LoggedIn, Provided

router = APIRouter(prefix="/account/keys", tags=["API keys"])
Moment = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Period = Literal["total", "day"]


class NewKey(BaseModel):
    """`limit_seconds`: what the key may use, in all or per `day` in UTC; null: no limit. `models`: what it may use;
    null: every model."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$", examples=["OBS"])]
    limit_seconds: Annotated[int, Field(ge=1, le=MAX_CREDITS)] | None = None
    limit_period: Period = "total"
    models: (
        Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]], Field(min_length=1, max_length=50)] | None
    ) = None


class CreatedKey(BaseModel):
    """`key`: the secret, which is shown this once."""

    id: UUID
    name: str
    key: str
    prefix: str


class Key(BaseModel):
    """`seconds_used`: in all, or today where the limit is for each day."""

    id: UUID
    name: str
    prefix: str
    created_at: Moment
    last_used_at: Moment | None
    limit_seconds: int | None
    limit_period: Period
    seconds_used: int
    models: list[str] | None

    @classmethod
    def of(cls, key: ApiKey, spending: Spending) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            limit_seconds=spending.limit_seconds,
            limit_period="day" if spending.daily else "total",
            seconds_used=spending.seconds_used,
            models=key.models,
        )


class Keys(BaseModel):
    keys: list[Key]


@router.post(
    "",
    status_code=201,
    summary="Create an API key",
    responses=documented("login_required", "too_many_keys", "unknown_model", *FOR_ACCOUNT, *FOR_BODY),
)
async def create(wanted: NewKey, user: LoggedIn, services: Provided) -> CreatedKey:
    """The key works wherever a token does: for captions, for Deepgram's API, and to read the account."""
    unknown = [model for model in wanted.models or [] if not services.rates.is_offered(model)]
    if unknown:
        raise Refusal("unknown_model", sentences.model_not_offered(unknown[0], services.rates.models))
    key, secret = await services.api_keys.create(
        user.id, wanted.name, wanted.limit_seconds, wanted.limit_period == "day", wanted.models
    )
    return CreatedKey(id=key.id, name=key.name, key=secret, prefix=key.prefix)


@router.get("", summary="List your API keys", responses=documented("login_required", *FOR_ACCOUNT))
async def listed(user: LoggedIn, services: Provided) -> Keys:
    """Oldest first. The keys themselves cannot be read again."""
    return Keys(keys=[Key.of(key, spending) for key, spending in await services.api_keys.all_of(user.id)])


@router.delete(
    "/{key_id}",
    status_code=204,
    summary="Revoke an API key",
    responses=documented("login_required", "not_found", *FOR_ACCOUNT),
)
async def revoke(key_id: str, user: LoggedIn, services: Provided) -> None:
    """The key stops working at once, and its live sessions end."""
    try:
        wanted = UUID(key_id)
    except ValueError:
        raise Refusal("not_found", sentences.NO_SUCH_KEY) from None
    await services.api_keys.revoke(user.id, wanted)
