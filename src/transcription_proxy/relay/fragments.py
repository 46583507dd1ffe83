"""Assembles frames into messages, by the rules of RFC 6455: picows delivers frames."""

from dataclasses import dataclass

from picows import WSCloseCode, WSFrame, WSMsgType, WSProtocolError


class Oversize(Exception):
    """A message is over the limit, in one frame or many."""


class Violation(WSProtocolError):
    """A frame that RFC 6455 forbids. `code`: the close code; picows closes with it if no listener catches this."""

    code: WSCloseCode


@dataclass(frozen=True, slots=True)
class Message:
    """A whole text or binary message."""

    is_text: bool
    data: bytes


class Fragments:
    """The frames of one direction of one socket."""

    __slots__ = ("_is_text", "_limit", "_parts", "unfinished")

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of a whole message."""
        self._limit = limit
        self._parts: bytearray | None = None
        """None while the rest of a message over the limit is dropped."""
        self._is_text = False
        self.unfinished = False
        """Whether the next data frame must continue a message."""

    def add(self, frame: WSFrame) -> Message | None:
        """Return the message that this data frame completes. Raises Violation, and Oversize once for each message."""
        if (frame.msg_type is WSMsgType.CONTINUATION) is not self.unfinished:
            what = "A message begins within another." if self.unfinished else "A frame continues no message."
            raise Violation(WSCloseCode.PROTOCOL_ERROR, what)
        if not self.unfinished:
            self._is_text = frame.msg_type is WSMsgType.TEXT
            self._parts = bytearray()
        self.unfinished = not frame.fin
        if self._parts is None:
            return None
        if len(self._parts) + frame.payload_size > self._limit:
            self._parts = None
            raise Oversize
        if frame.fin and not self._parts:
            return self._whole(frame.get_payload_as_bytes())
        self._parts += frame.get_payload_as_memoryview()
        return self._whole(bytes(self._parts)) if frame.fin else None

    def _whole(self, data: bytes) -> Message:
        self._parts = None
        if self._is_text:
            try:
                data.decode()
            except UnicodeDecodeError:
                raise Violation(WSCloseCode.INVALID_TEXT, "A text message is not UTF-8.") from None
        return Message(self._is_text, data)
