"""Overlays on two workers of one host, and on another host with the same database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from tests.conftest import with_database
from tests.e2e.client import Captions, sound
from tests.e2e.overlay import Page, address, key, page, send_test
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream, words


@pytest.fixture(scope="module")
def shared_database(postgres_url: str) -> Iterator[str]:
    name = f"overlay_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield with_database(postgres_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def here(shared_database: str, scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    """A host with two workers."""
    env = environment(scratch / "here", upstream.url, DATABASE_URL=shared_database, WORKERS="2")
    async with serving(env) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there(here: Service, scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    """Another host."""
    env = environment(scratch / "there", upstream.url, DATABASE_URL=here.env["DATABASE_URL"])
    async with serving({**env, "JWT_SECRET": here.env["JWT_SECRET"]}) as running:
        yield running


async def speak(captions: Captions, seconds: float, first: int = 0) -> list[str]:
    """Send audio in pieces that become final one by one. Return the words that the client got."""
    before = len([each for each in captions.of("transcript") if each["is_final"]])
    await captions.send(sound(seconds))

    def finals() -> list[str]:
        return [each["text"] for each in captions.of("transcript") if each["is_final"]][before:]

    await captions.until(lambda: sum(len(text.split()) for text in finals()) >= seconds * 2)
    assert " ".join(finals()) == words(int(seconds * 2), first)
    return finals()


async def attuned(captions: Captions, *pages: Page, said: int = 0) -> int:
    """Send audio until all overlays show it, because other hosts learn of watchers with a delay. Return the words."""
    while not all(shown.words(captions.session_id) for shown in pages):
        assert said < 2000
        await speak(captions, 2, first=said)
        said += 4
    return said


async def test_captions_reach_all_overlays_of_the_account_and_no_others(here: Service, there: Service) -> None:
    user, other = await here.user(), await here.user()
    url, elsewhere = await address(here, user), await address(here, other)
    assert key(url) == key(await address(there, user)) != key(elsewhere)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(page(host, url)) for host in (here, here, here, here, there)]
        strangers = [await stack.enter_async_context(page(host, elsewhere)) for host in (here, there)]
        captions = await here.captions(user)
        session = await captions.ready()
        told = await speak(captions, 4, first=await attuned(captions, *pages))
        for shown in pages:
            await shown.until(lambda shown=shown: shown.words(session)[-len(told) :] == told)  # type: ignore[misc]
            assert [set(line) for line in shown.of("line")] == [{"session", "start", "text", "is_final"}] * len(
                shown.of("line")
            )
        await captions.stop()
        for shown in pages:
            await shown.until(lambda shown=shown: shown.of("clear") == [{"session": session}])  # type: ignore[misc]
            assert not shown.over
        assert {name for stranger in strangers for name, _, _ in stranger.events} == {"heartbeat"}


async def test_each_session_is_cleared_at_its_own_end(here: Service, there: Service) -> None:
    user = await here.user()
    async with page(there, await address(here, user)) as shown:
        one, two = await here.captions(user), await there.captions(user)
        sessions = [await one.ready(), await two.ready()]
        told = [await speak(each, 4, first=await attuned(each, shown)) for each in (one, two)]
        await shown.until(lambda: [shown.words(session)[-len(told[0]) :] for session in sessions] == told)
        await two.stop()
        await shown.until(lambda: shown.of("clear") == [{"session": sessions[1]}])
        await one.stop()
        await shown.until(lambda: len(shown.of("clear")) == 2)


async def test_a_late_overlay_gets_only_later_captions(here: Service, there: Service) -> None:
    """Earlier captions are not stored, so it gets none."""
    user = await here.user()
    captions = await here.captions(user)
    session = await captions.ready()
    before = await speak(captions, 2)
    async with page(there, await address(here, user)) as shown:
        await attuned(captions, shown, said=4)
        assert not set(before) & set(shown.words(session))
    await captions.stop()


async def test_a_test_line_reaches_and_counts_overlays_on_all_hosts(here: Service, there: Service) -> None:
    """Any worker reports the count, once it knows all overlays."""
    user = await here.user()
    url = await address(here, user)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(page(host, url)) for host in (here, here, here, there)]
        async with asyncio.timeout(15):
            while [await send_test(host, user) for host in (here, there)] != [len(pages)] * 2:
                pass
        before = [len(shown.of("clear")) for shown in pages]
        assert await send_test(there, user) == len(pages)
        for shown, count in zip(pages, before, strict=True):
            await shown.until(lambda shown=shown, count=count: len(shown.of("clear")) > count)  # type: ignore[misc]
            assert shown.words("test")[-1] == "This is a test caption."
            assert [line["text"] for line in shown.of("line") if not line["is_final"]][-1] == "This is a test"


async def test_regenerating_the_url_voids_the_old_one_everywhere(here: Service, there: Service) -> None:
    user = await here.user()
    url = await address(here, user)
    assert await address(here, user) == url
    async with page(here, url) as near, page(there, url) as far:
        new = await address(here, user, "POST")
        for shown in (near, far):
            await shown.until(lambda shown=shown: shown.over, within=5)  # type: ignore[misc]
            assert [gone["error"]["code"] for gone in shown.of("gone")] == ["overlay_gone"]
    assert key(new) != key(url)
    assert await address(here, user) == new
    answer = await there.http.get("/overlay/events", headers={"Authorization": f"Bearer {key(url)}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "overlay_gone")
    assert "no longer works" in answer.json()["error"]["message"]
    async with page(there, new) as shown:
        assert not shown.over


async def test_without_a_database_only_other_workers_overlays_stop(scratch: Path, upstream: Upstream) -> None:
    async with serving(environment(scratch / "struck", upstream.url)) as struck:
        user = await struck.user()
        async with page(struck, await address(struck, user)) as shown:
            captions = await struck.captions(user)
            session = await captions.ready()
            told = await speak(captions, 2)
            struck.kill_database()
            told += await speak(captions, 4, first=4)
            await shown.until(lambda: shown.words(session) == told)
            await captions.stop()
        assert key(await address(struck, user)) not in struck.log()


async def test_overlays_end_after_the_sessions_at_a_shutdown(there: Service, scratch: Path, upstream: Upstream) -> None:
    env = environment(scratch / "ending", upstream.url, DRAIN_SECONDS="0", DATABASE_URL=there.env["DATABASE_URL"])
    async with serving({**env, "JWT_SECRET": there.env["JWT_SECRET"]}) as ending:
        user = await ending.user()
        url = await address(ending, user)
        async with page(ending, url) as near, page(there, url) as far:
            captions = await ending.captions(user)
            session = await captions.ready()
            said = await attuned(captions, near, far)
            told = await speak(captions, 2, first=said)
            ending.process.terminate()
            await near.until(lambda: near.over)
            for shown in (near, far):
                await shown.until(lambda shown=shown: shown.of("clear") == [{"session": session}])  # type: ignore[misc]
                assert shown.words(session)[-len(told) :] == told
                assert shown.of("gone") == []
            assert not far.over
        assert await ending.stopped() == 0
    async with page(there, url) as again:
        assert not again.over
