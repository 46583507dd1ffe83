"""The engine of the benchmark: answers every second of audio with one Results. `python -m bench.upstream PORT`"""

import json
import sys

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

BYTES_PER_SECOND = 32_000
_WORDS = [{"word": "word", "start": 0.1, "end": 0.4, "confidence": 0.99, "punctuated_word": "word"}] * 3


def _results(second: int) -> bytes:
    alternative = {"transcript": "word word word", "confidence": 0.99, "words": _WORDS}
    message = {
        "type": "Results", "channel_index": [0, 1], "duration": 1.0, "start": float(second), "is_final": True,
        "speech_final": True, "channel": {"alternatives": [alternative]}, "metadata": {"request_id": "bench"},
    }  # fmt: skip
    return json.dumps(message).encode()


class Stream(WSListener):
    """One stream: counts bytes, answers at each whole second, closes when asked to."""

    def __init__(self) -> None:
        self._bytes = 0
        self._answered = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self._bytes += frame.payload_size
            while self._bytes >= (self._answered + 1) * BYTES_PER_SECOND:
                transport.send(WSMsgType.TEXT, _results(self._answered))
                self._answered += 1
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and b"CloseStream" in frame.get_payload_as_bytes():
            metadata = {"type": "Metadata", "duration": self._bytes / BYTES_PER_SECOND, "channels": 1}
            transport.send(WSMsgType.TEXT, json.dumps(metadata).encode())
            transport.send_close(WSCloseCode.OK)


def _accept(request: WSUpgradeRequest) -> WSListener:
    return Stream()


async def main(port: int) -> None:
    server = await ws_create_server(_accept, "127.0.0.1", port, read_buffer_init_size=4096, backlog=8192)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
