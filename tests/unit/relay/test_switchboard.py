"""What is asked before the ledger opens a session."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.metering import rates
from transcription_proxy.relay.switchboard import Switchboard, TokenHolder
from transcription_proxy.stream.options import InvalidConfig
from transcription_proxy.values import Opened, Opening
from transcription_wire.messages import Auth

OPENED = Opened(UUID(int=1), UUID(int=2), 45, 1000)


class Ledger:
    async def open_session(self, opening: Opening) -> Opened:
        return OPENED


async def verify(token: str) -> TokenHolder:
    models = ["nova-3"] if token == "limited" else None
    return TokenHolder(uuid4(), 0, models=models)


async def test_a_key_opens_only_the_models_that_it_may_use() -> None:
    lines: Any = SimpleNamespace(settler=SimpleNamespace(is_failing=False))
    feeds: Any = None
    switchboard = Switchboard(verify, Ledger(), rates.load(), lines, feeds, uuid4(), 900)
    with pytest.raises(InvalidConfig, match=r"can't use the model nova-2\. It may use: nova-3\."):
        await switchboard.open(Auth("limited"))
    assert (await switchboard.open(Auth("limited", {"model": "nova-3"})))[0] is OPENED


async def test_no_session_opens_while_settles_fail() -> None:
    settler: Any = SimpleNamespace(is_failing=True)
    lines: Any = SimpleNamespace(settler=settler)
    stages: Any = None
    switchboard = Switchboard(verify, Ledger(), rates.load(), lines, stages, uuid4(), 900)
    with pytest.raises(Unavailable):
        await switchboard.open(Auth("token"))
    settler.is_failing = False
    assert (await switchboard.open(Auth("token")))[0] is OPENED


async def test_a_deepgram_client_opens_a_session_with_what_decides_its_price() -> None:
    class Recorder(Ledger):
        async def open_session(self, opening: Opening) -> Opened:
            openings.append(opening)
            return OPENED

    openings: list[Opening] = []
    lines: Any = SimpleNamespace(settler=SimpleNamespace(is_failing=False))
    feeds: Any = None
    switchboard = Switchboard(verify, Recorder(), rates.load(), lines, feeds, uuid4(), 900)
    query = "model=nova-3&encoding=linear16&sample_rate=16000&diarize=true&keyterm=a"
    await switchboard.open_listen("token", "/v1/listen", query)
    with pytest.raises(Refusal) as caught:
        await switchboard.open_listen("limited", "/v1/listen", "model=nova-2")
    assert caught.value.code == "forbidden"
    lines.settler.is_failing = True
    with pytest.raises(Unavailable):
        await switchboard.open_listen("token", "/v1/listen", query)
    (opening,) = openings
    assert (opening.addons, opening.rate_micro, opening.language) == (("diarize", "keyterm"), 1_560_000, "en")


async def test_an_account_that_opens_too_many_sessions_is_told_when_to_come_back() -> None:
    class Limits:
        async def check(self, what: str, who: str, limit: int) -> None:
            assert (what, who, limit) == ("open session", str(holder.user_id), 60)
            raise Refusal("rate_limited", "Too many attempts. Try again in 9 seconds.", 9)

    context: Any = SimpleNamespace(settler=SimpleNamespace(is_failing=False))
    feeds: Any = None
    holder = TokenHolder(uuid4(), 0)

    async def verify_as_holder(token: str) -> TokenHolder:
        return holder

    switchboard = Switchboard(
        verify_as_holder, Ledger(), rates.load(), context, feeds, uuid4(), 900, Limits(), opens_per_minute=60
    )
    with pytest.raises(Refusal, match="9 seconds") as refusal:
        await switchboard.open(Auth("token"))
    assert refusal.value.code == "too_many_connections"
