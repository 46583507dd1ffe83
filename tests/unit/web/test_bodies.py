"""Request bodies that are too large or too slow."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from tests.unit.web.exchange import echo, exchange, http, pieces
from transcription_proxy.web.bodies import MAX_BODY_BYTES, BodyLimit

GONE: Message = {"type": "http.disconnect"}
POST = http(method="POST")


async def framework(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers by the status of an HTTPException, as FastAPI does."""
    try:
        await echo(scope, receive, send)
    except HTTPException as error:
        await send({"type": "http.response.start", "status": error.status_code, "headers": []})
        await send({"type": "http.response.body", "body": str(error.headers).encode()})


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def gone() -> Message:
    return GONE


def announced(length: str) -> Scope:
    return http(method="POST", headers={"content-length": length})


def test_the_limit_is_the_contracts() -> None:
    assert MAX_BODY_BYTES == 64 * 1024


@pytest.mark.parametrize(
    "request_", [pieces(b"x" * 10), pieces(b"x" * 9, b"x"), pieces(*[b"x"] * 10), pieces(b"x" * 10, b"")]
)
async def test_a_body_up_to_the_limit_arrives_whole(request_: list[Message]) -> None:
    for scope in (POST, announced("10")):
        assert (await exchange(BodyLimit(echo, largest=10), scope, request_)).body == b"x" * 10


@pytest.mark.parametrize("length", ["11", "65537", "9" * 19])
async def test_one_that_says_it_is_too_large_is_refused_and_then_let_finish(length: str) -> None:
    """The answer is complete before the rest is taken: a client that only listens need not send it."""
    answer = await exchange(BodyLimit(echo, largest=10), announced(length), pieces(b"x" * 6, b"y" * 6, b"z"))
    assert (answer.status, answer.error) == (413, "too_large")
    assert answer.headers["connection"] == "close"
    assert answer.taken == 3
    assert answer.complete
    assert [bool(message.get("body")) for message in answer.sent] == [False, True, False]


async def test_the_message_names_the_limit() -> None:
    answer = await exchange(BodyLimit(echo), announced(str(MAX_BODY_BYTES + 1)), [GONE])
    assert b"64 KiB" in answer.body


@pytest.mark.parametrize(
    ("request_", "taken"),
    [(pieces(b"x" * 11), 1), (pieces(b"x" * 6, b"x" * 6), 2), (pieces(b"x" * 6, b"x" * 6, b"x", b"x"), 4)],
)
@pytest.mark.parametrize("length", ["0", "10", "x", "-5", ""])
async def test_one_that_turns_out_too_large_is_refused_and_then_let_finish(
    request_: list[Message], taken: int, length: str
) -> None:
    answer = await exchange(BodyLimit(framework, largest=10), announced(length), request_)
    assert (answer.status, answer.body) == (413, b"{'Connection': 'close'}")
    assert answer.taken == taken
    assert answer.complete


@pytest.mark.parametrize("scope", [POST, announced("11")])
async def test_a_client_that_goes_away_in_the_middle_is_not_waited_for(scope: Scope) -> None:
    request = [*pieces(b"x" * 11, b"x", b"x")[:-1], GONE]
    assert (await exchange(BodyLimit(framework, largest=10), scope, request)).complete


@pytest.mark.parametrize("request_", [[], pieces(b"x", b"x")[:1]])
async def test_whoever_leaves_before_the_end_of_a_body_is_no_error_of_ours(request_: list[Message]) -> None:
    assert (await exchange(BodyLimit(framework), POST, request_, gone)).status == 499


@pytest.mark.parametrize("scope", [POST, announced("11")])
async def test_one_that_never_finishes_is_let_go(scope: Scope) -> None:
    request = pieces(b"x" * 11, b"x")[:1]
    answer = await exchange(BodyLimit(framework, largest=10, within=0.01), scope, request, never)
    assert answer.status == 413
    assert answer.complete


@pytest.mark.parametrize("request_", [[], pieces(b"x", b"x")[:1]])
async def test_a_body_that_does_not_arrive_in_time_is_given_up(request_: list[Message]) -> None:
    answer = await exchange(BodyLimit(framework, within=0.01), POST, request_, never)
    assert (answer.status, answer.body) == (408, b"{'Connection': 'close'}")


async def test_the_wait_for_the_clients_going_has_no_end() -> None:
    """As long as an answer takes, and longer than a body may."""
    going = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, going.set)

    async def leaves() -> Message:
        await going.wait()
        return GONE

    async def listens(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(await receive())

    assert (await exchange(BodyLimit(listens, within=0.001), POST, pieces(b"x"), leaves)).sent == [GONE]


async def test_what_is_no_http_is_left_alone() -> None:
    async def lifespan(_scope: Scope, receive: Receive, send: Send) -> None:
        await send(await receive())

    assert (await exchange(BodyLimit(lifespan, largest=0), {"type": "lifespan"}, pieces(b"x"))).sent == pieces(b"x")
