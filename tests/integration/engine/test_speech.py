"""The engine as `serve` starts it, over the real model: real speech, silence, and every message of the protocol."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.integration.engine.recordings import (
    BECKETT,
    TWO_CITIES,
    at_rate,
    recording,
    without_pauses,
    word_errors,
)
from tests.integration.engine.running import (
    CLOSE,
    RAW,
    SECOND,
    Client,
    connected,
    end,
    frames,
    inheriting,
    transcribe,
    transcript,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
MAX_WORD_ERRORS = 0.15
"""The highest accepted word error rate."""
AGE_OF_FOOLISHNESS = 8.6
"""Seconds of two_cities.wav: its first 24 words, and a pause."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with inheriting() as (_, url):
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def pausing(url: str) -> AsyncIterator[dict[str, asyncio.Task[tuple[Client, float]]]]:
    """Two streams without audio for longer than 10 s, while other tests run: one silent, one with KeepAlive."""

    async def pause(*keepalives: str) -> tuple[Client, float]:
        async with connected(url) as client:
            await client.send(bytes(SECOND))
            began = time.monotonic()
            for keepalive in keepalives:
                await asyncio.sleep(4)
                await client.send(keepalive)
        return client, time.monotonic() - began

    tasks = {
        "silent": asyncio.create_task(pause()),
        "alive": asyncio.create_task(pause(*['{"type":"KeepAlive"}'] * 3, CLOSE)),
    }
    yield tasks
    for task in tasks.values():
        task.cancel()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readings(url: str) -> tuple[Client, Client]:
    """Both recordings, recognized at the same time: two_cities.wav with interims, beckett.wav without."""
    dickens, rate = recording("two_cities.wav")
    beckett, slower = recording("beckett.wav")
    assert (rate, slower) == (48_000, 16_000)
    return await asyncio.gather(
        transcribe(url, "encoding=linear16&sample_rate=48000&interim_results=true", *frames(dickens.tobytes(), 9600)),
        transcribe(url, RAW, *frames(beckett.tobytes())),
    )


async def test_real_speech_is_understood(readings: tuple[Client, Client]) -> None:
    assert word_errors([client.text() for client in readings], [TWO_CITIES, BECKETT]) <= MAX_WORD_ERRORS


async def test_interims_with_words_precede_finals(readings: tuple[Client, Client]) -> None:
    """Not every final has interims, because a late machine recognizes whole lines in one turn."""
    growing: list[float] = []
    grown = 0
    for results in readings[0].results():
        if not results["is_final"]:
            assert not results["speech_final"]
            growing.append(end(results))
        elif transcript(results):
            assert growing == sorted(growing)
            grown += len(growing) > 0
            growing = []
    assert grown
    assert growing == []


async def test_interims_are_sent_only_on_request(readings: tuple[Client, Client]) -> None:
    """A slow machine sends others without words, as progress reports."""
    assert all(results["is_final"] for results in readings[1].results() if transcript(results))


async def test_results_begin_where_the_last_final_ended_and_finals_cover_all_audio(
    readings: tuple[Client, Client],
) -> None:
    for client in readings:
        until = 0.0
        for results in client.results():
            assert results["start"] == until
            until = end(results) if results["is_final"] else until
        assert until == pytest.approx(client.metadata["duration"], abs=0.001)


async def test_word_times_and_confidence_are_not_invented(readings: tuple[Client, Client]) -> None:
    for results in readings[0].results():
        [alternative] = results["channel"]["alternatives"]
        assert (alternative["confidence"], alternative["words"]) == (0, [])


async def test_metadata_is_about_the_audio_sent(readings: tuple[Client, Client]) -> None:
    for client, (samples, rate) in zip(readings, map(recording, ("two_cities.wav", "beckett.wav")), strict=True):
        assert client.metadata["duration"] == pytest.approx(len(samples) / rate, abs=1e-6)
        assert client.metadata["channels"] == 1
        assert client.metadata["sha256"] == hashlib.sha256(samples.tobytes()).hexdigest()
        assert datetime.fromisoformat(client.metadata["created"]).tzinfo is not None
        assert client.code == 1000


async def test_one_request_id_names_the_stream_everywhere(readings: tuple[Client, Client]) -> None:
    for client in readings:
        named = {results["metadata"]["request_id"] for results in client.results()}
        assert named == {client.metadata["request_id"]} == {client.request_id}
    assert readings[0].request_id != readings[1].request_id


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100])
async def test_speech_is_understood_at_any_rate(url: str, rate: int) -> None:
    audio = at_rate(*recording("two_cities.wav", AGE_OF_FOOLISHNESS), rate).tobytes()
    client = await transcribe(url, f"encoding=linear16&sample_rate={rate}", *frames(audio))
    assert word_errors([client.text()], [_first_words(24)]) <= MAX_WORD_ERRORS
    assert client.metadata["duration"] == pytest.approx(AGE_OF_FOOLISHNESS, abs=0.001)


async def test_channels_are_recognized_separately_on_request(url: str) -> None:
    right, _ = recording("beckett.wav")
    left = np.zeros_like(right)
    dickens = at_rate(*recording("two_cities.wav", AGE_OF_FOOLISHNESS), 16_000)
    left[: len(dickens)] = dickens
    client = await transcribe(url, f"{RAW}&channels=2&multichannel=true", *frames(np.stack([left, right], 1).tobytes()))
    errors = word_errors([client.text(0), client.text(1)], [_first_words(24), BECKETT])
    assert errors <= 2 * MAX_WORD_ERRORS  # mixed channels would have nearly all words wrong
    for channel in (0, 1):
        assert {tuple(results["channel_index"]) for results in client.results(channel)} == {(channel, 2)}
        assert sum(results["duration"] for results in client.finals(channel)) == pytest.approx(
            len(right) / 16_000, abs=0.001
        )
    assert client.metadata["duration"] == pytest.approx(len(right) / 16_000)
    assert client.metadata["channels"] == 2


async def test_channels_are_mixed_otherwise(url: str) -> None:
    whole = at_rate(*recording("two_cities.wav", AGE_OF_FOOLISHNESS), 16_000)
    middle = int(4.9 * 16_000)
    left, right = whole.copy(), whole.copy()
    left[middle:], right[:middle] = 0, 0
    client = await transcribe(url, f"{RAW}&channels=2", *frames(np.stack([left, right], 1).tobytes()))
    assert word_errors([client.text()], [_first_words(24)]) <= MAX_WORD_ERRORS
    assert {tuple(results["channel_index"]) for results in client.results()} == {(0, 1)}
    assert (client.metadata["duration"], client.metadata["channels"]) == (pytest.approx(len(whole) / 16_000), 2)


@pytest.mark.parametrize("loudness", [0, 200])
async def test_silence_and_noise_are_an_empty_final_for_about_each_second(url: str, loudness: int) -> None:
    noise = np.random.default_rng(0).normal(0, loudness, 16_000 * 5).astype("<i2").tobytes()
    client = await transcribe(url, f"{RAW}&interim_results=true", *frames(noise))
    assert {transcript(results) for results in client.results()} == {""}
    assert all(results["is_final"] and not results["speech_final"] for results in client.results())
    assert [end(results) for results in client.results()][:5] == [1, 2, 3, 4, 5]


async def test_finalize_makes_words_final_and_the_stream_continues(url: str) -> None:
    samples = at_rate(*recording("two_cities.wav", AGE_OF_FOOLISHNESS), 16_000)
    begun, rest = samples[: 16_000 * 3].tobytes(), samples[16_000 * 3 :].tobytes()
    async with connected(url) as client:
        await client.send(*frames(begun), '{"type":"Finalize"}')
        await client.until(lambda: client.finals() and client.finals()[-1]["from_finalize"])
        finalized = client.finals()[-1]
        assert word_errors([client.text()], [_first_words(6)]) <= 0.5, "the last word may be cut in two"
        await client.send(*frames(rest), CLOSE)
    assert end(finalized) == 3
    assert [results["from_finalize"] for results in client.finals()].count(True) == 1
    assert all(end(one) == other["start"] for one, other in pairwise(client.finals()))
    assert end(client.finals()[-1]) == pytest.approx(client.metadata["duration"], abs=0.001)
    assert "wisdom" in client.text()


async def test_a_finalize_in_silence_is_confirmed(url: str) -> None:
    async with connected(url) as client:
        await client.send(bytes(SECOND * 3 // 2), '{"type":"Finalize"}')
        await client.until(lambda: client.finals() and client.finals()[-1]["from_finalize"])
        assert [(results["start"], end(results)) for results in client.finals()] == [(0, 1), (1, 1.5)]
        await client.send(CLOSE)


@pytest.mark.parametrize(
    ("name", "begin", "seconds", "word"),
    [("beckett.wav", 0.3, 0.5, "Ever"), ("beckett.wav", 0.3, 0.8, "tried"), ("two_cities.wav", 1.0, 0.8, "best")],
)
async def test_a_finalize_soon_after_speech_began_loses_no_word(
    url: str, name: str, begin: float, seconds: float, word: str
) -> None:
    samples = at_rate(*recording(name, begin + seconds), 16_000)[int(begin * 16_000) :]
    audio = bytes(SECOND) + samples.tobytes()
    async with connected(url) as client:
        await client.send(*frames(audio), '{"type":"Finalize"}')
        await client.until(lambda: client.finals() and client.finals()[-1]["from_finalize"])
        assert word in client.text()
        assert end(client.finals()[-1]) == pytest.approx(1 + seconds)
        await client.send(CLOSE)
    assert client.metadata["duration"] == pytest.approx(1 + seconds)


@pytest.mark.parametrize(("endpointing", "ends"), [("10", 6), ("1500", 1), ("false", 0)])
async def test_speech_ends_after_the_requested_silence(url: str, endpointing: str, ends: int) -> None:
    """Six sentences with short pauses between them, then a long one."""
    audio = recording("beckett.wav")[0].tobytes() + bytes(3 * SECOND)
    client = await transcribe(url, f"{RAW}&endpointing={endpointing}", *frames(audio))
    spoken = [results for results in client.finals() if transcript(results)]
    assert [results["speech_final"] for results in spoken] == [False] * (6 - ends) + [True] * ends
    assert not any(results["speech_final"] for results in client.finals() if not transcript(results))


async def test_speech_that_never_pauses_is_cut_into_finals_but_does_not_end(url: str) -> None:
    dense = without_pauses(at_rate(*recording("two_cities.wav"), 16_000))[: 12 * 16_000]
    assert len(dense) == 12 * 16_000
    client = await transcribe(url, f"{RAW}&vad_events=true", *frames(dense.tobytes() + bytes(2 * SECOND)))
    spoken = [results for results in client.finals() if transcript(results)]
    assert len(spoken) >= 2
    assert [results["speech_final"] for results in spoken] == [False] * (len(spoken) - 1) + [True]
    assert [message["type"] for message in client.messages].count("SpeechStarted") == 1


async def test_the_start_of_speech_and_the_end_of_an_utterance_are_sent(url: str) -> None:
    audio = bytes(SECOND) + recording("beckett.wav")[0].tobytes() + bytes(2 * SECOND)
    wanted = "interim_results=true&vad_events=true&utterance_end_ms=1000"
    client = await transcribe(url, f"{RAW}&{wanted}", *frames(audio))
    starts = [message["timestamp"] for message in client.messages if message["type"] == "SpeechStarted"]
    [utterance_end] = [message for message in client.messages if message["type"] == "UtteranceEnd"]
    assert len(starts) == 6
    assert starts[0] == pytest.approx(1.3, abs=0.4)
    assert starts == sorted(starts)
    last = [results for results in client.finals() if transcript(results)][-1]
    assert utterance_end == {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": end(last)}
    assert end(last) == pytest.approx(9.9, abs=0.5)
    assert client.messages.index(last) < client.messages.index(utterance_end)


@pytest.mark.parametrize("nonsense", ["", "{", "[]", "null", '"CloseStream"', '{"type":"Konfigure"}', "[" * 100_000])
async def test_an_unknown_message_is_answered_and_the_stream_continues(url: str, nonsense: str) -> None:
    client = await transcribe(url, RAW, bytes(SECOND), nonsense, bytes(SECOND))
    [error] = [message for message in client.messages if message["type"] == "Error"]
    assert error["variant"] == "SchemaError"
    assert nonsense.startswith(error["message"])
    assert (client.metadata["duration"], client.code) == (2, 1000)


@pytest.mark.parametrize("goodbye", [CLOSE, b""])
async def test_a_stream_ends_with_metadata_and_a_normal_close(url: str, goodbye: str | bytes) -> None:
    async with connected(url) as client:
        await client.send(bytes(SECOND // 4), goodbye, bytes(SECOND))
    assert [end(results) for results in client.finals()] == [0.25]
    assert (client.metadata["duration"], client.code, client.reason) == (0.25, 1000, "")


async def test_metadata_without_audio_has_no_channel(url: str) -> None:
    client = await transcribe(url, RAW)
    assert (client.metadata["duration"], client.metadata["channels"], client.code) == (0, 0, 1000)


async def test_frames_may_be_cut_anywhere(url: str) -> None:
    audio = recording("beckett.wav", 3)[0].tobytes()
    client = await transcribe(url, RAW, *frames(audio, 777))
    assert client.metadata["duration"] == 3
    assert word_errors([client.text()], ["Ever tried. Ever failed."]) <= 0.5


@pytest.mark.parametrize(
    ("query", "key", "path", "status", "code"),
    [
        (RAW, "wrong", "/v1/listen", 401, "INVALID_AUTH"),
        (f"{RAW}&language=de", "k3y", "/v1/listen", 400, "INVALID_QUERY_PARAMETER"),
        ("encoding=mp3&sample_rate=16000", "k3y", "/v1/listen", 400, "INVALID_QUERY_PARAMETER"),
        ("encoding=linear16", "k3y", "/v1/listen", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&endpointing=banana", "k3y", "/v1/listen", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&utterance_end_ms=1000", "k3y", "/v1/listen", 400, "INVALID_QUERY_PARAMETER"),
        (f"{RAW}&channels=none", "k3y", "/v1/listen", 400, "INVALID_QUERY_PARAMETER"),
        (RAW, "k3y", "/v2/listen", 404, "NOT_FOUND"),
    ],
)
async def test_a_refusal_says_why_in_header_and_body(
    url: str, query: str, key: str, path: str, status: int, code: str
) -> None:
    with pytest.raises(InvalidStatus) as raised:
        async with connected(url, query, path, key):
            pass
    response = raised.value.response
    body = json.loads(response.body)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/json")
    assert body == {
        "err_code": code,
        "err_msg": response.headers["dg-error"],
        "request_id": response.headers["dg-request-id"],
    }
    assert body["err_msg"]


async def test_any_model_name_is_accepted(url: str) -> None:
    client = await transcribe(url, f"model=nova-3-medical&language=en-GB&tag=x&keyterm=a+b&no_delay=true&{RAW}")
    assert client.code == 1000


async def test_ten_seconds_without_a_frame_end_the_stream(
    pausing: dict[str, asyncio.Task[tuple[Client, float]]],
) -> None:
    client, seconds = await pausing["silent"]
    assert seconds > 9.9
    assert client.metadata["duration"] == 1
    assert client.code == 1011
    assert client.reason is not None
    assert "did not receive audio data or a text message" in client.reason
    assert "net0001" in client.reason


async def test_keepalive_keeps_a_pause_open_and_adds_no_time(
    pausing: dict[str, asyncio.Task[tuple[Client, float]]],
) -> None:
    client, seconds = await pausing["alive"]
    assert seconds > 12
    assert {message["type"] for message in client.messages} == {"Results", "Metadata"}
    assert (client.metadata["duration"], client.code) == (1, 1000)


def _first_words(count: int) -> str:
    return " ".join(TWO_CITIES.split()[:count])
