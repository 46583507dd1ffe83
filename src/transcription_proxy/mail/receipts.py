"""Emails about purchases: paid, failed, refunded, disputed."""

from transcription_proxy.mail.emails import Email, render


def paid(site: str, label: str, cents: int, currency: str, seconds: int, balance: int, receipt: str | None) -> Email:
    """Return the email that confirms a payment. `balance`: seconds, right after the purchase was added."""
    amounts = {"paid": money(cents, currency), "seconds": seconds, "balance": balance}
    return render("paid", site=site, label=label, receipt=receipt, **amounts)


def failed(site: str, label: str, cents: int, currency: str) -> Email:
    """Return the email that says that a payment failed."""
    return render("failed", site=site, label=label, price=money(cents, currency))


def refunded(site: str, label: str, cents: int, of_cents: int, currency: str, seconds: int, balance: int) -> Email:
    """Return the email about a refund.

    `cents`: refunded so far of the `of_cents` paid. `seconds`: what this refund took back. `balance`: seconds now.
    """
    amounts = {"refunded": money(cents, currency), "paid": money(of_cents, currency)}
    return render("refunded", site=site, label=label, seconds=seconds, balance=balance, **amounts)


def dispute_lost(site: str, label: str, of_cents: int, currency: str, seconds: int, balance: int) -> Email:
    """Return the email about a lost dispute. `seconds`: what it took back. `balance`: seconds now."""
    amounts = {"paid": money(of_cents, currency), "seconds": seconds, "balance": balance}
    return render("dispute_lost", site=site, label=label, **amounts)


def money(cents: int, currency: str) -> str:
    """Format an amount: $3.00, or 3.00 EUR for a currency other than US dollars."""
    amount = f"{cents // 100:,}.{cents % 100:02}"
    return f"${amount}" if currency == "usd" else f"{amount} {currency.upper()}"
