"""The proxy carries bytes unchanged, and breaks what it is told to."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.proxy import Proxy

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def guests() -> AsyncIterator[asyncio.Queue[Pair]]:
    """Who arrived at the target."""
    arrived: asyncio.Queue[Pair] = asyncio.Queue()
    yield arrived
    while not arrived.empty():
        arrived.get_nowait()[1].close()


@pytest.fixture
async def proxy(guests: asyncio.Queue[Pair]) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(lambda *pair: guests.put_nowait(pair), "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[:2]) as proxy:
        yield proxy
    server.close()


async def dial(proxy: Proxy) -> Pair:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def joined(proxy: Proxy, guests: asyncio.Queue[Pair]) -> tuple[Pair, Pair]:
    near = await dial(proxy)
    far = await guests.get()
    async with asyncio.timeout(5):
        while not proxy.links:
            await asyncio.sleep(0.01)
    return near, far


async def arrives(pair: Pair, data: bytes) -> None:
    assert await asyncio.wait_for(pair[0].readexactly(len(data)), 5) == data


async def nothing_arrives(pair: Pair, seconds: float = 0.2) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pair[0].read(1), seconds)


async def test_bytes_and_closes_pass_in_both_directions(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    near, far = await joined(proxy, guests)
    data = random.Random(1).randbytes(1_000_000)
    near[1].write(data)
    await arrives(far, data)
    far[1].write(data)
    await arrives(near, data)
    far[1].write(b"bye")
    far[1].close()
    assert await asyncio.wait_for(near[0].read(), 5) == b"bye"
    near[1].close()
    async with asyncio.timeout(5):
        while proxy.links:
            await asyncio.sleep(0.01)


async def test_a_unix_socket_may_be_the_target(tmp_path: Path) -> None:
    guests: asyncio.Queue[Pair] = asyncio.Queue()
    server = await asyncio.start_unix_server(lambda *pair: guests.put_nowait(pair), tmp_path / "s")
    async with Proxy(tmp_path / "s") as proxy:
        near = await dial(proxy)
        near[1].write(b"hello")
        await arrives(await guests.get(), b"hello")
    with pytest.raises(ConnectionResetError):  # it went down in the middle of it
        await near[0].read()
    server.close()


async def test_a_frozen_link_delivers_everything_later(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    near, far = await joined(proxy, guests)
    proxy.change(frozen=True)
    near[1].write(b"up")
    far[1].write(b"down")
    await nothing_arrives(far)
    near[1].close()
    await nothing_arrives(far)
    proxy.change(frozen=False)
    assert await asyncio.wait_for(far[0].read(), 5) == b"up"


async def test_frozen_weather_applies_to_new_links(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    proxy.change(frozen=True)
    near, far = await joined(proxy, guests)
    near[1].write(b"up")
    await nothing_arrives(far)
    proxy.change(frozen=False)
    await arrives(far, b"up")


async def test_a_single_link_can_be_changed(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    first, _ = await joined(proxy, guests)
    second, far = await dial(proxy), await guests.get()
    link = proxy.link_of(first[1].get_extra_info("sockname")[1])
    assert link is not None
    link.change(frozen=True)
    second[1].write(b"hello")
    await arrives(far, b"hello")


async def test_a_deaf_link_stops_reading(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    near, far = await joined(proxy, guests)
    proxy.change(deaf_up=True)
    near[1].transport.set_write_buffer_limits(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            while True:
                near[1].write(bytes(100_000))
                await near[1].drain()
    far[1].write(b"down")
    await arrives(near, b"down")
    proxy.change(deaf_up=False)
    await asyncio.wait_for(near[1].drain(), 5)
    await arrives(far, bytes(100_000))


async def test_delayed_bytes_keep_their_order(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    near, far = await joined(proxy, guests)
    proxy.change(delay=0.3)
    near[1].write(b"one")
    await nothing_arrives(far, 0.1)
    proxy.change(delay=0.0)
    near[1].write(b"two")
    await arrives(far, b"onetwo")


async def test_a_cut_resets_both_ends(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    near, far = await joined(proxy, guests)
    for link in proxy.some(1.0, random.Random(1)):
        link.cut()
    for reader, _ in (near, far):
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
    assert proxy.links == []


async def test_a_refusing_proxy_resets_new_connections(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    near, _far = await joined(proxy, guests)
    proxy.refusing = True
    late = await dial(proxy)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(late[0].read(), 5) == b""
    assert guests.empty()
    assert len(proxy.links) == 1
    near[1].close()


async def test_a_missing_target_resets_new_connections() -> None:
    async with Proxy(("127.0.0.1", 9)) as proxy:
        near = await dial(proxy)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(near[0].read(), 5)


async def test_some_picks_at_least_one_link_deterministically(proxy: Proxy, guests: asyncio.Queue[Pair]) -> None:
    assert proxy.some(1.0, random.Random(1)) == []
    pairs = [await joined(proxy, guests) for _ in range(4)]
    async with asyncio.timeout(5):
        while len(proxy.links) < len(pairs):
            await asyncio.sleep(0.01)
    assert len(proxy.some(0.01, random.Random(1))) == 1
    assert len(proxy.some(0.5, random.Random(1))) == 2
    assert proxy.some(0.5, random.Random(7)) == proxy.some(0.5, random.Random(7))
