"""`backup` and `restore`: the whole database into a file, and a file into a new database."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from transcription_proxy.cli.database import database_url, migrated
from transcription_proxy.config import load

File = Annotated[Path, typer.Argument(metavar="FILE")]


def backup(file: File) -> None:
    """Save the database to a new file, beside a running service.

    The file holds email addresses and password hashes. Only you can read it.

    Example: transcription-proxy backup captions.dump
    """
    from transcription_proxy.db import backup as backups  # noqa: PLC0415 - `serve` must start without psycopg

    settings = load()
    with database_url(settings) as url:
        backups.backup(url, settings.database_schema, file)
    typer.echo(f"Saved {file.stat().st_size / 1e6:,.1f} MB to {file}.")


def restore(file: File) -> None:
    """Fill an empty database from a backup.

    Needs the same PostgreSQL version or newer. Updates the tables to this
    version of the program.

    Example: transcription-proxy restore captions.dump
    """
    from transcription_proxy.db import backup as backups  # noqa: PLC0415 - `serve` must start without psycopg

    settings = load()
    with database_url(settings) as url:
        backups.restore(url, settings.database_schema, file)
        version = asyncio.run(migrated(settings, url))
    typer.echo(f"Restored {file}. The database is at version {version}.")
