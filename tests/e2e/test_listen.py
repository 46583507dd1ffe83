"""`/v1/listen`: a Deepgram client through the service, its frames unchanged, billed exactly and cut off at zero."""

import asyncio
import json
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.e2e.client import User, sound
from tests.e2e.listening import CLOSE_STREAM, RAW, listen, refused, rest, types
from tests.e2e.service import Service
from tests.e2e.test_keys import create_key
from tests.e2e.upstream import Upstream
from tests.standin.script import REFUSALS, Hangup, Script


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


# The end


async def test_an_empty_balance_ends_with_the_last_words_and_a_normal_close(
    service: Service, upstream: Upstream
) -> None:
    user = await service.user(5)
    config = upstream.scripted(Script(), **RAW)
    connection = await listen(service, user, config)
    with pytest.raises(ConnectionClosed):
        for _ in range(200):
            await connection.send(sound(0.1))
            await asyncio.sleep(0.02)
    received = await rest(connection)
    assert types(received)[-2:] == ["Results", "Metadata"]
    assert connection.close_code == 1000
    (record,) = upstream.met(config)
    assert (record.audio_bytes, record.types()) == (5 * 32_000, ["CloseStream"])
    assert (await service.balance(user))["seconds_remaining"] == 0
    assert await refused(service, user, RAW) == (402, "ASR_PAYMENT_REQUIRED")
    assert len(upstream.met(config)) == 1


async def test_a_revoked_key_ends_its_stream_and_is_refused(service: Service) -> None:
    user = await service.user(3600)
    key_id, program = await create_key(service, user)
    connection = await listen(service, program, RAW)
    await connection.send(sound(3))
    await connection.recv()
    headers = {"Authorization": f"Bearer {user.token}"}
    assert (await service.http.delete(f"/account/keys/{key_id}", headers=headers)).status_code == 204
    received = await rest(connection)
    assert (connection.close_code, types(received)[-1:]) == (1000, ["Metadata"])
    assert await refused(service, program, RAW) == (401, "INVALID_AUTH")


@pytest.mark.parametrize(("code", "reason"), [(1011, "NET-0001"), (1008, "DATA-0000"), (4001, "odd")])
async def test_the_close_of_the_upstream_is_the_clients(
    service: Service, upstream: Upstream, code: int, reason: str
) -> None:
    user = await service.user(3600)
    script = Script(hangup=Hangup(0.5, code, reason))
    connection = await listen(service, user, upstream.scripted(script, **RAW))
    await connection.send(sound(0.5))
    await rest(connection)
    assert (connection.close_code, connection.close_reason) == (code, reason)


async def test_the_close_of_a_client_reaches_the_upstream_after_the_last_words(
    service: Service, upstream: Upstream
) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(), **RAW)
    connection = await listen(service, user, config)
    await connection.send(sound(2))
    await connection.close(4000, "bye")
    (record,) = upstream.met(config)
    await upstream.until(lambda: record.closed)
    assert record.types() == ["CloseStream"]
    session = await service.session(user, record.value("tag") or "")
    assert (session["seconds_used"], session["reason"]) == (2, "client_gone")


# The handshake


async def test_every_way_to_present_a_credential_works(service: Service) -> None:
    user = await service.user(3600)
    _, program = await create_key(service, user)
    for scheme in ("Token", "token", "Bearer", "bearer"):
        for token in (program.token, user.token):
            connection = await listen(service, None, RAW, headers={"Authorization": f"{scheme} {token}"})
            assert connection.subprotocol is None
            await connection.close()
    for offered, chosen in [
        (["token", program.token], "token"),
        (["bearer", user.token], "bearer"),
        (["token", program.token, "x-deepgram-session-id", "5e55"], "token"),
        (["x-deepgram-session-id", "5e55", "bearer", user.token], "bearer"),
    ]:
        connection = await listen(service, None, RAW, subprotocols=[Subprotocol(each) for each in offered])
        assert connection.subprotocol == chosen
        await connection.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Token"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Token tpk_forged"},
        {"Sec-WebSocket-Protocol": "token"},
        {"Sec-WebSocket-Protocol": "token, tpk_forged"},
    ],
)
async def test_without_a_valid_credential_no_upstream_is_dialled(
    service: Service, upstream: Upstream, headers: dict[str, str]
) -> None:
    before = upstream.dialled
    assert await refused(service, None, RAW, headers=headers) == (401, "INVALID_AUTH")
    assert upstream.dialled == before


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("model=nova-3&callback=http%3A%2F%2Fexample.com", (400, "INVALID_QUERY_PARAMETER")),
        ("model=imagined", (400, "INVALID_QUERY_PARAMETER")),
        ("", (400, "INVALID_QUERY_PARAMETER")),
        ("model=flux-general-en", (400, "INVALID_QUERY_PARAMETER")),
    ],
)
async def test_what_cannot_be_metered_or_priced_is_refused(
    service: Service, upstream: Upstream, query: str, expected: tuple[int, str]
) -> None:
    user = await service.user(3600)
    before = upstream.dialled
    assert await refused(service, user, query) == expected
    assert upstream.dialled == before


async def test_a_key_is_refused_a_model_that_it_may_not_use(service: Service) -> None:
    _, program = await create_key(service, await service.user(3600), models=["nova-2"])
    assert await refused(service, program, RAW) == (403, "INSUFFICIENT_PERMISSIONS")


@pytest.mark.parametrize(("status", "seen"), [(400, 400), (429, 429), (401, 502), (402, 502), (500, 502)])
async def test_a_refusal_of_the_upstream_is_an_http_error(
    service: Service, upstream: Upstream, status: int, seen: int
) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(refuse=REFUSALS[status]), **RAW)
    code = REFUSALS[status].code if seen == status else "BAD_GATEWAY"
    assert await refused(service, user, config) == (seen, code)
    assert await service.sessions(user) == []
    assert (await service.balance(user))["seconds_held"] == 0


async def test_the_query_is_relayed_as_it_came(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    case = upstream.scripted(Script())["keywords"]
    query = (
        f"keyterm=a+b&model=nova-3&keyterm=c%20d&tag=mine&mod%65l=nova-2&language=en&language=multi&x=%C3%A9&keywords={case}"
        "&no_delay=true&empty="
    )
    connection = await listen(service, user, query, path="//v1//listen")
    await connection.close()
    (record,) = upstream.met({"keywords": case})
    relayed, _, tag = record.target.rpartition("&tag=")
    expected = query.replace("&mod%65l=nova-2", "").replace("&language=multi", "")
    assert relayed == f"/v1/listen?{expected}"
    assert UUID(tag)


async def test_other_paths_of_deepgram_are_not_found_in_its_form(service: Service) -> None:
    user = await service.user(3600)
    for path in ("/v1/agent/converse", "/v1/speak", "/v2/speak"):
        assert await refused(service, user, RAW, path=path) == (404, "NOT_FOUND")


async def test_frames_sent_before_the_answer_are_not_lost(service: Service, upstream: Upstream) -> None:
    """A client need not wait for the 101 to send."""
    user: User = await service.user(3600)
    config = upstream.scripted(Script(handshake_delay=0.5), **RAW)
    query = "&".join(f"{name}={value}" for name, value in config.items())
    host, port = "127.0.0.1", int(service.env["PORT"])
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"GET /v1/listen?{query} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Token {user.token}\r\n\r\n".encode()
    )
    audio = sound(0.1)
    for payload, opcode in ((audio, 2), (CLOSE_STREAM.encode(), 1)):
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
        writer.write(bytes([0x80 | opcode]) + size + bytes(4) + payload)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\x88\x02\x03\xe8")
    (record,) = upstream.met(config)
    assert bytes(record.audio) == audio


# Keyterms in mid-stream


async def test_keyterms_that_begin_in_mid_stream_are_charged_from_there_on(service: Service) -> None:
    user = await service.user(3600)
    connection = await listen(service, user, RAW)
    await connection.send(sound(4))
    await connection.send('{"type":"Configure","keyterms":["heliotrope"]}')
    await connection.send(sound(3))
    await connection.send(CLOSE_STREAM)
    assert "ConfigureSuccess" in types(await rest(connection))
    assert (await service.balance(user))["seconds_remaining"] == 3600 - 8  # 4 + 3 * 1.22, rounded up


# Flux


async def test_flux_is_relayed_unchanged_and_closed_without_a_code(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(), model="flux-general-en", encoding="linear16", sample_rate="16000")
    connection = await listen(service, user, config, path="/v2/listen")
    for _ in range(33):
        await connection.send(sound(0.1))
    await connection.send(CLOSE_STREAM)
    received = await rest(connection)
    numbers = [json.loads(text)["sequence_id"] for text in received]
    assert (types(received)[0], numbers) == ("Connected", list(range(len(numbers))))
    assert set(types(received)[1:]) == {"TurnInfo"}
    assert connection.close_code == 1005
    (record,) = upstream.met(config)
    assert (record.path, record.types(), record.audio_bytes) == ("/v2/listen", ["CloseStream"], 33 * 3200)
    assert (await service.balance(user))["seconds_remaining"] == 3600 - 4  # 3.3 * 1.1


async def test_flux_and_other_models_keep_to_their_paths(service: Service) -> None:
    user = await service.user(3600)
    assert await refused(service, user, RAW, path="/v2/listen") == (400, "INVALID_QUERY_PARAMETER")


# A handshake that waits


async def test_a_client_that_leaves_before_its_answer_holds_nothing(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(answers_handshake=False), **RAW)
    opening = asyncio.create_task(listen(service, user, config))
    await upstream.until(lambda: bool(upstream.met(config)))
    assert (await service.balance(user))["seconds_held"] > 0
    opening.cancel()
    (record,) = upstream.met(config)
    await upstream.until(lambda: record.closed, within=20)  # picows leaves a cancelled handshake open for its 10 s
    async with asyncio.timeout(5):
        while (await service.balance(user))["seconds_held"]:
            await asyncio.sleep(0.05)
    assert await service.sessions(user) == []


async def test_an_upstream_that_does_not_answer_is_an_error_in_time(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    config = upstream.scripted(Script(answers_handshake=False), **RAW)
    assert await refused(service, user, config, open_timeout=9) == (502, "BAD_GATEWAY")
