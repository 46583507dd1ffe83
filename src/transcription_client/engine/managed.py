"""Captions by the service: a session after each that was lost, with a token that is renewed before it expires."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Final

from transcription_client.connection import CaptionConnection
from transcription_client.engine import sentences
from transcription_client.engine.background import in_thread
from transcription_client.engine.providers import OnMessage
from transcription_client.engine.settings import Settings
from transcription_client.errors import ClientError, Unreachable
from transcription_client.net import RENEW_BEFORE_SECONDS, Api, with_model
from transcription_client.redial import Ended
from transcription_client.store import Login
from transcription_wire import messages as wire
from transcription_wire.codes import ErrorCode

RETRY_RENEWAL_SECONDS: Final = 30.0
"""Pause after a renewal that did not reach the service."""
OnTokens = Callable[[str, str], None]


class Tokens:
    """The access token and the refresh token, which works once. `on_tokens` gets both when they are renewed."""

    def __init__(self, server: str, access: str, refresh: str, on_tokens: OnTokens) -> None:
        self._api = Api(server)
        self.server = self._api.server
        self._login = Login(self.server, "", access, refresh, expiry(access))
        self._on_tokens = on_tokens
        self._renewing: asyncio.Task[None] | None = None

    @property
    def access(self) -> str:
        return self._login.token

    @property
    def can_renew(self) -> bool:
        return bool(self._login.refresh_token)

    @property
    def renewal_due(self) -> float:
        """Seconds until the token must be renewed."""
        return self._login.expires_at - RENEW_BEFORE_SECONDS - time.time()

    async def fresh(self) -> str:
        """Return a token that does not expire soon. Raise ClientError."""
        if self.can_renew and self.renewal_due <= 0:
            await self.renew()
        return self.access

    async def renew(self) -> None:
        """Exchange the refresh token. A renewal that has begun is not cut short by a cancelled caller, since the old
        token is used up. Raise ClientError."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())
            self._renewing.add_done_callback(lambda task: task.cancelled() or task.exception())  # if no caller is left
        await asyncio.shield(self._renewing)

    async def finish(self) -> None:
        """Wait for a renewal that has begun."""
        if self._renewing is not None:
            await asyncio.wait((self._renewing,))

    async def _renew(self) -> None:
        login = await in_thread(lambda: self._api.renew(self._login))
        self._login = login
        self._on_tokens(login.token, login.refresh_token)


class Managed:
    """The service as a provider of captions."""

    connecting = sentences.CONNECTING
    live = sentences.LIVE

    def __init__(self, settings: Settings, on_tokens: OnTokens) -> None:
        """Raise ClientError where the address is not one."""
        self._tokens = Tokens(settings.server_url, settings.auth_token, settings.refresh_token, on_tokens)
        self._config = settings.session
        self._session_id: str | None = None
        """The id of the last session, which the next one replaces."""

    async def connect(self, on_message: OnMessage) -> CaptionConnection | Ended:
        if self._session_id is None:
            self._config = await in_thread(lambda: with_model(self._config, self._tokens.server))
        ended = await self._connect(on_message, await self._tokens.fresh())
        refused = isinstance(ended, Ended) and ended.error == ErrorCode.UNAUTHORIZED
        if not refused or not self._tokens.can_renew:
            return ended
        try:
            await self._tokens.renew()
        except Unreachable:
            raise
        except ClientError:
            return ended  # the user is told what the service said about the old token
        return await self._connect(on_message, self._tokens.access)

    async def maintain(self) -> None:
        """Renew the token before it expires."""
        while self._tokens.can_renew:
            await asyncio.sleep(max(0.0, self._tokens.renewal_due))
            try:
                await self._tokens.fresh()
            except Unreachable:
                await asyncio.sleep(RETRY_RENEWAL_SECONDS)
            except ClientError:
                return  # the login has ended: the next session is refused, and says so

    async def close(self) -> None:
        await self._tokens.finish()

    async def _connect(self, on_message: OnMessage, token: str) -> CaptionConnection | Ended:
        def take(message: wire.ServerMessage, text: str) -> None:
            if isinstance(message, wire.Ready):
                self._session_id = message.session_id
            on_message(message)

        connection = await CaptionConnection.dial(self._tokens.server, take)
        try:
            if await connection.open_session(wire.Auth(token, self._config, self._session_id)):
                return connection
        except asyncio.CancelledError:
            connection.abort()
            raise
        return await connection.close()


def expiry(token: str) -> float:
    """Return when a JWT expires, in seconds since 1970; without end where it does not say."""
    try:
        claims = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (ValueError, KeyError, TypeError, IndexError):
        return float("inf")
