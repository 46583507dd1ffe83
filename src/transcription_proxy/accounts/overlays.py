"""The secret addresses of overlays: one an account, made when it is first asked for, and renewed at will.

A key is stored as it is, and not as a hash, for its owner sees it again on the account page, on each machine where OBS
runs. Whoever reads the database has the account's balance and address before him; the key adds captions that the whole
audience of the stream reads anyway, and opens nothing else. It has 256 random bits.

Every call raises Unavailable when the database is away."""

import secrets
from collections.abc import Sequence
from uuid import UUID

from transcription_proxy import sentences
from transcription_proxy.accounts import store
from transcription_proxy.accounts.store import Overlay
from transcription_proxy.db.notify import notify
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.stream import overlay


class Overlays:
    """`site`: where the service is; `channel`: where those who serve overlays hear that a key is void."""

    def __init__(self, database: Database, site: str, channel: str) -> None:
        self._database = database
        self._site = site
        self._channel = channel

    async def address(self, user_id: UUID) -> str:
        async with self._database.transaction() as connection:
            found = await store.overlay(connection, user_id)
            if found is None:
                await store.add_overlay(connection, user_id, secrets.token_urlsafe(32))
                found = await store.overlay(connection, user_id)
        return self._address(found)

    async def renew(self, user_id: UUID) -> str:
        """Pages with the old address are told within moments, wherever they are connected."""
        async with self._database.transaction() as connection:
            made = await store.renew_overlay(connection, user_id, secrets.token_urlsafe(32))
            if made is not None:
                await notify(connection, [(self._channel, overlay.encode(overlay.Renewed(user_id, made.version)))])
        return self._address(made)

    async def by_key(self, key: str) -> Overlay:
        """Raises Refusal overlay_gone."""
        if not key.isascii() or "\0" in key:
            raise gone()
        async with self._database.transaction() as connection:
            found = await store.overlay_by_key(connection, key)
        if found is None:
            raise gone()
        return found

    async def overlay_versions(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        """The version of each one's valid key; none of an account that has no overlay or is blocked."""
        async with self._database.transaction() as connection:
            return await store.overlay_versions(connection, list(user_ids))

    def _address(self, found: Overlay | None) -> str:
        """The key is in the fragment, which no server and no log sees."""
        if found is None:
            raise gone()  # the account was deleted at this moment
        return f"{self._site}/overlay#{found.key}"


def gone() -> Refusal:
    return Refusal("overlay_gone", sentences.OVERLAY_GONE)
