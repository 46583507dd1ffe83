from collections.abc import AsyncIterator

import pytest

from tests.integration.payments.till import Till
from transcription_proxy.db.pool import Database


@pytest.fixture
async def till(database: Database) -> AsyncIterator[Till]:
    """Payments and their ledger, which must be right at the end of the test."""
    till = Till(database)
    yield till
    assert await till.findings() == []
