"""A browser's MediaRecorder on `/v1/listen`, its key in the subprotocol. Only the first piece has the header."""

from collections.abc import AsyncIterator
from importlib.resources import files
from math import ceil
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.browser import microphone
from tests.browser.visitor import SITE
from tests.e2e.checks import assert_books_balance
from tests.e2e.service import Service, environment, serving
from tests.e2e.test_keys import create_key
from tests.integration.engine.recordings import BECKETT, word_errors
from tests.waiting import until

TOLERATED = 0.2
RECORD = """async ([url, key, seconds]) => {
  const wanted = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
  const recorder = new MediaRecorder(stream, { mimeType: "audio/webm;codecs=opus" });
  const socket = new WebSocket(url, ["token", key]);
  const messages = [];
  socket.onmessage = (event) => messages.push(JSON.parse(event.data));
  const closed = new Promise((resolve) => { socket.onclose = (event) => resolve([event.code, event.reason]); });
  await new Promise((resolve) => { socket.onopen = resolve; });
  recorder.ondataavailable = (event) => socket.send(event.data);
  recorder.start(250);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.stop();
  await stopped;
  socket.send('{"type":"CloseStream"}');
  return { protocol: socket.protocol, close: await closed, messages };
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(scratch: Path) -> AsyncIterator[Service]:
    """A service with the built-in engine."""
    async with serving(environment(scratch / "engine", "", DEEPGRAM_API_KEY="", **SITE)) as running:
        yield running
        await assert_books_balance(running)


async def test_a_browsers_recording_is_understood_and_billed_exactly(engine: Service) -> None:
    user = await engine.user(3600)
    _, program = await create_key(engine, user)
    speech = Path(str(files("moonshine_voice").joinpath("assets", "beckett.wav")))
    async with microphone.listening(speech) as browser:
        context = await browser.new_context(permissions=["microphone"])
        page = await context.new_page()
        await page.goto(f"{engine.url}/captions")
        url = f"{engine.ws_url}/v1/listen?model=nova-3&interim_results=true"
        seen: Any = await page.evaluate(RECORD, [url, program.token, 10.5])
    assert (seen["protocol"], seen["close"]) == ("token", [1000, ""])
    finals = [each for each in seen["messages"] if each["type"] == "Results" and each["is_final"]]
    heard = " ".join(each["channel"]["alternatives"][0]["transcript"] for each in finals)
    assert word_errors([heard], [BECKETT]) < TOLERATED
    metadata = seen["messages"][-1]
    assert 9 < metadata["duration"] < 12

    async def ended() -> Any:
        return [each for each in await engine.sessions(user) if each["ended_at"]]

    [session] = await until(ended)
    used = ceil(round(metadata["duration"], 3))
    assert (session["seconds_used"], session["reason"]) == (used, "client_stop")
    assert (await engine.balance(user))["seconds_remaining"] == 3600 - used
