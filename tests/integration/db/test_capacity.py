"""The number of connections that PostgreSQL allows, and the warning if there are too few."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from transcription_proxy.db import places
from transcription_proxy.db.capacity import needed, shortage
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.pool import Database


@pytest.fixture
def own_user(database_url: str) -> Iterator[str]:
    """The URL of a role without rights that is allowed 12 connections."""
    name = f"user_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' CONNECTION LIMIT 12")
        connection.execute(f"GRANT SET ON PARAMETER log_error_verbosity TO {name}")  # the bundled server's URL sets it
        parts = urlsplit(database_url)
        yield parts._replace(netloc=f"{name}:x@{parts.netloc.rpartition('@')[2]}").geturl()
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


@pytest.fixture
async def limited(own_user: str) -> AsyncIterator[Database]:
    database = Database(own_user)
    await database.open()
    yield database
    await database.close()


async def test_connections_for_one_worker_are_too_few_for_many(database: Database) -> None:
    assert await shortage(database, 1) is None
    said = await shortage(database, 64)
    assert said is not None
    assert f"WORKERS=64 needs {needed(64)}" in said


async def test_the_connection_limit_of_the_role_counts(limited: Database) -> None:
    said = await shortage(limited, 1)
    assert said is not None
    assert said.startswith(f"PostgreSQL allows 12 connections, and WORKERS=1 needs {needed(1)}. ")


def test_the_bundled_server_allows_enough_connections_for_its_workers(reachable_dir: Path) -> None:
    folder = places.make_folder(reachable_dir / uuid4().hex, 0o711)
    with Embedded.acquire(folder, workers=8) as server, psycopg.connect(server.url) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    assert row == (str(needed(8)),)
