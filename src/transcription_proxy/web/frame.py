"""Renders this installation's pages from the Jinja templates in html/. All of them extend frame.html."""

import re
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from transcription_proxy import sentences
from transcription_proxy.web.services import Site

HTML: Final = Path(__file__).parent / "html"
PICTURE: Final = "/static/preview.png"
PICTURE_SIZE: Final = (1200, 630)
"""Pixels."""
PICTURE_TEXT: Final = "A game on a live stream, with the streamer's words below it as captions."
_WIDTH, _HEIGHT = PICTURE_SIZE
_environment: Final = Environment(
    loader=FileSystemLoader(HTML), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.globals |= {
    "about": sentences.ABOUT,
    "picture": {"path": PICTURE, "width": _WIDTH, "height": _HEIGHT, "text": PICTURE_TEXT},
}


def render(template: str, site: Site, path: str = "", **values: Any) -> str:
    """Return a page as HTML. `path`: the page's path, empty for a page without one, such as an error page.

    The link to `path` is marked as the current one. Without a path there is no preview for apps that share the page.
    """
    return _environment.get_template(template).render(site=site, path=path, links=_links(site), **values)


def code(text: str) -> Markup:
    """Return text as HTML, with the parts between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _links(site: Site) -> list[tuple[str, str | None]]:
    """Return text and URL of the footer's links. The URL is None where this installation has none configured."""
    return [
        ("API", "/docs"),
        ("Source", site.source_url),
        ("Contact", site.support_email and f"mailto:{site.support_email}"),
        ("Terms", site.terms_url),
        ("Privacy", site.privacy_url),
        ("Refunds", site.refunds_url),
        ("Status", site.status_url or "/status"),
    ]


_environment.filters["code"] = code
