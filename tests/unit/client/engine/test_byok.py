"""Captions straight from Deepgram, played by the stand-in: its words, its refusals, and connections that are cut."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.proxy import Proxy
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.script import NONSENSE, REFUSALS, Hangup, Script
from tests.unit.client.engine.app import App, Talk
from transcription_client import connection
from transcription_client.engine import byok, captioner, sentences
from transcription_client.remote_transcription import RemoteTranscriptionEngine

SECOND = 32_000
KEY = "a-deepgram-key"


def sound(seconds: float) -> bytes:
    """No two parts are alike, so that the stand-in knows where it is."""
    return b"".join(number.to_bytes(4, "little") for number in range(round(seconds * SECOND / 4)))


def knowing(audio: bytes, **more: Any) -> Script:
    """Hears numbered words in this sound, wherever it begins to listen."""
    return Script(locate=lambda head: audio.find(head[:64]) if len(head) >= 64 else None, **more)


@pytest.fixture
async def deepgram() -> AsyncIterator[DeepgramStandIn]:
    async with DeepgramStandIn() as standin:
        yield standin


@asynccontextmanager
async def captioning(url: str, **config: Any) -> AsyncIterator[tuple[RemoteTranscriptionEngine, App, Talk]]:
    app, talk = App(), Talk()
    config = {"mode": "byok", "byok_api_key": KEY, "deepgram_url": url, **config}
    engine = RemoteTranscriptionEngine(config, app.on_transcript, app.on_status, talk)
    engine.start()
    try:
        yield engine, app, talk
    finally:
        await stop(engine)


async def stop(engine: RemoteTranscriptionEngine) -> None:
    await asyncio.to_thread(engine.stop)


async def test_speech_comes_back_as_words_and_the_key_goes_to_deepgram_alone(deepgram: DeepgramStandIn) -> None:
    async with captioning(deepgram.url, deepgram_model="nova-3", language="de") as (engine, app, talk):
        await app.enters("live")
        talk.say(sound(3))
        await app.sees(lambda: app.heard("w4"))
        await stop(engine)
    assert app.finals == "w0 w1 w2 w3 w4 w5"
    assert app.states == ["connecting", "live", "ended"]
    assert app.statuses[-1].reason == "client_stop"
    assert {result.confidence for result in app.results} == {0.99}
    assert len(app.threads) == 1
    (record,) = deepgram.records
    assert record.header("Authorization") == f"Token {KEY}"
    assert KEY not in record.target
    wanted = {"model": "nova-3", "language": "de", "encoding": "linear16", "sample_rate": "16000", "channels": "1"}
    assert {name: record.value(name) for name in wanted} == wanted
    assert bytes(record.audio) == sound(3)
    await deepgram.until(lambda: record.closed)
    assert (record.types(), record.close_code) == (["CloseStream"], 1000)


async def test_a_connection_that_is_cut_in_mid_sentence_loses_no_word_and_repeats_none(
    deepgram: DeepgramStandIn,
) -> None:
    audio = sound(9)
    deepgram.script = knowing(audio)
    async with Proxy(deepgram.address) as proxy, captioning(f"ws://127.0.0.1:{proxy.port}") as (engine, app, talk):
        await asyncio.to_thread(talk.say, audio[: 5 * SECOND])
        await app.sees(lambda: app.heard("w9"))
        for link in list(proxy.links):
            link.cut()
        await app.enters("reconnecting")
        await asyncio.to_thread(talk.say, audio[5 * SECOND :])
        await app.sees(lambda: app.heard("w17"))
        await stop(engine)
    assert app.finals == " ".join(f"w{number}" for number in range(18))
    assert app.states == ["connecting", "live", "reconnecting", "live", "ended"]
    first, second = deepgram.records
    assert bytes(first.audio) == audio[: 5 * SECOND]
    assert bytes(second.audio) == audio[4 * SECOND :]
    starts = [result.start for result in app.results if result.is_final]
    assert starts == pytest.approx([0, 2, 4, 6, 8], abs=0.01)


async def test_muted_audio_is_not_sent_and_the_connection_is_kept_alive(
    deepgram: DeepgramStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byok, "KEEPALIVE_SECONDS", 0.05)
    async with captioning(deepgram.url) as (engine, app, talk):
        await app.enters("live")
        await asyncio.to_thread(talk.say, sound(1), speed=1.0)
        engine.set_muted(True)
        talk.say(sound(2))
        assert engine.level > 0
        await deepgram.until(lambda: deepgram.last.types().count("KeepAlive") > 3)
        assert deepgram.last.audio_bytes == SECOND
        await app.sees(lambda: app.finals == "w0 w1")
        assert "Finalize" in deepgram.last.types()
        engine.set_muted(False)
        talk.say(sound(1))
        await app.sees(lambda: app.heard("w3"))
        await stop(engine)
    assert len(deepgram.records) == 1
    assert bytes(deepgram.last.audio) == sound(1) + sound(1)
    muted = app.results[-1].start - 1.0
    assert muted >= 0.5, "the words are where they were spoken, after the pause"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, sentences.deepgram_refused(400, "No such model/language/tier combination found")),
        (401, sentences.KEY_REFUSED),
        (402, sentences.DEEPGRAM_UNPAID),
        (403, sentences.KEY_REFUSED),
    ],
)
async def test_a_refusal_is_told_and_ends(deepgram: DeepgramStandIn, status: int, message: str) -> None:
    deepgram.script = Script(refuse=REFUSALS[status])
    async with captioning(deepgram.url) as (_, app, talk):
        ended = await app.enters("ended")
    assert (ended.message, ended.reason) == (message, "refused")
    assert KEY not in str(app.statuses)
    assert talk.stopped == talk.started
    assert len(deepgram.records) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [(429, sentences.DEEPGRAM_BUSY), (500, sentences.deepgram_refused(500, "Internal server error"))],
)
async def test_a_refusal_that_may_pass_is_tried_again(deepgram: DeepgramStandIn, status: int, message: str) -> None:
    deepgram.script = lambda record: Script(refuse=None if record.number else REFUSALS[status])
    async with captioning(deepgram.url) as (_, app, _talk):
        await app.enters("live")
    assert app.messages[1] == f"{message} {sentences.RECONNECTING}"
    assert app.states[:3] == ["connecting", "reconnecting", "live"]


async def test_an_address_where_nobody_answers_is_tried_again_and_stop_does_not_wait(nobody: str) -> None:
    async with captioning(nobody.replace("http", "ws")) as (engine, app, _):
        status = await app.enters("reconnecting")
        assert re.match(r"Can't reach ws://127\.0\.0\.1:\d+ \(.*\)\. Check the address", status.message)
        await stop(engine)
    assert app.statuses[-1].reason == "client_stop"


async def test_a_hangup_of_deepgrams_is_followed_by_another_connection(deepgram: DeepgramStandIn) -> None:
    audio = sound(6)
    once = knowing(audio, hangup=Hangup(after=3.0))
    deepgram.script = lambda record: knowing(audio) if record.number else once
    async with captioning(deepgram.url) as (engine, app, talk):
        await asyncio.to_thread(talk.say, audio)
        await app.sees(lambda: app.heard("w11"))
        await stop(engine)
    assert app.finals == " ".join(f"w{number}" for number in range(12))


async def test_a_connection_without_audio_that_deepgram_closes_waits_for_audio(deepgram: DeepgramStandIn) -> None:
    deepgram.script = Script(patience=1.5)
    async with captioning(deepgram.url) as (_, app, talk):
        status = await app.enters("reconnecting")
        assert status.message == sentences.PAUSED
        assert len(deepgram.records) == 1
        talk.say(sound(1))
        await app.enters("live")
        assert len(deepgram.records) == 2


async def test_a_network_that_is_pulled_without_a_word_is_noticed_and_loses_no_word(
    deepgram: DeepgramStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LATE_SECONDS", 0.2)
    monkeypatch.setattr(connection, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(captioner, "DEAD_SECONDS", 0.6)
    audio = sound(8)
    deepgram.script = knowing(audio)
    async with (
        Proxy(deepgram.address) as proxy,
        captioning(f"ws://127.0.0.1:{proxy.port}") as (engine, app, talk),
    ):
        talk.say(audio[: 5 * SECOND])
        await app.sees(lambda: app.heard("w9"))
        for link in list(proxy.links):
            link.change(frozen=True)
        talk.say(audio[5 * SECOND :])
        await app.enters("reconnecting")
        await app.sees(lambda: app.heard("w15"))
        await stop(engine)
    assert app.finals == " ".join(f"w{number}" for number in range(16))


async def test_a_certificate_that_nobody_knows_is_told_and_ends() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parents[3] / "standin" / "localhost.pem")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server, captioning(f"wss://127.0.0.1:{port}") as (_, app, _talk):
        ended = await app.enters("ended")
    assert ended.reason == "refused"
    assert "certificate" in ended.message


async def test_nonsense_from_the_server_is_ignored(deepgram: DeepgramStandIn) -> None:
    deepgram.script = Script(nonsense=NONSENSE, nonsense_after=1.0)
    async with captioning(deepgram.url) as (engine, app, talk):
        talk.say(sound(2))
        await app.sees(lambda: "w3" in app.finals)
        await stop(engine)
    assert app.statuses[-1].reason == "client_stop"


def test_lists_and_booleans_in_the_query() -> None:
    session = {"model": "nova-2", "interim_results": True, "endpointing": False, "keyterm": ["a b", "c"]}
    assert byok.query(session) == "model=nova-2&interim_results=true&endpointing=false&keyterm=a+b&keyterm=c"
