"""Environment variables meant for psql do not change how the service uses its database."""

import os
from datetime import datetime

import psycopg
import pytest
from psycopg import sql

from transcription_proxy.db.libpq import shield
from transcription_proxy.db.pool import Database

HOSTILE = {
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Tokyo",
    "PGCLIENTENCODING": "LATIN1",
    "PGGEQO": "off",
    "PGPORT": "1",
    "PGSERVICE": "nowhere",
    "PGREQUIREAUTH": "none",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREPEER": "nobody-we-know",
    "PGHOSTADDR": "192.0.2.1",
}


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="not the bundled PostgreSQL")
async def test_environment_variables_do_not_affect_the_bundled_server(database_url: str, hostile: None) -> None:
    shield(bundled=True)
    database = Database(database_url)
    await database.open()
    try:
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE written ()")
            cursor = await connection.execute("SELECT now(), 'ü'")
            assert [type(value) for value in await cursor.fetchone() or ()] == [datetime, str]
    finally:
        await database.close()


def test_defaults_of_the_database_do_not_affect_our_connections(database_url: str) -> None:
    shield(bundled=False)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for setting in ("datestyle = 'German'", "timezone = 'Asia/Tokyo'"):
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET ").format(sql.Identifier(connection.info.dbname)) + sql.SQL(setting)
            )
    with psycopg.connect(database_url) as connection:
        found = [connection.execute(f"SHOW {setting}").fetchone() for setting in ("datestyle", "timezone")]
    assert found == [("ISO, MDY",), ("UTC",)]
