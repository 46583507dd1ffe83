"""Close frames as a code and a reason. The code is 0 for an empty frame, and None where there was no frame."""

from picows import WSCloseCode, WSMsgType, WSTransport


def send_close(transport: WSTransport, code: int, reason: bytes) -> None:
    """Send a close frame. picows cannot send an empty one itself."""
    if code:
        transport.send_close(WSCloseCode(code), reason or None)
    else:
        transport.send(WSMsgType.CLOSE, b"")


def received_close(transport: WSTransport) -> tuple[int | None, bytes]:
    """Return what the peer closed with."""
    handshake = transport.close_handshake
    received = handshake.recv if handshake else None
    return (received.code.value, (received.reason or "").encode()) if received else (None, b"")
