"""The engine's `POST /v1/listen`: real speech in files of many kinds, channels apart, and files that are no audio."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.integration.engine.containers import encoded, speech
from tests.integration.engine.recordings import BECKETT, word_errors
from tests.integration.engine.running import KEY, RAW, inheriting, transcribe

TOLERATED = 0.2
"""Of the words, after compression."""
KINDS = [
    ("webm", "libopus", 48000), ("ogg", "libopus", 48000), ("mp3", "libmp3lame", 44100),
    ("mp4", "aac", 44100), ("adts", "aac", 44100), ("flac", "flac", 16000), ("wav", "pcm_s16le", 8000),
    ("wav", "pcm_mulaw", 8000),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with inheriting() as (_, url):
        yield url


async def post(engine: str, body: Any, query: str = "", key: str = KEY) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        url = f"{engine.replace('ws', 'http', 1)}/v1/listen?{query}"
        return await client.post(url, content=body, headers={"Authorization": f"Token {key}"})


def texts(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    channels = answer.json()["results"]["channels"]
    return [channel["alternatives"][0]["transcript"] for channel in channels]


@pytest.mark.parametrize(("kind", "codec", "rate"), KINDS)
async def test_speech_is_recognized_in_files_of_many_kinds(engine: str, kind: str, codec: str, rate: int) -> None:
    samples = speech(rate)
    answer = await post(engine, encoded(kind, codec, rate, samples))
    [text] = texts(answer)
    assert word_errors([text], [BECKETT]) < TOLERATED
    metadata = answer.json()["metadata"]
    assert metadata["duration"] == pytest.approx(len(samples) / rate, abs=0.12)  # encoders add a frame or two
    assert (metadata["channels"], metadata["request_id"]) == (1, answer.headers["dg-request-id"])


@pytest.mark.parametrize(("encoding", "type"), [("linear16", "<i2"), ("linear32", "<f4")])
async def test_raw_audio_is_recognized(engine: str, encoding: str, type: str) -> None:
    samples = speech()
    raw = (samples if encoding == "linear16" else samples / 32768).astype(type).tobytes()
    answer = await post(engine, raw, f"encoding={encoding}&sample_rate=16000")
    assert word_errors(texts(answer), [BECKETT]) < TOLERATED
    assert answer.json()["metadata"]["duration"] == len(samples) / 16000


async def test_channels_are_recognized_apart_or_mixed(engine: str) -> None:
    samples = speech()
    file = encoded("wav", "pcm_s16le", 16000, samples, np.zeros_like(samples))
    answer = await post(engine, file, "multichannel=true&utterances=true")
    assert answer.json()["metadata"]["channels"] == 2
    spoken, silent = texts(answer)
    assert word_errors([spoken], [BECKETT]) < TOLERATED
    assert silent == ""
    utterances = answer.json()["results"]["utterances"]
    assert " ".join(each["transcript"] for each in utterances) == spoken
    assert {each["channel"] for each in utterances} == {0}
    mixed = await post(engine, file)
    assert (len(texts(mixed)), mixed.json()["metadata"]["channels"]) == (1, 2)
    assert word_errors(texts(mixed), [BECKETT]) < TOLERATED


async def test_a_file_of_eight_channels_is_recognized(engine: str) -> None:
    """PyAV crashes on eight planes."""
    silence = np.zeros_like(speech())
    answer = await post(engine, encoded("flac", "flac", 16000, speech(), *[silence] * 7), "multichannel=true")
    assert word_errors(texts(answer)[:1], [BECKETT]) < TOLERATED
    assert texts(answer)[1:] == [""] * 7


async def test_a_file_that_is_cut_off_is_recognized_as_far_as_it_goes(engine: str) -> None:
    file = encoded("webm", "libopus", 48000, speech(48000))
    answer = await post(engine, file[: len(file) // 2])
    assert texts(answer)[0].lower().startswith("ever tried")
    assert 0 < answer.json()["metadata"]["duration"] < len(speech()) / 16000


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"RIFF",
        bytes(100_000),
        b"ID3\x04" * 500,
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile a.wav",
    ],
)
async def test_what_is_no_audio_is_refused(engine: str, body: bytes) -> None:
    answer = await post(engine, body)
    assert (answer.status_code, answer.json()["err_code"]) == (400, "Bad Request")
    assert answer.headers["dg-error"] == answer.json()["err_msg"]


@pytest.mark.parametrize("query", ["language=de", "encoding=opus", "encoding=linear16", "multichannel=2"])
async def test_a_bad_parameter_is_refused(engine: str, query: str) -> None:
    answer = await post(engine, b"x", query)
    assert (answer.status_code, answer.json()["err_code"]) == (400, "INVALID_QUERY_PARAMETER")


async def test_a_wrong_key_is_refused(engine: str) -> None:
    assert (await post(engine, b"x", key="wrong")).status_code == 401


async def test_streams_are_served_on_the_same_socket(engine: str) -> None:
    client = await transcribe(engine, RAW, speech().tobytes())
    assert word_errors([client.text()], [BECKETT]) < TOLERATED
