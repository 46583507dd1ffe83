"""The number of database queries of a login."""

from datetime import timedelta

from tests.integration.round_trips import round_trips
from transcription_proxy.accounts.hasher import Hasher
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.db.pool import Database


async def test_a_login_reads_its_account_once_before_the_hash_and_once_under_the_lock(database: Database) -> None:
    accounts = Accounts(database, secret="s" * 32, expiry=timedelta(hours=1), hasher=Hasher(4))
    await accounts.register("ann@example.org", "correct horse battery")
    with round_trips() as made:
        await accounts.login("ann@example.org", "correct horse battery")
    assert len(made) == 8, made
    assert len([one for one in made if one.startswith("SELECT id, email")]) == 2, made
