from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from tests.integration.web.site import SECRET, Site
from transcription_proxy.accounts.hasher import Hasher
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.accounts.store import may_open
from transcription_proxy.accounts.trial import Trial
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.service import Ledger


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    """The API on a real database, with cheap hashes; its clocks are the test's."""
    site = Site(database)
    site.accounts = Accounts(
        database,
        secret=SECRET,
        expiry=timedelta(days=7),
        trial=Trial(600),
        clock=lambda: site.now,
        hasher=Hasher(cost=4),
    )
    site.ledger = Ledger(database, may_open, max_sessions=2, max_streams=100)
    site.build(auth_rate=1000)
    async with site.client() as client:
        site.http = client
        yield site


@pytest.fixture
def http(site: Site) -> httpx.AsyncClient:
    return site.http
