"""The desktop engine against the running service: real speech, connections cut in mid-sentence, and zero credit."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.chaos.proxy import Proxy
from tests.e2e.checks import assert_books_balance
from tests.e2e.client import SECOND, sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.test_client_redial import HEAD, arrives, hang_up, knows
from tests.e2e.upstream import WORD, Upstream, words
from tests.integration.engine.recordings import TWO_CITIES, at_rate, recording, word_errors
from tests.unit.client.engine.app import App, Talk
from transcription_client.engine import sentences
from transcription_client.remote_transcription import RemoteTranscriptionEngine

TOLERATED = 0.2
"""Of the words: some are heard by two models, which are cut off in the middle."""
SPEED = 1.75
"""Times real time."""
READ_SECONDS = 29.0
LAST = "direct the other way"
"""Seconds of two_cities.wav, and the last words in them."""


def engine(app: App, talk: Talk, **config: Any) -> RemoteTranscriptionEngine:
    config = {"mode": "managed", **config}
    return RemoteTranscriptionEngine(config, app.on_transcript, app.on_status, talk, on_tokens=app.on_tokens)


async def stop(running: RemoteTranscriptionEngine) -> None:
    await asyncio.to_thread(running.stop)


async def test_a_connection_that_is_cut_twice_loses_no_word(service: Service, upstream: Upstream) -> None:
    audio = sound(13)
    config = upstream.scripted(knows(audio))
    user, app, talk = await service.user(3600), App(), Talk()
    async with Proxy(("127.0.0.1", int(service.env["PORT"]))) as proxy:
        server = f"http://127.0.0.1:{proxy.port}"
        running = engine(app, talk, server_url=server, auth_token=user.token, options=config)
        running.start()
        for part, heard in ((audio[: 5 * SECOND], 8), (audio[5 * SECOND : 9 * SECOND], 16)):
            talk.say(part)
            await upstream.until(partial(arrives, upstream, config, part[-HEAD:]))
            await app.sees(lambda heard=heard: len(app.finals.split()) == heard)  # type: ignore[misc]
            hang_up(proxy)
            await app.sees(lambda heard=heard: app.states.count("reconnecting") == heard // 8)  # type: ignore[misc]
        talk.say(audio[9 * SECOND :])
        await app.sees(lambda: app.heard(f"{WORD}25"))
        await stop(running)
    assert app.finals.split() == words(26).split()
    assert app.states == ["connecting", "live", "reconnecting", "live", "reconnecting", "live", "ended"]
    assert (app.statuses[-1].reason, len(app.threads)) == ("client_stop", 1)
    first, second, third = upstream.met(config)
    assert bytes(first.audio) == audio[: 5 * SECOND]
    assert bytes(second.audio) == audio[4 * SECOND : 9 * SECOND]
    assert bytes(third.audio) == audio[8 * SECOND :]
    balance = await service.balance(user)
    assert (balance["seconds_remaining"], balance["seconds_held"]) == (3600 - 5 - 5 - 5, 0)
    assert app.statuses[-1].seconds_remaining in range(3600 - 15, 3600 - 5), "a lost receipt is not known yet"


async def test_muted_audio_costs_nothing(service: Service, upstream: Upstream) -> None:
    user, app, talk = await service.user(3600), App(), Talk()
    config = upstream.scripted(knows(sound(4)))
    running = engine(app, talk, server_url=service.url, auth_token=user.token, options=config)
    running.start()
    talk.say(sound(4)[: 2 * SECOND])
    await app.sees(lambda: app.heard(f"{WORD}3"))
    running.set_muted(True)
    talk.say(sound(60, seed=1))
    running.set_muted(False)
    talk.say(sound(4)[2 * SECOND :])
    await app.sees(lambda: app.heard(f"{WORD}7"))
    await stop(running)
    (session,) = await service.sessions(user)
    assert (session["audio_seconds"], session["seconds_used"]) == (4.0, 4)
    assert app.statuses[-1].seconds_remaining == 3596


async def test_a_login_is_renewed_and_the_new_tokens_are_handed_over(service: Service, upstream: Upstream) -> None:
    login = {"email": "engine@example.com", "password": "a few random words"}
    entered = (await service.http.post("/auth/register", json=login)).raise_for_status().json()
    app = App()
    config = {"server_url": service.url, "auth_token": "used-up", "refresh_token": entered["refresh_token"]}
    running = engine(app, Talk(), **config)
    running.start()
    await app.sees(lambda: bool(app.tokens))
    await app.enters("live", "ended")
    await stop(running)
    (access, refresh) = app.tokens[0]
    answer = await service.http.get("/account/usage", headers={"Authorization": f"Bearer {access}"})
    assert answer.status_code == 200
    assert refresh != entered["refresh_token"]
    assert access not in service.log()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking(scratch: Path) -> AsyncIterator[Service]:
    """A service with the built-in engine: it hears real speech."""
    async with serving(environment(scratch / "speaking", "", DEEPGRAM_API_KEY="")) as running:
        yield running


async def test_real_speech_goes_on_over_a_cut_connection_zero_credit_and_the_way_back(speaking: Service) -> None:
    """Two thirds of the way captions move to the model on this computer, and return when credit is granted."""
    audio = at_rate(*recording("two_cities.wav", READ_SECONDS), 16_000).tobytes()
    user, app, talk = await speaking.user(14), App(), Talk()
    async with Proxy(("127.0.0.1", int(speaking.env["PORT"]))) as proxy:
        config = {"server_url": f"http://127.0.0.1:{proxy.port}", "auth_token": user.token, "fallback": "local"}
        running = engine(app, talk, **config)
        running.start()
        speech = asyncio.create_task(asyncio.to_thread(talk.say, audio, speed=SPEED))
        await app.sees(lambda: app.heard("worst of times"), within=40)
        hang_up(proxy)
        await app.sees(lambda: "reconnecting" in app.states)
        await app.sees(lambda: app.states[-1] == "fallback", within=60)
        assert app.messages[-1] == f"You're out of minutes. {sentences.ON_THIS_COMPUTER}"
        before = len(app.results)
        await app.sees(lambda: len(app.results) > before + 3)
        await speaking.command("credits", "grant", user.email, "600", "--reason", "test")
        await app.sees(lambda: sentences.BACK in app.messages, within=40)
        await speech
        await app.sees(lambda: app.heard("other way"), within=40)
        await stop(running)
    assert app.states == ["connecting", "live", "reconnecting", "live", "fallback", "live", "ended"]
    assert word_errors([app.finals], [TWO_CITIES.partition(LAST)[0] + LAST]) < TOLERATED, app.finals
    starts = [result.start for result in app.results if result.is_final]
    assert starts == sorted(starts)
    await assert_books_balance(speaking)
