"""The server side of `/v1/listen` and `/v2/listen`: opens the session and dials the upstream before it answers the
handshake, then passes frames to the session's relay."""

from functools import partial
from time import monotonic
from typing import Final

import structlog
from picows import WSTransport

from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.relay import credentials
from transcription_proxy.relay.close_frames import received_close
from transcription_proxy.relay.request_head import as_request_id, listen_refusal
from transcription_proxy.relay.session_socket import SessionSocket
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.relay.upgrade import Upgrade
from transcription_proxy.stream import endings, listen_errors
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.listen_errors import ListenError
from transcription_proxy.stream.listen_request import V1, V2
from transcription_wire.messages import Error

PATHS: Final = (V1.encode(), V2.encode())
MAX_MESSAGE_BYTES: Final = 4 << 20
log = structlog.get_logger()


class ListenSocket(SessionSocket):
    """One Deepgram client, from its handshake on."""

    max_frame = 2 * MAX_MESSAGE_BYTES

    def __init__(self, switchboard: Switchboard, upgrade: Upgrade) -> None:
        super().__init__(switchboard, upgrade.address, MAX_MESSAGE_BYTES)
        self._upgrade = upgrade
        self._is_answered = False
        self._is_lost = False
        """The client left before its handshake was answered."""
        self._subprotocol: str | None = None
        upgrade.on_lost = self._handle_loss
        self._opening = self._loop.create_task(self._open())

    # Before the answer

    async def _open(self) -> None:
        switchboard = self._switchboard
        surplus = switchboard.unauthenticated.add(self, self._address)
        if surplus is not None:
            surplus.refuse(endings.CROWDED)
        try:
            if switchboard.draining or self._is_answered:
                raise Unavailable("no new sessions now")
            token, self._subprotocol = credentials.read(self._upgrade.headers)
            opened, request, user_id = await switchboard.open_listen(token, self._upgrade.path, self._upgrade.query)
            relay = switchboard.add_pass_through(opened, request, user_id, self, monotonic())
        except Refusal as refusal:
            self.refuse_handshake(listen_errors.from_refusal(refusal))
        except Unavailable:
            self.refuse_handshake(listen_errors.UNAVAILABLE)
        except Exception:
            log.exception("open_failed")
            self.refuse_handshake(listen_errors.FAILED)
        else:
            self._relay = relay
            switchboard.sockets.add(self)
            relay.finished.add_done_callback(lambda _: switchboard.sockets.discard(self))
            relay.start()
            if self._is_lost:
                relay.handle_event(ev.ClientLost())
            elif switchboard.draining:
                relay.handle_event(ev.DrainBegan())
        finally:
            switchboard.unauthenticated.discard(self)

    def _handle_loss(self) -> None:
        self._is_lost = self._is_answered = True
        self.report(ev.ClientLost())

    def accept(self, request_id: str | None) -> None:
        if not self._is_answered:
            self._is_answered = True
            headers = {"dg-request-id": str(as_request_id(request_id))}
            if self._subprotocol is not None:
                headers["Sec-WebSocket-Protocol"] = self._subprotocol
            self._upgrade.accept(self, headers)

    def refuse_handshake(self, error: ListenError) -> None:
        if not self._is_answered:
            self._is_answered = True
            self._upgrade.refuse(listen_refusal(error))

    # What the base class calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self._choose_admit()

    def _begin_auth(self) -> None:
        """Do nothing: the client is authenticated."""

    def on_closed(self) -> None:
        super().on_closed()
        self.report(ev.ClientLost(*received_close(self._transport)))

    def on_violation(self, error: Error) -> None:
        self.report(ev.ClientBrokeProtocol(error))

    def refuse(self, error: Error) -> None:
        """Close: a Deepgram client gets no message of our own."""
        self.close(1008)

    # What the relay calls

    def close(self, code: int, reason: bytes = b"") -> None:
        if self._is_answered:
            super().close(code, reason)
        else:
            self.refuse_handshake(listen_errors.FAILED)

    # What the switchboard calls

    def shutdown(self) -> None:
        self.report(ev.DrainEnded())


def sockets(switchboard: Switchboard) -> dict[bytes, partial[ListenSocket]]:
    """Return what serves each path."""
    return {path: partial(ListenSocket, switchboard) for path in PATHS}
