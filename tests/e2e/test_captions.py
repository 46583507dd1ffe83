"""The caption socket without failures: the messages, their order, and the audio sent upstream."""

import asyncio
import json

import pytest

from tests.e2e.checks import check_receipt
from tests.e2e.client import SECOND, sound
from tests.e2e.service import KEY, Service
from tests.e2e.upstream import Upstream, words
from tests.standin.script import Script

DEFAULTS = {
    "model": "nova-2",
    "language": "en-US",
    "interim_results": "true",
    "encoding": "linear16",
    "sample_rate": "16000",
    "channels": "1",
}


async def test_a_session_runs_from_ready_to_its_receipt(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    ready = await captions.first("ready")
    assert set(ready) == {"type", "session_id", "seconds_remaining"}
    assert ready["seconds_remaining"] == 3600
    audio = sound(12.3)
    await captions.send(audio)
    end = await captions.stop()
    assert captions.close_code == 1000
    assert captions.errors() == []
    assert (end["seconds_used"], end["audio_seconds"], end["reason"]) == (13, 12.3, "client_stop")
    row = await check_receipt(service, user, captions, 3600)
    assert (row["status"], row["model"]) == ("completed", "nova-2")

    heard = upstream.heard(captions)
    assert (heard.path, heard.header("authorization")) == ("/v1/listen", f"Token {KEY}")
    assert bytes(heard.audio) == audio
    assert heard.types() == ["CloseStream"]
    assert captions.finals() == words(25)


async def test_transcripts_contain_all_fields_of_the_upstream(service: Service) -> None:
    captions = await service.captions(await service.user())
    await captions.ready()
    await captions.send(sound(2))
    await captions.stop()
    interim, *_, final = captions.of("transcript")
    assert interim == {
        "type": "transcript",
        "text": words(1),
        "is_final": False,
        "confidence": 0.99,
        "start": 0,
        "duration": 0.5,
        "speech_final": False,
        "words": [{"word": words(1), "punctuated_word": words(1), "start": 0, "end": 0.5, "confidence": 0.99}],
        "channel": [0, 1],
    }
    assert (final["text"], final["is_final"], final["speech_final"]) == (words(4), True, True)
    assert (final["start"], final["duration"]) == (0, 2)


async def test_usage_grows_to_the_total_of_session_end(service: Service) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(40))
    end = await captions.stop()
    usages = captions.of("usage")
    assert all(set(usage) == {"type", "seconds_used", "seconds_remaining"} for usage in usages)
    used = [usage["seconds_used"] for usage in usages]
    assert used == sorted(used)
    assert used[-1] >= 30
    assert all(usage["seconds_remaining"] == 3600 - usage["seconds_used"] for usage in usages)
    assert end["seconds_used"] == 40


async def test_speech_events_are_sent_on_request(service: Service) -> None:
    captions = await service.captions(await service.user(), {"vad_events": True, "utterance_end_ms": 1000})
    await captions.ready()
    await captions.send(sound(4))
    await captions.stop()
    assert captions.of("speech_started") == [{"type": "speech_started", "start": start} for start in (0, 2)]
    assert captions.of("utterance_end") == [{"type": "utterance_end", "last_word_end": end} for end in (2, 4)]


async def test_without_interim_results_there_are_finals_only(service: Service) -> None:
    captions = await service.captions(await service.user(), {"interim_results": False})
    await captions.ready()
    await captions.send(sound(4))
    await captions.stop()
    assert [transcript["is_final"] for transcript in captions.of("transcript")] == [True, True]


async def test_results_without_text_are_not_forwarded(service: Service, upstream: Upstream) -> None:
    captions = await service.captions(await service.user(), upstream.scripted(Script(wordless=True)))
    await captions.ready()
    await captions.send(sound(2))
    await captions.stop()
    assert captions.of("transcript") == []


async def test_audio_and_messages_before_ready_keep_their_order(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(Script(handshake_delay=0.5)))
    audio = sound(3)
    await captions.send(audio[:SECOND])
    await captions.say("finalize")
    await captions.say("keepalive")
    await captions.send(audio[SECOND:])
    await captions.say("stop")
    await captions.send(sound(1, seed=1))  # ignored
    assert captions.messages == []
    end = await captions.end()
    heard = upstream.heard(captions)
    assert bytes(heard.audio) == audio
    marks = [(text.type, text.audio_bytes) for text in heard.texts if text.type != "KeepAlive"]
    assert marks == [("Finalize", SECOND), ("CloseStream", 3 * SECOND)]
    assert captions.finals() == words(6)
    assert (end["seconds_used"], captions.close_code, captions.errors()) == (3, 1000, [])
    await check_receipt(service, user, captions, 3600)


async def test_early_audio_beyond_the_buffer_waits_in_the_socket(service: Service, upstream: Upstream) -> None:
    captions = await service.captions(await service.user(), upstream.scripted(Script(handshake_delay=0.5)))
    audio = sound(30)
    await captions.send(audio)
    end = await captions.stop()
    assert bytes(upstream.heard(captions).audio) == audio
    assert end["seconds_used"] == 30


async def test_frames_after_stop_are_ignored(service: Service, upstream: Upstream) -> None:
    captions = await service.captions(await service.user(), upstream.scripted(Script(metadata_delay=0.5)))
    await captions.ready()
    await captions.send(sound(2))
    await captions.say("stop")
    await captions.send(sound(2, seed=1))
    await captions.socket.send("no message")
    await captions.say("stop")
    end = await captions.end()
    assert (end["seconds_used"], captions.errors(), captions.close_code) == (2, [], 1000)
    assert bytes(upstream.heard(captions).audio) == sound(2)


async def test_stop_without_audio_costs_nothing(service: Service) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    end = await captions.stop()
    assert (end["seconds_used"], end["audio_seconds"], end["reason"]) == (0, 0, "client_stop")
    await check_receipt(service, user, captions, 3600)


async def test_finalize_makes_a_final_and_keepalive_gets_no_answer(service: Service) -> None:
    captions = await service.captions(await service.user())
    await captions.ready()
    await captions.say("keepalive")
    await captions.send(sound(1))
    await captions.say("finalize")
    await captions.until(lambda: captions.finals() == words(2))
    await captions.send(sound(1))
    await captions.stop()
    assert captions.finals() == words(4)
    assert captions.errors() == []


async def test_frames_of_any_shape_become_one_stream(service: Service, upstream: Upstream) -> None:
    captions = await service.captions(await service.user())
    await captions.ready()
    audio = sound(6)
    await captions.send(audio[:999], frame=3)
    await captions.socket.send(b"")
    await captions.socket.send([audio[999:1500], b"", audio[1500:2001], audio[2001:2002]])
    await captions.socket.send([b"", b""])
    await captions.send(audio[2002:SECOND], frame=1001)
    await captions.socket.send([json.dumps({"type": "fina"})[:-2], 'lize"}'])
    await captions.send(audio[SECOND:], frame=SECOND * 5)
    end = await captions.stop()
    heard = upstream.heard(captions)
    assert bytes(heard.audio) == audio
    assert [(text.type, text.audio_bytes) for text in heard.texts] == [
        ("Finalize", SECOND),
        ("CloseStream", 6 * SECOND),
    ]
    assert (end["seconds_used"], captions.errors()) == (6, [])


async def test_half_a_sample_at_the_end_is_ignored(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await captions.socket.send(sound(1) + b"\x01")
    end = await captions.stop()
    assert upstream.heard(captions).audio_bytes in (SECOND, SECOND + 1)
    assert end["seconds_used"] in (1, 2)
    await check_receipt(service, user, captions, 3600)


async def test_a_message_of_one_mebibyte_is_accepted(service: Service, upstream: Upstream) -> None:
    captions = await service.captions(await service.user())
    await captions.ready()
    audio = sound(2**20 / SECOND)
    await captions.socket.send(audio)
    await captions.socket.send([audio[: 2**19], audio[2**19 :]])
    end = await captions.stop()
    assert bytes(upstream.heard(captions).audio) == audio * 2
    assert end["seconds_used"] == 66


async def test_audio_faster_than_real_time_arrives_completely(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    audio = sound(300)
    await captions.send(audio)
    end = await captions.stop()
    assert bytes(upstream.heard(captions).audio) == audio
    assert captions.finals() == words(600)
    assert end["seconds_used"] == 300
    await check_receipt(service, user, captions, 3600)


async def test_two_sessions_of_a_user_are_independent(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    one, other = [await service.captions(user) for _ in range(2)]
    await asyncio.gather(one.ready(), other.ready())
    await asyncio.gather(one.send(sound(5)), other.send(sound(7, seed=1)))
    await asyncio.gather(one.stop(), other.stop())
    assert bytes(upstream.heard(one).audio) == sound(5)
    assert bytes(upstream.heard(other).audio) == sound(7, seed=1)
    assert (await service.balance(user))["seconds_remaining"] == 3600 - 12


@pytest.mark.parametrize(
    ("balance", "seconds", "said"),
    [
        (700, 20, []),
        (700, 120, [(501, 599)]),
        (320, 60, [(320, 320), (241, 299)]),
        (70, 30, [(70, 70), (31, 59)]),
        (30, 10, [(30, 30)]),
    ],
)
async def test_credits_low_is_sent_once_for_each_mark(
    service: Service, balance: int, seconds: int, said: list[tuple[int, int]]
) -> None:
    captions = await service.captions(await service.user(balance))
    await captions.ready()
    await captions.send(sound(seconds))
    await captions.stop()
    lows = captions.of("credits_low")
    assert all(set(low) == {"type", "seconds_remaining"} for low in lows)
    assert len(lows) == len(said)
    for low, (least, most) in zip(lows, said, strict=True):
        assert least <= low["seconds_remaining"] <= most
