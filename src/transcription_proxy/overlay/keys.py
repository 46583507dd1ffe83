"""The secret URLs of overlays: one for each account, created when it is first read, and renewed on request.

The key in it has 256 random bits. It is stored as it is, not as a hash, because its owner reads it again on the account
page of each machine that runs OBS. A reader of the database gains little by it: the key opens only the captions, which
everybody who watches the stream reads anyway.

Every call raises Unavailable when the database is away."""

import secrets
from collections.abc import Sequence
from uuid import UUID

from transcription_proxy import sentences
from transcription_proxy.db.notify import notify
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.overlay import store, worker_messages
from transcription_proxy.overlay.store import Overlay
from transcription_proxy.overlay.worker_messages import KeyRenewed


class Keys:
    """`site`: the service's URL. `channel`: the NOTIFY channel that tells workers that a key is void."""

    def __init__(self, database: Database, site: str, channel: str) -> None:
        self._database = database
        self._site = site
        self._channel = channel

    async def url(self, user_id: UUID) -> str:
        """Return the overlay's URL of an account, with a new key if it has none."""
        async with self._database.transaction() as connection:
            found = await store.by_user(connection, user_id)
            if found is None:
                await store.add(connection, user_id, secrets.token_urlsafe(32))
                found = await store.by_user(connection, user_id)
        return self._url(found)

    async def renew(self, user_id: UUID) -> str:
        """Give an account's overlay a new key, and return its URL. Every worker closes its pages with the old URL."""
        async with self._database.transaction() as connection:
            made = await store.renew(connection, user_id, secrets.token_urlsafe(32))
            if made is not None:
                payload = worker_messages.encode(KeyRenewed(user_id, made.version))
                await notify(connection, [(self._channel, payload)])
        return self._url(made)

    async def by_key(self, key: str) -> Overlay:
        """Return the overlay with this key. Raises Refusal (overlay_gone)."""
        if not key.isascii() or "\0" in key:
            raise gone()
        async with self._database.transaction() as connection:
            found = await store.by_key(connection, key)
        if found is None:
            raise gone()
        return found

    async def versions(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Return the version of each account's valid key, without accounts that have no overlay or are blocked."""
        async with self._database.transaction() as connection:
            return await store.versions(connection, list(user_ids))

    def _url(self, found: Overlay | None) -> str:
        """Return an overlay's URL. The key is in the fragment, which browsers do not send, so no log contains it."""
        if found is None:
            raise gone()  # the account was deleted meanwhile
        return f"{self._site}/overlay#{found.key}"


def gone() -> Refusal:
    """Return the refusal for a key that is not valid."""
    return Refusal("overlay_gone", sentences.OVERLAY_GONE)
