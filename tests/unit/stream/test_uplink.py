"""The upstream of a session: what is sent, what is replayed, and which of its words the client gets."""

import pytest

from tests.unit.stream.driver import SECOND, noise
from tests.unit.stream.uplink_harness import AUDIO, UplinkHarness
from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.stream import deepgram
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.uplink import PIECE_BYTES, REPLAY_MS
from transcription_proxy.values import UpstreamConnection
from transcription_wire.messages import Finalize

# Opening and closing


def test_the_upstream_is_wanted_from_the_start_and_hung_up_on_once() -> None:
    harness = UplinkHarness()
    assert harness.uplink.is_active
    harness.uplink.is_stalled = True
    harness.uplink.close(200.0)
    harness.uplink.close(200.0)
    assert harness.actions == [ev.CloseUpstream()]
    assert not harness.uplink.is_active
    assert not harness.uplink.is_stalled


def test_an_upstream_that_is_lost_is_not_hung_up_on() -> None:
    harness = UplinkHarness()
    harness.uplink.record_loss(200.0)
    harness.uplink.close(200.0)
    assert harness.actions == []


def test_an_upstream_that_is_dialled_is_wanted_and_can_be_hung_up_on() -> None:
    harness = UplinkHarness()
    harness.uplink.record_loss(200.0)
    harness.uplink.dial()
    harness.uplink.close(200.0)
    assert harness.actions == [ev.Dial(), ev.CloseUpstream()]


def test_an_upstream_that_dies_of_the_last_words_is_replaced_once_and_again_if_some_were_found() -> None:
    harness = UplinkHarness()
    harness.hear(noise(4))
    found = [harness.uplink.may_retry_last_words()]
    harness.say("words", 0.0, 2.0, is_final=True)
    found += [harness.uplink.may_retry_last_words(), harness.uplink.may_retry_last_words()]
    assert found == [True, True, False]


# What each connection got


def test_each_connection_is_recorded_with_the_audio_that_it_was_sent() -> None:
    harness = UplinkHarness()
    harness.hear(noise(4))
    harness.say("one", 0.0, 1.5, is_final=True)
    harness.lose(106.0)
    harness.replay(106.0)
    harness.hear(noise(1), 108.0)
    harness.say("two", 0.5, 1.5, is_final=True)
    harness.spoke(b'{"type":"Metadata","request_id":"request-9","duration":3.49}')
    harness.uplink.close(110.5)
    harness.uplink.close(111.0)
    assert harness.uplink.progress.ended == (
        UpstreamConnection("request", 6000, 4000, heard_ms=1500),
        UpstreamConnection("request-9", 4500, 3500, 3490, 2000),
    )


def test_our_own_silence_counts_as_sent_to_its_connection() -> None:
    harness = UplinkHarness()
    harness.uplink.send_keep_alive(104.0)
    harness.hear(noise(1), 105.0)
    harness.uplink.record_loss(106.0)
    assert harness.uplink.progress.ended == (UpstreamConnection("request", 6000, 1100),)


def test_a_connection_that_could_not_be_opened_is_not_recorded() -> None:
    harness = UplinkHarness()
    harness.uplink.record_loss(101.0)
    harness.uplink.dial()
    harness.uplink.record_loss(103.0)
    assert len(harness.uplink.progress.ended) == 1


# What goes up


def test_audio_is_sent_in_pieces_as_far_as_the_grant_covers_it() -> None:
    harness = UplinkHarness(grant=3)
    audio = noise(4)
    harness.uplink.buffer.append(audio)
    assert harness.replay() == audio[: 3 * SECOND]
    assert max(len(action.data) for action in harness.actions if isinstance(action, ev.SendAudio)) == PIECE_BYTES
    assert harness.uplink.buffer.unsent == SECOND
    assert harness.credit.total == 3


def test_nothing_waits_nothing_is_sent() -> None:
    harness = UplinkHarness()
    harness.uplink.send_pending(100.0)
    assert harness.actions == []


def test_a_replay_is_what_was_sent_before_and_costs_nothing() -> None:
    harness = UplinkHarness(grant=3)
    audio = noise(3)
    harness.hear(audio)
    harness.lose()
    assert harness.replay() == audio
    assert (harness.credit.total, harness.credit.forwarded) == (3, 3 * SECOND)


def test_a_replay_needs_no_grant_but_what_comes_after_it_does() -> None:
    harness = UplinkHarness(grant=3)
    audio = noise(3.5)
    harness.hear(audio)
    harness.lose()
    assert harness.replay(now=1000.0) == audio[: 3 * SECOND]
    assert harness.uplink.buffer.unsent == SECOND // 2
    harness.settle(4, 1000.0)
    assert harness.replay(now=1000.0) == audio[3 * SECOND :]


def test_a_second_replay_in_the_middle_of_the_first_begins_it_again() -> None:
    harness = UplinkHarness()
    audio = noise(5)
    harness.hear(audio)
    harness.lose()
    harness.uplink.forward(100.0)  # one piece of it
    harness.lose()
    assert harness.replay() == audio
    assert harness.credit.forwarded == 5 * SECOND


# What is kept


def test_what_is_final_is_not_replayed() -> None:
    harness = UplinkHarness()
    audio = noise(5)
    harness.hear(audio)
    harness.say("one", 0.0, 2.0, is_final=True)
    harness.say("two", 2.0, 2.0)
    harness.lose()
    assert harness.replay() == audio[2 * SECOND :]


def test_of_two_channels_the_an_upstream_that_is_behind_decides() -> None:
    harness = UplinkHarness(channels=2, audio=AudioFormat(channels=2))
    audio = noise(10)
    harness.hear(audio)
    harness.say("left", 0.0, 4.0, is_final=True, channel_index=[0, 2])
    harness.say("right", 0.0, 1.0, is_final=True, channel_index=[1, 2])
    harness.lose()
    assert harness.replay() == audio[2 * SECOND :]


def test_thirty_seconds_are_kept_when_nothing_is_final() -> None:
    harness = UplinkHarness()
    audio = noise(40)
    harness.hear(audio)
    harness.uplink.trim()
    assert len(harness.uplink.buffer) == 30 * SECOND == AUDIO.bytes_in(REPLAY_MS)
    harness.lose()
    assert harness.replay() == audio[10 * SECOND :]


def test_words_that_are_not_final_keep_it_within_its_bound() -> None:
    harness = UplinkHarness()
    harness.hear(noise(40))
    harness.say("interim", 39.0, 1.0)
    assert len(harness.uplink.buffer) == 30 * SECOND


def test_without_an_upstream_thirty_seconds_are_full() -> None:
    harness = UplinkHarness()
    harness.hear(bytes(20 * SECOND))
    harness.uplink.record_loss(200.0)
    harness.uplink.buffer.rewind()
    harness.uplink.buffer.append(bytes(10 * SECOND - 2))
    assert not harness.uplink.is_full(REPLAY_MS)
    harness.uplink.buffer.append(bytes(2))
    assert harness.uplink.is_full(REPLAY_MS)


@pytest.mark.parametrize(("seconds", "owed"), [(0, False), (0.09, False), (0.1, True), (5, True)])
def test_words_are_owed_while_audio_is_kept_that_is_long_enough_for_one(seconds: float, owed: bool) -> None:
    harness = UplinkHarness()
    harness.hear(noise(2))
    harness.say("one", 0.0, 2.0, is_final=True)
    assert not harness.uplink.owes_words
    harness.hear(noise(seconds))
    assert harness.uplink.owes_words is owed


def test_the_upstream_is_behind_by_the_audio_that_no_results_answer() -> None:
    harness = UplinkHarness()
    assert harness.uplink.behind_ms == 0
    harness.hear(noise(5))
    assert harness.uplink.behind_ms == 5000
    harness.say("one", 0.0, 2.0)
    harness.say("one", 0.0, 1.0, is_final=True)
    assert harness.uplink.behind_ms == 3000
    harness.lose()
    harness.uplink.buffer.append(noise(1))
    assert harness.uplink.behind_ms == 4000
    harness.replay()
    harness.say("all", 0.0, 60.0)
    assert harness.uplink.behind_ms == 0


@pytest.mark.parametrize(("duration", "final", "answer"), [(0, False, False), (0, True, True), (0.1, False, True)])
def test_metadata_answers_a_close_unless_it_counts_nothing_while_words_are_owed(
    duration: float, final: bool, answer: bool
) -> None:
    harness = UplinkHarness()
    harness.hear(noise(2))
    harness.say("one", 0.0, 2.0, is_final=final)
    message = deepgram.Metadata(duration=duration)
    harness.uplink.receive(message, 101.0)
    assert harness.uplink.is_answer(message) is answer
    assert not harness.uplink.is_answer(deepgram.Unknown())


def test_very_many_requests_are_full_too() -> None:
    harness = UplinkHarness()
    for _ in range(64):
        harness.uplink.buffer.append(b"ab")
        harness.uplink.buffer.add_request(Finalize())
    assert harness.uplink.is_full(REPLAY_MS)


# What the client is told


def test_words_are_sent_in_the_time_of_the_session() -> None:
    harness = UplinkHarness()
    harness.hear(noise(5))
    harness.say("one", 0.0, 2.0, is_final=True)
    harness.lose()
    harness.replay()
    told = harness.say("two", 0.5, 1.5, is_final=True)
    assert (told["text"], told["start"], told["duration"]) == ("two", 2.5, 1.5)
    assert harness.spoke(b'{"type":"SpeechStarted","timestamp":0.25}') == {"type": "speech_started", "start": 2.25}
    assert harness.spoke(b'{"type":"UtteranceEnd","last_word_end":1.0}') == {
        "type": "utterance_end",
        "last_word_end": 3.0,
    }


def test_final_words_are_sent_once() -> None:
    harness = UplinkHarness(channels=2, audio=AudioFormat(channels=2))
    harness.hear(noise(10))
    assert harness.say("left", 0.0, 4.0, is_final=True, channel_index=[0, 2])
    harness.lose()
    harness.replay()
    assert harness.say("left", 0.0, 4.0, is_final=True, channel_index=[0, 2]) is None
    assert harness.say("le", 0.0, 1.0, channel_index=[0, 2]) is None
    assert harness.say("right", 0.0, 4.0, is_final=True, channel_index=[1, 2])["text"] == "right"


def test_a_message_that_is_no_caption_is_not_sent_but_counts_as_a_sign_of_life() -> None:
    harness = UplinkHarness()
    assert harness.spoke(b'{"type":"Metadata","duration":1.5,"request_id":"r"}', 104.0) is None
    assert (harness.uplink.progress.reported_ms, harness.uplink.progress.request_id) == (1500, "r")
    assert harness.spoke(b"?", 104.0) is None
    assert harness.uplink.check_at == 114.0


# Whether it has proven itself


def test_only_words_beyond_the_replay_give_it_new_tries() -> None:
    harness = UplinkHarness()
    harness.hear(noise(2))
    harness.lose(200.0)
    harness.replay()
    harness.say("again", 0.0, 2.0)
    harness.lose(203.0)
    harness.replay()
    assert harness.uplink.plan_redial(221.0) is False
    harness.uplink.begin_connection("request", 221.0)
    harness.hear(noise(1))
    harness.say("new", 2.0, 0.5)
    assert harness.uplink.plan_redial(300.0) is True


def test_an_upstream_that_claims_more_than_it_was_sent_proves_nothing() -> None:
    harness = UplinkHarness()
    harness.hear(noise(2))
    harness.lose(200.0)
    harness.replay()
    harness.say("again", 0.0, 2.02)
    harness.uplink.plan_redial(210.0)
    assert harness.uplink.redial.give_up_at == 220.0
