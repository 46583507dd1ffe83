"""`/v1/listen`: a Deepgram client through the service, its frames unchanged, billed exactly and cut off at zero."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.client import User, sound
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream
from tests.standin.script import Script

RAW = {"model": "nova-3", "encoding": "linear16", "sample_rate": "16000"}
SECOND = 32_000
CLOSE_STREAM = '{"type": "CloseStream"}'


async def listen(
    service: Service, user: User | None, query: dict[str, Any] | str, path: str = "/v1/listen", **options: Any
) -> ClientConnection:
    text = query if isinstance(query, str) else urlencode(query, doseq=True)
    headers = {} if user is None else {"Authorization": f"Token {user.token}"}
    url = f"{service.ws_url}{path}?{text}"
    return await connect(url, additional_headers=headers, proxy=None, max_size=None, **options)


async def refused(service: Service, user: User | None, query: dict[str, Any] | str, **options: Any) -> tuple[int, Any]:
    """The status and body of a refused handshake, whose headers say the same."""
    with pytest.raises(InvalidStatus) as caught:
        await listen(service, user, query, **options)
    response = caught.value.response
    body = json.loads(response.body or b"")
    assert set(body) == {"err_code", "err_msg", "request_id"}
    assert response.headers["dg-error"] == body["err_msg"]
    assert response.headers["dg-request-id"] == body["request_id"] == str(UUID(body["request_id"]))
    return response.status_code, body["err_code"]


async def rest(connection: ClientConnection) -> list[str | bytes]:
    """Everything until the close."""
    received: list[str | bytes] = []
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(20):
            while True:
                received.append(await connection.recv())
    return received


def types(received: Iterable[str | bytes]) -> list[str]:
    return [json.loads(text)["type"] for text in received]


async def test_a_stream_is_relayed_unchanged_and_billed_exactly(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(), **RAW)
    connection = await listen(service, user, config)
    assert connection.response is not None
    request_id = connection.response.headers["dg-request-id"]
    for _ in range(20):
        await connection.send(sound(0.1))
    await connection.send('{"type":"KeepAlive"}')
    await connection.send('{"type": "Finalize"}')
    await connection.send(CLOSE_STREAM)
    received = await rest(connection)
    (record,) = upstream.met(config)
    assert record.request_id == request_id == str(UUID(request_id))
    assert [text.text for text in record.texts] == ['{"type":"KeepAlive"}', '{"type": "Finalize"}', CLOSE_STREAM]
    assert bytes(record.audio) == sound(0.1) * 20
    assert types(received)[-1] == "Metadata"
    assert (connection.close_code, connection.close_reason) == (1000, "")
    (session,) = await service.sessions(user)
    assert (session["seconds_used"], session["reason"]) == (2, "client_stop")
    assert (await service.balance(user))["seconds_remaining"] == 3598
