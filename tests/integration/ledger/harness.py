"""The setup of the ledger's tests: users, openings, settlements, and the stored rows."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from transcription_proxy.accounts.api_keys import ApiKeys
from transcription_proxy.accounts.store import may_open
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.entries import Description, Finding
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.values import Closing, Opened, Opening, Settled, Settlement
from transcription_wire.codes import Reason

LIFE = UUID(int=7)
OWNERS: dict[UUID, UUID] = {}
"""The user of each session that a test opened, as relays know it."""


class RememberingLedger(Ledger):
    """A ledger that notes the user of each session."""

    async def open_session(self, opening: Opening) -> Opened:
        opened = await super().open_session(opening)
        OWNERS[opened.session_id] = opened.user_id
        return opened


class LedgerHarness:
    """A ledger with at most 2 sessions of one user, and its database."""

    def __init__(self, database: Database, max_streams: int = 100, max_diarized: int | None = None) -> None:
        self.database = database
        self.keys = ApiKeys(database)
        self.ledger = RememberingLedger(
            database, may_open, max_sessions=2, max_streams=max_streams, max_diarized=max_diarized
        )

    async def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.database.transaction() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    async def findings(self) -> list[Finding]:
        return await self.ledger.audit()

    async def user(self, seconds: int = 0) -> UUID:
        name = f"{uuid4()}@example.org"
        [(user,)] = await self.sql("INSERT INTO users (email, password_hash) VALUES (%s, '') RETURNING id", name)
        await self.ledger.credit(user, seconds, Description.CREDIT_PURCHASE)
        return UUID(str(user))

    async def open(self, user: UUID, **changes: Any) -> UUID:
        """Open a session and settle it as ready."""
        opened = await self.ledger.open_session(opening(user, **changes))
        await self.settle(opened.session_id, 1, 0, extend=False, ready=True)
        return opened.session_id

    async def settle(self, session: UUID, number: int, total: int, **changes: Any) -> Settled:
        """Settle as the relay does: a session that was locked is settled at the next tick."""
        while True:
            answers = await self.ledger.settle([settlement(session, number, total, **changes)])
            if answers:
                return answers[0]
            await asyncio.sleep(0.001)

    async def mark_ending(self, session: UUID, reason: Reason) -> bool:
        return await self.ledger.mark_ending(session, OWNERS[session], reason)

    async def claw_back(self, user: UUID, seconds: int, description: str = "refund") -> None:
        """Take credit back as a refund does. The balance may become negative."""
        await self.sql(
            "WITH b AS (UPDATE credit_balance SET seconds_remaining = seconds_remaining - %s WHERE user_id = %s"
            " RETURNING user_id, seconds_remaining) INSERT INTO usage_ledger (user_id, seconds, description,"
            " balance_after) SELECT user_id, -%s, %s, seconds_remaining FROM b",
            seconds,
            user,
            seconds,
            description,
        )

    async def row(self, session: UUID, columns: str) -> tuple[Any, ...]:
        [row] = await self.sql(f"SELECT {columns} FROM transcription_sessions WHERE id = %s", session)
        return row

    async def rows(self, user: UUID, description: str = "session_usage") -> list[tuple[int, int]]:
        """Return seconds and balance_after of a user's entries, in the ledger's order."""
        return await self.sql(
            "SELECT seconds, balance_after FROM usage_ledger WHERE user_id = %s AND description = %s ORDER BY seq",
            user,
            description,
        )

    async def expire(self, session: UUID) -> None:
        await self.sql(
            "UPDATE transcription_sessions SET lease_until = clock_timestamp() - interval '1 s' WHERE id = %s", session
        )


def opening(user: UUID, **changes: Any) -> Opening:
    values: dict[str, Any] = {
        "user_id": user,
        "token_version": 0,
        "life": LIFE,
        "model": "nova-2",
        "engine": "deepgram",
        "language": "en-US",
        "rate_micro": 1_000_000,
        "cost_micro": 6_000,
        "channels": 1,
        "hold_cap": 45,
    }
    return Opening(**(values | changes))


def settlement(session: UUID, number: int, total: int, **changes: Any) -> Settlement:
    return Settlement(session, owner(session), number, total, **changes)


def closing(session: UUID, number: int, total: int, **changes: Any) -> Closing:
    values: dict[str, Any] = {"reason": Reason.CLIENT_STOP, "audio_ms": total * 1000}
    return Closing(session, owner(session), number, total, **(values | changes))


def owner(session: UUID) -> UUID:
    """Return a session's user; for a session that no test opened, a user that there is not."""
    return OWNERS.get(session, UUID(int=0))
