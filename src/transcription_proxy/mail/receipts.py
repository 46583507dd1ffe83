"""The texts of emails about purchases: paid, failed, refunded, disputed."""

from transcription_proxy.mail.emails import Email
from transcription_wire.lengths import length


def paid(site: str, label: str, cents: int, currency: str, seconds: int, balance: int, receipt: str | None) -> Email:
    """Return the email that confirms a payment. `balance`: seconds, right after the purchase was added."""
    link = f"Receipt: {receipt}\n" if receipt else ""
    return Email(
        f"Payment received: {label}",
        f"""\
Thanks! Your payment went through.

Purchase: {label}
Paid: {money(cents, currency)}
Added: {length(seconds)}
New balance: {length(balance)}
{link}
Start captions:
{site}/captions
""",
    )


def failed(site: str, label: str, cents: int, currency: str) -> Email:
    """Return the email that says that a payment failed."""
    return Email(
        f"Payment failed: {label}",
        f"""\
Your bank didn't complete your payment of {money(cents, currency)} for {label}.
You weren't charged, and nothing was added to your balance.

Try again whenever you like:
{site}/dashboard
""",
    )


def refunded(site: str, label: str, cents: int, of_cents: int, currency: str, seconds: int, balance: int) -> Email:
    """Return the email about a refund.

    `cents`: refunded so far of the `of_cents` paid. `seconds`: what this refund took back. `balance`: seconds now.
    """
    return Email(
        f"Refund: {label}",
        f"""\
We refunded {money(cents, currency)} of the {money(of_cents, currency)} you paid for {label}.
{_taken(site, seconds, balance)}
Your bank may take a few days to show the refund.
""",
    )


def dispute_lost(site: str, label: str, of_cents: int, currency: str, seconds: int, balance: int) -> Email:
    """Return the email about a lost dispute. `seconds`: what it took back. `balance`: seconds now."""
    return Email(
        f"Dispute closed: {label}",
        f"""\
Your bank returned your payment of {money(of_cents, currency)} for {label} to you.
{_taken(site, seconds, balance)}""",
    )


def money(cents: int, currency: str) -> str:
    """Format an amount: $3.00, or 3.00 EUR for a currency other than US dollars."""
    amount = f"{cents // 100:,}.{cents % 100:02}"
    return f"${amount}" if currency == "usd" else f"{amount} {currency.upper()}"


def _taken(site: str, seconds: int, balance: int) -> str:
    debt = " Your next purchase covers this first." if balance < 0 else ""
    return f"""\
We took {length(seconds)} back from your balance, which is now {length(balance)}.{debt}

Your purchases:
{site}/account
"""
