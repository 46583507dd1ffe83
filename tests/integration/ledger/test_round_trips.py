"""How often a session asks the database: at its opening, at each settle, and at its close."""

from tests.integration.ledger.harness import LedgerHarness, closing, opening, settlement
from tests.integration.round_trips import round_trips


async def test_a_session_makes_few_round_trips(harness: LedgerHarness) -> None:
    users = [await harness.user(1000) for _ in range(3)]
    with round_trips() as made:
        sessions = [(await harness.ledger.open_session(opening(user))).session_id for user in users]
    assert len(made) == 9 * len(users), made
    with round_trips() as made:
        await harness.ledger.settle([settlement(session, 1, 5) for session in sessions])
    assert len(made) == 3, made
    with round_trips() as made:
        await harness.ledger.close(closing(sessions[0], 2, 6))
    assert len(made) == 4, made
