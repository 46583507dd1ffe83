"""Mails about purchases: one for each thing that happened, however often Stripe says so."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from uuid import UUID

import pytest

from tests.integration.payments.checkout_server import CheckoutServer
from tests.integration.payments.events import Body, charge, dispute, event, names, refund, session
from tests.integration.payments.harness import PaymentsHarness
from transcription_proxy.db.jobs import Jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.mail.mailer import Mailer
from transcription_proxy.payments import notices
from transcription_proxy.payments.emails import BuyerEmails

SITE = "https://captions.example.org"


class Post(PaymentsHarness):
    """A harness whose mails lie in a folder."""

    def __init__(self, database: Database, outbox: Path, stripe: str) -> None:
        super().__init__(database, stripe)
        emails = BuyerEmails(database, Mailer(None, None, SITE, outbox), self.payments.fetch_receipt, SITE)
        self._outbox = outbox
        self._jobs = Jobs(
            database,
            {notices.PAID: emails.send_paid, notices.FAILED: emails.send_failed, notices.TAKEN: emails.send_taken},
            {},
        )

    async def mails(self) -> list[tuple[str, str]]:
        """Subject and text of each mail that is sent now, all of which go to one buyer."""
        while await self._jobs.run_one():
            pass
        found: list[tuple[str, str]] = []
        for path in sorted(self._outbox.glob("*.eml")):
            found.append(_read(path))
            path.unlink()
        return found

    async def sold(self, payment: str | None = "pi_1", paid: str = "paid") -> tuple[UUID, Body]:
        """The purchase of a new buyer, and its completed session."""
        user = await self.buyer()
        purchase = await self.purchase(user, "cs_1")
        return user, session("cs_1", payment=payment, paid=paid, metadata=names(purchase, user))

    async def completed(self, thing: Body, kind: str = "completed") -> None:
        """Said twice in one event, and again in another."""
        one = event(f"checkout.session.{kind}", thing)
        for each in (one, one, event(f"checkout.session.{kind}", thing)):
            await self.receive(each)


def _read(path: Path) -> tuple[str, str]:
    message: Message = message_from_bytes(path.read_bytes(), policy=default)
    return str(message["Subject"]), str(message.get_payload())


@pytest.fixture
async def stripe() -> AsyncIterator[CheckoutServer]:
    async with CheckoutServer() as stripe:
        yield stripe


@pytest.fixture
async def post(database: Database, tmp_path: Path, stripe: CheckoutServer) -> AsyncIterator[Post]:
    post = Post(database, tmp_path, stripe.url)
    yield post
    assert await post.findings() == []


async def test_a_paid_purchase_is_mailed_once_with_the_receipt_that_stripe_gives(
    post: Post, stripe: CheckoutServer
) -> None:
    _, thing = await post.sold()
    paid = {**charge("pi_1", 0), "receipt_url": "https://pay.example/receipts/1"}
    stripe.sessions["cs_1"] = {
        **thing,
        "payment_intent": {"id": "pi_1", "object": "payment_intent", "latest_charge": paid},
    }
    await post.completed(thing)
    [(subject, text)] = await post.mails()
    assert subject == "Payment received: 500 minutes"
    for part in ("Paid: $3.00", "Added: 8 h 20 min", "New balance: 8 h 20 min", "https://pay.example/receipts/1"):
        assert part in text
    await post.completed(thing)
    assert await post.mails() == []


async def test_a_stripe_that_knows_no_receipt_keeps_no_mail_waiting(post: Post) -> None:
    _, thing = await post.sold()
    await post.completed(thing)
    [(_, text)] = await post.mails()
    assert "Receipt" not in text


async def test_a_delayed_payment_that_fails_is_mailed_once(post: Post) -> None:
    _, thing = await post.sold(paid="unpaid")
    await post.completed(thing)
    assert await post.mails() == []
    await post.completed(thing, "async_payment_failed")
    [(subject, _)] = await post.mails()
    assert subject == "Payment failed: 500 minutes"
    await post.completed(thing, "async_payment_failed")
    assert await post.mails() == []


async def test_a_payment_that_failed_and_was_paid_before_the_mail_went_out_is_a_paid_one(post: Post) -> None:
    _, thing = await post.sold(paid="unpaid")
    await post.completed(thing, "async_payment_failed")
    await post.completed({**thing, "payment_status": "paid"}, "async_payment_succeeded")
    assert [subject for subject, _ in await post.mails()] == ["Payment received: 500 minutes"]


async def test_each_refund_is_mailed_once_with_what_it_took(post: Post) -> None:
    _, thing = await post.sold()
    await post.completed(thing)
    await post.mails()
    for number, (refunded, taken, left) in enumerate(
        [("$1.50", "4 h 10 min", "4 h 10 min"), ("$3.00", "4 h 10 min", "0 s")]
    ):
        for _ in range(2):
            await post.receive(event("refund.updated", refund(f"re_{number}", "pi_1", 150, "succeeded")))
            await post.receive(event("charge.refunded", charge("pi_1", 150 * (number + 1))))
        [(subject, text)] = await post.mails()
        assert subject == "Refund: 500 minutes"
        assert f"We refunded {refunded} of the $3.00" in text
        assert f"We took {taken} back from your balance, which is now {left}." in text


async def test_two_equal_refunds_before_any_mail_are_two_mails(post: Post) -> None:
    _, thing = await post.sold()
    await post.completed(thing)
    for number in range(2):
        await post.receive(event("refund.updated", refund(f"re_{number}", "pi_1", 100, "succeeded")))
    assert sorted(subject for subject, _ in await post.mails()) == [
        "Payment received: 500 minutes",
        "Refund: 500 minutes",
        "Refund: 500 minutes",
    ]


async def test_a_dispute_is_mailed_when_it_is_lost_and_not_before(post: Post) -> None:
    user, thing = await post.sold()
    await post.completed(thing)
    await post.mails()
    await post.receive(event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response")))
    assert await post.mails() == []
    await post.claw_back(user, 3600)
    for _ in range(2):
        await post.receive(event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost")))
    [(subject, text)] = await post.mails()
    assert subject == "Dispute closed: 500 minutes"
    assert "We took 8 h 20 min back from your balance, which is now -1 h." in text


async def test_a_dispute_that_is_won_is_no_mail(post: Post) -> None:
    _, thing = await post.sold()
    await post.completed(thing)
    await post.mails()
    for kind, status in [("created", "needs_response"), ("closed", "won")]:
        await post.receive(event(f"charge.dispute.{kind}", dispute("dp_1", "pi_1", 300, status)))
    assert await post.mails() == []


async def test_a_blocked_account_gets_no_mail(post: Post) -> None:
    user, thing = await post.sold()
    await post.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
    await post.completed(thing)
    await post.receive(event("charge.refunded", charge("pi_1", 300)))
    assert await post.mails() == []
    assert await post.sql("SELECT kind FROM jobs WHERE kind LIKE 'mail_%%'") == []


async def test_a_booking_that_is_undone_owes_no_mail(post: Post) -> None:
    """The mail is a job of the booking's own transaction."""
    _, thing = await post.sold()
    await post.receive(event("checkout.session.completed", {**thing, "currency": "eur"}))
    assert await post.mails() == []
    assert len(await post.unmatched()) == 1
