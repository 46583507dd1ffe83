from collections.abc import AsyncIterator

import pytest

from tests.integration.ledger.books import Books
from transcription_proxy.db.pool import Database


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Books]:
    """Books that must balance at the end of the test."""
    books = Books(database)
    yield books
    assert await books.findings() == []
