"""Passwords: which are taken, and bcrypt beside the event loop."""

import asyncio
import threading
from typing import Any

import bcrypt
import pytest

from transcription_proxy.accounts import passwords
from transcription_proxy.accounts.passwords import COST, DUMMY, MOST_WAITING, Hasher, accept
from transcription_proxy.errors import Refusal

CHEAP = 4
NOBODYS = ["x" * 73, "é" * 37, "12345678\0", "\ud800" * 8]


@pytest.mark.parametrize("password", ["12345678", "éèàùâêîô", "x" * 72, "é" * 36, "        ", "\N{PILE OF POO}" * 18])
def test_eight_characters_to_72_bytes_are_accepted(password: str) -> None:
    assert accept(password) == password.encode()


@pytest.mark.parametrize("password", ["", "1234567", "é" * 7, *NOBODYS])
async def test_what_is_weak_or_more_than_bcrypt_looks_at_is_refused(password: str) -> None:
    with pytest.raises(Refusal) as refusal:
        await Hasher(CHEAP).hash(password)
    assert refusal.value.code == "weak_password"


async def test_a_hash_matches_its_password_only() -> None:
    hasher = Hasher(CHEAP)
    hashed = await hasher.hash("correct horse")
    assert "correct horse" not in hashed
    assert hashed != await hasher.hash("correct horse")
    assert await hasher.matches("correct horse", hashed)
    for wrong in ("correct horsE", "correct horse ", "", "short"):
        assert not await hasher.matches(wrong, hashed)


@pytest.mark.parametrize("password", NOBODYS)
async def test_what_nobody_can_have_as_password_never_matches(password: str) -> None:
    """It is hashed as nothing at all, to take as long: a hash of nothing must not let it in."""
    of_nothing = bcrypt.hashpw(b"", bcrypt.gensalt(CHEAP)).decode()
    assert not await Hasher(CHEAP).matches(password, of_nothing)


async def test_the_first_72_bytes_are_not_enough() -> None:
    hasher = Hasher(CHEAP)
    hashed = await hasher.hash("x" * 72)
    assert not await hasher.matches("x" * 73, hashed)


async def test_without_an_account_the_same_work_is_done_and_nothing_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []

    def checkpw(_given: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return True

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert not await Hasher().matches("correct horse", None)
    assert checked == [DUMMY.encode()]
    assert DUMMY.startswith(f"$2b${COST}$")


async def test_it_costs_twelve_and_never_runs_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def hashpw(_password: bytes, salt: bytes) -> bytes:
        seen.append((salt[:7], threading.current_thread()))
        return b"hashed"

    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    assert await Hasher().hash("correct horse") == "hashed"
    [(salt, thread)] = seen
    assert salt == b"$2b$12$"
    assert thread is not threading.main_thread()


async def test_too_many_at_once_are_told_to_come_back_and_then_it_goes_on() -> None:
    hasher = Hasher(CHEAP)
    asked = (hasher.hash("correct horse") for _ in range(MOST_WAITING + 3))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [refusal.code for refusal in refused] == ["service_unavailable"] * 3
    assert sum(isinstance(answer, str) for answer in answers) == MOST_WAITING
    assert await hasher.hash("correct horse")


async def test_one_that_fails_makes_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MOST_WAITING", 1)
    hasher = Hasher(CHEAP)
    for _ in range(3):
        with pytest.raises(ValueError, match="salt"):
            await hasher.matches("correct horse", "no hash at all")
