"""bcrypt beside the event loop."""

import asyncio
import threading
import unicodedata
from typing import Any

import bcrypt
import pytest

from tests.unit.accounts.test_passwords import NOT_PASSWORDS
from transcription_proxy.accounts.fair_queue import Requester
from transcription_proxy.accounts.hasher import COST, DUMMY, MAX_WAITING, THREADS, Hasher, Match
from transcription_proxy.errors import Refusal

CHEAP = 4
ANN = Requester("ann@example.org", "192.0.2.7")


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(CHEAP)).decode()


async def test_a_hash_matches_its_password_only() -> None:
    hasher = Hasher(CHEAP)
    of_it = await hasher.hash(b"correct horse", ANN)
    assert of_it != await hasher.hash(b"correct horse", ANN)
    assert await hasher.match("correct horse", of_it, ANN) is Match.YES
    for wrong in ("correct horsE", "correct horse ", "", "short"):
        assert await hasher.match(wrong, of_it, ANN) is Match.NO


async def test_a_hash_of_before_normalisation_matches_what_was_typed_then() -> None:
    typed = unicodedata.normalize("NFD", "Käse è Señor")
    assert await Hasher(CHEAP).match(typed, hashed(typed), ANN) is Match.OUTDATED
    assert await Hasher(CHEAP).match(typed, hashed("Käse è Señor"), ANN) is Match.YES
    assert await Hasher(CHEAP).match("Käse è Señor", hashed(typed), ANN) is Match.NO


@pytest.mark.parametrize("password", NOT_PASSWORDS)
async def test_text_that_cannot_be_a_password_never_matches(password: str) -> None:
    """It is hashed as nothing at all, to take as long: a hash of nothing must not let it in."""
    assert await Hasher(CHEAP).match(password, hashed(""), ANN) is Match.NO


@pytest.mark.parametrize(("password", "checks"), [("correct horse", 1), ("x" * 73, 1), ("Ka\u0308se e Sen\u0303or", 2)])
async def test_without_an_account_the_same_work_is_done_and_nothing_matches(
    monkeypatch: pytest.MonkeyPatch, password: str, checks: int
) -> None:
    checked: list[bytes] = []

    def checkpw(_given: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return False

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert await Hasher().match(password, None, ANN) is await Hasher().match(password, "a hash", ANN) is Match.NO
    assert checked == [DUMMY.encode()] * checks + [b"a hash"] * checks
    assert DUMMY.startswith(f"$2b${COST}$")


async def test_a_match_without_an_account_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bcrypt, "checkpw", lambda _given, _hashed: True)
    assert await Hasher().match("correct horse", None, ANN) is Match.NO


async def test_it_costs_twelve_and_never_runs_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def hashpw(_password: bytes, salt: bytes) -> bytes:
        seen.append((salt[:7], threading.current_thread()))
        return b"hashed"

    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    assert await Hasher().hash(b"correct horse", ANN) == "hashed"
    [(salt, thread)] = seen
    assert salt == b"$2b$12$"
    assert thread is not threading.main_thread()


async def test_too_many_requests_are_refused_until_the_queue_has_room() -> None:
    hasher = Hasher(CHEAP)
    asked = (hasher.hash(b"correct horse", Requester(str(number), str(number))) for number in range(MAX_WAITING + 5))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [(refusal.code, refusal.retry_after) for refusal in refused] == [("service_unavailable", 5)] * (5 - THREADS)
    assert await hasher.hash(b"correct horse", ANN)


async def test_one_that_fails_makes_room_again() -> None:
    hasher = Hasher(CHEAP)
    for _ in range(2 * THREADS):
        with pytest.raises(ValueError, match="salt"):
            await hasher.match("correct horse", "no hash at all", ANN)
