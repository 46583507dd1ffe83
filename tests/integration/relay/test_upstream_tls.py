"""An upstream with TLS: its certificate is checked, messages pass in both directions, and a connection is small."""

import ssl
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests import waiting
from tests.standin.smtp import CERTIFICATE
from transcription_proxy.relay.upstream import DialFailed, Dialler
from transcription_proxy.stream import events as ev

LOSE = b"lose"
WAIT = b"wait"
FRAME = bytes(range(256)) * 16
FRAMES = 2000
"""8 MB, more than the kernel's buffers take."""
DIALS = 4
MAX_TRACED_BYTES = 32 * 1024


class Server(ThreadingTCPServer):
    """A TLS upstream at `url`. Its threads read bare sockets: a server of asyncio would allocate buffers of its own."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(CERTIFICATE)
        self.audio = bytearray()
        self.reads = Event()

    def url(self, host: str = "localhost") -> str:
        return f"wss://{host}:{self.server_address[1]}/v1/listen"


class _Handler(BaseRequestHandler):
    """Sends texts back and keeps audio. At LOSE it drops the connection; at WAIT it stops reading until `reads`."""

    server: Server

    def handle(self) -> None:
        with suppress(OSError), self.server.tls.wrap_socket(self.request, server_side=True) as client:
            self._protocol = ServerProtocol(max_size=None)
            while data := client.recv(4096):
                self._protocol.receive_data(data)
                for event in self._protocol.events_received():
                    self._happen(event)
                for answer in self._protocol.data_to_send():
                    client.sendall(answer)

    def _happen(self, event: object) -> None:
        match event:
            case Request():
                self._protocol.send_response(self._protocol.accept(event))
            case Frame(data=data) if data == LOSE:
                raise ConnectionError
            case Frame(data=data) if data == WAIT:
                self.server.reads.wait(waiting.WITHIN_SECONDS)
            case Frame(opcode=Opcode.TEXT, data=data):
                self._protocol.send_text(bytes(data))
            case Frame(opcode=Opcode.BINARY, data=data):
                self.server.audio += data


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


async def test_a_certificate_that_nobody_vouches_for_is_refused(server: Server) -> None:
    with pytest.raises(DialFailed, match="SSLCertVerificationError"):
        await Dialler(None, patience=0).dial(server.url(), lambda event: None)


@pytest.mark.usefixtures("_trust")
async def test_a_certificate_for_another_host_is_refused(server: Server) -> None:
    with pytest.raises(DialFailed, match="SSLCertVerificationError"):
        await Dialler(None, patience=0).dial(server.url("127.0.0.1"), lambda event: None)


@pytest.mark.usefixtures("_trust")
@pytest.mark.parametrize("length", [1, 20_000, 200_000])
async def test_a_text_comes_back_whole(length: int, server: Server) -> None:
    events: list[ev.Event] = []
    upstream = await Dialler(None, patience=0).dial(server.url(), events.append)
    upstream.start_reporting()
    upstream.send_text(b"x" * length)
    await waiting.until(lambda: events)
    assert events == [ev.UpstreamSentText(b"x" * length)]
    upstream.close()


@pytest.mark.usefixtures("_trust")
async def test_a_connection_that_is_dropped_without_a_goodbye_is_lost(server: Server) -> None:
    events: list[ev.Event] = []
    upstream = await Dialler(None, patience=0).dial(server.url(), events.append)
    upstream.start_reporting()
    upstream.send_text(LOSE)
    await waiting.until(lambda: events)
    assert events == [ev.UpstreamLost(None)]


@pytest.mark.usefixtures("_trust")
async def test_an_upstream_that_stops_reading_gets_all_audio_when_it_reads_again(server: Server) -> None:
    events: list[ev.Event] = []
    upstream = await Dialler(None, patience=0).dial(server.url(), events.append)
    upstream.start_reporting()
    upstream.send_text(WAIT)
    for _ in range(FRAMES):
        upstream.send_audio(FRAME)
    assert events == [ev.UpstreamStalled()]
    server.reads.set()
    await waiting.until(lambda: len(server.audio) == FRAMES * len(FRAME))
    assert server.audio == FRAME * FRAMES
    await waiting.until(lambda: events[1:])
    assert events == [ev.UpstreamStalled(), ev.UpstreamRecovered()]
    upstream.close()


@pytest.mark.usefixtures("_trust")
async def test_a_connection_keeps_no_large_buffers(server: Server) -> None:
    dialler = Dialler(None, patience=0)
    tracemalloc.start()
    try:
        upstreams = [await dialler.dial(server.url(), lambda event: None)]
        before, _ = tracemalloc.get_traced_memory()
        upstreams += [await dialler.dial(server.url(), lambda event: None) for _ in range(DIALS)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / DIALS < MAX_TRACED_BYTES
    for upstream in upstreams:
        upstream.close()
