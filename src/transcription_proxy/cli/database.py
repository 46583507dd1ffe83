"""Commands on the database itself, and the way there for all others: beside a running service too."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from transcription_proxy.config import Settings, load
from transcription_proxy.db.embedded import Embedded


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """DATABASE_URL, or the bundled PostgreSQL, which runs at least as long as the block."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with Embedded.acquire(settings.data_dir) as server:
        yield server.url


def migrate() -> None:
    """Bring the database to this program's version. `serve` does the same when it starts.

    Example: DATABASE_URL=postgresql://captions@db/captions transcription-proxy migrate
    """
    from transcription_proxy.db import migrate as migrations  # noqa: PLC0415 - `serve` must start without psycopg

    settings = load()
    with database_url(settings) as url:
        version = asyncio.run(migrations.migrate(url, settings.database_schema))
    typer.echo(f"The database is at version {version}.")
