"""Hostile values in every field and option of the sockets: refused in the right words, or relayed as plain values."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.client import Captions, sound
from tests.e2e.listening import CLOSE_STREAM, RAW, listen, rest, types
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream
from transcription_proxy.stream.options import CHECKS

HOSTILE: list[Any] = [
    "' OR 1=1; DROP TABLE users --",
    "a&model=nova-3&callback=http://evil.example",
    "\r\nX-Evil: 1",
    "nul\0",
    "\ud800",
    "x" * 20_000,
    "9" * 5_000,
    10**400,
    -1,
    1e308,
    None,
    [],
    {},
    [[{}]],
]


async def outcome(captions: Captions) -> str:
    """Wait for the first answer, and return its code, or its type if it is no error."""
    await captions.until(lambda: bool(captions.messages))
    first = captions.messages[0]
    return str(first["code"] if first["type"] == "error" else first["type"])


async def test_nothing_but_a_valid_token_opens_a_session(service: Service, upstream: Upstream) -> None:
    before = upstream.dialled
    for token in HOSTILE:
        captions = await service.dial()
        await captions.auth(token, {"model": "nova-2"})
        if await outcome(captions) == "unauthorized":
            assert await captions.closed() == 4401, token
        else:  # a number or a character that no JSON can hold
            assert (captions.errors(), captions.close_code) == (["bad_message"], None), token
            await captions.leave()
    assert upstream.dialled == before


@pytest.mark.parametrize("option", CHECKS)
async def test_an_option_is_refused_or_relayed_as_one_value(service: Service, upstream: Upstream, option: str) -> None:
    user = await service.user()
    for value in HOSTILE:
        captions = await service.captions(user, {option: value})
        match await outcome(captions):
            case "invalid_config":
                assert await captions.closed() == 4400
                assert option in captions.of("error")[0]["message"]
            case "bad_message":
                await captions.leave()
            case what:
                assert what == "ready", (option, value)
                await captions.stop()
                query = upstream.heard(captions).query
                sent = [each for name, each in query if name == option]
                assert sent == (value if isinstance(value, list) else [str(value)]), (option, value)
                assert not {name for name, _ in query} - {*CHECKS, "tag"}


async def test_more_fields_of_auth_change_nothing(service: Service) -> None:
    user, other = await service.user(3600), await service.user(3600)
    more: dict[str, Any] = {
        "user_id": other.email,
        "email": other.email,
        "seconds_remaining": 10**9,
        "session_id": "x",
        "rate": 0,
    }
    captions = await service.captions(user, **more)
    assert (await captions.first("ready"))["seconds_remaining"] == 3600
    await captions.send(sound(2))
    assert (await captions.stop())["seconds_used"] == 2
    assert [(await service.balance(each))["seconds_remaining"] for each in (user, other)] == [3598, 3600]


async def test_only_an_own_session_can_be_replaced(service: Service) -> None:
    victim, user = await service.user(3600), await service.user(3600)
    live = await service.captions(victim)
    target = await live.ready()
    for value in (target, *HOSTILE):
        captions = await service.captions(user, replaces=value)
        if await outcome(captions) == "ready":
            await captions.stop()
        elif captions.errors() == ["bad_message"]:
            await captions.leave()
        else:
            await captions.closed()
            assert captions.errors() in (["invalid_config"], ["unauthorized"]), value
    await live.send(sound(1))
    assert (await live.stop())["reason"] == "client_stop"


@pytest.mark.parametrize(("path", "price"), [("/v1/listen", 2), ("/v2/listen", 3)])  # Flux: 2 * 1.1, rounded up
async def test_hostile_texts_of_deepgram_clients_are_relayed_unchanged(
    service: Service, upstream: Upstream, path: str, price: int
) -> None:
    user = await service.user(3600)
    model = {"model": "flux-general-en"} if path == "/v2/listen" else {}
    connection = await listen(service, user, {**RAW, **model}, path=path)
    await connection.send(sound(2))
    texts = [json.dumps(value) for value in HOSTILE]
    texts += [json.dumps({"type": value}) for value in HOSTILE]
    texts += [json.dumps({"type": "Finalize", "channel": value}) for value in HOSTILE]
    texts += ["", "{", "[" * 10_000, '{"type":"KeepAlive"', '{"type":"CloseStream","type":"KeepAlive"}']
    for text in texts:
        await connection.send(text)
    await connection.send(CLOSE_STREAM)
    received = await rest(connection)
    record = upstream.met_last()
    assert [each.text for each in record.texts] == [*texts, CLOSE_STREAM]
    assert "Error" in types(received)
    assert (await service.balance(user))["seconds_remaining"] == 3600 - price


async def test_an_overlay_needs_a_key_first(service: Service) -> None:
    for value in (*HOSTILE, *({"type": "auth", "key": each} for each in HOSTILE), *({"key": each} for each in HOSTILE)):
        async with asyncio.timeout(15):
            socket = await connect(f"{service.ws_url}/ws/overlay", proxy=None)
            await socket.send(json.dumps(value))
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1008, 1009, 4401, 4410), (value, closed.value.rcvd)
