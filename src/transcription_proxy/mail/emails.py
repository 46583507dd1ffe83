"""What our mails say: short plain text. To whom, and how they get there, is the postman's business."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Email:
    subject: str
    text: str


def reset_link(site: str, link: str) -> Email:
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
    return Email(
        "Your password was changed",
        f"""\
The password of your account at {site} was changed. You've been signed out everywhere else.

If it wasn't you, reset your password now:

{site}/forgot
""",
    )
