"""Sockets and streams that are held for nothing do not keep others out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest_asyncio

from tests.e2e.checks import database_url
from tests.e2e.client import Captions, sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.waiting import until
from transcription_proxy.relay.unauthenticated import MAX_UNAUTHENTICATED

OTHER_ADDRESS = ("127.0.0.2", 0)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    async with serving(environment(scratch / "small", upstream.url, UPSTREAM_MAX_STREAMS="2")) as service:
        yield service


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
