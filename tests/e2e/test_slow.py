"""What takes its time, all at once: deadlines, silences, clients and upstreams that hang."""

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.e2e.checks import check_receipt
from tests.e2e.client import SECOND, sound
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream
from tests.standin.script import Script

Case = Callable[[Service, Upstream], Awaitable[None]]


async def no_auth(service: Service, upstream: Upstream) -> None:
    captions = await service.dial()
    began = asyncio.get_running_loop().time()
    assert await captions.closed() == 4408
    assert 4.5 < asyncio.get_running_loop().time() - began < 7
    assert captions.errors() == ["auth_timeout"]


async def half_a_frame_of_auth(service: Service, upstream: Upstream) -> None:
    """A raw TCP connection that upgrades, sends the beginning of a frame, and stops."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(service.url).port)
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        "GET /ws/transcribe HTTP/1.1",
        f"Host: {urlsplit(service.url).netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + b"\x81\xfe\x01\x00\x00\x00\x00\x00{")
    assert b" 101 " in await asyncio.wait_for(reader.readline(), 5)
    rest = await asyncio.wait_for(reader.read(), 12)
    assert b"auth_timeout" in rest
    assert (4408).to_bytes(2, "big") in rest
    writer.close()


async def an_upstream_that_never_answers(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(Script(answers_handshake=False)))
    await captions.send(sound(2))
    assert await captions.closed(within=30) == 1011
    assert captions.errors() == ["upstream_unavailable"]
    assert (await service.balance(user))["seconds_held"] == 0
    assert await service.sessions(user) == []


async def metadata_that_never_comes(service: Service, upstream: Upstream) -> None:
    for script in (Script(heeds_close_stream=False), Script(metadata_delay=30)):
        user = await service.user(3600)
        captions = await service.captions(user, upstream.scripted(script))
        await captions.ready()
        await captions.send(sound(4))
        began = asyncio.get_running_loop().time()
        end = await captions.stop()
        assert 4 < asyncio.get_running_loop().time() - began < 8
        assert (end["seconds_used"], end["reason"]) == (4, "client_stop")
        await check_receipt(service, user, captions, 3600)


async def a_stop_that_a_silent_upstream_does_not_answer(service: Service, upstream: Upstream) -> None:
    """Another one hears what was not final; where none says anything, the client is told and hardly pays."""
    deaf, mute = Script(stops_reading_after=7), Script(silent_after=0, heeds_close_stream=False)

    async def stop(*scripts: Script) -> tuple[str, int]:
        user = await service.user(3600)
        captions = await service.captions(user, upstream.scripted(*scripts))
        await captions.ready()
        await captions.send(sound(30))
        await captions.say("stop")
        row = await check_receipt(service, user, captions, 3600, within=40)
        assert captions.errors()[-1:] == ["upstream_closed"] * (row["reason"] == "upstream_closed")
        return row["reason"], row["seconds_used"]

    ends = await asyncio.gather(stop(deaf, Script()), stop(deaf, mute), stop(mute))
    assert list(ends) == [("client_stop", 30), ("upstream_closed", 12), ("upstream_closed", 5)]


async def a_muted_start(service: Service, upstream: Upstream) -> None:
    """The stand-in hangs up after 10 s without a first frame; our own silence is nobody's."""
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await asyncio.sleep(13)
    await captions.send(sound(4))
    end = await captions.stop()
    heard = upstream.heard(captions)
    ours = heard.audio_bytes - 4 * SECOND
    assert 0 < ours <= SECOND
    assert bytes(heard.audio[ours:]) == sound(4)
    assert not any(heard.audio[:ours])
    assert (end["seconds_used"], end["audio_seconds"]) == (4, 4.0)
    finals = [transcript for transcript in captions.of("transcript") if transcript["is_final"]]
    assert finals[-1]["start"] + finals[-1]["duration"] == pytest.approx(4.0, abs=0.002)
    await check_receipt(service, user, captions, 3600)


async def muted_in_the_middle(service: Service, upstream: Upstream) -> None:
    """KeepAlive keeps the upstream; no silence is added; nothing is billed for the pause."""
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(2))
    await asyncio.sleep(13)
    await captions.send(sound(2, seed=1))
    end = await captions.stop()
    heard = upstream.heard(captions)
    assert heard.types().count("KeepAlive") >= 2
    assert bytes(heard.audio) == sound(2) + sound(2, seed=1)
    assert end["seconds_used"] == 4
    await check_receipt(service, user, captions, 3600)


async def an_upstream_that_falls_silent(service: Service, upstream: Upstream) -> None:
    """It is sought again; then at most 5 s beyond the last Results are billed."""
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(Script(silent_after=4.2), Script(silent_after=0)))
    await captions.ready()
    await captions.send_while_open(sound(60), speed=1.5)
    row = await check_receipt(service, user, captions, 3600, within=75)
    assert (row["reason"], row["status"]) == ("upstream_closed", "terminated")
    assert (captions.errors()[-1], captions.close_code) == ("upstream_closed", 1011)
    assert 4 <= row["seconds_used"] <= 9


async def an_upstream_that_stops_reading(service: Service, upstream: Upstream) -> None:
    """Its client is held back, then told; the service's memory does not fill."""
    user = await service.user(3600)
    captions = await service.captions(user, upstream.scripted(Script(stops_reading_after=2)))
    await captions.ready()
    sending = asyncio.create_task(captions.send_while_open(sound(600)))
    assert await captions.closed(within=60) == 1011
    await sending
    assert captions.errors()[-1] == "upstream_closed"
    assert (await captions.end())["reason"] == "upstream_closed"


async def a_client_that_never_reads(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    narrow = socket.create_connection(("127.0.0.1", urlsplit(service.url).port))
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    captions = await service.dial(sock=narrow)
    loud = Script(word="heliotrope" * 1000)
    await captions.auth(user.token, upstream.scripted(loud))
    session_id = await captions.ready()
    captions.freeze()
    await captions.send_while_open(sound(120), speed=6)
    row = await service.session(user, session_id)
    assert (row["reason"], row["status"]) == ("too_slow", "terminated")
    assert (await service.balance(user))["seconds_remaining"] == 3600 - row["seconds_used"]
    captions.vanish()


async def a_client_that_hangs(service: Service, upstream: Upstream) -> None:
    """It stays connected, answers no ping and sends nothing more."""
    user = await service.user(3600)
    captions = await service.captions(user)
    session_id = await captions.ready()
    await captions.send(sound(2))
    captions.freeze()
    await asyncio.sleep(15)
    row = await service.session(user, session_id)
    assert (row["reason"], row["seconds_used"]) == ("client_gone", 2)
    await upstream.until(lambda: upstream.heard(captions).closed)
    captions.vanish()


async def a_quiet_client_that_answers_pings_stays(service: Service, upstream: Upstream) -> None:
    captions = await service.captions(await service.user())
    await captions.ready()
    await asyncio.sleep(26)
    assert captions.close_code is None
    await captions.send(sound(1))
    assert (await captions.stop())["seconds_used"] == 1


async def a_muted_session_lends_its_hold_to_its_neighbour(service: Service, upstream: Upstream) -> None:
    user = await service.user(20)
    muted = await service.captions(user)
    await muted.ready()
    await muted.send(sound(1))
    busy = await service.captions(user)
    await busy.ready()
    await asyncio.sleep(6.5)
    await busy.send(sound(18))
    assert (await busy.stop())["seconds_used"] == 18
    await muted.send(sound(1))
    assert (await muted.stop())["seconds_used"] == 2
    assert (await service.balance(user))["seconds_remaining"] == 0


async def credit_in_a_neighbours_hold_is_waited_for(service: Service, upstream: Upstream) -> None:
    """The neighbour stops after a while: what it held carries the waiting one on."""
    user = await service.user(20)
    neighbour = await service.captions(user)
    await neighbour.ready()
    waiting = await service.captions(user)
    await waiting.ready()
    await neighbour.send(sound(1))
    sending = asyncio.create_task(waiting.send(sound(18)))
    for _ in range(6):
        await asyncio.sleep(0.5)
        await neighbour.send(sound(0.1))
    await neighbour.stop()
    await sending
    assert (await waiting.stop())["seconds_used"] == 18


CASES: list[Case] = [
    no_auth,
    half_a_frame_of_auth,
    an_upstream_that_never_answers,
    metadata_that_never_comes,
    a_stop_that_a_silent_upstream_does_not_answer,
    a_muted_start,
    muted_in_the_middle,
    an_upstream_that_falls_silent,
    an_upstream_that_stops_reading,
    a_client_that_never_reads,
    a_client_that_hangs,
    a_quiet_client_that_answers_pings_stays,
    a_muted_session_lends_its_hold_to_its_neighbour,
    credit_in_a_neighbours_hold_is_waited_for,
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(
    request: pytest.FixtureRequest, service: Service, upstream: Upstream
) -> AsyncIterator[dict[str, asyncio.Task[Any]]]:
    """The cases that were asked for, started together."""
    asked = {item.name for item in request.session.items if item.path == request.path}
    tasks = {case.__name__: asyncio.ensure_future(case(service, upstream)) for case in CASES if _id(case) in asked}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


def _id(case: Case) -> str:
    return f"test_in_its_own_time[{case.__name__}]"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_in_its_own_time(service: Service, running: dict[str, asyncio.Task[Any]], case: Case) -> None:
    await running[case.__name__]
