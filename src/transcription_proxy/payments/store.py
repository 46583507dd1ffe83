"""The payments' SQL statements: one function for each, on a connection that is in a transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, kwargs_row, scalar_row

from transcription_proxy.db import queries
from transcription_proxy.payments.standing import Claim, Kind, Standing
from transcription_proxy.payments.translate import Checkout

Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase: what was bought, its status, and what refunds and disputes took. Money is in cents of `currency`."""

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
        """The status as the buyer sees it: for a paid purchase, what refunds and disputes made of it."""
        if self.seconds_frozen:
            return "disputed"
        if self.seconds_taken:
            return "refunded" if self.seconds_taken == self.seconds else "partially_refunded"
        return self.status


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose purchase it is, and the names that Stripe knows it by."""

    purchase_id: UUID
    user_id: UUID
    checkout_session: str | None
    payment_intent: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A purchase that is not written yet. `cents`: its price in `currency`."""

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
    """The part of an account that Stripe's customer holds."""

    id: UUID
    email: str
    stripe_customer_id: str | None


@dataclass(frozen=True, slots=True)
class UnmatchedEvent:
    """An event of Stripe's that could not be booked, and why. `body`: the JSON, to be tried again."""

    id: str
    type: str
    object_id: str | None
    received_at: datetime
    why: str
    body: str


SQL: Final = queries.load("transcription_proxy.payments", Purchase, Owner, Buyer)


async def lock_payment(connection: Connection, names: Sequence[str | None]) -> None:
    await connection.execute(SQL["lock_payment"], {"names": [name for name in names if name]})


async def open_purchase(connection: Connection, draft: Draft, within: timedelta) -> Purchase | None:
    return await _purchase(connection, "open_purchase", **asdict(draft), within=within)


async def add_purchase(connection: Connection, draft: Draft) -> Purchase:
    owned = await _own(connection, Owner(draft.id, draft.user_id, draft.checkout_session, None))
    assert owned == draft.checkout_session
    added = await _purchase(connection, "add_purchase", **asdict(draft))
    assert added is not None
    return added


async def set_checkout(connection: Connection, purchase: Purchase, session_id: str, url: str) -> Purchase:
    """Store a purchase's Checkout Session, unless another purchase has it. Return the purchase as it is then."""
    owned = await _own(connection, Owner(purchase.id, purchase.user_id, session_id, None))
    if owned == session_id:
        await connection.execute(SQL["set_checkout"], {**_key(purchase), "session_id": session_id, "url": url})
    updated = await _purchase(connection, "purchase", id=purchase.id, user_id=purchase.user_id)
    assert updated is not None
    return updated


async def purchase_of_checkout(
    connection: Connection, session_id: str, purchase_id: UUID | None = None, *, lock: bool = False
) -> Purchase | None:
    return await _find(connection, "owner_of_checkout", lock, checkout_session=session_id, id=purchase_id)


async def purchase_of_payment(connection: Connection, claim: Claim, *, lock: bool = False) -> Purchase | None:
    names = {"id": claim.purchase_id, "payment_intent": claim.payment_intent, "charge": claim.charge}
    return await _find(connection, "owner_of_payment", lock, **names)


async def purchase(connection: Connection, purchase_id: UUID) -> Purchase:
    found = await _find(connection, "owner_of_purchase", id=purchase_id)
    assert found is not None
    return found


async def set_status(connection: Connection, purchase: Purchase | Draft, status: str, checkout: Checkout) -> Purchase:
    owned = await _own(connection, Owner(purchase.id, purchase.user_id, checkout.session_id, checkout.payment_intent))
    assert owned is not None  # the purchase was found by this Checkout Session, while the payment is locked
    values: dict[str, Any] = {
        **_key(purchase),
        "status": status,
        "session_id": checkout.session_id,
        "payment_intent": checkout.payment_intent,
        "receipt_url": checkout.receipt_url,
        "paid_cents": checkout.paid_cents,
    }
    updated = await _purchase(connection, "set_status", **values)
    assert updated is not None
    return updated


async def set_standing(connection: Connection, purchase: Purchase, standing: Standing) -> None:
    await connection.execute(SQL["set_standing"], {**_key(purchase), **asdict(standing)})


async def lost(connection: Connection, purchase: Purchase) -> int:
    """Return the seconds of a purchase that disputes have taken so far."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["lost"], _key(purchase))
        return int(await cursor.fetchone() or 0)


async def begin_lookup(connection: Connection, purchase: Purchase, pause: timedelta) -> bool:
    """Note that Stripe is asked about a purchase now. Return False where it was asked less than `pause` ago."""
    return (await connection.execute(SQL["begin_lookup"], {**_key(purchase), "pause": pause})).rowcount > 0


async def merge_claim(connection: Connection, claim: Claim) -> None:
    await connection.execute(SQL["merge_claim"], asdict(claim))


async def knows_claim(connection: Connection, claim: Claim) -> bool:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["knows_claim"], asdict(claim))
        return bool(await cursor.fetchone())


async def are_refunds_known(connection: Connection, charge: Claim) -> bool:
    """Return whether the refunds known by their ids add up to what the charge says."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["refunds_of_charge"], {"charge": charge.id})
        return await cursor.fetchone() == charge.cents


async def pending(connection: Connection) -> list[str]:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["pending"])
        return await cursor.fetchall()


async def open_claims(connection: Connection) -> list[tuple[str, Kind]]:
    async with connection.cursor(row_factory=kwargs_row(lambda id, kind: (str(id), Kind(kind)))) as cursor:
        await cursor.execute(SQL["open_claims"])
        return await cursor.fetchall()


async def claims(connection: Connection, purchase: Purchase) -> list[Claim]:
    async with connection.cursor(row_factory=kwargs_row(_claim)) as cursor:
        await cursor.execute(SQL["claims"], {"id": purchase.id, "payment_intent": purchase.payment_intent})
        return await cursor.fetchall()


def _claim(kind: str, **rest: Any) -> Claim:
    return Claim(kind=Kind(kind), **rest)


async def purchases(
    connection: Connection, user_id: UUID, limit: int, before: tuple[datetime, UUID] | None = None
) -> list[Purchase]:
    at, row_id = before or (None, None)
    values = {"user_id": user_id, "limit": limit, "before_at": at, "before_id": row_id}
    async with connection.cursor(row_factory=class_row(Purchase)) as cursor:
        await cursor.execute(SQL["purchases"], values)
        return await cursor.fetchall()


async def spent(connection: Connection, user_id: UUID, tz: str, days: int) -> int:
    """Return the cents paid for purchases of the last days, less what was refunded."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["spent"], {"user_id": user_id, "tz": tz, "days": days})
        return int(await cursor.fetchone() or 0)


async def add_event(connection: Connection, event_id: str, kind: str, object_id: str | None) -> bool:
    """Add an event, and return whether it is new. Wait for another transaction that adds it at the same time."""
    values = {"id": event_id, "type": kind, "object_id": object_id}
    return (await connection.execute(SQL["add_event"], values)).rowcount > 0


async def keep_event(connection: Connection, event_id: str, why: str, body: str) -> None:
    await connection.execute(SQL["keep_event"], {"id": event_id, "why": why, "body": body})


async def match_event(connection: Connection, event_id: str) -> None:
    await connection.execute(SQL["match_event"], {"id": event_id})


async def match_claims(connection: Connection, claims: Sequence[Claim]) -> None:
    await connection.execute(SQL["match_claims"], {"claims": [claim.id for claim in claims]})


async def unmatched(connection: Connection, limit: int) -> list[UnmatchedEvent]:
    async with connection.cursor(row_factory=class_row(UnmatchedEvent)) as cursor:
        await cursor.execute(SQL["unmatched"], {"limit": limit})
        return await cursor.fetchall()


async def open_address(connection: Connection, user_id: UUID) -> str | None:
    """Return the email address of an account that is not blocked, else None."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["open_address"], {"user_id": user_id})
        found: str | None = await cursor.fetchone()
        return found


async def balance_credited(connection: Connection, purchase: Purchase) -> int:
    """Return the balance in seconds right after a paid purchase was added to it."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["balance_credited"], _key(purchase))
        return int(await cursor.fetchone() or 0)


async def buyer(connection: Connection, user_id: UUID) -> Buyer | None:
    async with connection.cursor(row_factory=class_row(Buyer)) as cursor:
        await cursor.execute(SQL["buyer"], {"user_id": user_id})
        return await cursor.fetchone()


async def set_customer(connection: Connection, user_id: UUID, customer: str, instead_of: str | None) -> None:
    values = {"user_id": user_id, "customer": customer, "instead_of": instead_of}
    await connection.execute(SQL["set_customer"], values)


def _key(purchase: Purchase | Draft) -> dict[str, UUID]:
    return {"id": purchase.id, "user_id": purchase.user_id}


async def _own(connection: Connection, owner: Owner) -> str | None:
    """Note whose a purchase is. Return its Checkout Session; None where it has none, or a name belongs elsewhere."""
    values = {**asdict(owner), "id": owner.purchase_id}
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["own_purchase"], values)
        session: str | None = await cursor.fetchone()
        return session


async def _find(connection: Connection, query: str, lock: bool = False, **names: Any) -> Purchase | None:
    """Return the purchase that an `owner_of` query names, also where a worker of version 0.2 wrote it."""
    values = {"id": None, "checkout_session": None, "payment_intent": None, "charge": None, **names}
    found, is_current = await _look(connection, query, lock, values)
    if not is_current and await _adopt(connection, values | ({"id": found.id} if found else {})):
        found, _ = await _look(connection, query, lock, values)
    return found


async def _look(connection: Connection, query: str, lock: bool, values: dict[str, Any]) -> tuple[Purchase | None, bool]:
    """Return a purchase, and whether its owner's row has all of its names."""
    owner = next(iter(await _owners(connection, query, values)), None)
    if owner is None:
        return None, False
    found = await _purchase(connection, "purchase", lock=lock, id=owner.purchase_id, user_id=owner.user_id)
    names = (owner.checkout_session, owner.payment_intent)
    return found, found is not None and names == (found.checkout_session, found.payment_intent)


async def _adopt(connection: Connection, values: dict[str, Any]) -> bool:
    """Note whose purchases these are where that is missing, and return whether it was."""
    unowned = await _owners(connection, "unowned", values)
    for owner in unowned:
        await _own(connection, owner)
    return bool(unowned)


async def _owners(connection: Connection, query: str, values: dict[str, Any]) -> list[Owner]:
    async with connection.cursor(row_factory=class_row(Owner)) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchall()


async def _purchase(connection: Connection, query: str, *, lock: bool = False, **values: Any) -> Purchase | None:
    """Run a query for one purchase. `lock`: lock the row until the transaction ends, and return it as it is then."""
    statement = f"{SQL[query]}\nFOR NO KEY UPDATE" if lock else SQL[query]
    async with connection.cursor(row_factory=class_row(Purchase)) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchone()
