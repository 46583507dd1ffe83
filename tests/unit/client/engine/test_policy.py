"""What follows when a connection has ended."""

import pytest

from transcription_client.engine.policy import Next, after
from transcription_client.errors import ClientError, Unreachable
from transcription_client.redial import Ended


@pytest.mark.parametrize(
    ("ended", "follows"),
    [
        (Ended(ready=True, reason="client_stop"), Next.END),
        (Ended(ready=True, reason="replaced"), Next.END),
        (Ended(ready=True, reason="ended_by_user"), Next.END),
        (Ended(ready=True, error="unauthorized", reason="ended_by_operator"), Next.END),
        (Ended(ready=True, reason="idle"), Next.WAIT_FOR_SOUND),
        (Ended(ready=True), Next.REDIAL),
        (Ended(), Next.REDIAL),
        (Ended(fault=Unreachable("Nobody answers.")), Next.REDIAL),
        (Ended(error="service_unavailable"), Next.REDIAL),
        (Ended(ready=True, error="upstream_closed", reason="upstream_closed"), Next.REDIAL),
        (Ended(ready=True, error="service_restart", reason="service_restart"), Next.REDIAL),
        (Ended(fault=ClientError("A wrong address.")), Next.GIVE_UP),
        (Ended(error="unauthorized"), Next.GIVE_UP),
        (Ended(error="invalid_config"), Next.GIVE_UP),
        (Ended(error="insufficient_credits"), Next.GIVE_UP),
        (Ended(ready=True, error="insufficient_credits", reason="insufficient_credits"), Next.GIVE_UP),
        (Ended(ready=True, reason="signed_out"), Next.GIVE_UP),
        (Ended(error="a_code_of_a_newer_service"), Next.GIVE_UP),
    ],
    ids=str,
)
def test_what_follows(ended: Ended, follows: Next) -> None:
    assert after(ended, worked=False) is follows


def test_an_address_that_has_worked_is_not_wrong() -> None:
    """Behind it may be a captive portal, or a proxy whose service restarts."""
    assert after(Ended(fault=ClientError("That is HTML.")), worked=True) is Next.REDIAL


def test_a_refusal_is_final_also_after_it_has_worked() -> None:
    assert after(Ended(error="insufficient_credits"), worked=True) is Next.GIVE_UP
