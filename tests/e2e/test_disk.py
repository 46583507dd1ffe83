"""A full disk: PostgreSQL dies and cannot start. Live sessions continue within their hold, and everything is booked."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.e2e.checks import assert_no_secrets
from tests.e2e.client import sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.waiting import until
from transcription_proxy.db.embedded import Embedded

SIZE = "100m"


@pytest.fixture
def disk(scratch: Path) -> Iterator[Path]:
    """A small separate file system with a DATA_DIR that PostgreSQL's user can reach."""
    place = scratch / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode:
        pytest.skip(f"a small file system takes the right to mount one: {mounted.stderr.strip()}")
    (place / "data").mkdir(mode=0o755)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as room:
        for size in (1 << 20, 1 << 10):
            with suppress(OSError):
                while room.write(bytes(size)):
                    pass


def write_until_it_dies(url: str) -> None:
    """Write until PostgreSQL dies, because preallocated files of its write-ahead log still have room."""
    with pytest.raises(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
        while True:
            connection.execute("SELECT pg_logical_emit_message(true, '', repeat('x', 4000000))")


def exhaust(disk: Path) -> None:
    with Embedded.acquire(disk / "data") as server:
        fill(disk / "filler")
        write_until_it_dies(server.url)


async def healthy(service: Service) -> bool:
    return (await service.http.get("/health")).status_code == 200


async def unhealthy(service: Service) -> bool:
    return not await healthy(service)


async def test_a_full_disk_ends_sessions_with_their_hold_and_loses_nothing(disk: Path, upstream: Upstream) -> None:
    async with serving(environment(disk / "data", upstream.url)) as service:
        user, other = await service.user(40), await service.user(40)
        captions = await service.captions(user)
        await captions.ready()
        speaking = asyncio.create_task(captions.send(sound(3), speed=0.1))  # a muted session gives its hold back
        await asyncio.to_thread(exhaust, disk)
        await until(lambda: unhealthy(service), 5)
        late = await service.captions(other)
        assert (await late.closed(), late.errors()) == (1013, ["service_unavailable"])
        speaking.cancel()
        await captions.send_while_open(sound(30), speed=4)
        end = await captions.end(within=30)
        assert (end["reason"], end["pending"], captions.close_code) == ("database_away", True, 1013)
        assert 10 <= end["seconds_used"] == upstream.heard(captions).audio_bytes // len(sound(1)) <= 13
        (disk / "filler").unlink()
        await until(lambda: healthy(service), 30)
        row = await service.session(user, captions.session_id)
        assert (row["reason"], row["seconds_used"]) == ("database_away", end["seconds_used"])
        balance = await service.balance(user)
        assert (balance["seconds_remaining"], balance["seconds_held"]) == (40 - end["seconds_used"], 0)
        again = await service.captions(user)
        await again.ready()
        await again.send(sound(3))
        assert (await again.stop())["seconds_used"] == 3
        await service.command("ledger", "audit")
        for told in ("the bundled PostgreSQL is out of disk space", "has disk space again"):
            assert service.log().count(told) == 1
        await asyncio.to_thread(exhaust, disk)
        service.send_signal(signal.SIGTERM)
        assert await service.stopped() == 0
    assert_no_secrets(service)
