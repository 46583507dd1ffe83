from collections.abc import AsyncIterator

import pytest

from tests.integration.ledger.harness import LedgerHarness
from transcription_proxy.db.pool import Database


@pytest.fixture
async def harness(database: Database) -> AsyncIterator[LedgerHarness]:
    """LedgerHarness that must balance at the end of the test."""
    harness = LedgerHarness(database)
    yield harness
    assert await harness.findings() == []
