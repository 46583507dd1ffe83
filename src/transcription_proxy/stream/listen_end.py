"""The last answer to a Deepgram client: an HTTP error in place of the 101, or a close."""

from typing import Final

from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.listen_errors import ListenError
from transcription_wire.codes import REASON_CLOSE_CODES, Reason
from transcription_wire.sentences import ENDS

COMMIT_SECONDS: Final = 2.0
"""Seconds until a client that waits for the ledger gets its answer or close all the same."""
CLOSE_SECONDS: Final = 1.0
"""Seconds to wait for the upstream's close after its closing Metadata."""
NORMAL_CLOSE: Final = 1000
CLOSE_CODES: Final = {
    **REASON_CLOSE_CODES,
    Reason.INSUFFICIENT_CREDITS: NORMAL_CLOSE,
    Reason.SIGNED_OUT: NORMAL_CLOSE,
    Reason.REPLACED: NORMAL_CLOSE,
}
"""Close code of a session that we end. After any code but 1000, `@deepgram/sdk` opens a new session again and again."""
MAX_REASON_BYTES: Final = 123
"""Bytes of the reason in a close frame (RFC 6455, 5.5)."""


class ListenEnd:
    """Decides on the last answer, and appends it to the session's list of actions once."""

    def __init__(self, actions: list[ev.Action], client: SessionClient) -> None:
        self._actions = actions
        self._client = client
        self._error: ListenError | None = None
        self._close: tuple[int, bytes] | None = None

    @property
    def is_upstreams(self) -> bool:
        """Whether the client is to be closed with what the upstream closes with."""
        return self._close is None

    def set_refusal(self, error: ListenError) -> None:
        """Refuse the handshake: the session never began."""
        self._error = error

    def set_reason(self, reason: Reason) -> None:
        """Close the client for a reason of our own."""
        text = ENDS[reason].sentence.full.encode()[:MAX_REASON_BYTES]
        self._close = CLOSE_CODES[reason], text.decode(errors="ignore").encode()

    def set_upstream_close(self, code: int | None, reason: bytes) -> None:
        """Close the client as the upstream closed, unless we had a reason of our own, or there was no close frame."""
        if self._close is None and code is not None:
            self._close = code, reason

    def send(self, reason: Reason) -> None:
        """Send the answer. Without a close frame of the upstream, `reason` decides on the code."""
        if self._error is not None and not self._client.is_gone and not self._client.is_closed:
            self._actions.append(ev.RefuseClient(self._error))
            self._client.is_closed = True
        usual = NORMAL_CLOSE if reason is Reason.CLIENT_STOP else CLOSE_CODES[Reason.UPSTREAM_CLOSED]
        self._client.close(*(self._close or (usual, b"")))
