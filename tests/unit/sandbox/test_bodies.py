"""Bodies of the sandbox's requests."""

import pytest
from starlette.requests import Request
from starlette.types import Message

from transcription_sandbox.bodies import MOST, body_of
from transcription_sandbox.refusals import Refused


def request(*messages: Message) -> Request:
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def piece(body: bytes, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_put_together() -> None:
    assert await body_of(request(piece(b"a=", True), piece(b"b", False))) == b"a=b"


async def test_one_over_the_limit_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        await body_of(request(piece(b"x" * MOST, True), piece(b"x", True)))
    assert refused.value.status == 413


async def test_whoever_leaves_in_the_middle_is_refused_and_is_no_failure() -> None:
    with pytest.raises(Refused) as refused:
        await body_of(request(piece(b"a=", True), {"type": "http.disconnect"}))
    assert (refused.value.status, refused.value.final) == (499, False)
