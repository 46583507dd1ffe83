"""/billing/*: the balance."""

from fastapi import APIRouter

from transcription_proxy.web.account import Credits, minutes
from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Provided, SignedIn

router = APIRouter(prefix="/billing", tags=["Billing"])


class BalanceBody(Credits):
    """`seconds_held`: set aside for live sessions; `seconds_frozen`: of disputed payments."""

    seconds_held: int
    seconds_frozen: int


@router.get("/balance", summary="The balance", responses=documented("unauthorized"))
async def balance(user: SignedIn, services: Provided) -> BalanceBody:
    found = await services.ledger.balance(user.id)
    return BalanceBody(
        seconds_remaining=found.seconds_remaining,
        minutes_remaining=minutes(found.seconds_remaining),
        seconds_held=found.seconds_held,
        seconds_frozen=found.seconds_frozen,
    )
