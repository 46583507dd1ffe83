"""Recordings whose upstream cannot be reached."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from transcription_proxy.relay.recordings import Recordings, Upload, UpstreamFailed
from transcription_proxy.stream import listen_errors


class Body:
    """An upload that nobody reads."""

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b""


@pytest.mark.parametrize("proxy", [None, "socks4://127.0.0.1:1", "socks5://127.0.0.1:1", "http://127.0.0.1:1"])
async def test_an_upstream_out_of_reach_is_the_engines_failure(proxy: str | None) -> None:
    switchboard: Any = SimpleNamespace(context=SimpleNamespace(upstream_url="ws://127.0.0.1:1"))
    recordings = Recordings(switchboard, None, max_bytes=1, proxy=proxy)
    body: Any = Body()
    upload = Upload("audio/wav", None, body.chunks)
    session: Any = None  # no answer comes, so there is nothing to record
    with pytest.raises(UpstreamFailed) as failure:
        await recordings._send(session, "http://127.0.0.1:1/v1/listen", upload, body)
    assert failure.value.error == listen_errors.NO_ENGINE
