"""The stand-in for Deepgram: `python -m bench.upstream PORT [--tls] [--lose N]`.

Each second of audio gets a Results with twelve words: two interim ones, then a final one, of the three seconds so far.
CloseStream gets Metadata. Nothing is checked: the tests' stand-in (tests/standin) is the strict one."""

import argparse
import asyncio
import gc
import json
import resource
import ssl
from functools import lru_cache
from itertools import count

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from tests.standin.smtp import CERTIFICATE

BYTES_PER_SECOND = 32_000
SECONDS_PER_FINAL = 3
LOST_SECONDS = 4
"""Seconds of audio after which a stream that is to be lost is lost."""
READ_BUFFER_BYTES = 4096
HANDSHAKE_SECONDS = 30.0
WORDS = ("well", "the", "next", "thing", "that", "we", "should", "talk", "about", "is", "probably", "this")


@lru_cache(maxsize=4096)
def results(second: int) -> bytes:
    """Return the Results that is due at the end of that second of audio, the first being 0."""
    start = second // SECONDS_PER_FINAL * SECONDS_PER_FINAL
    duration = second + 1 - start
    is_final = duration == SECONDS_PER_FINAL
    step = duration / len(WORDS)
    words = [
        {
            "word": word,
            "start": round(start + number * step, 3),
            "end": round(start + (number + 0.9) * step, 3),
            "confidence": 0.9931,
            "punctuated_word": word,
        }
        for number, word in enumerate(WORDS)
    ]
    alternative = {"transcript": " ".join(WORDS), "confidence": 0.9931, "words": words}
    message = {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": float(duration),
        "start": float(start),
        "is_final": is_final,
        "speech_final": is_final,
        "channel": {"alternatives": [alternative]},
        "metadata": {"request_id": "4d3fb5a0-8f0e-4a4c-9f2e-6f0b7c6a9b10", "model_info": {"name": "general"}},
        "from_finalize": False,
    }
    return json.dumps(message, separators=(",", ":")).encode()


class Stream(WSListener):
    """One stream: counts bytes, answers at each whole second, closes when asked to.

    `lost_after`: bytes after which the connection is lost, 0 for never.
    """

    def __init__(self, lost_after: int = 0) -> None:
        self._lost_after = lost_after
        self._bytes = 0
        self._answered = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self._bytes += frame.payload_size
            while self._bytes >= (self._answered + 1) * BYTES_PER_SECOND:
                transport.send(WSMsgType.TEXT, results(self._answered))
                self._answered += 1
            if 0 < self._lost_after <= self._bytes:
                transport.disconnect(graceful=False)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and b"CloseStream" in frame.get_payload_as_bytes():
            metadata = {"type": "Metadata", "duration": self._bytes / BYTES_PER_SECOND, "channels": 1}
            transport.send(WSMsgType.TEXT, json.dumps(metadata).encode())
            transport.send_close(WSCloseCode.OK)


async def main(port: int, *, tls: bool, lose: int) -> None:
    """Serve for ever. `lose`: every n-th stream is lost after LOST_SECONDS, 0 for none."""
    streams = count(1)

    def accept(request: WSUpgradeRequest) -> WSListener:
        is_lost = lose and next(streams) % lose == 0
        return Stream(LOST_SECONDS * BYTES_PER_SECOND if is_lost else 0)

    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
    server = await ws_create_server(
        accept,
        "127.0.0.1",
        port,
        ssl=context,
        read_buffer_init_size=READ_BUFFER_BYTES,
        backlog=8192,
        websocket_handshake_timeout=HANDSHAKE_SECONDS,
    )
    gc.set_threshold(100_000)  # a collection is seen as latency
    await server.serve_forever()


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(prog="bench.upstream", description=__doc__)
    _parser.add_argument("port", type=int)
    _parser.add_argument("--tls", action="store_true")
    _parser.add_argument("--lose", type=int, default=0, metavar="N", help="lose every N-th stream")
    _asked = _parser.parse_args()
    _hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
        _runner.run(main(_asked.port, tls=_asked.tls, lose=_asked.lose))
