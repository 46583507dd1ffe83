"""Checks at the end of every session and of the whole run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Captions, User
from tests.e2e.service import KEY, Service
from tests.e2e.upstream import WORD
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger import audit
from transcription_proxy.payments import audit as purchases


def assert_no_secrets(service: Service) -> None:
    """Assert that the log contains no credential, no caption text and no traceback."""
    log = service.log()
    for secret in (*service.tokens, service.env["JWT_SECRET"], KEY, WORD):
        assert secret not in log, f"the log holds {secret[:12]}..."
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]


@contextmanager
def database_url(service: Service) -> Iterator[str]:
    if "DATABASE_URL" in service.env:
        yield service.env["DATABASE_URL"]
        return
    with Embedded.acquire(Path(service.env["DATA_DIR"])) as server:
        yield server.url


async def assert_books_balance(service: Service) -> None:
    """Run the checks of `ledger audit` in this process, which is fast enough for every test."""
    with database_url(service) as url:
        database = Database(url, schema=service.env.get("DATABASE_SCHEMA"), max_size=1, timeout=30)
        await database.open()
        try:
            async with database.snapshot(audit.AUDIT_SECONDS) as connection:
                findings = [*(await audit.audit(connection)).findings, *await purchases.audit(connection)]
        finally:
            await database.close()
    wrong = [finding for finding in findings if finding.severity == "error"]
    assert not wrong, wrong


async def check_receipt(service: Service, user: User, captions: Captions, before: int, within: float = 15) -> Any:
    """Assert that `session_end` matches the ledger and the hold is released. Return the session's row."""
    end = await captions.end(within)
    row = await service.session(user, captions.session_id)
    balance = await service.balance(user)
    assert set(end) == {"type", "seconds_used", "audio_seconds", "reason"}
    assert (row["seconds_used"], row["reason"]) == (end["seconds_used"], end["reason"])
    assert row["audio_seconds"] == pytest.approx(end["audio_seconds"], abs=0.051)
    assert balance["seconds_remaining"] == before - end["seconds_used"] >= 0
    assert balance["seconds_held"] == 0
    return row
