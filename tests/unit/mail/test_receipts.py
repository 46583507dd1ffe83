"""What mails about purchases say."""

import pytest

from transcription_proxy.mail import receipts

SITE = "https://captions.example"


def test_a_paid_purchase_names_money_minutes_balance_and_receipt() -> None:
    letter = receipts.paid(SITE, "500 minutes", 300, "usd", 30_000, 30_600, "https://pay.example/r")
    assert letter.subject == "Payment received: 500 minutes"
    assert letter.text == (
        "Thanks! Your payment went through.\n\n"
        "Purchase: 500 minutes\nPaid: $3.00\nAdded: 8 h 20 min\nNew balance: 8 h 30 min\n"
        "Receipt: https://pay.example/r\n\n"
        "Start captions:\nhttps://captions.example/captions\n"
    )


def test_without_a_receipt_no_line_says_receipt() -> None:
    letter = receipts.paid(SITE, "500 minutes", 0, "usd", 30_000, 30_600, None)
    assert "Receipt" not in letter.text
    assert "New balance: 8 h 30 min\n\nStart captions" in letter.text


def test_a_failed_payment_says_that_nothing_was_charged_and_what_to_do() -> None:
    letter = receipts.failed(SITE, "500 minutes", 300, "usd")
    assert "$3.00" in letter.text
    assert "You weren't charged" in letter.text
    assert f"{SITE}/dashboard" in letter.text


def test_a_refund_says_what_was_taken_back_and_what_is_left() -> None:
    letter = receipts.refunded(SITE, "500 minutes", 150, 300, "usd", 15_000, 900)
    assert "We refunded $1.50 of the $3.00 you paid for 500 minutes." in letter.text
    assert "We took 4 h 10 min back from your balance, which is now 15 min.\n" in letter.text


def test_a_lost_dispute_that_leaves_a_debt_says_what_pays_it_off() -> None:
    letter = receipts.dispute_lost(SITE, "500 minutes", 300, "usd", 30_000, -3600)
    assert "which is now -1 h. Your next purchase covers this first." in letter.text


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [(300, "usd", "$3.00"), (5, "usd", "$0.05"), (123_456_789, "usd", "$1,234,567.89"), (305, "eur", "3.05 EUR")],
)
def test_money(cents: int, currency: str, text: str) -> None:
    assert receipts.money(cents, currency) == text
