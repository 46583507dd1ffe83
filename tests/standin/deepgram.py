"""A stand-in Deepgram for tests: /v1/listen and /v2/listen on a free loopback port, scripted per connection.

Each connection leaves a record. As a process, `python -m tests.standin.deepgram --port N [--script NAME]`, it prints a
JSON line for each finished connection."""

import argparse
import asyncio
import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from http import HTTPStatus
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from tests.standin.flux import FluxSpeech
from tests.standin.record import Record, Text
from tests.standin.script import SCRIPTS, Handshake, Refusal, Script
from tests.standin.speech import Speech
from tests.standin.usage import UsageStandIn, as_bytes

RECEIVE_BUFFER = 16 * 1024
"""Bytes, for a connection that will stop reading, so that its writer notices soon."""


PATHS = ("/v1/listen", "/v2/listen")
Chooser = Callable[[Record], Script]


class DeepgramStandIn:
    """`async with DeepgramStandIn() as standin`: listens at `standin.url`; what it saw is in `standin.records`."""

    def __init__(
        self,
        script: Script | Chooser | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        finished: Callable[[Record], None] = lambda record: None,
        heard: Callable[[Record, bytes], None] = lambda record, audio: None,
    ) -> None:
        self.script: Script | Chooser = script or Script()
        self.records: list[Record] = []
        self.streams: dict[int, Stream] = {}
        """The open connections, by the number of their record."""
        self.usage = UsageStandIn()
        """What the upstream reports of its requests. Nothing is added by itself."""
        self._host, self._port = host, port
        self._finished = finished
        self.heard = heard
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            process_request=self._answer,
            process_response=self._add_headers,
            create_connection=_Connection,
            compression=None,
            max_size=None,
            open_timeout=None,
            close_timeout=1,
            ping_interval=None,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._closing.set()
        for connection in list(self._server.connections):
            connection.transport.resume_reading()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """For DEEPGRAM_URL."""
        return f"ws://{self._host}:{self._port}"

    @property
    def address(self) -> tuple[str, int]:
        return self._host, self._port

    @property
    def last(self) -> Record:
        return self.records[-1]

    async def until(self, condition: Callable[[], bool], within: float = 10.0) -> None:
        """Wait for a condition on the records. Raise TimeoutError."""
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def note(self) -> None:
        """Check the awaited conditions again after a change."""
        self._changed.set()

    def script_for(self, record: Record) -> Script:
        return self.script if isinstance(self.script, Script) else self.script(record)

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        assert isinstance(connection, _Connection)
        if request.path.startswith("/v1/projects"):
            return _reported(connection, self.usage, request)
        record = Record(len(self.records), request.path, list(request.headers.raw_items()))
        connection.record, connection.standin = record, self
        record.port = connection.remote_address[1]
        self.records.append(record)
        self.note()
        script = self.script_for(record)
        if script.handshake is not None:
            await self._break(connection, script.handshake)
        if not script.answers_handshake or script.handshake is not None:
            await self._wait_for_leave(connection)
        await asyncio.sleep(script.handshake_delay)
        refusal = script.refuse if record.path in PATHS else Refusal(404, "NOT_FOUND", "Not found.")
        if refusal is None:
            return None
        record.refused = refusal.status
        self._finish(record)
        return _refuse(connection, refusal, record.request_id)

    async def _break(self, connection: ServerConnection, handshake: Handshake) -> None:
        pieces = [bytes([byte]) for byte in handshake.answer] if handshake.pause else [handshake.answer]
        for piece in pieces:
            connection.transport.write(piece)
            await asyncio.sleep(handshake.pause)
        if handshake.end == "reset":
            _reset(connection)
        elif handshake.end == "close":
            connection.transport.close()

    async def _wait_for_leave(self, connection: ServerConnection) -> None:
        waits = [asyncio.ensure_future(self._closing.wait()), asyncio.ensure_future(connection.wait_closed())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        waits[0].cancel()
        assert isinstance(connection, _Connection)
        self._finish(connection.record)
        connection.transport.abort()

    def _add_headers(self, connection: ServerConnection, request: Request, response: Response) -> None:
        assert isinstance(connection, _Connection)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers["dg-request-id"] = connection.record.request_id

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, _Connection)
        record = connection.record
        stream = self.streams[record.number] = Stream(connection, self.script_for(record), self)
        try:
            await stream.run()
        finally:
            del self.streams[record.number]
            received = connection.protocol.close_rcvd
            record.close_code = received.code if received else 1006
            record.closed_first = bool(received and connection.protocol.close_rcvd_then_sent)
            self._finish(record)

    def _finish(self, record: Record) -> None:
        if not record.closed:
            record.closed_at = time.monotonic()
            self._finished(record)
        self.note()


class _Connection(ServerConnection):
    """Counts pings."""

    record: Record
    standin: DeepgramStandIn

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.record.pings += 1
            self.standin.note()
        super().process_event(event)


class Stream:
    """One accepted connection. It reads, and a task writes messages when they are due."""

    def __init__(self, connection: _Connection, script: Script, standin: DeepgramStandIn) -> None:
        self._connection, self.script, self._standin = connection, script, standin
        self._record = connection.record
        self._is_flux = self._record.path == "/v2/listen"
        speech = FluxSpeech if self._is_flux else Speech
        self._speech = speech(self._record.query, script, self._record.request_id)
        self._outbox: asyncio.Queue[tuple[float, str | bytes]] = asyncio.Queue()
        self._heard_at = time.monotonic()
        self._nonsense = list(script.nonsense)
        self._head = b""

    @property
    def port(self) -> int:
        return self._record.port

    async def follow(self, script: Script) -> None:
        """Switch to another script at once. The numbers and times of words continue."""
        self.script = script
        await self._react()

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._watch())]
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._read()
            await self._connection.wait_closed()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        if self.script.stops_reading_after is not None:
            peer: socket.socket = self._connection.transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if isinstance(self._speech, FluxSpeech):
            self._say(self._speech.opening())
        await self._react()
        async for message in self._messages():
            self._heard_at = time.monotonic()
            if isinstance(message, str):
                await self._obey(message)
            elif message:
                self._hear(message)
            else:
                await self._close_stream()  # an empty frame is the old form of CloseStream
            self._standin.note()
            await self._react()

    async def _messages(self) -> AsyncIterator[str | bytes]:
        while not self._past(self.script.stops_reading_after):
            yield await self._connection.recv()
        self._connection.transport.pause_reading()
        await self._standin._closing.wait()

    def _hear(self, audio: bytes) -> None:
        record = self._record
        if self.script.keeps_audio:
            record.audio += audio
        record.digest.update(audio)
        record.audio_bytes += len(audio)
        record.audio_messages += 1
        record.audio_at.append(self._heard_at)
        self._standin.heard(record, audio)
        self._locate(audio)
        self._say(self._speech.hear(len(audio)))

    def _locate(self, audio: bytes) -> None:
        if self.script.locate is not None and not self._speech.located:
            self._head += audio
            position = self.script.locate(self._head)
            if position is not None:
                self._speech.begins_at(position)
                self._head = b""

    def _say(self, messages: Iterable[str | bytes]) -> None:
        for message in messages:  # the generator must run in any case, because it advances the clock
            if not self._past(self.script.silent_after):
                self._outbox.put_nowait((time.monotonic() + self.script.delay, message))

    def _past(self, seconds: float | None) -> bool:
        return seconds is not None and self._speech.seconds >= seconds

    async def _obey(self, text: str) -> None:
        self._record.texts.append(Text(text, self._heard_at, self._record.audio_bytes))
        command = _parsed(text)
        if command is None:
            about = {"variant": "SchemaError", "description": "Could not deserialize the message."}
            self._say([json.dumps({"type": "Error", **about, "message": text})])
            return
        match command.get("type"):
            case "Finalize":
                self._say(self._speech.flush(from_finalize=True))
            case "Configure":
                self._say([json.dumps({"type": "ConfigureSuccess", "keyterms": command.get("keyterms")})])
            case "CloseStream" if self.script.heeds_close_stream:
                await self._close_stream()

    async def _close_stream(self) -> None:
        self._say(self._speech.flush())
        await self._outbox.join()
        if self._is_flux:
            async with self._connection.send_context():
                self._connection.protocol.send_close()  # without a code
            return
        if self.script.metadata:
            await asyncio.sleep(self.script.metadata_delay)
            await self._connection.send(self._speech.metadata())
        await self._connection.close()

    async def _react(self) -> None:
        """Do what the script wants at this point of the audio."""
        if self._nonsense and self._past(self.script.nonsense_after):
            nonsense, self._nonsense = self._nonsense, []
            self._say(nonsense)
        if self._past(self.script.reset_after):
            await self._outbox.join()
            _reset(self._connection)
        hangup = self.script.hangup
        if hangup is not None and self._past(hangup.after):
            await self._outbox.join()
            await self._connection.close(hangup.code, hangup.reason)

    async def _write(self) -> None:
        while True:
            due, message = await self._outbox.get()
            with contextlib.suppress(ConnectionClosed):
                await asyncio.sleep(due - time.monotonic())
                await self._connection.send(message)
            self._outbox.task_done()

    async def _watch(self) -> None:
        """Close with NET-0001 without a frame every 10 s, or without audio in the first 10 s."""
        patience = self.script.patience
        while patience is not None:
            since = self._heard_at if self._speech.nbytes else self._record.opened_at
            await asyncio.sleep(max(0.0, since + patience - time.monotonic()))
            since = self._heard_at if self._speech.nbytes else self._record.opened_at
            if time.monotonic() - since >= patience:
                await self._connection.send(self._speech.metadata())
                await self._connection.close(1011, "NET-0001")
                return


def _refuse(connection: ServerConnection, refusal: Refusal, request_id: str) -> Response:
    body = {"err_code": refusal.code, "err_msg": refusal.message, "request_id": request_id}
    response = connection.respond(HTTPStatus(refusal.status), json.dumps(body))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    response.headers["dg-request-id"] = request_id
    response.headers["dg-error"] = refusal.message
    return response


def _reported(connection: ServerConnection, usage: UsageStandIn, request: Request) -> Response:
    """Answer a question to the usage API."""
    status, headers, body = usage.answer("GET", request.path, {k.lower(): v for k, v in request.headers.raw_items()})
    response = connection.respond(HTTPStatus(status), "")
    response.body = as_bytes(body)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        if name in response.headers:
            del response.headers[name]
        response.headers[name] = value
    del response.headers["Content-Length"]
    response.headers["Content-Length"] = str(len(response.body))
    return response


def _reset(connection: ServerConnection) -> None:
    """End the TCP connection with RST instead of FIN."""
    peer: socket.socket = connection.transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


def _parsed(text: str) -> dict[str, Any] | None:
    """Return a client's message, None if it is no JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


async def _main(host: str, port: int, script: Script) -> None:
    def tell(record: Record) -> None:
        sys.stdout.write(record.as_json() + "\n")
        sys.stdout.flush()

    async with DeepgramStandIn(script, host=host, port=port, finished=tell) as standin:
        sys.stderr.write(f"{standin.url}\n")
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standin.deepgram", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (the default): a free one, printed to standard error")
    parser.add_argument("--script", choices=sorted(SCRIPTS), default="normal")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(arguments.host, arguments.port, SCRIPTS[arguments.script]))


if __name__ == "__main__":
    main()
