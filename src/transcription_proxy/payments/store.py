"""The payments' statements, and nothing else: one function each, on a connection that is in a transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import args_row, class_row, scalar_row

from transcription_proxy.db import queries
from transcription_proxy.payments.standing import Claim, Kind, Standing
from transcription_proxy.payments.translate import Checkout

Connection = AsyncConnection[Any]
SQL: Final = queries.load("transcription_proxy.payments")


@dataclass(frozen=True, slots=True)
class Purchase:
    """What was bought, how far it got, and what refunds and disputes have of it. Money is in cents of `currency`."""

    id: UUID
    user_id: UUID
    package_id: str
    label: str
    seconds: int
    amount_cents: int
    currency: str
    status: str
    created_at: datetime
    checkout_session: str | None = None
    checkout_url: str | None = None
    payment_intent: str | None = None
    paid_cents: int | None = None
    refunded_cents: int = 0
    seconds_taken: int = 0
    seconds_frozen: int = 0
    receipt_url: str | None = None

    @property
    def shown_status(self) -> str:
        """For the buyer: what became of a paid one since."""
        if self.seconds_frozen:
            return "disputed"
        if self.seconds_taken:
            return "refunded" if self.seconds_taken == self.seconds else "partially_refunded"
        return self.status


@dataclass(frozen=True, slots=True)
class Draft:
    """A purchase to be written."""

    id: UUID
    user_id: UUID
    package_id: str
    label: str
    seconds: int
    cents: int
    currency: str
    checkout_session: str | None = None


@dataclass(frozen=True, slots=True)
class Buyer:
    id: UUID
    email: str
    stripe_customer_id: str | None


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An event that belongs to no purchase of ours, and why."""

    id: str
    type: str
    object_id: str | None
    received_at: datetime
    why: str
    body: str


async def lock_payment(connection: Connection, names: Sequence[str | None]) -> None:
    await connection.execute(SQL["lock_payment"], {"names": [name for name in names if name]})


async def open_purchase(connection: Connection, draft: Draft, within: timedelta) -> Purchase | None:
    return await _purchase(connection, "open_purchase", **asdict(draft), within=within)


async def add_purchase(connection: Connection, draft: Draft) -> Purchase:
    added = await _purchase(connection, "add_purchase", **asdict(draft))
    assert added is not None
    return added


async def set_checkout(connection: Connection, purchase_id: UUID, session_id: str, url: str) -> None:
    await connection.execute(SQL["set_checkout"], {"id": purchase_id, "session_id": session_id, "url": url})


async def purchase_of_checkout(
    connection: Connection, session_id: str, purchase_id: UUID | None = None
) -> Purchase | None:
    return await _purchase(connection, "purchase_of_checkout", session_id=session_id, purchase_id=purchase_id)


async def purchase_of_payment(connection: Connection, claim: Claim) -> Purchase | None:
    return await _purchase(connection, "purchase_of_payment", **asdict(claim))


async def purchase(connection: Connection, purchase_id: UUID) -> Purchase:
    found = await _purchase(connection, "purchase", id=purchase_id)
    assert found is not None
    return found


async def set_status(connection: Connection, purchase_id: UUID, status: str, checkout: Checkout) -> None:
    values = {
        "id": purchase_id,
        "status": status,
        "session_id": checkout.session_id,
        "payment_intent": checkout.payment_intent,
        "receipt_url": checkout.receipt_url,
        "paid_cents": checkout.paid_cents,
    }
    await connection.execute(SQL["set_status"], values)


async def set_standing(connection: Connection, purchase_id: UUID, standing: Standing) -> None:
    await connection.execute(SQL["set_standing"], {"id": purchase_id, **asdict(standing)})


async def lost(connection: Connection, purchase_id: UUID) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["lost"], {"id": purchase_id})
        return int(await cursor.fetchone() or 0)


async def ask(connection: Connection, purchase_id: UUID, pause: timedelta) -> bool:
    return (await connection.execute(SQL["ask"], {"id": purchase_id, "pause": pause})).rowcount > 0


async def merge_claim(connection: Connection, claim: Claim) -> None:
    await connection.execute(SQL["merge_claim"], asdict(claim))


async def knows_claim(connection: Connection, claim: Claim) -> bool:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["knows_claim"], asdict(claim))
        return bool(await cursor.fetchone())


async def refunds_explain(connection: Connection, charge: Claim) -> bool:
    """Whether the refunds known by their ids come to what the charge says."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["refunds_of_charge"], {"charge": charge.id})
        return await cursor.fetchone() == charge.cents


async def pending(connection: Connection) -> list[str]:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["pending"])
        return await cursor.fetchall()


async def open_claims(connection: Connection) -> list[tuple[str, Kind]]:
    async with connection.cursor(row_factory=args_row(lambda name, kind: (str(name), Kind(kind)))) as cursor:
        await cursor.execute(SQL["open_claims"])
        return await cursor.fetchall()


async def claims(connection: Connection, purchase: Purchase) -> list[Claim]:
    async with connection.cursor(row_factory=args_row(_claim)) as cursor:
        await cursor.execute(SQL["claims"], {"id": purchase.id, "payment_intent": purchase.payment_intent})
        return await cursor.fetchall()


def _claim(name: str, kind: str, *rest: Any) -> Claim:
    return Claim(name, Kind(kind), *rest)


async def purchases(
    connection: Connection, user_id: UUID, limit: int, before: tuple[datetime, UUID] | None = None
) -> list[Purchase]:
    at, row_id = before or (None, None)
    values = {"user_id": user_id, "limit": limit, "before_at": at, "before_id": row_id}
    async with connection.cursor(row_factory=class_row(Purchase)) as cursor:
        await cursor.execute(SQL["purchases"], values)
        return await cursor.fetchall()


async def spent(connection: Connection, user_id: UUID, tz: str, days: int) -> int:
    """Cents paid for purchases of the last days, less what was refunded."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["spent"], {"user_id": user_id, "tz": tz, "days": days})
        return int(await cursor.fetchone() or 0)


async def take_event(connection: Connection, event_id: str, kind: str, object_id: str | None) -> bool:
    values = {"id": event_id, "type": kind, "object_id": object_id}
    return (await connection.execute(SQL["take_event"], values)).rowcount > 0


async def keep_event(connection: Connection, event_id: str, why: str, body: str) -> None:
    await connection.execute(SQL["keep_event"], {"id": event_id, "why": why, "body": body})


async def match_event(connection: Connection, event_id: str) -> None:
    await connection.execute(SQL["match_event"], {"id": event_id})


async def match_claims(connection: Connection, claims: Sequence[Claim]) -> None:
    await connection.execute(SQL["match_claims"], {"claims": [claim.id for claim in claims]})


async def unmatched(connection: Connection, limit: int) -> list[Unmatched]:
    async with connection.cursor(row_factory=args_row(Unmatched)) as cursor:
        await cursor.execute(SQL["unmatched"], {"limit": limit})
        return await cursor.fetchall()


async def open_address(connection: Connection, user_id: UUID) -> str | None:
    """The address of an account that is not blocked."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["open_address"], {"user_id": user_id})
        found: str | None = await cursor.fetchone()
        return found


async def balance_credited(connection: Connection, purchase_id: UUID) -> int:
    """The balance right after a paid purchase was added to it."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["balance_credited"], {"purchase_id": purchase_id})
        return int(await cursor.fetchone() or 0)


async def buyer(connection: Connection, user_id: UUID) -> Buyer | None:
    async with connection.cursor(row_factory=class_row(Buyer)) as cursor:
        await cursor.execute(SQL["buyer"], {"user_id": user_id})
        return await cursor.fetchone()


async def set_customer(connection: Connection, user_id: UUID, customer: str, instead_of: str | None) -> None:
    values = {"user_id": user_id, "customer": customer, "instead_of": instead_of}
    await connection.execute(SQL["set_customer"], values)


async def _purchase(connection: Connection, query: str, **values: Any) -> Purchase | None:
    async with connection.cursor(row_factory=class_row(Purchase)) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()
