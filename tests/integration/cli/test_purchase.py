"""The demo's purchase: through the API and the button on the page, and its error messages."""

import asyncio

import pytest

from tests.integration.payments.fake_stripe import CLOSE, Answer, FakeStripe, answer, fake_stripe
from transcription_proxy.cli.purchase import buy
from transcription_proxy.errors import Unavailable

PAGE = """<!doctype html><form action="/other"><button name="x" value="1">Decline</button></form>
<form method="post" action="pay?a=1"><input name="token" value="t&amp;1"><input type="checkbox">
<button name="action" value="later">Pay later</button><button name="action" value="pay"> Pay </button></form>"""
LOGIN = answer({"token": "t"})
CHECKOUT = Answer()
"""Stands for a checkout at the same server, whose URL is not known yet."""


async def bought(*answers: Answer) -> tuple[int, FakeStripe]:
    async with fake_stripe(*answers) as there:
        checkout = answer({"checkout_url": f"{there.url}/c/1", "session_id": "cs_1"})
        there.answers = [checkout if one is CHECKOUT else one for one in there.answers]
        return await asyncio.to_thread(buy, there.url, "a@example.org", "secret", "pack_500"), there


async def test_buying_presses_the_button_and_waits_for_the_credit() -> None:
    states = [answer({"status": status, "seconds": 30000}) for status in ("open", "paid")]
    seconds, there = await bought(LOGIN, CHECKOUT, Answer(PAGE.encode()), Answer(b"done"), *states)
    assert seconds == 30000
    assert [(one.method, one.path) for one in there.requests] == [
        ("POST", "/auth/login"),
        ("POST", "/billing/checkout"),
        ("GET", "/c/1"),
        ("POST", "/c/pay"),
        ("GET", "/billing/checkout/cs_1"),
        ("GET", "/billing/checkout/cs_1"),
    ]
    pressed = there.requests[3]
    assert pressed.sent == [("token", "t&1"), ("action", "pay")]
    assert pressed.headers["origin"] == there.url


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer({}, 503)], "HTTP Error 503"),
        ([CLOSE], "The purchase failed"),
        ([LOGIN, CHECKOUT, Answer(b"<form><button>Buy</button></form>")], "no button Pay"),
    ],
)
async def test_each_failure_is_one_sentence(answers: list[Answer], said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        await bought(*answers)
