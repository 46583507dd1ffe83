"""Sockets and streams that are held for nothing do not keep others out."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psycopg
import pytest_asyncio

from tests.e2e.checks import database_url
from tests.e2e.client import Captions, sound
from tests.e2e.listening import CLOSE_STREAM, RAW, listen, refused, rest
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.waiting import until
from transcription_proxy.relay.unauthenticated import MAX_UNAUTHENTICATED

OTHER_ADDRESS = ("127.0.0.2", 0)
LABELS = {"diarize": True}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    async with serving(environment(scratch / "small", upstream.url, UPSTREAM_MAX_STREAMS="2")) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two_workers(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    limits = {"UPSTREAM_MAX_STREAMS": "4", "UPSTREAM_MAX_DIARIZED": "2"}
    async with serving(environment(scratch / "two-workers", upstream.url, WORKERS="2", **limits)) as service:
        yield service


def answered(captions: Captions) -> bool:
    return bool(captions.of("ready") or captions.errors())


async def test_streams_with_speaker_labels_are_limited_over_workers_and_sockets(two_workers: Service) -> None:
    users = [await two_workers.user(600) for _ in range(6)]
    captions = [await two_workers.captions(user, LABELS) for user in users]
    for each in captions:
        await each.until(partial(answered, each))
    live = [each for each in captions if each.of("ready")]
    assert (len(live), [each.errors() for each in captions if each not in live]) == (2, [["busy"]] * 4)
    assert [await each.closed() for each in captions if each not in live] == [1013] * 4
    for query in ({**RAW, "diarize": "true"}, {**RAW, "diarize_model": "latest"}):
        assert await refused(two_workers, users[0], query) == (429, "TOO_MANY_REQUESTS")
    plain = await two_workers.captions(users[2])
    await plain.ready()
    streamed = await listen(two_workers, users[3], RAW)  # the fourth of all streams
    assert await refused(two_workers, users[4], RAW) == (429, "TOO_MANY_REQUESTS")
    await live[0].stop()
    labelled = await listen(two_workers, users[4], {**RAW, "diarize": "true"})
    last = await two_workers.captions(users[5], LABELS)
    assert (await last.first("error"))["code"] == "busy"
    headers = {"Authorization": f"Token {users[5].token}"}
    upload = await two_workers.http.post("/v1/listen?model=nova-3&diarize=true", content=b"RIFF", headers=headers)
    assert (upload.status_code, upload.json()["err_code"]) == (429, "TOO_MANY_REQUESTS")
    for connection in (labelled, streamed):
        await connection.send(CLOSE_STREAM)
        await rest(connection)
    for each in (live[1], plain):
        await each.stop()


async def test_a_flood_of_sockets_from_one_address_does_not_keep_another_out(
    small: Service, upstream: Upstream
) -> None:
    user = await small.user(600)
    flood: list[Captions] = []
    for _ in range(0, MAX_UNAUTHENTICATED + 100, 50):
        flood += await asyncio.gather(*(small.dial() for _ in range(50)))
    guest = await small.dial(local_addr=OTHER_ADDRESS)
    await guest.auth(user.token)
    await guest.ready()
    await guest.stop()
    assert any("service_unavailable" in each.errors() for each in flood)
    for each in flood:
        await each.leave()


async def test_a_muted_session_gives_its_stream_to_one_that_speaks(small: Service, upstream: Upstream) -> None:
    users = [await small.user(600) for _ in range(3)]
    muted, speaking = [await small.captions(user) for user in users[:2]]
    muted_id = await muted.ready()
    await speaking.ready()
    talking = asyncio.create_task(speaking.send(sound(60), speed=1))
    with database_url(small) as url:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:

            async def let_time_pass() -> bool:
                """Make the muted session muted for longer, once it has given its hold back."""
                statement = "UPDATE transcription_sessions SET muted_at = muted_at - interval '30 s' WHERE id = %s"
                return (await connection.execute(f"{statement} AND muted_at IS NOT NULL", [muted_id])).rowcount > 0

            await until(let_time_pass)
    newcomer = await small.captions(users[2])
    await newcomer.ready()
    assert (await muted.end())["reason"] == "idle"
    assert await muted.closed() == 1000
    await newcomer.send(sound(1))
    await newcomer.stop()
    assert speaking.close_code is None
    talking.cancel()
    speaking.vanish()
