"""The stand-in Deepgram, with a plain client."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus

from tests.standin.deepgram import DeepgramStandIn
from tests.standin.record import Record
from tests.standin.script import NONSENSE, REFUSALS, Hangup, Script

QUERY = "encoding=linear16&sample_rate=16000&channels=1&interim_results=true"
SECOND = 32_000
KEY = {"Authorization": "Token x"}


@pytest.fixture
async def standin() -> AsyncIterator[DeepgramStandIn]:
    async with DeepgramStandIn() as server:
        yield server


def dial(standin: DeepgramStandIn, query: str = QUERY) -> connect:
    return connect(f"{standin.url}/v1/listen?{query}", additional_headers=KEY, proxy=None, max_size=None)


async def rest(socket: ClientConnection) -> list[dict[str, Any]]:
    return [json.loads(message) async for message in socket]


async def whole(standin: DeepgramStandIn, nbytes: int, query: str = QUERY) -> list[dict[str, Any]]:
    """Send a stream of `nbytes`, and return all messages about it."""
    async with dial(standin, query) as socket:
        for begin in range(0, nbytes, 3200):
            await socket.send(bytes(min(3200, nbytes - begin)))
        await socket.send('{"type":"CloseStream"}')
        return await rest(socket)


def words(messages: list[dict[str, Any]], channel: int = 0) -> str:
    return " ".join(
        message["channel"]["alternatives"][0]["transcript"]
        for message in messages
        if message["type"] == "Results" and message["is_final"] and message["channel_index"][0] == channel
    )


async def test_interims_grow_finals_are_contiguous_and_metadata_ends_it(standin: DeepgramStandIn) -> None:
    messages = await whole(standin, 5 * SECOND)
    spans = [(m["start"], m["duration"], m["is_final"]) for m in messages if m["type"] == "Results"]
    assert spans[:5] == [(0, 0.5, False), (0, 1, False), (0, 1.5, False), (0, 2, True), (2, 0.5, False)]
    assert spans[-1] == (4, 1, True)
    assert words(messages) == "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9"
    assert messages[-1]["type"] == "Metadata"
    assert messages[-1]["duration"] == 5
    await standin.until(lambda: standin.last.closed)
    assert standin.last.close_code == 1000


async def test_the_standin_records_request_audio_and_texts_in_order(standin: DeepgramStandIn) -> None:
    async with dial(standin, "keyterm=a+b&keyterm=c&model=nova-2") as socket:
        assert socket.response is not None
        request_id = socket.response.headers["dg-request-id"]
        await socket.send(b"ab")
        await socket.send('{"type":"KeepAlive"}')
        await socket.send(b"cd")
        await (await socket.ping())
    await standin.until(lambda: standin.last.closed)
    record = standin.last
    assert record.query == [("keyterm", "a b"), ("keyterm", "c"), ("model", "nova-2")]
    assert record.target.startswith("/v1/listen?keyterm=a+b&")
    assert record.header("authorization") == "Token x"
    assert (bytes(record.audio), record.audio_bytes, record.audio_messages) == (b"abcd", 4, 2)
    assert [(text.type, text.audio_bytes) for text in record.texts] == [("KeepAlive", 2)]
    assert (record.pings, record.request_id, record.closed_first) == (1, request_id, True)


async def test_finalize_makes_all_words_final_without_loss_or_repeats(standin: DeepgramStandIn) -> None:
    async with dial(standin) as socket:
        await socket.send(bytes(SECOND // 5 * 6))
        await socket.send('{"type":"Finalize"}')
        await socket.send(bytes(SECOND))
        await socket.send('{"type":"CloseStream"}')
        messages = await rest(socket)
    assert [m["duration"] for m in messages if m.get("from_finalize")] == [1.2]
    assert words(messages) == "w0 w1 w2 w3 w4"


async def test_each_channel_has_its_own_results(standin: DeepgramStandIn) -> None:
    query = "encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&vad_events=true&utterance_end_ms=1000"
    messages = await whole(standin, 2 * 16_000, query)
    assert [m["type"] for m in messages] == ["SpeechStarted", "Results", "Results", "UtteranceEnd", "Metadata"]
    assert (words(messages), words(messages, 1)) == ("c0w0 c0w1 c0w2 c0w3", "c1w0 c1w1 c1w2 c1w3")
    assert (messages[-1]["duration"], messages[-1]["channels"]) == (2, 2)


@pytest.mark.parametrize(
    ("script", "duration"),
    [
        (Script(metadata_factor=0.5), 1.0),
        (Script(metadata_seconds=99.0), 99.0),
        (Script(metadata_seconds=0.0), 0.0),
        (Script(metadata_delay=0.01), 2.0),
        (Script(metadata=False), None),
    ],
)
async def test_the_script_sets_the_metadata(standin: DeepgramStandIn, script: Script, duration: float | None) -> None:
    standin.script = script
    messages = await whole(standin, 2 * SECOND)
    assert [m["duration"] for m in messages if m["type"] == "Metadata"] == ([] if duration is None else [duration])


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refused_handshake_carries_deepgrams_error(standin: DeepgramStandIn, status: int) -> None:
    standin.script = Script(refuse=REFUSALS[status])
    with pytest.raises(InvalidStatus) as refused:
        await dial(standin)
    response = refused.value.response
    assert response.status_code == status
    assert response.headers["dg-error"] == json.loads(response.body)["err_msg"] == REFUSALS[status].message
    assert response.headers["dg-request-id"] == standin.last.request_id
    assert standin.last.refused == status


async def test_a_handshake_may_never_be_answered(standin: DeepgramStandIn) -> None:
    standin.script = Script(answers_handshake=False)
    with pytest.raises((TimeoutError, InvalidMessage)):
        await connect(f"{standin.url}/v1/listen", open_timeout=0.1, proxy=None)
    await standin.until(lambda: standin.last.closed)


async def test_another_path_is_not_found(standin: DeepgramStandIn) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{standin.url}/v1/speak", proxy=None)
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("after", [0.0, 1.0])
async def test_a_script_can_close_with_code_and_reason(standin: DeepgramStandIn, after: float) -> None:
    standin.script = Script(hangup=Hangup(after, 1008, "DATA-0000"))
    async with dial(standin) as socket:
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.send(bytes(2 * SECOND))
            await rest(socket)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "DATA-0000")
    await standin.until(lambda: standin.last.closed)
    assert not standin.last.closed_first


async def test_a_script_can_reset_the_connection(standin: DeepgramStandIn) -> None:
    standin.script = Script(reset_after=1)
    async with dial(standin) as socket:
        await socket.send(bytes(SECOND))
        with pytest.raises(ConnectionClosedError) as closed:
            await rest(socket)
    assert closed.value.rcvd is None


async def test_a_script_can_take_audio_and_send_nothing(standin: DeepgramStandIn) -> None:
    standin.script = Script(silent_after=2.0)
    messages = await whole(standin, 4 * SECOND)
    assert words(messages) == ""
    assert [m["type"] for m in messages] == ["Results"] * 3 + ["Metadata"]
    assert standin.last.audio_bytes == 4 * SECOND


async def test_a_script_can_stop_reading(standin: DeepgramStandIn) -> None:
    standin.script = Script(stops_reading_after=1)
    async with dial(standin) as socket:

        async def flood() -> None:
            while True:
                await socket.send(bytes(SECOND))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flood(), 1)
        assert standin.last.audio_bytes == SECOND
        socket.transport.abort()


async def test_a_script_can_send_invalid_messages(standin: DeepgramStandIn) -> None:
    standin.script = Script(nonsense=NONSENSE)
    async with dial(standin) as socket:
        assert [await socket.recv() for _ in NONSENSE] == list(NONSENSE)


async def test_a_script_can_ignore_close_stream(standin: DeepgramStandIn) -> None:
    standin.script = Script(heeds_close_stream=False)
    async with dial(standin) as socket:
        await socket.send('{"type":"CloseStream"}')
        await standin.until(lambda: standin.last.types() == ["CloseStream"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.1)


async def test_a_silent_client_is_closed_with_net_0001(standin: DeepgramStandIn) -> None:
    standin.script = Script(patience=0.1)
    async with dial(standin) as socket:
        assert json.loads(await socket.recv())["channels"] == 0
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "NET-0001"


async def test_the_script_may_depend_on_the_connection(standin: DeepgramStandIn) -> None:
    def choose(record: Record) -> Script:
        return Script(word=record.value("tag") or "none")

    standin.script = choose
    assert words(await whole(standin, SECOND, QUERY + "&tag=a")) == "a0 a1"
    assert words(await whole(standin, SECOND, QUERY + "&tag=b")) == "b0 b1"


async def test_a_script_can_delay_results(standin: DeepgramStandIn) -> None:
    standin.script = Script(delay=0.2, wordless=True)
    began = asyncio.get_running_loop().time()
    messages = await whole(standin, SECOND)
    assert asyncio.get_running_loop().time() - began >= 0.2
    assert [m["type"] for m in messages] == ["Results", "Results", "Results", "Metadata"]
    assert words(messages) == ""


async def test_an_open_connection_can_switch_scripts(standin: DeepgramStandIn) -> None:
    async with dial(standin) as socket:
        await socket.send(bytes(SECOND))
        assert [json.loads(await socket.recv())["type"] for _ in range(2)] == ["Results", "Results"]
        (stream,) = standin.streams.values()
        assert stream.port == standin.last.port == socket.local_address[1]
        await stream.follow(Script(silent_after=0))
        await socket.send(bytes(SECOND))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.1)
        await stream.follow(Script(hangup=Hangup(0, 1011, "NET-0000")))
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "NET-0000"
    await standin.until(lambda: not standin.streams)


async def test_words_can_be_numbered_by_their_place_in_the_speakers_audio(standin: DeepgramStandIn) -> None:
    """In this test, the first non-zero byte is the number of half seconds that went to another connection."""
    heard: list[tuple[int, int]] = []
    standin.heard = lambda record, audio: heard.append((record.number, len(audio)))

    def locate(head: bytes) -> int | None:
        sound = head.lstrip(b"\0")
        return sound[0] * SECOND // 2 - (len(head) - len(sound)) if sound else None

    standin.script = Script(locate=locate)
    async with dial(standin) as socket:
        await socket.send(bytes(SECOND // 10))
        await socket.send('{"type":"Finalize"}')
        await socket.send(b"\x05" * SECOND)
        await socket.send('{"type":"CloseStream"}')
        messages = await rest(socket)
    assert words(messages) == " w5 w6"
    spoken = messages[-2]["channel"]["alternatives"][0]["words"]
    assert [word["start"] for word in spoken] == [0.1, 0.6]
    assert heard == [(0, SECOND // 10), (0, SECOND)]


@pytest.mark.parametrize("text", ["not JSON", '"Finalize"', "[" * 100_000])
async def test_a_text_that_is_no_message_is_an_error_and_the_stream_goes_on(
    standin: DeepgramStandIn, text: str
) -> None:
    async with dial(standin) as socket:
        await socket.send(bytes(SECOND))
        await socket.send(text)
        await socket.send('{"type":"CloseStream"}')
        messages = await rest(socket)
    [error] = [message for message in messages if message["type"] == "Error"]
    assert (error["variant"], error["message"]) == ("SchemaError", text)
    assert messages[-1]["type"] == "Metadata"


async def test_the_process_prints_each_finished_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.standin.deepgram", "--port", str(port), "--script", "short-metadata"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        url = (await asyncio.wait_for(process.stderr.readline(), 10)).decode().strip()
        async with connect(f"{url}/v1/listen?{QUERY}", additional_headers=KEY, proxy=None) as client:
            await client.send(bytes(SECOND))
            await client.send('{"type":"CloseStream"}')
            assert (await rest(client))[-1]["duration"] == 0.5
        line = json.loads(await asyncio.wait_for(process.stdout.readline(), 10))
        assert (line["audio_bytes"], line["close_code"]) == (SECOND, 1000)
        assert "Token" not in json.dumps(line)
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()
    assert process.returncode == 0
