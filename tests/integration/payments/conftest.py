from collections.abc import AsyncIterator

import pytest

from tests.integration.payments.harness import PaymentsHarness
from transcription_proxy.db.pool import Database


@pytest.fixture
async def harness(database: Database) -> AsyncIterator[PaymentsHarness]:
    """Payments and their ledger, which must pass the audit at the end of the test."""
    harness = PaymentsHarness(database)
    yield harness
    assert await harness.findings() == []
