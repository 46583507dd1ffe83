"""Settles fail because only a part of the database works. Receipts still match the ledger."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from tests.integration.ledger.harness import LedgerHarness
from tests.integration.ledger.faults import FAULTS, Fault, Hosts
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger import reaper, service, store
from transcription_proxy.relay import settler
from transcription_proxy.stream import funding, session, teardown

LEASE_SECONDS: Final = 2.0
LATE: Final = "late_close"


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all timeouts of leases, settles and closes to a thirtieth."""
    monkeypatch.setattr(store, "LEASE", timedelta(seconds=LEASE_SECONDS))
    monkeypatch.setattr(reaper, "LEASE_SECONDS", LEASE_SECONDS)
    monkeypatch.setattr(service, "RENEW_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(teardown, "COMMIT_SECONDS", 0.3)
    for module in (session, funding):
        monkeypatch.setattr(module, "GRANT_SECONDS", 1.5)
    monkeypatch.setattr(funding, "SETTLE_INTERVAL_SECONDS", 0.3)
    monkeypatch.setattr(funding, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(funding, "CREDIT_WAIT_SECONDS", 0.3)
    monkeypatch.setattr(funding, "MUTED_HOLD_SECONDS", 0.2)
    monkeypatch.setattr(settler, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(settler, "MAX_LOCKED_SECONDS", 0.15)
    monkeypatch.setattr(settler, "RENEW_EVERY_SECONDS", 0.3)
    monkeypatch.setattr(settler, "FAILURE_SECONDS", 1.0)
    monkeypatch.setattr(settler, "MAX_RETRY_SECONDS", 0.2)


async def problems_after(url: str, fault: Fault, logs: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Apply a fault to a new database, and return what is wrong afterwards."""
    ours, theirs = Database(url, timeout=0.25), Database(url, max_size=1)
    await ours.open()
    await theirs.open()
    harness = LedgerHarness(theirs)
    hosts = Hosts(LedgerHarness(ours), harness, url, url.rpartition("/")[2].partition("?")[0])
    async with hosts:
        await asyncio.sleep(0.3)
        await hosts.apply_fault(fault, LEASE_SECONDS + 1)
        await hosts.finish()
    wrong: dict[str, object] = {}
    for name, live in hosts.sessions.items():
        (held,) = await harness.row(live.session.id, "seconds_used")
        receipt = held if name == "leaves" else live.end and live.end["seconds_used"]
        if not held == receipt == live.session.meter.total:
            wrong[name] = f"{held} in the ledger, {receipt} in the receipt, {live.session.meter.total} sent"
        if fault.kept and str(live.session.id) in [line.get("session_id") for line in logs if line["event"] == LATE]:
            wrong[f"{name}, lease"] = "it expired"
    if found := await harness.findings():
        wrong["audit"] = found
    if holds := await harness.sql("SELECT user_id FROM credit_balance WHERE seconds_held > 0"):
        wrong["holds"] = holds
    await ours.close()
    await theirs.close()
    return wrong


@pytest.mark.usefixtures("short_timeouts")
async def test_receipts_match_the_ledger_after_each_fault(new_database_url: Callable[[], str]) -> None:
    """All faults run at once, each on a separate database, because a fault takes seconds."""
    with capture_logs() as logs:
        found = await asyncio.gather(*(problems_after(new_database_url(), fault, logs) for fault in FAULTS.values()))
    assert {name: wrong for name, wrong in zip(FAULTS, found, strict=True) if wrong} == {}
