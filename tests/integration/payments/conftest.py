from collections.abc import AsyncIterator

import pytest

from tests.integration.payments.setup import PaymentsSetup
from transcription_proxy.db.pool import Database


@pytest.fixture
async def setup(database: Database) -> AsyncIterator[PaymentsSetup]:
    """Payments and their ledger, which must pass the audit at the end of the test."""
    setup = PaymentsSetup(database)
    yield setup
    assert await setup.findings() == []
