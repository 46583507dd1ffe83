"""Mails about purchases: one for each occurrence, however often Stripe reports it."""

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


class MailedPayments(PaymentsHarness):
    """The payment harness with mails, which are written to a folder."""

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
        """Run all jobs, and return subject and text of each mail. All go to one buyer."""
        while await self._jobs.run_one():
            pass
        found: list[tuple[str, str]] = []
        for path in sorted(self._outbox.glob("*.eml")):
            found.append(_read(path))
            path.unlink()
        return found

    async def sold(self, payment: str | None = "pi_1", paid: str = "paid") -> tuple[UUID, Body]:
        """Complete the purchase of a new buyer. Return the purchase and its session."""
        user = await self.buyer()
        purchase = await self.purchase(user, "cs_1")
        return user, session("cs_1", payment=payment, paid=paid, metadata=names(purchase, user))

    async def completed(self, thing: Body, kind: str = "completed") -> None:
        """Deliver an event twice, and the same news in another event."""
        one = event(f"checkout.session.{kind}", thing)
        for each in (one, one, event(f"checkout.session.{kind}", thing)):
            await self.receive(each)


def _read(path: Path) -> tuple[str, str]:
    message: Message = message_from_bytes(path.read_bytes(), policy=default)
    return str(message["Subject"]), str(message.get_payload())


@pytest.fixture
async def checkout_server() -> AsyncIterator[CheckoutServer]:
    async with CheckoutServer() as checkout_server:
        yield checkout_server


@pytest.fixture
async def post(database: Database, tmp_path: Path, checkout_server: CheckoutServer) -> AsyncIterator[MailedPayments]:
    post = MailedPayments(database, tmp_path, checkout_server.url)
    yield post
    assert await post.findings() == []


async def test_a_paid_purchase_is_mailed_once_with_stripes_receipt(
    post: MailedPayments, checkout_server: CheckoutServer
) -> None:
    _, thing = await post.sold()
    paid = {**charge("pi_1", 0), "receipt_url": "https://pay.example/receipts/1"}
    checkout_server.sessions["cs_1"] = {
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


async def test_a_missing_receipt_does_not_delay_the_mail(post: MailedPayments) -> None:
    _, thing = await post.sold()
    await post.completed(thing)
    [(_, text)] = await post.mails()
    assert "Receipt" not in text


async def test_a_failed_delayed_payment_is_mailed_once(post: MailedPayments) -> None:
    _, thing = await post.sold(paid="unpaid")
    await post.completed(thing)
    assert await post.mails() == []
    await post.completed(thing, "async_payment_failed")
    [(subject, _)] = await post.mails()
    assert subject == "Payment failed: 500 minutes"
    await post.completed(thing, "async_payment_failed")
    assert await post.mails() == []


async def test_a_payment_that_succeeds_before_the_mail_is_sent_is_mailed_as_paid(post: MailedPayments) -> None:
    _, thing = await post.sold(paid="unpaid")
    await post.completed(thing, "async_payment_failed")
    await post.completed({**thing, "payment_status": "paid"}, "async_payment_succeeded")
    assert [subject for subject, _ in await post.mails()] == ["Payment received: 500 minutes"]


async def test_each_refund_is_mailed_once_with_its_amount(post: MailedPayments) -> None:
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


async def test_two_equal_refunds_send_two_mails(post: MailedPayments) -> None:
    _, thing = await post.sold()
    await post.completed(thing)
    for number in range(2):
        await post.receive(event("refund.updated", refund(f"re_{number}", "pi_1", 100, "succeeded")))
    assert sorted(subject for subject, _ in await post.mails()) == [
        "Payment received: 500 minutes",
        "Refund: 500 minutes",
        "Refund: 500 minutes",
    ]


async def test_a_dispute_is_mailed_only_when_it_is_lost(post: MailedPayments) -> None:
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


async def test_a_won_dispute_sends_no_mail(post: MailedPayments) -> None:
    _, thing = await post.sold()
    await post.completed(thing)
    await post.mails()
    for kind, status in [("created", "needs_response"), ("closed", "won")]:
        await post.receive(event(f"charge.dispute.{kind}", dispute("dp_1", "pi_1", 300, status)))
    assert await post.mails() == []


async def test_a_blocked_account_gets_no_mail(post: MailedPayments) -> None:
    user, thing = await post.sold()
    await post.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
    await post.completed(thing)
    await post.receive(event("charge.refunded", charge("pi_1", 300)))
    assert await post.mails() == []
    assert await post.sql("SELECT kind FROM jobs WHERE kind LIKE 'mail_%%'") == []


async def test_a_rolled_back_booking_sends_no_mail(post: MailedPayments) -> None:
    """The booking's transaction enqueues the mail."""
    _, thing = await post.sold()
    await post.receive(event("checkout.session.completed", {**thing, "currency": "eur"}))
    assert await post.mails() == []
    assert len(await post.unmatched()) == 1
