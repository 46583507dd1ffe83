"""What our mails about purchases say: paid, failed, and what was taken back."""

from transcription_proxy.mail.letters import Letter
from transcription_wire.lengths import length


def paid(site: str, label: str, cents: int, currency: str, seconds: int, balance: int, receipt: str | None) -> Letter:
    """`balance`: seconds, right after the purchase was added."""
    link = f"Receipt: {receipt}\n" if receipt else ""
    return Letter(
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


def failed(site: str, label: str, cents: int, currency: str) -> Letter:
    return Letter(
        f"Payment failed: {label}",
        f"""\
Your bank didn't complete your payment of {money(cents, currency)} for {label}.
You weren't charged, and nothing was added to your balance.

Try again whenever you like:
{site}/dashboard
""",
    )


def refunded(site: str, label: str, cents: int, of_cents: int, currency: str, seconds: int, balance: int) -> Letter:
    """`cents`: refunded so far; `seconds`: what this refund took back; `balance`: seconds now."""
    return Letter(
        f"Refund: {label}",
        f"""\
We refunded {money(cents, currency)} of the {money(of_cents, currency)} you paid for {label}.
{_taken(site, seconds, balance)}
Your bank may take a few days to show the refund.
""",
    )


def dispute_lost(site: str, label: str, of_cents: int, currency: str, seconds: int, balance: int) -> Letter:
    """`seconds`: what the dispute took back; `balance`: seconds now."""
    return Letter(
        f"Dispute closed: {label}",
        f"""\
Your bank returned your payment of {money(of_cents, currency)} for {label} to you.
{_taken(site, seconds, balance)}""",
    )


def money(cents: int, currency: str) -> str:
    amount = f"{cents // 100:,}.{cents % 100:02}"
    return f"${amount}" if currency == "usd" else f"{amount} {currency.upper()}"


def _taken(site: str, seconds: int, balance: int) -> str:
    debt = " Your next purchase covers this first." if balance < 0 else ""
    return f"""\
We took {length(seconds)} back from your balance, which is now {length(balance)}.{debt}

Your purchases:
{site}/account
"""
