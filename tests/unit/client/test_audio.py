"""Sound out of files of all kinds, and raw bytes out of a pipe."""

import asyncio
import os
import pty
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.client.recordings import PITCH, picture, pitch, record, tone
from transcription_client import audio
from transcription_client.audio import FileSource
from transcription_client.core import FastPace, Format, Pace
from transcription_client.errors import ClientError
from transcription_wire.lengths import exactly

SECOND = Format().bytes_per_second


def decoded(path: Path) -> bytes:
    return b"".join(audio.from_file(path, Format()))


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("telephone.wav", "pcm_s16le", 8_000, 1),
        ("cd.wav", "pcm_s16le", 44_100, 2),
        ("odd.wav", "pcm_s16le", 22_050, 1),
        ("studio.wav", "pcm_f32le", 48_000, 2),
        ("music.mp3", "libmp3lame", 44_100, 2),
        ("voice.ogg", "libopus", 48_000, 1),
        ("lossless.flac", "flac", 44_100, 1),
        ("telephone.m4a", "aac", 48_000, 2),
        ("a name: with a colon.wav", "pcm_s16le", 16_000, 1),
    ],
)
def test_any_file_becomes_linear16_at_16_khz_mono(
    tmp_path: Path, name: str, codec: str, rate: int, channels: int
) -> None:
    sound = decoded(record(tmp_path / name, 2.0, codec=codec, rate=rate, channels=channels))
    assert len(sound) / SECOND == pytest.approx(2.0, abs=0.1)
    assert pitch(sound) == pytest.approx(PITCH, rel=0.01)


def test_sound_that_is_as_it_should_be_is_not_touched(tmp_path: Path) -> None:
    assert decoded(record(tmp_path / "a.wav", 1.3)) == tone(1.3).tobytes()


def test_the_shortest_file_is_decoded(tmp_path: Path) -> None:
    assert len(decoded(record(tmp_path / "a.wav", 0.005, rate=48_000))) == SECOND * 0.005


def test_a_file_may_change_its_format_on_the_way(tmp_path: Path) -> None:
    parts = [record(tmp_path / "1.mp3", 1, codec="libmp3lame", rate=44_100, channels=2)]
    parts += [record(tmp_path / "2.mp3", 1, codec="libmp3lame", rate=16_000)]
    (tmp_path / "both.mp3").write_bytes(b"".join(part.read_bytes() for part in parts))
    sound = decoded(tmp_path / "both.mp3")
    assert len(sound) / SECOND == pytest.approx(2.0, abs=0.2)
    quarter = SECOND // 4
    for part in (sound[quarter : 3 * quarter], sound[-3 * quarter : -quarter]):
        assert pitch(part) == pytest.approx(PITCH, rel=0.02)


def test_a_kind_of_sound_that_is_beyond_us_is_an_error_where_it_begins(tmp_path: Path) -> None:
    parts = [record(tmp_path / f"{n}.ogg", 1, codec="libopus", rate=48_000, channels=n) for n in (1, 2)]
    (tmp_path / "both.ogg").write_bytes(b"".join(part.read_bytes() for part in parts))
    pieces = audio.from_file(tmp_path / "both.ogg", Format())
    assert next(pieces)
    with pytest.raises(ClientError, match=r"Can't decode .*both\.ogg"):
        list(pieces)


def test_a_damaged_place_does_not_end_it(tmp_path: Path) -> None:
    whole = record(tmp_path / "a.mp3", 3.0, codec="libmp3lame", rate=44_100).read_bytes()
    third = len(whole) // 3
    (tmp_path / "b.mp3").write_bytes(whole[:third] + bytes(400) + whole[third + 400 :])
    assert len(decoded(tmp_path / "b.mp3")) / SECOND > 2.5


def decoded_until_it_complains(path: Path) -> tuple[bytes, str]:
    """The sound, and the complaint at its end."""
    sound = bytearray()
    with pytest.raises(ClientError) as told:
        for piece in audio.from_file(path, Format()):
            sound += piece
    return bytes(sound), str(told.value)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 16_000),
        ("a.wav", "pcm_f32le", 48_000),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.mp3", "libmp3lame", 16_000),
        ("a.flac", "flac", 44_100),
        ("a.mkv", "libopus", 48_000),
    ],
)
def test_a_file_that_was_cut_off_is_decoded_and_then_reported(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    whole = record(tmp_path / name, 4.0, codec=codec, rate=rate).read_bytes()
    (tmp_path / f"cut-{name}").write_bytes(whole[: len(whole) // 2])
    sound, complaint = decoded_until_it_complains(tmp_path / f"cut-{name}")
    assert len(sound) / SECOND == pytest.approx(2.0, abs=0.4)
    assert f"cut-{name} is cut off or damaged. {exactly(len(sound) / SECOND)} could be decoded" in complaint


def test_a_file_that_is_damaged_in_many_places_is_said_to_be(tmp_path: Path) -> None:
    whole = record(tmp_path / "a.flac", 5.0, codec="flac", rate=44_100).read_bytes()
    (tmp_path / "b.flac").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 4) + whole[3 * len(whole) // 4 :])
    sound, complaint = decoded_until_it_complains(tmp_path / "b.flac")
    assert len(sound) / SECOND > 3
    assert "is cut off or damaged" in complaint


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80"])
def test_a_wav_file_from_a_pipe_does_not_say_how_long_it_is(tmp_path: Path, size: bytes) -> None:
    whole = record(tmp_path / "a.wav", 1.0).read_bytes()
    at = whole.index(b"data") + 4
    (tmp_path / "b.wav").write_bytes(whole[:at] + size + whole[at + 4 :])
    assert len(decoded(tmp_path / "b.wav")) / SECOND == pytest.approx(1.0, abs=0.01)


def test_an_mp3_file_without_a_tag_does_not_either(tmp_path: Path) -> None:
    whole = record(tmp_path / "a.mp3", 2.0, codec="libmp3lame", rate=44_100).read_bytes()
    (tmp_path / "b.mp3").write_bytes(whole.replace(b"Info", b"nofI").replace(b"Xing", b"gniX")[: len(whole) // 2])
    assert len(decoded(tmp_path / "b.mp3")) / SECOND == pytest.approx(1.0, abs=0.1)


def missing(folder: Path) -> Path:
    return folder / "missing.wav"


def of_no_bytes(folder: Path) -> Path:
    (folder / "empty.wav").touch()
    return folder / "empty.wav"


def of_text(folder: Path) -> Path:
    (folder / "notes.mp3").write_text("no sound at all\n" * 100)
    return folder / "notes.mp3"


def of_no_sound(folder: Path) -> Path:
    return picture(folder / "film.mp4")


def of_a_header_alone(folder: Path) -> Path:
    (folder / "short.wav").write_bytes(record(folder / "whole.wav", 0.1).read_bytes()[:-3200])
    return folder / "short.wav"


def elsewhere(_: Path) -> Path:
    return Path("http://127.0.0.1:9/a.wav")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (missing, "No such file: {}. Check the name."),
        (of_no_bytes, "Can't decode {}. Choose an audio file such as WAV, MP3 or Ogg."),
        (of_text, "Can't decode {}. Choose an audio file such as WAV, MP3 or Ogg."),
        (Path, "Can't read {} (Is a directory). Choose another file."),
        (of_no_sound, "{} has no audio. Choose another file."),
        (of_a_header_alone, "{} has no audio that can be decoded. Choose another file."),
        (elsewhere, "No such file: {}. Check the name."),
    ],
)
def test_a_file_that_cannot_be_decoded_is_a_one_sentence_error(tmp_path: Path, made: type[Path], sentence: str) -> None:
    path = made(tmp_path)
    with pytest.raises(ClientError) as told:
        decoded(path)
    assert str(told.value) == sentence.format(path)


@pytest.mark.parametrize("made", [missing, of_no_bytes, of_text, of_no_sound])
def test_it_is_said_before_any_sound_is_asked_for(tmp_path: Path, made: type[Path]) -> None:
    path = made(tmp_path)
    with pytest.raises(ClientError):
        audio.from_file(path, Format())


async def sent(sound: bytes, pace: Pace) -> list[bytes]:
    return [frame async for frame in audio.paced(iter([sound]), Format(), pace)]


async def test_live_sound_takes_as_long_as_it_lasts() -> None:
    began = time.monotonic()
    parts = await sent(bytes(SECOND // 2 + 2), Pace(Format()))
    assert [len(part) for part in parts] == [SECOND // 10] * 5 + [2]
    assert time.monotonic() - began >= 0.5


async def test_fast_sound_is_the_same_frames() -> None:
    assert len(await sent(bytes(SECOND * 5), FastPace(Format()))) == 50


async def test_a_source_that_breaks_off_says_so_after_what_it_gave() -> None:
    def breaking() -> Iterator[bytes]:
        yield bytes(SECOND // 10)
        raise ClientError("The tape is torn.")

    frames = audio.paced(breaking(), Format(), FastPace(Format()))
    assert len(await anext(frames)) == SECOND // 10
    with pytest.raises(ClientError, match="torn"):
        await anext(frames)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a pipe; the descriptor to write to."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writer


async def test_a_pipe_is_read_as_it_comes_until_its_end(pipe: int) -> None:
    arriving = audio.from_stdin()
    os.write(pipe, b"first")
    assert await anext(arriving) == b"first"
    os.write(pipe, b"second")
    os.close(pipe)
    assert [piece async for piece in arriving] == [b"second"]


async def test_a_pipe_is_read_before_anybody_asks(pipe: int) -> None:
    arriving = audio.from_stdin()
    sound = tone(10.0).tobytes()  # more than a pipe holds by itself

    def speak() -> None:
        with os.fdopen(pipe, "wb") as writer:
            writer.write(sound)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    pieces = [await anext(arriving)]
    await asyncio.to_thread(speaker.join, 10)
    assert not speaker.is_alive()
    pieces += [piece async for piece in arriving]
    assert b"".join(pieces) == sound


async def test_standard_input_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb") as unreadable:
        monkeypatch.setattr(sys, "stdin", unreadable)
        with pytest.raises(ClientError, match="Can't read standard input: Bad file descriptor"):
            await anext(audio.from_stdin())


async def test_standard_input_without_a_byte_is_an_error(pipe: int) -> None:
    os.close(pipe)
    with pytest.raises(ClientError, match="Standard input was empty"):
        await anext(audio.from_stdin())


async def test_a_keyboard_is_no_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "rb") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(ClientError, match="Pipe a recorder into it"):
            audio.from_stdin()
    os.close(ours)


async def test_nor_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ClientError, match="Pipe a recorder into it"):
        audio.from_stdin()


def wav(path: Path, sound: bytes) -> Path:
    """16 kHz mono: what is decoded from it is what is in it."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(sound)
    return path


class Player:
    """Keeps what a file source gives, and when."""

    def __init__(self, path: Path) -> None:
        self.sound = bytearray()
        self.problems: list[str] = []
        self.source = FileSource(path)
        self.source.on_problem = self.problems.append

    def play(self) -> None:
        self.source.start(self.sound.extend)


def test_a_file_plays_as_a_microphone_would(tmp_path: Path) -> None:
    sound = bytes(range(256)) * 50
    player = Player(wav(tmp_path / "talk.wav", sound))
    began_at = time.monotonic()
    player.play()
    assert player.source.ended.wait(20)
    assert bytes(player.sound) == sound
    assert time.monotonic() - began_at >= 0.35, "in real time"
    player.source.stop()
    player.play()
    assert player.source.ended.wait(20)
    assert bytes(player.sound) == 2 * sound


def test_a_file_is_stopped_in_the_middle(tmp_path: Path) -> None:
    player = Player(wav(tmp_path / "talk.wav", bytes(320_000)))
    player.play()
    player.source.stop()
    assert player.source.ended.is_set()
    assert len(player.sound) < 32_000


def test_a_file_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"^No such file"):
        Player(tmp_path / "none.wav").play()


def test_a_file_that_is_cut_off_is_told_at_its_end(tmp_path: Path) -> None:
    whole = wav(tmp_path / "talk.wav", bytes(64_000))
    whole.write_bytes(whole.read_bytes()[:20_000])
    player = Player(whole)
    player.play()
    assert player.source.ended.wait(20)
    assert "is cut off or damaged" in player.problems[0]
