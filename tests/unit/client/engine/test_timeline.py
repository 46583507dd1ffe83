"""Positions in the audio that was kept, as seconds since the engine started."""

import pytest

from transcription_client.engine.timeline import Timeline


def test_audio_without_pauses_is_where_it_was_captured() -> None:
    timeline = Timeline()
    for number in range(10):
        timeline.append(0.1, 0.1 * (number + 1))
    assert [timeline.at(0.0), timeline.at(0.95)] == [0.0, 0.95]


def test_audio_after_a_pause_is_later_than_its_position() -> None:
    timeline = Timeline()
    timeline.append(1.0, 1.0)
    timeline.append(1.0, 32.0)
    timeline.append(1.0, 33.0)
    assert timeline.at(0.5) == 0.5
    assert timeline.at(1.5) == pytest.approx(31.5)
    assert timeline.at(2.5) == pytest.approx(32.5)


def test_blocks_that_arrive_a_little_late_move_nothing() -> None:
    timeline = Timeline()
    timeline.append(0.1, 0.1)
    timeline.append(0.1, 0.6)
    timeline.append(0.1, 0.6)
    assert timeline.at(0.15) == 0.15


def test_audio_that_began_late_is_late_from_its_first_byte() -> None:
    timeline = Timeline()
    timeline.append(0.1, 5.1)
    assert timeline.at(0.0) == pytest.approx(5.0)
