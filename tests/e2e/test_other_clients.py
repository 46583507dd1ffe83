"""Clients that cannot be installed here, against the service: the bytes they send, and all that they check.

Written from their sources:

- the Rust crate `deepgram` 0.9.2, github deepgram/deepgram-rust-sdk: `src/listen/websocket.rs` and `flux.rs` (request,
  dg-request-id, messages, end), `src/common/options.rs` (order of the query), `src/lib.rs` (credential, user agent);
  its WebSocket library, github snapview/tungstenite-rs: `src/handshake/client.rs` (order of the headers, checks of the
  answer);
- the Go SDK, github deepgram/deepgram-go-sdk v3: `pkg/client/common/v1/websocket.go` (headers, close),
  `pkg/client/listen/v1/websocket/client_callback.go` (messages), `pkg/api/version/version.go` (URL); its WebSocket
  library, github dvonthenen/websocket: `client.go`;
- LiveKit, github livekit/agents: `livekit-plugins/livekit-plugins-deepgram/livekit/plugins/deepgram/stt.py`;
- Pipecat, github pipecat-ai/pipecat: `src/pipecat/services/deepgram/stt.py`;
- Vocode, github vocodedev/vocode-core: `vocode/streaming/transcriber/deepgram_transcriber.py`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from math import ceil
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from tests.e2e.checks import assert_books_balance
from tests.e2e.client import User, sound
from tests.e2e.raw_client import BINARY, CLOSE, TEXT, RawClient
from tests.e2e.sdk_messages import (
    RUST_KINDS,
    Channel,
    Connected,
    GoMessage,
    TerminalResponse,
    TranscriptResponse,
    TurnInfo,
    as_rust,
)
from tests.e2e.service import Service, environment, serving
from tests.e2e.test_keys import create_key
from tests.e2e.upstream import Upstream
from tests.integration.engine.containers import encoded, speech
from tests.integration.engine.recordings import BECKETT, word_errors
from tests.integration.engine.running import frames
from tests.standin.script import Script
from tests.waiting import until

TOLERATED = 0.2
NORMAL_CLOSE = (1000).to_bytes(2)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(scratch: Any) -> AsyncIterator[Service]:
    """A service with the built-in engine."""
    async with serving(environment(scratch / "others", "", DEEPGRAM_API_KEY="")) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def balanced(engine: Service) -> AsyncIterator[None]:
    yield
    await assert_books_balance(engine)


async def ended(service: Service, user: User) -> dict[str, Any]:
    """Return the user's one session once it has ended."""

    async def found() -> Any:
        return [each for each in await service.sessions(user) if each["ended_at"]]

    [session] = await until(found)
    balance = await service.balance(user)
    assert (balance["seconds_remaining"], balance["seconds_held"]) == (3600 - session["seconds_used"], 0)
    return dict(session)


async def key_of(service: Service) -> tuple[User, str]:
    user = await service.user(3600)
    _, program = await create_key(service, user)
    return user, program.token


# Rust


async def rust(service: Service, target: str, credential: str) -> RawClient:
    """Connect as the crate does. Its Host has no port, and its own headers are in lower case."""
    return await RawClient.open(
        service,
        f"GET {target} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: {key}",
        "user-agent: deepgram/0.9.2 rust",
        f"authorization: {credential}",
    )


def assert_tungstenite_accepts(client: RawClient) -> None:
    """Check the answer as tungstenite does: single values and not lists, and no subprotocol that was not offered."""
    assert client.status == 101, client.body
    assert client.header("Upgrade").lower() == "websocket"
    assert client.header("Connection").lower() == "upgrade"
    assert client.header("Sec-WebSocket-Accept") == client.accept
    assert not [name for name, _ in client.headers if name.lower() == "sec-websocket-protocol"]
    assert UUID(client.header("dg-request-id"))


RUST_QUERY = (
    "model=nova-3&language=en&punctuate=true&tag=rust&smart_format=true&keyterm=Samuel+Beckett&keyterm=fail+better"
    "&encoding=linear16&sample_rate=16000&channels=1&endpointing=300&utterance_end_ms=1000&interim_results=true"
    "&no_delay=true&vad_events=true"
)


@pytest.mark.parametrize("scheme", ["Token", "Bearer"])
async def test_the_rust_crate_streams_and_reads_every_message(engine: Service, scheme: str) -> None:
    """`WebsocketBuilder::stream`: Finalize and CloseStream follow the audio; KeepAlive every 3 s of a pause."""
    user, key = await key_of(engine)
    client = await rust(engine, f"/v1/listen?{RUST_QUERY}", f"{scheme} {key if scheme == 'Token' else user.token}")
    assert_tungstenite_accepts(client)
    client.send(TEXT, b'{"type":"KeepAlive"}')
    audio = speech().tobytes() + bytes(2 * 32_000)
    for frame in frames(audio):
        client.send(BINARY, frame)
        await client.writer.drain()
    client.send(TEXT, b'{"type":"Finalize"}')
    client.send(TEXT, b'{"type":"CloseStream"}')
    messages = [as_rust(text) for text in await client.texts()]
    assert client.close_payload == NORMAL_CLOSE
    results = [each for each in messages if isinstance(each, TranscriptResponse)]
    heard = " ".join(each.channel.alternatives[0].transcript for each in results if each.is_final)
    assert word_errors([heard], [BECKETT]) < TOLERATED
    assert {type(each) for each in messages} == set(RUST_KINDS)
    assert {each.metadata.request_id for each in results} == {client.header("dg-request-id")}
    terminal = messages[-1]
    assert isinstance(terminal, TerminalResponse)
    assert (terminal.channels, terminal.duration) == (1, len(audio) / 32_000)
    session = await ended(engine, user)
    assert (session["seconds_used"], session["reason"]) == (ceil(len(audio) / 32_000), "client_stop")


async def test_the_rust_crate_is_refused_in_a_form_it_shows(engine: Service) -> None:
    """It turns any other status into an error with the response."""
    client = await rust(engine, f"/v1/listen?{RUST_QUERY}", "Token tpk_forged")
    assert client.status == 401
    assert json.loads(client.body)["err_code"] == "INVALID_AUTH"


async def test_the_rust_crate_streams_flux(service: Service, upstream: Upstream) -> None:
    """The built-in engine has no Flux, so the stand-in hears. Flux ends with a close frame without a code."""
    user, key = await key_of(service)
    config = upstream.scripted(Script(), model="flux-general-en", encoding="linear16", sample_rate="16000")
    query = "&".join(f"{name}={value}" for name, value in config.items())
    client = await rust(service, f"/v2/listen?{query}", f"Token {key}")
    assert_tungstenite_accepts(client)
    for frame in frames(sound(5)):
        client.send(BINARY, frame)
    client.send(TEXT, b'{"type":"CloseStream"}')
    messages = [msgspec.json.decode(text, type=Connected | TurnInfo) for text in await client.texts()]
    assert client.close_payload == b""
    assert [each.sequence_id for each in messages] == list(range(len(messages)))
    assert {str(each.request_id) for each in messages} == {client.header("dg-request-id")}
    session = await ended(service, user)
    assert (session["audio_seconds"], session["seconds_used"]) == (5.0, 6)  # 5 * 1.1, rounded up


# Go


GO_QUERY = (
    "interim_results=true&language=en-US&model=nova-3&punctuate=true&smart_format=true&utterance_end_ms=1000"
    "&vad_events=true"
)
CHUNK_BYTES = 2048
TERMINATION_SECONDS = 0.1


async def go(service: Service, host: str, credential: str) -> RawClient:
    """Connect as the SDK does: net/http sorts the headers, and the query is sorted by name."""
    return await RawClient.open(
        service,
        f"GET /v1/listen?{GO_QUERY} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: @deepgram/sdk/v1.4.0 go/1.22.5",
        f"Authorization: {credential}",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Upgrade: websocket",
    )


def assert_gorilla_accepts(client: RawClient) -> None:
    assert client.status == 101, client.body
    assert "websocket" in client.header("Upgrade").lower().replace(" ", "").split(",")
    assert "upgrade" in client.header("Connection").lower().replace(" ", "").split(",")
    assert client.header("Sec-WebSocket-Accept") == client.accept
    assert not [name for name, _ in client.headers if name.lower() == "sec-websocket-extensions"]


@pytest.mark.parametrize("host", ["", "ws:", "127.0.0.1:80"])
async def test_the_go_sdk_streams_a_file_and_stops(engine: Service, host: str) -> None:
    """Given `ws://host`, it puts that into the header Host too, of which net/http leaves nothing, and before Go 1.20.6
    `ws:`. `Stop` sends CloseStream, a close frame 0.1 s later, and hangs up after another 0.1 s."""
    user, key = await key_of(engine)
    client = await go(engine, host, f"token {key}")
    assert_gorilla_accepts(client)
    for frame in frames(encoded("mp3", "libmp3lame", 44_100, speech(44_100)), CHUNK_BYTES):
        client.send(BINARY, frame)
    client.send(TEXT, b'{"type":"KeepAlive"}')
    client.send(TEXT, b'{"type":"Finalize"}')
    messages: list[GoMessage] = []
    while not messages or not messages[-1].from_finalize:
        opcode, payload = await client.receive()
        assert opcode == TEXT
        messages.append(msgspec.json.decode(payload, type=GoMessage))
    finals = [each.channel for each in messages if each.is_final]
    heard = [each.alternatives[0].transcript for each in finals if isinstance(each, Channel)]
    assert word_errors([" ".join(heard)], [BECKETT]) < TOLERATED
    client.send(TEXT, b'{ "type": "CloseStream" }')
    await asyncio.sleep(TERMINATION_SECONDS)
    client.send(CLOSE, NORMAL_CLOSE)
    await asyncio.sleep(TERMINATION_SECONDS)
    client.hang_up()
    session = await ended(engine, user)
    assert (session["seconds_used"], session["reason"]) == (10, "client_stop")


async def test_the_go_sdk_reads_the_closing_metadata_and_a_graceful_close(engine: Service) -> None:
    """It calls a close graceful whose error text has "close 1000" in it, which is what its library makes of 1000."""
    user = await engine.user(3600)
    client = await go(engine, "", f"Bearer {user.token}")
    client.send(BINARY, encoded("wav", "pcm_s16le", 8000, speech(8000)[: 8000 * 3]))
    client.send(TEXT, b'{ "type": "CloseStream" }')
    messages = [msgspec.json.decode(text, type=GoMessage) for text in await client.texts()]
    assert (messages[-1].type, messages[-1].duration, messages[-1].channels) == ("Metadata", 3.0, 1)
    assert client.close_payload == NORMAL_CLOSE
    assert (await ended(engine, user))["seconds_used"] == 3


# Frameworks


WEBSOCKETS = (
    "Host: 127.0.0.1:3000",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: {key}",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
)
AIOHTTP = (
    "Host: 127.0.0.1:3000",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: {key}",
    "Accept: application/json",
    "Content-Type: audio/wav",
    "Accept-Encoding: gzip, deflate",
    "User-Agent: Python/3.12 aiohttp/3.13.2",
)
FRAMEWORKS = {
    "livekit": (
        AIOHTTP,
        "model=nova-3&punctuate=true&smart_format=true&no_delay=true&interim_results=true&encoding=linear16"
        "&vad_events=true&sample_rate=16000&channels=1&endpointing=25&filler_words=true&profanity_filter=false"
        "&numerals=false&mip_opt_out=false&language=en-us",
    ),
    "pipecat": (
        WEBSOCKETS,
        "channels=1&detect_entities=false&diarize=false&dictation=false&encoding=linear16&interim_results=true&language=en"
        "&model=nova-3-general&multichannel=false&numerals=false&profanity_filter=true&punctuate=true&sample_rate=16000"
        "&smart_format=false",
    ),
    "vocode": (
        WEBSOCKETS,
        "encoding=linear16&sample_rate=16000&channels=1&interim_results=true&language=en-US&model=nova-2&tier=nova"
        "&keywords=%5B%27Beckett%27%5D&punctuate=true",
    ),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_voice_agent_frameworks_get_words_and_exact_bills(engine: Service, framework: str) -> None:
    """Without SpeechStarted, Vocode takes the first message without `is_final` for
    the end, and LiveKit reads `is_final`, `speech_final`, `request_id` and `words` without a default."""
    headers, query = FRAMEWORKS[framework]
    user, key = await key_of(engine)
    client = await RawClient.open(engine, f"GET /v1/listen?{query} HTTP/1.1", *headers, f"Authorization: Token {key}")
    assert_tungstenite_accepts(client)
    assert not [name for name, _ in client.headers if name.lower() == "sec-websocket-extensions"]
    client.send(TEXT, b'{"type": "KeepAlive"}')
    for frame in frames(speech()[: 16_000 * 4].tobytes(), 1600):
        client.send(BINARY, frame)
    client.send(TEXT, b'{"type": "Finalize"}')
    client.send(TEXT, b'{"type": "CloseStream"}')
    messages = [json.loads(text) for text in await client.texts()]
    results = [each for each in messages if each["type"] == "Results"]
    for each in results:
        assert isinstance(each["is_final"], bool)
        assert isinstance(each["speech_final"], bool)
        assert each["metadata"]["request_id"] == client.header("dg-request-id")
        assert each["channel"]["alternatives"][0]["words"] == []
    if "vad_events" not in query:
        assert messages[:-1] == results
    heard = " ".join(each["channel"]["alternatives"][0]["transcript"] for each in results if each["is_final"])
    assert heard.lower().startswith("ever tried")
    assert client.close_payload == NORMAL_CLOSE
    assert (await ended(engine, user))["seconds_used"] == 4
