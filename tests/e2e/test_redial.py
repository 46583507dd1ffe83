"""Redials of a lost upstream: no gap, no repeated final, no audio billed twice; or a reason for the client."""

import asyncio

import pytest

from tests.e2e.checks import check_receipt
from tests.e2e.client import SECOND, sound
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream, words
from tests.standin.script import BROKEN_HANDSHAKES, REFUSALS, Hangup, Script

GOOD = Script()
LOST = [
    Script(hangup=Hangup(3, 1011, "NET-0000")),
    Script(hangup=Hangup(3, 1000, "")),
    Script(hangup=Hangup(3, 1012, "")),
    Script(reset_after=3),
]
IDS = ["1011", "1000", "1012", "reset"]


@pytest.mark.parametrize("loss", LOST, ids=IDS)
async def test_audio_that_was_not_final_is_replayed(service: Service, upstream: Upstream, loss: Script) -> None:
    user, audio = await service.user(3600), sound(8)
    config = upstream.scripted(loss, GOOD)
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send(audio, speed=4)
    await captions.say("stop")
    row = await check_receipt(service, user, captions, 3600)
    first, second = upstream.met(config)
    assert bytes(first.audio) == audio[: len(first.audio)]
    assert bytes(second.audio) == audio[2 * SECOND :]
    assert (row["seconds_used"], row["reason"], captions.close_code) == (8, "client_stop", 1000)
    assert captions.of("status") == []
    finals = [message for message in captions.of("transcript") if message["is_final"]]
    assert finals[0]["text"] == words(4)
    assert [message["start"] for message in finals] == [0.0, 2.0, 4.0, 6.0]
    assert [word["start"] for message in finals for word in message["words"]] == [n / 2 for n in range(16)]


async def test_after_a_stop_a_redial_still_gets_the_last_words(service: Service, upstream: Upstream) -> None:
    user, audio = await service.user(3600), sound(3)
    config = upstream.scripted(Script(hangup=Hangup(3, 1011, "")), GOOD)
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send(audio)
    await captions.say("stop")
    row = await check_receipt(service, user, captions, 3600)
    assert (row["seconds_used"], row["reason"]) == (3, "client_stop")
    assert [(m["start"], m["duration"]) for m in captions.of("transcript") if m["is_final"]] == [(0.0, 2.0), (2.0, 1.0)]


async def test_a_finalize_is_repeated_to_the_next_upstream(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(reset_after=1, delay=5), GOOD)
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send(sound(0.9))
    await captions.say("finalize")
    await captions.send(sound(0.1))
    await captions.until(lambda: any(message["is_final"] for message in captions.of("transcript")))
    assert captions.of("transcript")[-1]["duration"] == 0.9
    await captions.stop()


async def test_channels_with_different_finals_repeat_no_words(service: Service, upstream: Upstream) -> None:
    user, audio = await service.user(3600), sound(10)
    config = upstream.scripted(Script(reset_after=3), GOOD, channels=2, multichannel=True)
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send(audio, speed=4)
    await captions.say("stop")
    row = await check_receipt(service, user, captions, 3600)
    assert row["seconds_used"] == 10
    for channel in (0, 1):
        finals = [m for m in captions.of("transcript") if m["is_final"] and m["channel"][0] == channel]
        assert [message["start"] for message in finals] == [0.0, 2.0, 4.0]


async def test_redials_continue_while_each_upstream_makes_progress(service: Service, upstream: Upstream) -> None:
    user, audio = await service.user(3600), sound(24)
    config = upstream.scripted(Script(hangup=Hangup(3, 1011, "")))
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send(audio, speed=2)
    await captions.say("stop")
    row = await check_receipt(service, user, captions, 3600, within=30)
    assert (row["seconds_used"], row["reason"]) == (24, "client_stop")
    assert len(upstream.met(config)) > 6
    finals = [message for message in captions.of("transcript") if message["is_final"]]
    starts = [word["start"] for message in finals for word in message["words"]]
    assert starts == [n / 2 for n in range(48)]


@pytest.mark.parametrize(
    "answer",
    [Script(refuse=REFUSALS[429]), Script(handshake=BROKEN_HANDSHAKES["closes-after-half-a-status-line"])],
    ids=["429", "half a status line"],
)
async def test_a_vanished_upstream_ends_the_session(service: Service, upstream: Upstream, answer: Script) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(reset_after=3), answer)
    captions = await service.captions(user, config)
    await captions.ready()
    sending = asyncio.create_task(captions.send_while_open(sound(60), speed=1))
    row = await check_receipt(service, user, captions, 3600, within=40)
    await sending
    assert (row["reason"], row["status"]) == ("upstream_closed", "terminated")
    assert row["seconds_used"] in (3, 4)  # a frame may have been in transit
    assert (captions.errors(), captions.close_code) == (["upstream_closed"], 1011)
    assert [message["upstream"] for message in captions.of("status")] == ["reconnecting"]
    assert len(upstream.met(config)) == 6


async def test_the_client_is_told_about_a_slow_redial(service: Service, upstream: Upstream) -> None:
    user, audio = await service.user(3600), sound(8)
    config = upstream.scripted(Script(reset_after=3), Script(handshake_delay=3))
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send(audio, speed=2)
    await captions.until(lambda: len(captions.of("status")) == 2)
    await captions.say("stop")
    row = await check_receipt(service, user, captions, 3600)
    assert [message["upstream"] for message in captions.of("status")] == ["reconnecting", "connected"]
    assert row["seconds_used"] == 8
    assert bytes(upstream.met(config)[1].audio) == audio[2 * SECOND :]


@pytest.mark.parametrize(
    ("status", "code", "close"),
    [
        (400, "invalid_config", 4400),
        (401, "upstream_unavailable", 1011),
        (402, "upstream_unavailable", 1011),
    ],
)
async def test_a_redial_that_is_refused_is_not_tried_again(
    service: Service, upstream: Upstream, status: int, code: str, close: int
) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(reset_after=3), Script(refuse=REFUSALS[status]))
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send_while_open(sound(4), speed=4)
    row = await check_receipt(service, user, captions, 3600)
    assert (row["reason"], captions.errors()[-1], captions.close_code) == ("upstream_closed", code, close)
    assert len(upstream.met(config)) == 2


async def test_refused_audio_is_not_redialled(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(hangup=Hangup(3, 1008, "DATA-0000")))
    captions = await service.captions(user, config)
    await captions.ready()
    await captions.send_while_open(sound(5), speed=5)
    row = await check_receipt(service, user, captions, 3600)
    assert (row["reason"], row["status"]) == ("upstream_closed", "terminated")
    assert (captions.errors()[-1], captions.close_code) == ("upstream_closed", 1011)
    assert len(upstream.met(config)) == 1


async def test_redials_without_progress_are_bounded(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(hangup=Hangup(1, 1011, ""), silent_after=0))
    captions = await service.captions(user, config)
    await captions.ready()
    sending = asyncio.create_task(captions.send_while_open(sound(60), speed=2))
    row = await check_receipt(service, user, captions, 3600, within=40)
    await sending
    assert row["reason"] == "upstream_closed"
    assert len(upstream.met(config)) == 6
