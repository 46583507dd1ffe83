"""Emails about accounts, and how every email is made from its template in templates/. mailer.py sends them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from transcription_wire.lengths import length

SUBJECT: Final = "Subject: "
"""Begins the first line of a template. An empty line and the text follow."""


@dataclass(frozen=True, slots=True)
class Email:
    """Subject and plain text of an email, without its signature."""

    subject: str
    text: str


def render(template: str, **values: Any) -> Email:
    """Return the email that a template makes of `values`."""
    head, _, text = _environment.get_template(f"{template}.txt").render(values).partition("\n\n")
    return Email(head.removeprefix(SUBJECT), text)


def reset_link(site: str, link: str) -> Email:
    """Return the email with a link to choose a new password."""
    return render("reset_link", site=site, link=link)


def confirmation(site: str, link: str, seconds: int) -> Email:
    """Return the email with a link that confirms an address, which then gets the trial's seconds."""
    return render("confirmation", site=site, link=link, seconds=seconds)


def password_changed(site: str) -> Email:
    """Return the email that says that the password was changed."""
    return render("password_changed", site=site)


_environment: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=False,  # emails are plain text
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
_environment.filters["length_of_time"] = length
