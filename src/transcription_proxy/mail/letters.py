"""What our mails say: short plain text. To whom, and how they get there, is the postman's business."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str


def reset_link(site: str, link: str) -> Letter:
    return Letter(
        "Choose a new password",
        f"""\
Somebody asked for a new password for your account at
{site}

To choose one, open this address within an hour. It works once.

{link}

If it was not you, do nothing: your password stays as it is.
""",
    )


def password_changed(site: str) -> Letter:
    return Letter(
        "Your password was changed",
        f"""\
The password of your account at
{site}
was changed, and all its other logins have ended.

If it was not you, choose a new one at once:

{site}/forgot
""",
    )
