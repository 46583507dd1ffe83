"""Any piece of the audio tells where it comes from."""

import pytest

from tests.chaos.audio import HEAD, MOST_STREAMS, MOST_UNITS, UNIT, Place, audio, locate


@pytest.mark.parametrize("stream", [0, 1, 31, 777, MOST_STREAMS - 1])
@pytest.mark.parametrize("position", [0, 1, 7, 8, 9, 3200, 1_234_567, MOST_UNITS * UNIT - HEAD])
def test_a_piece_cut_anywhere_is_located(stream: int, position: int) -> None:
    assert locate(audio(stream, position, HEAD)) == Place(stream, position, 0)


def test_a_piece_is_part_of_the_whole() -> None:
    whole = audio(5, 0, 4000)
    assert len(whole) == 4000
    assert all(audio(5, begin, 97) == whole[begin : begin + 97] for begin in range(1000))


@pytest.mark.parametrize("position", [0, 3200, 8 * 1024, 13])
@pytest.mark.parametrize("silence", [8, 3200, 6400])
def test_silence_before_the_audio_is_recognized(silence: int, position: int) -> None:
    place = locate(bytes(silence) + audio(0, position, 100))
    assert place == Place(0, position, silence)
    assert place.origin == position - silence


@pytest.mark.parametrize("head", [b"", bytes(3200), audio(1, 0, HEAD - 1), bytes(100) + audio(1, 0, 3)])
def test_too_few_bytes_are_not_located(head: bytes) -> None:
    assert locate(head) is None


def test_other_audio_is_not_located() -> None:
    assert locate(b"RIFF" * 10) is None


def test_two_streams_differ_everywhere() -> None:
    assert all(audio(1, at, UNIT) != audio(2, at, UNIT) for at in range(0, 10_000, UNIT))


@pytest.mark.parametrize(("stream", "position"), [(MOST_STREAMS, 0), (-1, 0), (0, MOST_UNITS * UNIT)])
def test_positions_outside_the_stream_raise(stream: int, position: int) -> None:
    with pytest.raises(ValueError, match="no such audio"):
        audio(stream, position, 8)
