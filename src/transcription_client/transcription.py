"""One transcription: a session, and another one after each that was lost, until all audio is captioned."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from transcription_client import net
from transcription_client.connection import CaptionConnection
from transcription_client.errors import ClientError
from transcription_client.flow import Flow, Source
from transcription_client.redial import Ended, Redial, Step, next_step, owes_words
from transcription_client.store import Login
from transcription_wire import messages as wire
from transcription_wire.lengths import exactly

OPEN_SECONDS: Final = 45.0
"""How long the first session may take to become ready: to connect, and for the service to reach its engine."""
END_SECONDS: Final = 30.0
"""How long the last words, the receipt and the close may take after `stop`."""
LOOKUP_SECONDS: Final = 10.0
"""How long to look for the receipts of lost sessions. The service ends those within 5 s."""
LOOKUP_PAUSE_SECONDS: Final = 0.5
"""Pause between two requests for these receipts."""


class Display(Protocol):
    """Shows a transcription to its user."""

    def show(self, message: wire.ServerMessage, text: str, *, repeated: bool = False) -> None:
        """Show a message. `text`: the message as it came. `repeated`: its words were shown before."""

    def show_reconnecting(self, why: str, tries: int) -> None:
        """Show that the connection was lost, why, and how often the client has tried to reconnect."""

    def clear_errors(self) -> None:
        """Forget the errors so far, because the client tries again."""

    def show_delay(self, seconds: float) -> None:
        """Show how many seconds the connection delays the words; 0 where the delay is over."""

    def show_gap(self, seconds: float) -> None:
        """Show that this many seconds of audio were dropped."""

    def show_receipt(self, receipt: net.Receipt) -> None:
        """Show the receipt of a session that was lost."""

    def show_balance(self, seconds: int) -> None:
        """Show the present balance."""


class Transcription:
    """Runs one transcription. `renew` returns a login in place of one that was refused, or raises ClientError. `keep`
    gets the start and end of final words, in seconds since the transcription began, and their text."""

    def __init__(
        self,
        login: Login,
        renew: Callable[[Login], Login],
        config: dict[str, Any],
        display: Display,
        interrupted: asyncio.Event,
        redial: Redial | None = None,
        keep: Callable[[float, float, str], None] = lambda start, end, text: None,
    ) -> None:
        self._login = login
        self._renew = renew
        self._config = config
        self._display = display
        self._interrupted = interrupted
        self._keep = keep
        self._redial = redial or Redial()
        self._flow: Flow
        self._session_id: str | None = None
        """The id of the last session."""
        self._lost: set[str] = set()
        """Ids of sessions whose receipt did not come."""
        self._opening: asyncio.Timeout | None = None
        self._renewed = False
        self._captioned = False

    async def run(self, source: Source) -> bool:
        """Caption a source until its end, or until no session can. Return whether all was captioned.

        Raise ClientError.
        """
        self._flow = Flow(source, self._display.show_gap)
        interrupting = asyncio.create_task(self._handle_interruption())
        try:
            fault = await self._until_captioned()
        finally:
            interrupting.cancel()
            source_fault = await self._flow.close()
        await self._find_receipts()
        failure = fault or source_fault
        if failure is not None:
            raise failure
        if self._captioned and self._session_id in self._lost:
            raise ClientError("The connection was lost before the receipt. Run transcription-client balance.")
        return self._captioned and not self._flow.gaps

    async def _handle_interruption(self) -> None:
        """Wait for the user's interruption, then read no more audio and stop reconnecting."""
        await self._interrupted.wait()
        self._flow.stop()
        if self._opening is not None and self._began and not self._opening.expired():
            self._opening.reschedule(asyncio.get_running_loop().time())

    @property
    def _began(self) -> bool:
        return self._session_id is not None

    async def _until_captioned(self) -> ClientError | None:
        """Run one session after another. Return why the last one did not suffice, unless the service said so itself."""
        while True:
            ended = await self._attempt()
            if ended.ready and ended.reason is None and self._session_id is not None:
                self._lost.add(self._session_id)
            self._flow.rewind()
            match next_step(ended, began=self._began, renewed=self._renewed, rest=self._flow.rest):
                case Step.STOP:
                    return self._outcome(ended)
                case Step.RENEW:
                    if not await self._renew_token():
                        return self._outcome(ended)
                case Step.REDIAL:
                    if not await self._pause(ended):
                        return self._gave_up(ended)

    def _outcome(self, ended: Ended) -> ClientError | None:
        self._captioned = ended.reason == "client_stop" or (self._began and not owes_words(self._flow.rest))
        if self._began or ended.error is not None:
            return None
        return ended.fault or ClientError("The service didn't start the session. Try again.")

    async def _renew_token(self) -> bool:
        self._renewed = True
        try:
            self._login = await asyncio.to_thread(self._renew, self._login)
        except ClientError:
            return False  # the user sees what the service said about the old token
        self._display.clear_errors()
        return True

    async def _pause(self, ended: Ended) -> bool:
        """Wait before the next try. Return False where the client gives up or was interrupted."""
        seconds = self._redial.record_loss(time.monotonic(), random.random())  # noqa: S311 - not a secret
        if seconds is None or self._interrupted.is_set():
            return False
        self._display.clear_errors()
        self._display.show_reconnecting(ended.why, self._redial.tries)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._interrupted.wait()
        return not self._interrupted.is_set()

    def _gave_up(self, ended: Ended) -> ClientError:
        rest = f"{ended.why} The last {exactly(self._flow.kept)} of audio have no captions."
        if self._interrupted.is_set():
            return ClientError(f"Stopped while reconnecting. {rest}")
        return ClientError(f"Couldn't reconnect within {exactly(self._redial.within)}. {rest} Run the command again.")

    async def _attempt(self) -> Ended:
        """Run one connection from its beginning to its end, and return how it ended."""
        patience = self._redial.attempt_seconds(time.monotonic()) if self._began else OPEN_SECONDS
        connection: CaptionConnection | None = None
        try:
            async with asyncio.timeout(patience) as self._opening:
                connection = await CaptionConnection.dial(self._login.server, self._take)
                ready = await connection.open_session(wire.Auth(self._login.token, self._config, self._session_id))
            self._opening = None
            if ready:
                await self._stream(connection)
        except ClientError as error:
            return Ended(fault=error)
        except TimeoutError:
            pass  # the service did not answer
        finally:
            self._opening = None
            ended = Ended() if connection is None else await connection.close()
        return ended

    async def _stream(self, connection: CaptionConnection) -> None:
        sending = asyncio.create_task(self._flow.send_all(connection))
        watching = asyncio.create_task(connection.report_delay(self._display.show_delay))
        try:
            await asyncio.wait((sending, connection.listening), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((connection.listening,), timeout=END_SECONDS)
        finally:
            for task in (sending, watching):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _take(self, message: wire.ServerMessage, text: str) -> None:
        repeated = False
        match message:
            case wire.Ready(session_id=session_id):
                self._session_id, self._renewed = session_id, False
                self._redial.note_ready(time.monotonic())
                self._flow.begin(time.monotonic())
            case wire.Transcript(is_final=is_final):
                start, end = self._flow.span_of(message)
                repeated = not self._flow.record_words(message)
                if is_final and not repeated:
                    self._redial.note_progress()
                    self._keep(start, end, message.text)
        self._display.show(message, text, repeated=repeated)

    async def _find_receipts(self) -> None:
        """Ask the service for the receipts of lost sessions, until it has them all."""
        if not self._lost:
            return
        api, token = net.Api(self._login.server, within=LOOKUP_SECONDS / 2), self._login.token
        give_up_at = time.monotonic() + LOOKUP_SECONDS
        with suppress(ClientError):
            while True:
                for receipt in await asyncio.to_thread(api.receipts, token):
                    if receipt.id in self._lost and receipt.status != "active":
                        self._lost.discard(receipt.id)
                        self._display.show_receipt(receipt)
                if not self._lost or time.monotonic() > give_up_at:
                    break
                await asyncio.sleep(LOOKUP_PAUSE_SECONDS)
            self._display.show_balance((await asyncio.to_thread(api.balance, token)).seconds_remaining)
