"""Puts the frames of a message together: picows hands out frames, not messages."""

from dataclasses import dataclass

from picows import WSFrame, WSMsgType


class Oversize(Exception):
    """A message over the limit, in one frame or many."""


@dataclass(frozen=True, slots=True)
class Message:
    is_text: bool
    data: bytes


class Fragments:
    """Frames of one direction of one socket. `limit`: bytes of a whole message."""

    __slots__ = ("_is_text", "_limit", "_parts")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: bytearray | None = None
        self._is_text = False

    def add(self, frame: WSFrame) -> Message | None:
        """The message, when this data frame completes it. Raises Oversize; what was there is dropped then."""
        if frame.payload_size + len(self._parts or b"") > self._limit:
            self._parts = None
            raise Oversize
        if frame.msg_type is not WSMsgType.CONTINUATION:
            self._is_text = frame.msg_type is WSMsgType.TEXT
            if frame.fin:
                self._parts = None
                return Message(self._is_text, frame.get_payload_as_bytes())
            self._parts = bytearray()
        if self._parts is None:  # a continuation of nothing
            return None
        self._parts += frame.get_payload_as_memoryview()
        if not frame.fin:
            return None
        whole, self._parts = bytes(self._parts), None
        return Message(self._is_text, whole)
