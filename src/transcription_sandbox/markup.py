"""The sandbox's pages as HTML, from the templates beside this module. All values are escaped."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from transcription_sandbox import dashboard, money
from transcription_sandbox.state import Object

CLOSED: Final = {
    "paid": ("Already paid", "This checkout is complete. You won't be charged twice."),
    "no_payment_required": ("Already complete", "Nothing was due."),
    "unpaid": ("Payment pending", "This checkout is complete. You won't be charged twice."),
    "expired": ("Checkout expired", "You weren't charged. Go back to the site to start again."),
}
"""Title and text of a checkout that is closed, by its payment status, or expired."""


def render(template: str, root: str, **values: Any) -> str:
    """Return a page. `root`: the beginning of all pages' paths; `values`: what the template names."""
    return _environment.get_template(f"{template}.html").render(root=root, **values)


def closed(root: str, session: Object, back: str | None) -> str:
    """Return the page of a checkout that is no longer open. `back`: the site it belongs to."""
    title, text = CLOSED["expired" if session["status"] == "expired" else session["payment_status"]]
    return render("message", root, title=title, text=text, back=back)


def when(moment: float) -> Markup:
    """Return a <time> element of Unix seconds."""
    at = datetime.fromtimestamp(moment, UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%d %b %Y, %H:%M:%S} UTC")


_environment: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "money": money.shown,
    "plain": money.plain,
    "when": when,
    "kind": dashboard.kind,
    "refund_actions": dashboard.refund_actions,
    "dispute_actions": dashboard.dispute_actions,
}
