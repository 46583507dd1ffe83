"""The command `migrate`, and the database that all commands use, beside a running service or without one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from transcription_proxy.config import Settings, load
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.libpq import shield
from transcription_proxy.errors import Unavailable


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """Yield DATABASE_URL, or the URL of the bundled PostgreSQL, which runs at least as long as the block."""
    shield(bundled=settings.database_url is None)
    if settings.database_url is not None:
        yield settings.database_url
        return
    with Embedded.acquire(settings.data_dir, workers=settings.workers) as server:
        yield server.url


async def migrated(settings: Settings, url: str) -> int:
    """Migrate the database to this program's version and return it. Raise ConfigError, and Unavailable with advice."""
    from transcription_proxy.db import migrate as migrations  # noqa: PLC0415 - `serve` must start without psycopg

    try:
        return await migrations.migrate(url, settings.database_schema)
    except Unavailable as error:
        raise Unavailable(f"{error}. Check DATABASE_URL, and that its server is running.") from error


def migrate() -> None:
    """Update the database to this version.

    `serve` does the same when it starts.

    Example: DATABASE_URL=postgresql:///captions transcription-proxy migrate
    """
    settings = load()
    with database_url(settings) as url:
        version = asyncio.run(migrated(settings, url))
    typer.echo(f"The database is at version {version}.")
