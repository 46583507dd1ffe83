"""Where a Deepgram client's credential is found, and which subprotocol answers it."""

import pytest

from transcription_proxy.errors import Refusal
from transcription_proxy.relay import credentials


def headers(authorization: str | None = None, *protocols: str) -> list[tuple[bytes, bytes]]:
    found = [(b"sec-websocket-protocol", each.encode()) for each in protocols]
    return [(b"authorization", authorization.encode()), *found] if authorization is not None else found


@pytest.mark.parametrize(
    ("given", "token", "subprotocol"),
    [
        (headers("Token key"), "key", None),
        (headers("token key"), "key", None),
        (headers("bearer a.b.c"), "a.b.c", None),
        (headers("BEARER  key "), "key", None),
        (headers(None, "token, key"), "key", "token"),
        (headers(None, "Bearer,key"), "key", "Bearer"),
        (headers(None, "token", "key"), "key", "token"),
        (headers(None, "token, key, x-deepgram-session-id, 5e55"), "key", "token"),
        (headers(None, "x-deepgram-session-id, 5e55, token, key"), "key", "token"),
        (headers("Token key", "x-deepgram-session-id, 5e55"), "key", "x-deepgram-session-id"),
        (headers("Token key", "x, token, other"), "key", "token"),
    ],
)
def test_a_credential_is_found(given: list[tuple[bytes, bytes]], token: str, subprotocol: str | None) -> None:
    assert credentials.read(given) == (token, subprotocol)


@pytest.mark.parametrize(
    "given",
    [
        headers(),
        headers(""),
        headers("Token"),
        headers("Token "),
        headers("key"),
        headers("Basic key"),
        headers(None, "token"),
        headers(None, "key"),
        headers(None, ","),
        [*headers("Token a"), *headers("Token b")],
    ],
)
def test_without_one_the_client_is_refused(given: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Refusal) as caught:
        credentials.read(given)
    assert caught.value.code == "unauthorized"
