"""HEAD, made from GET."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.unit.web.exchange import exchange, http
from transcription_proxy.web.heads import Heads


async def app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Says how it was asked, in two pieces."""
    method = scope.get("method", scope["type"]).encode()
    headers: list[Any] = [(b"content-length", b"8"), (b"x-method", method)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"word", "more_body": True})
    await send({"type": "http.response.body", "body": b"more"})


async def test_head_has_all_that_get_has_but_the_body() -> None:
    head = await exchange(Heads(app), http(method="HEAD"))
    assert head.status == 200
    assert head.headers == {"content-length": "8", "x-method": "GET"}
    assert head.body == b""
    assert head.complete


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_other_methods_are_left_alone(method: str) -> None:
    answer = await exchange(Heads(app), http(method=method))
    assert (answer.headers["x-method"], answer.body) == (method, b"wordmore")


async def test_what_is_no_http_is_left_alone() -> None:
    assert (await exchange(Heads(app), {"type": "lifespan"})).headers["x-method"] == "lifespan"
