"""Flux with Deepgram's own clients as published. The built-in engine has no Flux, so the stand-in hears."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from websockets.exceptions import InvalidStatus

from tests.e2e.client import User, sound
from tests.e2e.service import Service
from tests.e2e.test_deepgram_sdks import PIECE, deepgram_environment, programs_key, run_node
from tests.e2e.upstream import WORD
from tests.waiting import until

MODEL = "flux-general-en"
OPTIONS: dict[str, Any] = {"model": MODEL, "encoding": "linear16", "sample_rate": 16000, "eot_threshold": 0.8}
AUDIO = sound(6.6)
USED = 8
"""6.6 s at 1.1 credits a second, rounded up."""


def pieces(audio: bytes) -> list[bytes]:
    return [audio[start : start + PIECE] for start in range(0, len(audio), PIECE)]


def turns(messages: list[Any]) -> str:
    """Return the words of the turns that ended, and those of the last update."""
    infos = [each for each in messages if each.type == "TurnInfo"]
    return " ".join(each.transcript for each in infos if each.event == "EndOfTurn" or each is infos[-1])


def assert_heard(messages: list[Any]) -> None:
    assert [each.type for each in messages[:1]] == ["Connected"]
    assert {each.type for each in messages[1:]} == {"TurnInfo"}
    assert [each.sequence_id for each in messages] == list(range(len(messages)))
    assert turns(messages).split() == [f"{WORD}{number}" for number in range(14)]


async def assert_billed(service: Service, user: User, used: int, reason: str, before: int = 3600) -> None:
    async def is_booked() -> bool:
        return (await service.balance(user))["seconds_remaining"] == before - used

    await until(is_booked)
    [session] = await service.sessions(user)
    assert (session["seconds_used"], session["reason"], session["model"]) == (used, reason, MODEL)
    assert (await service.balance(user))["seconds_held"] == 0


def stream(client: DeepgramClient, audio: bytes, *, close: bool = True) -> list[Any]:
    messages: list[Any] = []
    with client.listen.v2.connect(**OPTIONS) as connection:
        connection.on(EventType.MESSAGE, messages.append)
        for piece in pieces(audio):
            connection.send_media(piece)
        if close:
            connection.send_close_stream()
        connection.start_listening()
    return messages


async def test_the_python_sdk_streams_flux(service: Service) -> None:
    user, key = await programs_key(service)
    client = DeepgramClient(api_key=key, environment=deepgram_environment(service, "/"))
    assert_heard(await asyncio.to_thread(stream, client, AUDIO))
    await assert_billed(service, user, USED, "client_stop")


async def test_the_asynchronous_python_sdk_streams_flux_with_a_token(service: Service) -> None:
    user = await service.user(3600)
    messages: list[Any] = []
    client = AsyncDeepgramClient(access_token=user.token, environment=deepgram_environment(service))
    async with client.listen.v2.connect(**OPTIONS) as connection:
        connection.on(EventType.MESSAGE, messages.append)
        listening = asyncio.create_task(connection.start_listening())
        for piece in pieces(AUDIO):
            await connection.send_media(piece)
        await connection.send_close_stream()
        await asyncio.wait_for(listening, 30)
    assert_heard(messages)
    await assert_billed(service, user, USED, "client_stop")


async def test_the_python_sdk_is_cut_off_at_zero_and_refused_when_it_returns(service: Service) -> None:
    user, key = await programs_key(service, seconds=3)
    client = DeepgramClient(api_key=key, environment=deepgram_environment(service))
    messages = await asyncio.to_thread(stream, client, AUDIO, close=False)
    assert turns(messages).startswith(f"{WORD}0 {WORD}1")
    assert messages[-1].audio_window_end == pytest.approx(3 / 1.1, abs=0.3)
    await assert_billed(service, user, 3, "insufficient_credits", before=3)
    with pytest.raises(InvalidStatus) as refused:
        await asyncio.to_thread(stream, client, AUDIO)
    assert refused.value.response.status_code == 402
    other = AsyncDeepgramClient(api_key=key, environment=deepgram_environment(service))
    with pytest.raises(ApiError) as error:
        async with other.listen.v2.connect(**OPTIONS):
            pass
    assert error.value.status_code == 402


async def test_keyterms_of_flux_cost_from_where_they_were_configured(service: Service) -> None:
    user, key = await programs_key(service)

    def run() -> list[Any]:
        messages: list[Any] = []
        client = DeepgramClient(api_key=key, environment=deepgram_environment(service))
        with client.listen.v2.connect(**OPTIONS) as connection:
            connection.on(EventType.MESSAGE, messages.append)
            connection.send_media(sound(4))
            connection.send_configure({"type": "Configure", "keyterms": [WORD]})
            connection.send_media(sound(3))
            connection.send_close_stream()
            connection.start_listening()
        return messages

    assert "ConfigureSuccess" in [each.type for each in await asyncio.to_thread(run)]
    await assert_billed(service, user, 9, "client_stop")  # 4 * 1.1 + 3 * 1.32, rounded up


async def test_the_javascript_sdk_streams_flux_and_opens_one_session(service: Service, tmp_path: Path) -> None:
    """It takes a close without a code for the end, after its own CloseStream."""
    audio = tmp_path / "audio.raw"
    audio.write_bytes(AUDIO)
    user, key = await programs_key(service)
    seen = await run_node(service, key, audio, 6, "finish", MODEL)
    assert (seen["opened"], seen["errors"], seen["closes"], seen["types"][0]) == (1, [], [1005], "Connected")
    assert " ".join(seen["texts"]).startswith(f"{WORD}0 {WORD}1")
    await assert_billed(service, user, USED, "client_stop")


async def test_the_javascript_sdk_does_not_come_back_to_flux_when_the_credit_is_used_up(
    service: Service, tmp_path: Path
) -> None:
    audio = tmp_path / "audio.raw"
    audio.write_bytes(AUDIO)
    user, key = await programs_key(service, seconds=3)
    seen = await run_node(service, key, audio, 2, "stay", MODEL)
    assert (seen["opened"], seen["errors"], seen["closes"]) == (1, [], [1000])
    await assert_billed(service, user, 3, "insufficient_credits", before=3)
    seen = await run_node(service, key, audio, 2, "stay", MODEL)
    assert (seen["opened"], seen["types"]) == (0, [])
    assert "402" in seen["errors"][0]
