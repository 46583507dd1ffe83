"""A plain WebSocket client for `/v1/listen` and `/v2/listen`."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.client import User
from tests.e2e.service import Service

RAW = {"model": "nova-3", "encoding": "linear16", "sample_rate": "16000"}
CLOSE_STREAM = '{"type": "CloseStream"}'


async def listen(
    service: Service,
    user: User | None,
    query: dict[str, Any] | str,
    path: str = "/v1/listen",
    headers: dict[str, str] | None = None,
    **options: Any,
) -> ClientConnection:
    """Connect. `query`: parameters, or the raw query. `headers`: in place of `Authorization: Token`."""
    text = query if isinstance(query, str) else urlencode(query, doseq=True)
    if headers is None:
        headers = {} if user is None else {"Authorization": f"Token {user.token}"}
    url = f"{service.ws_url}{path}?{text}"
    return await connect(url, additional_headers=headers, proxy=None, max_size=None, **options)


async def refused(service: Service, user: User | None, query: dict[str, Any] | str, **options: Any) -> tuple[int, Any]:
    """The status and `err_code` of a refused handshake, whose headers say the same as its body."""
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
        async with asyncio.timeout(60):
            while True:
                received.append(await connection.recv())
    return received


def types(received: Iterable[str | bytes]) -> list[str]:
    return [json.loads(text)["type"] for text in received]
