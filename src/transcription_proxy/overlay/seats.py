"""How many overlay pages of an account may be open, exact over all workers and hosts (docs/decisions/0018).

Each open page is a row that its worker renews. A page of a worker that died counts until its row expires."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID, uuid4

from transcription_proxy import sentences
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.overlay import store

MAX_PAGES_PER_ACCOUNT: Final = 10
"""Pages of an account over all workers and hosts."""
LIFETIME_SECONDS: Final = 35.0
"""Seconds after which a row that its worker did not renew no longer counts."""
RENEW_SECONDS: Final = 10.0
RETRY_AFTER_SECONDS: Final = 35
"""Seconds after which a refused page may try again: by then the pages of a dead worker have expired."""


class Seats:
    """The pages of one worker. `life` names it; `renew` is to run in the background."""

    def __init__(self, database: Database, life: UUID) -> None:
        self._database = database
        self._life = life
        self._pages: set[UUID] = set()

    @asynccontextmanager
    async def seat(self, user_id: UUID) -> AsyncIterator[None]:
        """Count a page while the block runs. Raise Refusal too_many_watchers, and Unavailable."""
        page = uuid4()
        async with self._database.transaction() as connection:
            has_opened = await store.open_page(
                connection, page, user_id, self._life, MAX_PAGES_PER_ACCOUNT, LIFETIME_SECONDS
            )
        if not has_opened:
            sentence = sentences.too_many_watchers(MAX_PAGES_PER_ACCOUNT)
            raise Refusal("too_many_watchers", sentence, RETRY_AFTER_SECONDS)
        self._pages.add(page)
        try:
            yield
        finally:
            self._pages.discard(page)
            await asyncio.shield(self._close(page))

    async def _close(self, page: UUID) -> None:
        with suppress(Unavailable):  # the row expires, since it is no longer renewed
            async with self._database.transaction() as connection:
                await store.close_page(connection, page)

    async def renew(self) -> None:
        """Keep counting this worker's pages until cancelled."""
        while True:
            try:
                if self._pages:
                    async with self._database.transaction() as connection:
                        await store.renew_pages(connection, list(self._pages), LIFETIME_SECONDS)
                await asyncio.sleep(RENEW_SECONDS)
            except Unavailable:
                await asyncio.sleep(1)

    async def forget(self, life: UUID) -> None:
        """Count the pages of a worker that has ended no longer."""
        async with self._database.transaction() as connection:
            await store.forget_pages(connection, life)
