"""Audio on its way from the thread that captures it."""

import asyncio

from transcription_client.engine.feed import Feed


async def take(feed: Feed, nbytes: int) -> bytes:
    taken = b""
    sound = feed.source().sound
    async with asyncio.timeout(10):
        while len(taken) < nbytes:
            taken += await anext(sound)
    return taken


def new() -> Feed:
    loop = asyncio.get_running_loop()
    return Feed(loop, loop.time())


async def test_audio_comes_from_another_thread() -> None:
    feed = new()
    await asyncio.to_thread(feed.put, b"\1\0" * 1600)
    assert await take(feed, 3200) == b"\1\0" * 1600


async def test_muted_audio_is_dropped_but_has_a_level() -> None:
    feed = new()
    feed.muted = True
    feed.put(b"\0\x40" * 1600)
    assert feed.level.value == 0.5
    feed.muted = False
    feed.put(b"\1\0" * 10)
    assert await take(feed, 20) == b"\1\0" * 10


async def test_half_a_sample_waits_for_its_other_half() -> None:
    feed = new()
    for piece in (b"\1", b"\0\2", b"", b"\0"):
        feed.put(piece)
    assert await take(feed, 4) == b"\1\0\2\0"
