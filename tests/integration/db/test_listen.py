import asyncio
import contextlib

import psycopg
import pytest

from tests.waiting import until
from transcription_proxy.db import listen as module
from transcription_proxy.db.listen import listen


async def test_listening_survives_a_bad_payload_and_a_lost_connection(database_url: str) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.create_task(listen(database_url, {"news": lambda payload: heard.put_nowait(int(payload))}))
    with psycopg.connect(database_url, autocommit=True) as other:
        await _until_heard(other, heard, 1)
        other.execute("SELECT pg_notify('news', 'not a number')")
        await _until_heard(other, heard, 2)
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await _until_heard(other, heard, 3)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _until_heard(other: psycopg.Connection, heard: "asyncio.Queue[int]", number: int) -> None:
    """Notify until a notification arrives, because nothing shows from outside when listening begins."""
    async with asyncio.timeout(10):
        while True:
            other.execute("SELECT pg_notify('news', %s)", [str(number)])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    while await heard.get() != number:
                        pass
                    return


async def test_probes_lose_no_notification(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.005)
    heard: list[str] = []
    ready = asyncio.Event()
    task = asyncio.create_task(listen(database_url, {"one": heard.append, "two": heard.append}, ready.set))
    async with asyncio.timeout(10):
        await ready.wait()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
        said = [str(number) for number in range(300)]
        for number in said:
            channel = "one" if int(number) % 2 else "two"
            await other.execute("SELECT pg_notify(%s, %s)", [channel, number])
    await until(lambda: len(heard) == len(said))
    assert heard == said
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
