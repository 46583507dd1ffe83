"""Counts the round trips to the database that a block of code makes, with the name or the first words of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pytest
from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import TransactionStatus

COUNTED: ContextVar[bool] = ContextVar("COUNTED", default=False)


@contextmanager
def round_trips() -> Iterator[list[str]]:
    """Yield a list that gets an entry for each wait for the server: a statement, or `...` for COMMIT and savepoints.

    Only the block's own task and the tasks it starts count: the pool opens connections when it likes, in older tasks.
    """
    made: list[str] = []
    execute, wait = AsyncCursor.execute, AsyncConnection.wait

    async def counting_execute(self, query, *arguments, **options):  # type: ignore[no-untyped-def]
        if COUNTED.get():
            made.append(" ".join((query if isinstance(query, str) else query.as_string(self)).split())[:60])
            made.append("")
        return await execute(self, query, *arguments, **options)

    async def counting_wait(self, *arguments, **options):  # type: ignore[no-untyped-def]
        if COUNTED.get():
            if made and not made[-1]:
                made.pop()
            elif self.pgconn.transaction_status != TransactionStatus.IDLE:  # the pool's COMMIT of nothing is not sent
                made.append("...")
        return await wait(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncCursor, "execute", counting_execute)
        patch.setattr(AsyncConnection, "wait", counting_wait)
        token = COUNTED.set(True)
        yield made
        COUNTED.reset(token)
