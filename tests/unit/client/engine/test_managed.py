"""Captions by the service, played by a small server: tokens, refusals, and sessions that replace each other."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.client.engine.app import App, Talk
from tests.unit.client.servers import Http, Socket, caption_server
from transcription_client.engine import managed, sentences
from transcription_client.engine.managed import Tokens, expiry
from transcription_client.engine.settings import Settings
from transcription_client.errors import ClientError, Unreachable
from transcription_client.net import Api
from transcription_client.remote_transcription import RemoteTranscriptionEngine
from transcription_client.store import Login
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.sentences import ENDS, ERRORS

SECOND = bytes(32_000)
RENEWED = {"token": "a-new-token", "refresh_token": "a-new-refresh-token", "expires_in": 900}


def jwt(seconds: float) -> str:
    """A token that expires in so many seconds."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds}).encode()).decode().rstrip("=")
    return f"e30.{claims}.x"


@asynccontextmanager
async def captioning(server: str, **config: Any) -> AsyncIterator[tuple[RemoteTranscriptionEngine, App, Talk]]:
    app, talk = App(), Talk()
    config = {"mode": "managed", "server_url": server, "auth_token": "a-token", **config}
    engine = RemoteTranscriptionEngine(config, app.on_transcript, app.on_status, talk, on_tokens=app.on_tokens)
    engine.start()
    try:
        yield engine, app, talk
    finally:
        await asyncio.to_thread(engine.stop)


async def finishes(socket: Socket) -> None:
    await socket.ready()
    await socket.until("stop")
    await socket.end()


async def test_from_auth_to_the_receipt() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(len(SECOND))
        await socket.say("usage", seconds_used=1, seconds_remaining=599)
        await socket.final("hello", 0.0, 1.0)
        await socket.until("stop")
        await socket.end(seconds_used=3)

    async with (
        caption_server(script) as (server, heard),
        captioning(server, deepgram_model="nova-3", language="de", options={"diarize": True}) as (engine, app, talk),
    ):
        talk.say(SECOND)
        await app.sees(lambda: app.finals == "hello")
        await asyncio.to_thread(engine.stop)
    auth = heard.said[0]
    assert auth["token"] == "a-token"
    assert auth["config"] == {
        "model": "nova-3", "language": "de", "interim_results": True, "punctuate": True, "diarize": True,
        "encoding": "linear16", "sample_rate": 16_000, "channels": 1,
    }  # fmt: skip
    assert app.states == ["connecting", "live", "ended"]
    assert [status.seconds_remaining for status in app.statuses] == [None, None, 600, 599, 597, 597]
    assert (app.statuses[-1].message, app.statuses[-1].reason) == ("Done.", "client_stop")


async def test_a_lost_session_is_replaced_and_its_audio_sent_again() -> None:
    async def lost(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(2 * len(SECOND))
        await socket.final("one", 0.0, 1.0)
        socket.vanish()

    async def next_one(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(len(SECOND))
        await socket.final("two", 0.0, 1.0)
        await socket.until("stop")
        await socket.end()

    async with caption_server(lost, next_one) as (server, heard), captioning(server) as (_, app, talk):
        talk.say(2 * SECOND)
        await app.sees(lambda: app.finals == "one two")
        assert [auth["replaces"] for auth in heard.said if isinstance(auth, dict) and auth["type"] == "auth"] == [
            None,
            "session-1",
        ]
        assert heard.each[1].audio == SECOND
    assert "reconnecting" in app.states
    assert [round(result.start) for result in app.results] == [0, 1]


@pytest.mark.parametrize(
    ("code", "close"),
    [("insufficient_credits", 4402), ("invalid_config", 4400), ("unauthorized", 4401)],
)
async def test_a_refusal_ends_with_what_the_service_says(code: str, close: int) -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse(code, close, "In the service's words.")

    async with caption_server(script) as (server, heard), captioning(server) as (_, app, talk):
        ended = await app.enters("ended")
    assert (ended.reason, ended.message) == (code, "In the service's words.")
    assert len(heard.each) == 1
    assert talk.started == talk.stopped


async def test_a_session_that_the_service_ends_is_told_by_its_reason() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.end(reason="ended_by_user")

    async with caption_server(script) as (server, _), captioning(server) as (_engine, app, _talk):
        ended = await app.enters("ended")
    assert (ended.reason, ended.message) == (
        "ended_by_user",
        ENDS[Reason.ENDED_BY_USER].sentence.full,
    )


async def test_out_of_minutes_in_the_middle_ends_and_says_how_to_go_on() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.say("error", code="insufficient_credits", message="You're out of minutes.")
        await socket.end(reason="insufficient_credits")

    async with caption_server(script) as (server, _), captioning(server) as (_engine, app, _talk):
        ended = await app.enters("ended")
    assert (ended.reason, ended.message) == (
        "insufficient_credits",
        ENDS[Reason.INSUFFICIENT_CREDITS].sentence.full,
    )


async def test_a_busy_service_is_tried_again() -> None:
    async def busy(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("busy")

    async with caption_server(busy, finishes) as (server, _), captioning(server) as (_engine, app, _talk):
        await app.enters("live")
    assert app.messages[1] == f"{ERRORS[ErrorCode.BUSY].what} {sentences.RECONNECTING}"


async def test_after_a_long_silence_it_waits_for_audio_and_goes_on() -> None:
    async def idle(socket: Socket) -> None:
        await socket.ready()
        await socket.end(reason="idle")

    async with caption_server(idle, finishes) as (server, heard), captioning(server) as (_engine, app, talk):
        await app.sees(lambda: sentences.PAUSED in app.messages)
        assert len(heard.each) == 1
        talk.say(SECOND)
        await app.enters("live")


@pytest.fixture
def renewing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The refresh tokens that were used up. The caption socket's server takes no POST."""
    used: list[str] = []

    def renew(_: Api, login: Login) -> Login:
        used.append(login.refresh_token)
        return replace(login, token="a-new-token", refresh_token="a-new-refresh-token", expires_at=float("inf"))

    monkeypatch.setattr(Api, "renew", renew)
    return used


async def test_a_token_about_to_expire_is_renewed_before_it_is_used(renewing: list[str]) -> None:
    async with (
        caption_server(finishes) as (server, heard),
        captioning(server, auth_token=jwt(5), refresh_token="a-refresh-token") as (_, app, _talk),
    ):
        await app.enters("live")
        assert app.tokens == [("a-new-token", "a-new-refresh-token")]
    assert heard.said[0]["token"] == "a-new-token"
    assert renewing == ["a-refresh-token"]


async def test_a_refused_token_is_renewed_once(renewing: list[str]) -> None:
    async def refuses(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("unauthorized", 4401, "Your login is no longer valid.")

    async with (
        caption_server(refuses, finishes) as (server, heard),
        captioning(server, refresh_token="a-refresh-token") as (_, app, _talk),
    ):
        await app.enters("live")
    assert [said["token"] for said in heard.said if isinstance(said, dict) and said["type"] == "auth"] == [
        "a-token",
        "a-new-token",
    ]
    assert renewing == ["a-refresh-token"]


async def test_a_login_that_has_ended_is_told_in_the_services_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("unauthorized", 4401, "Your login is no longer valid. Log in again.")

    def renew(_: Api, login: Login) -> Login:
        raise ClientError("Signed out.")

    monkeypatch.setattr(Api, "renew", renew)
    async with (
        caption_server(refuses) as (server, _),
        captioning(server, refresh_token="a-refresh-token") as (_engine, app, _talk),
    ):
        ended = await app.enters("ended")
    assert (ended.reason, ended.message) == ("unauthorized", "Your login is no longer valid. Log in again.")
    assert app.tokens == []


async def test_a_token_is_renewed_during_a_long_session(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "RENEW_BEFORE_SECONDS", 0.0)
    http.answers["POST /auth/refresh"] = (200, RENEWED)
    told: list[tuple[str, str]] = []
    renewed = asyncio.Event()

    def on_tokens(access: str, refresh: str) -> None:
        told.append((access, refresh))
        renewed.set()

    provider = managed.Managed(
        Settings("managed", {}, http.url, jwt(1), "a-refresh-token"),
        on_tokens,
    )
    upkeep = asyncio.create_task(provider.maintain())
    async with asyncio.timeout(10):
        await renewed.wait()
    upkeep.cancel()
    assert told == [("a-new-token", "a-new-refresh-token")]
    assert [asked.body for asked in http.asked] == [{"refresh_token": "a-refresh-token"}]


async def test_two_callers_renew_once_and_a_cancelled_one_does_not_lose_the_tokens(http: Http) -> None:
    http.answers["POST /auth/refresh"] = (200, RENEWED)
    told: list[tuple[str, str]] = []
    tokens = Tokens(http.url, jwt(5), "a-refresh-token", lambda *pair: told.append(pair))
    first, second = asyncio.create_task(tokens.fresh()), asyncio.create_task(tokens.fresh())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "a-new-token"
    await tokens.finish()
    assert told == [("a-new-token", "a-new-refresh-token")]
    assert len(http.asked) == 1


async def test_a_renewal_that_fails_says_whether_another_try_may_help(http: Http, nobody: str) -> None:
    http.answers["POST /auth/refresh"] = (401, {"error": {"message": "Signed out."}})
    with pytest.raises(ClientError, match=r"^Signed out\.$") as error:
        await Tokens(http.url, jwt(5), "a-refresh-token", lambda *_: None).fresh()
    assert not isinstance(error.value, Unreachable)
    with pytest.raises(Unreachable):
        await Tokens(nobody, jwt(5), "a-refresh-token", lambda *_: None).fresh()


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "e30.e30.x", "..", "x.bnVsbA.x"])
def test_a_token_that_does_not_say_when_it_expires_is_not_renewed_early(token: str) -> None:
    assert expiry(token) == float("inf")


def test_the_expiry_of_a_token() -> None:
    assert expiry(jwt(100)) == pytest.approx(time.time() + 100, abs=5)


@pytest.mark.parametrize("server", ["captions.example.com", "ftp://x", "http://", "http://x:0", "http://[x"])
async def test_a_wrong_address_is_told_and_ends(server: str) -> None:
    async with captioning(server) as (_, app, talk):
        ended = await app.enters("ended")
    assert ended.message == f"{server!r} isn't a valid address. Use one like https://captions.example.com."
    assert app.states == ["ended"]
    assert talk.started == 0


async def test_a_server_of_something_else_is_told_and_ends(http: Http) -> None:
    async with captioning(http.url) as (_, app, _talk):
        ended = await app.enters("ended")
    assert ended.message.startswith(f"Can't reach {http.url} (")
    assert ended.reason == "refused"


async def test_https_where_the_server_speaks_http_is_told(http: Http) -> None:
    async with captioning(http.url.replace("http:", "https:")) as (_, app, _talk):
        status = await app.enters("ended")
    assert "doesn't use https. Check the address" in status.message
