"""The texts of emails about accounts, as plain text. mailer.py sends them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Email:
    """Subject and plain text of an email, without its signature."""

    subject: str
    text: str


def reset_link(site: str, link: str) -> Email:
    """Return the email with a link to choose a new password."""
    return Email(
        "Reset your password",
        f"""\
Someone asked to reset your password for {site}.

If it was you, use this link within an hour:

{link}

The link can be used once. If it wasn't you, ignore this email. Your password stays the same.
""",
    )


def password_changed(site: str) -> Email:
    """Return the email that says that the password was changed."""
    return Email(
        "Your password was changed",
        f"""\
The password of your account at {site} was changed. You've been signed out everywhere else.

If it wasn't you, reset your password now:

{site}/forgot
""",
    )
