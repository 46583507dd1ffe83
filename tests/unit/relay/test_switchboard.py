"""What is asked before the ledger opens a session."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from transcription_proxy.errors import Unavailable
from transcription_proxy.metering import rates
from transcription_proxy.relay.switchboard import Switchboard, TokenHolder
from transcription_proxy.values import Opened, Opening
from transcription_wire.messages import Auth

OPENED = Opened(UUID(int=1), 45, 1000)


class Ledger:
    async def open_session(self, opening: Opening) -> Opened:
        return OPENED


async def test_no_session_opens_while_settles_fail() -> None:
    settler: Any = SimpleNamespace(is_failing=True)
    lines: Any = SimpleNamespace(settler=settler)
    stages: Any = None
    holder = TokenHolder(uuid4(), 0)
    switchboard = Switchboard(lambda _: holder, Ledger(), rates.load(), lines, stages, uuid4(), 900)
    with pytest.raises(Unavailable):
        await switchboard.open(Auth("token"))
    settler.is_failing = False
    assert (await switchboard.open(Auth("token")))[0] is OPENED
