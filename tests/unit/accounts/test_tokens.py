"""Tokens as values: whom a JWT is believed to be, and until when."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest

from transcription_proxy.accounts.tokens import (
    LONGEST,
    REFRESH_GRACE,
    Identity,
    Refresh,
    digest,
    issue,
    unauthorized,
    verify,
)
from transcription_proxy.errors import Refusal

SECRET = "a secret of the tests that is long enough for each of the algorithms in here"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ANN = Identity(UUID(int=7), "ann@example.org", 3, UUID(int=8))
TOKEN = issue(ANN, SECRET, NOW, DAY, "id-1")
CLAIMS: dict[str, Any] = {
    "sub": str(ANN.user_id),
    "email": ANN.email,
    "ver": ANN.token_version,
    "iat": int(NOW.timestamp()),
    "exp": int((NOW + DAY).timestamp()),
    "jti": "id-1",
    "sid": str(ANN.login),
}


def signed(**changes: Any) -> str:
    """A token of ours with other claims; None leaves one out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode(claims, SECRET, "HS256")


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def refused(token: str, now: datetime = NOW) -> None:
    with pytest.raises(Refusal) as refusal:
        verify(token, SECRET, now)
    assert refusal.value.code == "unauthorized"
    assert refusal.value.message == unauthorized().message


def test_a_token_says_who_it_is_and_how_long() -> None:
    assert jwt.get_unverified_header(TOKEN)["alg"] == "HS256"
    assert jwt.decode(TOKEN, options={"verify_signature": False}) == CLAIMS


def test_our_own_token_is_believed_until_the_second_in_which_it_expires() -> None:
    assert verify(TOKEN, SECRET, NOW) == ANN
    assert verify(TOKEN, SECRET, NOW - DAY) == ANN  # another host's clock may be behind
    assert verify(TOKEN, SECRET, NOW + DAY - timedelta(microseconds=1)) == ANN
    refused(TOKEN, NOW + DAY)
    refused(TOKEN, NOW + 365 * DAY)


def test_two_tokens_of_one_moment_differ_by_their_id() -> None:
    assert issue(ANN, SECRET, NOW, DAY, "id-2") != TOKEN


@pytest.mark.parametrize("secret", ["another secret of at least 32 bytes!", SECRET + " "])
def test_another_secret_is_not_believed(secret: str) -> None:
    refused(jwt.encode(CLAIMS, secret, "HS256"))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
def test_another_algorithm_is_not_believed(algorithm: str) -> None:
    secret: Any = None if algorithm == "none" else SECRET  # PyJWT's types know no token without a key
    refused(jwt.encode(CLAIMS, secret, algorithm))


@pytest.mark.parametrize("name", sorted(set(CLAIMS) - {"sid"}))
def test_every_claim_must_be_there(name: str) -> None:
    refused(signed(**{name: None}))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "someone"},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["x"]},
        {"sid": "a login"},
        {"sid": 7},
        {"ver": "many"},
        {"ver": [1]},
        {"ver": {}},
        {"exp": "later"},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": []},
        {"exp": -1},
    ],
)
def test_claims_of_another_kind_are_not_believed(claims: dict[str, Any]) -> None:
    refused(signed(**claims))


@pytest.mark.parametrize("position", range(3))
def test_a_part_of_another_token_is_not_believed(position: int) -> None:
    other = signed(email="eve@example.org", ver=4).split(".")
    mine = TOKEN.split(".")
    mine[position] = part(b'{"alg":"HS256","typ":"jwt"}') if position == 0 else other[position]
    refused(".".join(mine))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        TOKEN[:-5],
        TOKEN + ".x",
        TOKEN.replace(".", ""),
        " " + TOKEN,
        "\ud800",
        "é" * 100,
        "\0",
        part(b"[" * 2900) + ".e30.x",
        part(b"5") + "." + part(b"5") + ".x",
        part(b"\xff\xfe") + ".e30.x",
        part(json.dumps({"alg": "HS256", "crit": ["x"], "x": 1}).encode()) + ".e30.x",
        "a" * LONGEST,
        "a." * LONGEST,
    ],
)
def test_what_is_no_token_is_not_believed(token: str) -> None:
    refused(token)


def test_a_token_of_ours_that_is_too_long_is_not_looked_at() -> None:
    fits, long = signed(email="a" * 2500), signed(email="a" * 3500)
    assert len(fits) <= LONGEST < len(long)
    assert verify(fits, SECRET, NOW).email == "a" * 2500
    refused(long)


def test_the_digest_of_a_refresh_token_is_the_same_each_time_and_not_the_token() -> None:
    assert digest("token") == digest("token") != digest("token ")
    assert len(digest("token")) == 32
    assert b"token" not in digest("token")


@pytest.mark.parametrize("token", ["", "\0", "\ud800", "é", "x" * 100_000])
def test_whatever_a_client_sends_as_refresh_token_has_a_digest(token: str) -> None:
    assert len(digest(token)) == 32


def test_a_token_without_a_login_is_believed() -> None:
    """The operator's throw-away accounts have such ones."""
    identity = Identity(ANN.user_id, ANN.email, ANN.token_version)
    assert verify(issue(identity, SECRET, NOW, DAY, "id-2"), SECRET, NOW) == identity
    assert verify(signed(sid=None), SECRET, NOW) == identity


@pytest.mark.parametrize(
    ("used", "login_ended", "successor_used", "reused"),
    [
        (None, False, False, False),
        (None, True, False, True),
        (timedelta(0), False, False, False),
        (REFRESH_GRACE, False, False, False),
        (REFRESH_GRACE + timedelta(seconds=1), False, False, True),
        (timedelta(seconds=1), False, True, True),
        (timedelta(seconds=1), True, False, True),
    ],
)
def test_which_second_uses_of_a_refresh_token_are_reuse(
    used: timedelta | None, login_ended: bool, successor_used: bool, reused: bool
) -> None:
    """`used`: how long ago."""
    used_at = None if used is None else NOW - used
    found = Refresh(UUID(int=8), NOW + DAY, used_at, login_ended, successor_used)
    assert found.is_reused(NOW) is reused
