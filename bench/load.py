"""The streams of the benchmark: 100 ms frames of 16 kHz PCM in real time, and how late each answer is.

`python -m bench.load URL STREAMS SECONDS TOKENS|-`: prints `ready`, streams after a line on standard input, then
prints one JSON object. A stream with a token speaks our caption protocol, one without sends frames only."""

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

FRAME = bytes(3200)
FRAMES_A_SECOND = 10
CONNECTING_AT_ONCE = 50


class Stream(WSListener):
    """One client. `late`: seconds from sending a frame to the answer that covers the audio up to its end."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self.transport: WSTransport
        self.ready = asyncio.get_running_loop().create_future()
        self.gone = False
        self.late: list[float] = []
        self.sent = 0
        self._sent_at: list[float] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if self._token is None:
            self.ready.set_result(None)
        else:
            transport.send(WSMsgType.TEXT, json.dumps({"type": "auth", "token": self._token}).encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        text = frame.get_payload_as_bytes()
        if b"word word" in text:
            self.late.append(time.perf_counter() - self._sent_at[_frames(json.loads(text)) - 1])
        elif not self.ready.done() and b'"ready"' in text:
            self.ready.set_result(None)
        elif b'"error"' in text and not self.ready.done():
            self.ready.set_exception(RuntimeError(text.decode()))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.gone = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was ready"))

    def send(self) -> None:
        if not self.gone:
            self.transport.send(WSMsgType.BINARY, FRAME)
            self.sent += 1
            self._sent_at.append(time.perf_counter())

    def stop(self) -> None:
        if not self.gone:
            if self._token is not None:
                self.transport.send(WSMsgType.TEXT, b'{"type":"stop"}')
            else:
                self.transport.send_close(WSCloseCode.OK)


def _frames(answer: dict[str, float]) -> int:
    """How many frames an answer covers; both dialects name their times alike."""
    return round((answer["start"] + answer["duration"]) * FRAMES_A_SECOND)


async def _connect(url: str, token: str | None, turn: asyncio.Semaphore) -> Stream:
    stream = Stream(token)
    async with turn:
        await ws_connect(lambda: stream, url, websocket_handshake_timeout=30, read_buffer_init_size=4096)
        await asyncio.wait_for(stream.ready, 30)
    return stream


async def main(url: str, count: int, seconds: int, tokens: list[str | None]) -> None:
    turn = asyncio.Semaphore(CONNECTING_AT_ONCE)
    streams = await asyncio.gather(*(_connect(url, token, turn) for token in tokens[:count]))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    slots = [streams[slot::FRAMES_A_SECOND] for slot in range(FRAMES_A_SECOND)]  # spread over the 100 ms
    for tick in range(seconds * FRAMES_A_SECOND * FRAMES_A_SECOND):
        await asyncio.sleep(max(0, begin + tick / (FRAMES_A_SECOND * FRAMES_A_SECOND) - loop.time()))
        for stream in slots[tick % FRAMES_A_SECOND]:
            stream.send()
    await asyncio.sleep(1)
    late = sorted(value for stream in streams for value in stream.late)
    result = {
        "frames": sum(stream.sent for stream in streams),
        "answers": len(late),
        "dropped": sum(stream.gone for stream in streams),
        "p50_ms": round(1000 * late[len(late) // 2], 2) if late else None,
        "p99_ms": round(1000 * late[len(late) * 99 // 100], 2) if late else None,
    }
    print(json.dumps(result), flush=True)
    for stream in streams:
        stream.stop()
    await asyncio.sleep(1)


if __name__ == "__main__":
    _, _url, _count, _seconds, _tokens = sys.argv
    _list = [None] * int(_count) if _tokens == "-" else json.loads(Path(_tokens).read_text())
    uvloop.run(main(_url, int(_count), int(_seconds), _list))
