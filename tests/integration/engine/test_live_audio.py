"""Streams of containers and codecs, as browsers and files bring them: real speech, decoded while it arrives."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from tests.integration.engine.containers import LIVE_WEBM, encoded, opus_packets, speech
from tests.integration.engine.recordings import BECKETT, word_errors
from tests.integration.engine.running import (
    CLOSE,
    Client,
    connected,
    end,
    frames,
    inheriting,
    transcribe,
)

TOLERATED = 0.2
"""Of the words, after compression."""
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"}
SECONDS = len(speech()) / 16_000
PIECES = 100
KINDS = {
    "webm": ("webm", "libopus", 48_000, LIVE_WEBM),
    "ogg": ("ogg", "libopus", 48_000, {}),
    "mp3": ("mp3", "libmp3lame", 44_100, {}),
    "aac": ("adts", "aac", 44_100, {}),
    "flac": ("flac", "flac", 16_000, {}),
    "wav": ("wav", "pcm_s16le", 8000, {}),
    "wav, 24 bits": ("wav", "pcm_s24le", 44_100, {}),
    "m4a": ("mp4", "aac", 44_100, {"movflags": "faststart"}),
    "m4a in fragments": ("mp4", "aac", 44_100, FRAGMENTS),
    "amr": ("amr", "libopencore_amrnb", 8000, {}),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with inheriting() as (_, url):
        yield url


def file(kind: str) -> bytes:
    format, codec, rate, options = KINDS[kind]
    return encoded(format, codec, rate, speech(rate), **options)


def pieces(data: bytes) -> list[bytes]:
    return list(frames(data, -(-len(data) // PIECES)))


def assert_understood(client: Client) -> None:
    assert word_errors([client.text()], [BECKETT]) < TOLERATED
    assert (client.code, client.reason, client.metadata["channels"]) == (1000, "", 1)
    assert client.metadata["duration"] == pytest.approx(SECONDS, abs=0.05)  # encoders add a frame or two
    assert end(client.finals()[-1]) == pytest.approx(client.metadata["duration"], abs=0.001)


@pytest.mark.parametrize("kind", KINDS)
async def test_words_come_while_the_audio_arrives(engine: str, kind: str) -> None:
    """The header is in the first piece only. Two thirds are sent, and answered before the rest follows."""
    sent = pieces(file(kind))
    async with connected(engine, "interim_results=true") as client:
        await client.send(*sent[:66])
        await client.until(lambda: client.results() and end(client.results()[-1]) > 4)
        assert "tried" in client.text().lower()
        await client.send(*sent[66:], CLOSE)
    assert_understood(client)


async def test_an_m4a_whose_index_comes_last_is_decoded_at_its_end(engine: str) -> None:
    client = await transcribe(engine, "", *pieces(encoded("mp4", "aac", 44_100, speech(44_100))))
    assert_understood(client)


@pytest.mark.parametrize(
    ("encoding", "rate", "kind", "skip"),
    [("ogg-opus", 48_000, "ogg", 0), ("flac", 16_000, "flac", 0), ("amr-nb", 8000, "amr", 6)],
)
async def test_a_named_codec_is_decoded(engine: str, encoding: str, rate: int, kind: str, skip: int) -> None:
    client = await transcribe(engine, f"encoding={encoding}&sample_rate={rate}", *pieces(file(kind)[skip:]))
    assert_understood(client)


async def test_opus_packets_are_decoded_one_for_each_message(engine: str) -> None:
    packets = opus_packets()
    client = await transcribe(engine, "encoding=opus&sample_rate=48000", *packets)
    assert_understood(client)
    damaged = [*packets[:200], b"\xff" * 3, *packets[200:]]
    assert_understood(await transcribe(engine, "encoding=opus&sample_rate=48000", *damaged))


@pytest.mark.parametrize(("encoding", "type", "scale"), [("linear32", "<f4", 32_768), ("linear16", "<i2", 1)])
async def test_raw_samples_are_decoded(engine: str, encoding: str, type: str, scale: int) -> None:
    audio = (speech() / scale).astype(type).tobytes()
    client = await transcribe(engine, f"encoding={encoding}&sample_rate=16000", *frames(audio))
    assert_understood(client)
    assert client.metadata["duration"] == SECONDS


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
async def test_telephone_audio_is_decoded(engine: str, encoding: str) -> None:
    audio = encoded("wav", f"pcm_{encoding}", 8000, speech(8000))
    audio = audio[audio.index(b"data") + 8 :]
    client = await transcribe(engine, f"encoding={encoding}&sample_rate=8000", *frames(audio))
    assert_understood(client)


async def test_channels_of_a_container_are_recognized_apart_or_mixed(engine: str) -> None:
    samples = speech(48_000)
    stereo = encoded("webm", "libopus", 48_000, np.zeros_like(samples), samples, **LIVE_WEBM)
    apart = await transcribe(engine, "multichannel=true", *pieces(stereo))
    assert word_errors([apart.text(1)], [BECKETT]) < TOLERATED
    assert apart.text(0) == ""
    assert {tuple(each["channel_index"]) for each in apart.results(1)} == {(1, 2)}
    assert apart.metadata["channels"] == 2
    mixed = await transcribe(engine, "", *pieces(stereo))
    assert word_errors([mixed.text()], [BECKETT]) < TOLERATED
    assert {tuple(each["channel_index"]) for each in mixed.results()} == {(0, 1)}
    assert mixed.metadata["channels"] == 2


async def test_a_finalize_is_confirmed_at_its_place(engine: str) -> None:
    sent = pieces(file("webm"))
    async with connected(engine, "") as client:
        await client.send(*sent[:30], '{"type":"Finalize"}')
        await client.until(lambda: client.finals() and client.finals()[-1]["from_finalize"])
        assert 2 < end(client.finals()[-1]) < 3.5
        await client.send(*sent[30:], CLOSE)
    assert_understood(client)


@pytest.mark.parametrize("kind", ["webm", "ogg", "mp3", "flac", "m4a"])
async def test_a_stream_that_is_cut_off_ends_with_the_words_so_far(engine: str, kind: str) -> None:
    data = file(kind)
    client = await transcribe(engine, "", *pieces(data[: len(data) // 2]))
    assert client.text().lower().startswith("ever tried")
    assert 3 < client.metadata["duration"] < 7
    assert client.code == 1000


@pytest.mark.parametrize(
    "data",
    [
        b"no audio at all, " * 9000,
        bytes(200_000),
        b"x",
        b"RIFF",
        b"OggS",
        b"ID3\x04" * 50_000,
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile a.wav",
    ],
)
async def test_what_is_no_audio_is_closed_as_deepgram_does(engine: str, data: bytes) -> None:
    client = await transcribe(engine, "", *frames(data, 20_000))
    assert [each["type"] for each in client.messages] == ["Metadata"]
    assert (client.metadata["duration"], client.metadata["channels"]) == (0, 0)
    assert (client.code, client.reason) == (1008, "DATA-0000")


async def test_a_stream_without_its_header_is_no_audio(engine: str) -> None:
    """A browser's recording after a reconnect, without its first piece."""
    client = await transcribe(engine, "", *pieces(file("webm"))[50:])
    assert (client.code, client.reason) == (1008, "DATA-0000")


async def test_what_is_no_audio_is_closed_at_once(engine: str) -> None:
    async with connected(engine, "") as client:
        await client.send(*[b"no audio at all, " * 1000] * 8)
    assert (client.code, client.reason) == (1008, "DATA-0000")


async def test_a_stream_may_end_before_its_first_byte(engine: str) -> None:
    client = await transcribe(engine, "", '{"type":"Finalize"}', '{"type":"KeepAlive"}')
    assert (client.metadata["duration"], client.metadata["channels"], client.code) == (0, 0, 1000)


async def test_what_follows_the_audio_of_a_wav_is_no_audio(engine: str) -> None:
    sound = file("wav")
    client = await transcribe(engine, "", *pieces(sound + b"LIST\x00\x10\x00\x00" + bytes(4096)))
    assert client.metadata["duration"] == SECONDS


async def test_other_streams_go_on_beside_broken_ones(engine: str) -> None:
    """Hours of silence in a small file, and garbage, do not delay a stream beside them."""
    silence = encoded("flac", "flac", 48_000, np.zeros(48_000 * 600, np.int16))
    async with connected(engine, "") as heavy, connected(engine, "") as broken, connected(engine) as live:
        sending = asyncio.gather(
            heavy.send(*pieces(silence)), broken.send(*[bytes([0xFF, 0xFB]) * 5000] * 4), return_exceptions=True
        )
        audio = speech().tobytes()
        for frame in frames(audio):
            await live.send(frame)
        await live.send('{"type":"Finalize"}')
        await live.until(lambda: live.finals() and live.finals()[-1]["from_finalize"])
        assert word_errors([live.text()], [BECKETT]) < TOLERATED
        assert heavy.code is None
        heavy.socket.transport.abort()
        await sending
        await broken.send(CLOSE)
        await live.send(CLOSE)
