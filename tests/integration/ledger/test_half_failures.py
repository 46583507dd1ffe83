"""Settles fail in every way in which only a part of the database works: what receipts say is what the ledger holds."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from tests.integration.ledger.faults import FAULTS, Fault, Hosts
from tests.integration.ledger.harness import LedgerHarness
from transcription_proxy.backoff import Backoff
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger import reaper, service, store
from transcription_proxy.relay import settler
from transcription_proxy.stream import credit, teardown

LEASE_SECONDS: Final = 2.0
LATE: Final = "late_close"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """All times of leases, settles and closes, a thirtieth of what they are."""
    monkeypatch.setattr(store, "LEASE", timedelta(seconds=LEASE_SECONDS))
    monkeypatch.setattr(reaper, "LEASE_SECONDS", LEASE_SECONDS)
    monkeypatch.setattr(service, "RENEW_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(teardown, "COMMIT_SECONDS", 0.3)
    monkeypatch.setattr(credit, "GRANT_SECONDS", 1.5)
    monkeypatch.setattr(credit, "SETTLE_INTERVAL_SECONDS", 0.3)
    monkeypatch.setattr(credit, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(credit, "CREDIT_WAIT_SECONDS", 0.3)
    monkeypatch.setattr(credit, "MUTED_HOLD_SECONDS", 0.2)
    monkeypatch.setattr(settler, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(settler, "MAX_LOCKED_SECONDS", 0.15)
    monkeypatch.setattr(settler, "RENEW_EVERY_SECONDS", 0.3)
    monkeypatch.setattr(settler, "FAILURE_SECONDS", 1.0)
    monkeypatch.setattr(settler, "CLOSE_BACKOFF", Backoff(0.2, 0.2))


async def suffered(url: str, fault: Fault, logs: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """What is wrong after the fault."""
    ours, theirs = Database(url, timeout=0.25), Database(url, max_size=1)
    await ours.open()
    await theirs.open()
    harness = LedgerHarness(theirs)
    hosts = Hosts(LedgerHarness(ours), harness, url, url.rpartition("/")[2].partition("?")[0])
    async with hosts:
        await asyncio.sleep(0.3)
        await hosts.suffer(fault, LEASE_SECONDS + 1)
        await hosts.finish()
    wrong: dict[str, object] = {}
    for name, talker in hosts.talkers.items():
        (held,) = await harness.row(talker.session.id, "seconds_used")
        told = held if name == "leaves" else talker.end and talker.end["seconds_used"]
        if not held == told == talker.session.credit.total:
            wrong[name] = f"the ledger holds {held}, told was {told}, and {talker.session.credit.total} went up"
        if fault.kept and str(talker.session.id) in [line.get("session_id") for line in logs if line["event"] == LATE]:
            wrong[f"{name}, lease"] = "it ran out"
    if found := await harness.findings():
        wrong["audit"] = found
    if holds := await harness.sql("SELECT user_id FROM credit_balance WHERE seconds_held > 0"):
        wrong["holds"] = holds
    await ours.close()
    await theirs.close()
    return wrong


@pytest.mark.usefixtures("hurried")
async def test_what_a_receipt_says_is_what_the_ledger_will_hold(new_database_url: Callable[[], str]) -> None:
    """All faults at once, on a database each: a fault takes its time."""
    with capture_logs() as logs:
        found = await asyncio.gather(*(suffered(new_database_url(), fault, logs) for fault in FAULTS.values()))
    assert {name: wrong for name, wrong in zip(FAULTS, found, strict=True) if wrong} == {}
