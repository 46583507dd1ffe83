"""The engine as an app uses it: start and stop whatever happens, one thread for callbacks, and nothing left behind."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.standin.deepgram import DeepgramStandIn
from tests.standin.script import Script
from tests.unit.client.engine.app import App, Talk
from tests.unit.client.servers import Socket, caption_server
from transcription_client.engine import base, sentences
from transcription_client.engine.captioner import Captioner
from transcription_client.engine.values import EngineStatus
from transcription_client.remote_transcription import RemoteTranscriptionEngine

MANAGED = {"mode": "managed", "auth_token": "a-token"}
STOP_SECONDS = 5.0


def engine(app: App, talk: Talk | None = None, **config: Any) -> RemoteTranscriptionEngine:
    return RemoteTranscriptionEngine(MANAGED | config, app.on_transcript, app.on_status, talk or Talk())


@pytest.fixture
def silent_server() -> Iterator[str]:
    """It accepts connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def stop(running: RemoteTranscriptionEngine, app: App) -> float:
    """Stop an engine, and return how long that took. Nothing may be called after it."""
    asked_at = time.monotonic()
    running.stop()
    took = time.monotonic() - asked_at
    calls = app.calls
    running._on_server_message('{"type":"transcript","text":"late","is_final":true,"confidence":null,"start":0,'
                               '"duration":1,"speech_final":true}')  # fmt: skip
    running._on_audio_chunk(bytes(3200))
    assert app.calls == calls
    assert running.level == 0.0
    return took


def test_start_returns_at_once_and_stop_soon_where_nobody_answers(nobody: str) -> None:
    app = App()
    running = engine(app, server_url=nobody)
    began_at = time.monotonic()
    running.start()
    assert time.monotonic() - began_at < 1
    app.until_state("reconnecting")
    assert stop(running, app) < STOP_SECONDS
    assert app.statuses[-1].reason == "client_stop"


def test_stop_comes_soon_where_the_server_never_says_a_word(silent_server: str) -> None:
    app = App()
    running = engine(app, server_url=silent_server)
    running.start()
    app.until_state("connecting")
    assert stop(running, app) < STOP_SECONDS


async def test_stop_comes_soon_where_the_last_words_do_not() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        socket.freeze()

    app, talk = App(), Talk()
    async with caption_server(script) as (server, _):
        running = engine(app, talk, server_url=server)
        running.start()
        await app.enters("live")
        talk.say(bytes(320_000))
        assert await asyncio.to_thread(stop, running, app) < STOP_SECONDS
    assert app.state == "ended"


def test_stop_comes_soon_where_the_app_hangs_in_a_callback(nobody: str) -> None:
    hang, began = threading.Event(), threading.Event()

    def on_status(_: object) -> None:
        began.set()
        hang.wait(30)

    running = RemoteTranscriptionEngine(MANAGED | {"server_url": nobody}, lambda _: None, on_status, Talk())
    running.start()
    assert began.wait(10)
    asked_at = time.monotonic()
    running.stop()
    assert time.monotonic() - asked_at < STOP_SECONDS
    hang.set()


def test_an_app_may_stop_in_a_callback(nobody: str) -> None:
    stopped = threading.Event()

    def on_status(_: object) -> None:
        running.stop()
        stopped.set()

    running = RemoteTranscriptionEngine(MANAGED | {"server_url": nobody}, lambda _: None, on_status, Talk())
    running.start()
    assert stopped.wait(STOP_SECONDS)


def test_stop_without_start_and_start_after_it(nobody: str) -> None:
    app = App()
    running = engine(app, server_url=nobody)
    running.stop()
    running.stop()
    running.start()
    app.until_state("reconnecting")
    running.stop()


def test_a_second_start_changes_nothing(nobody: str) -> None:
    app, talk = App(), Talk()
    running = engine(app, talk, server_url=nobody)
    running.start()
    running.start()
    app.until_state("reconnecting")
    running.stop()
    assert (talk.started, talk.stopped) == (1, 1)


def test_an_engine_that_ended_by_itself_may_be_started_again() -> None:
    app = App()
    running = engine(app, server_url="")
    for count in (1, 2):
        running.start()
        app.until(lambda count=count: app.messages == count * [sentences.NO_SERVER])  # type: ignore[misc]
    running.stop()


def test_an_app_may_start_again_as_soon_as_it_is_told_of_the_end() -> None:
    ends, again = list[str](), threading.Event()

    def on_status(status: EngineStatus) -> None:
        ends.append(status.message)
        if len(ends) < 20:
            running.start()
        else:
            again.set()

    running = RemoteTranscriptionEngine({"mode": "managed"}, lambda _: None, on_status, Talk())
    running.start()
    assert again.wait(20)
    running.stop()
    assert ends == 20 * [sentences.NO_SERVER]


def test_a_source_that_fails_is_told_and_the_captions_go_on(nobody: str) -> None:
    app = App()
    running = engine(app, Talk(fails=RuntimeError("a secret detail")), server_url=nobody)
    running.start()
    app.until(lambda: sentences.SOURCE_FAILED in app.messages)
    running.stop()
    assert "secret" not in str(app.statuses)


def test_a_fault_of_the_engine_itself_is_told(monkeypatch: pytest.MonkeyPatch, nobody: str) -> None:
    async def run(_: Captioner) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Captioner, "run", run)
    app = App()
    running = engine(app, server_url=nobody)
    running.start()
    ended = app.until_state("ended")
    assert (ended.reason, ended.message) == ("failed", sentences.ENGINE_FAILED.full)
    running.stop()


def test_the_plans_messages_reach_the_app() -> None:
    """Also of an app that has a connection of its own, and of a test that needs none."""
    app = App()
    running = engine(app)
    before = datetime.now(UTC)
    running._on_server_message(
        '{"type":"transcript","text":"hello","is_final":true,"confidence":0.9,"start":1.5,"duration":0.5,"speech_final":true}'
    )
    running._on_server_message(b'{"type":"credits_low","seconds_remaining":60}')
    running._on_server_message('{"type":"error","code":"busy","message":"All caption slots are busy right now."}')
    running._on_server_message("no json")
    running._on_server_message('{"type":"of a newer server"}')
    app.until(lambda: len(app.statuses) == 2)
    (result,) = app.results
    assert (result.text, result.is_final, result.confidence, result.start, result.duration) == (
        "hello", True, 0.9, 1.5, 0.5
    )  # fmt: skip
    assert abs(result.timestamp - before) < timedelta(seconds=10)
    assert app.messages == [sentences.low(60, fallback=False), "All caption slots are busy right now."]
    running.stop()


class OwnMicrophone(Talk):
    """What the engine opens where the app gives no source."""

    def __init__(self) -> None:
        super().__init__()
        opened.append(self)


opened: list[OwnMicrophone] = []


@pytest.fixture
def microphones(monkeypatch: pytest.MonkeyPatch) -> list[OwnMicrophone]:
    opened.clear()
    monkeypatch.setattr(base, "Microphone", OwnMicrophone)
    return opened


async def test_audio_that_an_app_captures_itself_closes_the_engines_microphone(
    microphones: list[OwnMicrophone],
) -> None:
    """Otherwise each word would be sent, and billed, twice."""
    async with DeepgramStandIn(Script()) as deepgram:
        app = App()
        running = RemoteTranscriptionEngine(
            {"mode": "byok", "byok_api_key": "k", "deepgram_url": deepgram.url}, app.on_transcript, app.on_status
        )
        running.start()
        await app.enters("live")
        (own,) = microphones
        own.say(bytes(16_000))
        for _ in range(15):
            running._on_audio_chunk(b"\1\0" * 1600)
            own.say(bytes(3200))
        await app.sees(lambda: app.heard("w3"))
        assert running.level == pytest.approx(1 / 32_768)
        await asyncio.to_thread(running.stop)
        assert own.stopped
        running.start()
        assert len(microphones) == 1
        await asyncio.to_thread(running.stop)
    assert bytes(deepgram.records[0].audio) == bytes(16_000) + b"\1\0" * 1600 * 15


async def test_muted_before_the_start_nothing_is_sent() -> None:
    async with DeepgramStandIn(Script()) as deepgram:
        app, talk = App(), Talk()
        config = {"mode": "byok", "byok_api_key": "k", "deepgram_url": deepgram.url}
        running = RemoteTranscriptionEngine(config, app.on_transcript, app.on_status, talk)
        running.set_muted(True)
        running.start()
        await app.enters("live")
        talk.say(b"\1\0" * 16_000)
        assert running.level > 0
        await asyncio.to_thread(running.stop)
    assert deepgram.last.audio_bytes == 0


async def test_a_hundred_starts_and_stops_leave_nothing_behind() -> None:
    """With words each time. The first ten fill caches."""
    counts: list[int] = []
    grown = 0
    async with DeepgramStandIn(Script()) as deepgram:
        app, talk = App(), Talk()
        config = {"mode": "byok", "byok_api_key": "k", "deepgram_url": deepgram.url}
        running = RemoteTranscriptionEngine(config, app.on_transcript, app.on_status, talk)
        for count in range(100):
            running.start()
            await app.enters("live")
            talk.say(bytes(32_000))
            await app.sees(lambda: bool(app.results))
            await asyncio.to_thread(running.stop)
            assert app.state == "ended"
            app.results.clear()
            app.statuses.clear()
            deepgram.records.clear()
            gc.collect()
            assert [each.name for each in threading.enumerate() if each.name.startswith("captions")] == []
            counts.append(_descriptors())
            if count == 10:
                grown = -_resident_kib()
        grown += _resident_kib()
    assert counts[-1] - counts[10] <= 2, "the stand-in closes its ends a moment later"
    assert grown < 4 * 1024, f"{grown} KiB"


def _resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def _descriptors() -> int:
    with socket.socket() as lowest_free:
        return lowest_free.fileno()
