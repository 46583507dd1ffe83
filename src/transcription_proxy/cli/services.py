"""The services that the operator's commands work with, beside a running service or without one."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from transcription_proxy.cli.database import database_url, migrated
from transcription_proxy.config import Settings, load
from transcription_proxy.logs import configure_logging

if TYPE_CHECKING:
    from transcription_proxy.accounts.operator import Operator
    from transcription_proxy.db.pool import Database
    from transcription_proxy.ledger.entries import Audit
    from transcription_proxy.ledger.service import Ledger

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL")]


@dataclass(frozen=True, slots=True)
class CommandServices:
    """The services of one command, on its own database connections."""

    settings: Settings
    ledger: "Ledger"
    operator: "Operator"
    database: "Database"

    async def audit(self) -> "Audit":
        """Audit ledger and purchases from one snapshot. Raise Unavailable."""
        from transcription_proxy.ledger import audit as ledger  # noqa: PLC0415 - `serve` must start without psycopg
        from transcription_proxy.payments import audit as payments  # noqa: PLC0415

        async with self.database.snapshot(ledger.AUDIT_SECONDS) as connection:
            found = await ledger.audit(connection)
            return replace(found, findings=[*found.findings, *await payments.audit(connection)])


def actor() -> str:
    """Return who runs the command, for the ledger. A container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def with_services(work: Callable[[CommandServices], Awaitable[T]]) -> T:
    """Run `work` on the services, and return what it returns.

    Raise Unavailable, and ConfigError for a database of another version.
    """
    settings = load()
    configure_logging(settings.log_level)
    with database_url(settings) as url:
        return asyncio.run(_opened(settings, url, work))


async def _opened(settings: Settings, url: str, work: Callable[[CommandServices], Awaitable[T]]) -> T:
    from transcription_proxy.accounts.operator import Operator  # noqa: PLC0415 - `serve` must start without psycopg
    from transcription_proxy.accounts.store import may_open  # noqa: PLC0415
    from transcription_proxy.db.pool import Database  # noqa: PLC0415
    from transcription_proxy.ledger.service import Ledger  # noqa: PLC0415

    await migrated(settings, url)
    database = Database(url, schema=settings.database_schema, max_size=2, timeout=30)
    await database.open()
    try:
        ledger = Ledger(
            database,
            may_open,
            max_sessions=settings.max_sessions_per_user,
            max_streams=settings.upstream_max_streams,
            max_diarized=settings.upstream_max_diarized,
        )
        return await work(CommandServices(settings, ledger, Operator(database), database))
    finally:
        await database.close()
