"""The process of the local model, with a model of the test's own: frames in, lines out."""

import io
from queue import SimpleQueue

from transcription_client.engine import pipe
from transcription_client.engine.local_process import MOST_TURN_BYTES, TURN_BYTES, recognize, take_turn
from transcription_wire import messages as wire


class Model:
    """Tells how much it was fed with."""

    def feed(self, sound: bytes) -> list[wire.Transcript]:
        return [words(f"fed {len(sound)}")]

    def finalize(self) -> list[wire.Transcript]:
        return [words("final")]

    def finish(self) -> list[wire.Transcript]:
        return [words("last")]


def words(text: str) -> wire.Transcript:
    return wire.Transcript(text, True, None, 0.0, 1.0, False)


def queue(*frames: tuple[bytes, bytes]) -> "SimpleQueue[tuple[bytes, bytes]]":
    waiting: SimpleQueue[tuple[bytes, bytes]] = SimpleQueue()
    for frame in frames:
        waiting.put(frame)
    return waiting


def test_frames_survive_the_pipe() -> None:
    stream = io.BytesIO(pipe.audio_frame(b"abc") + pipe.FINALIZE + pipe.STOP)
    read = [pipe.read_frame(stream) for _ in range(4)]
    assert read == [(pipe.AUDIO, b"abc"), (pipe.FINAL, b""), (pipe.END, b""), (pipe.END, b"")]


def test_a_pipe_that_breaks_in_a_head_has_ended() -> None:
    assert pipe.read_frame(io.BytesIO(b"a\1")) == (pipe.END, b"")


def test_words_are_lines_of_the_services_messages() -> None:
    out = io.BytesIO()
    half = (pipe.AUDIO, bytes(TURN_BYTES))
    recognize(Model(), queue(half, (pipe.FINAL, b""), (pipe.AUDIO, b"ab"), (pipe.END, b"")), out)
    lines = [wire.decode_server(line) for line in out.getvalue().splitlines()]
    assert lines == [words(f"fed {TURN_BYTES}"), words("final"), words("fed 2"), words("last")]


def test_audio_waits_until_the_model_looks_at_it() -> None:
    tenth = (pipe.AUDIO, bytes(TURN_BYTES // 5))
    assert take_turn(queue(*(tenth for _ in range(5)))) == (bytes(TURN_BYTES), pipe.AUDIO)


def test_kept_audio_is_recognized_in_parts() -> None:
    second = (pipe.AUDIO, bytes(2 * TURN_BYTES))
    waiting = queue(*(second for _ in range(6)))
    assert take_turn(waiting) == (bytes(MOST_TURN_BYTES), pipe.AUDIO)
    assert waiting.qsize() == 2
