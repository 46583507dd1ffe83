"""The frame that all our pages stand in. A page's own file is HTML without it: its head, and its <main>."""

import re
from html import escape
from pathlib import Path
from typing import Final

from transcription_proxy import sentences
from transcription_proxy.web.services import Site

HTML: Final = Path(__file__).parent / "html"
_FRAME: Final = (HTML / "frame.html").read_text()
_PAGE: Final = re.compile(r"(<html[^>]*>)\s*<head>\s*(.*?)\s*</head>\s*(<main.*</main>)\s*</html>\s*", re.DOTALL)
_HOLE: Final = re.compile(r"{{(\w+)}}")
_TITLE: Final = re.compile(r"<title>(.*?)</title>")
_ABOUT: Final = re.compile(r'<meta name="description" content="([^"]*)">')
PICTURE: Final = "/static/preview.png"
PICTURE_SIZE: Final = (1200, 630)
PICTURE_TEXT: Final = "A game on a live stream, with the streamer's words below it as captions."


def framed(page: str, site: Site, path: str = "") -> str:
    """Return the whole page of this installation.

    `path`: where the page is. The link to it says so, and so does what is shown where it is shared.
    """
    own = _PAGE.fullmatch(page)
    assert own is not None
    parts = iter(own.groups())
    frame = _FRAME.replace(f'<a href="{path}">', f'<a href="{path}" aria-current="page">', 1)
    whole = re.sub("<!-- own -->", lambda _: next(parts), frame)
    fillings = {"site": escape(site.name), "links": _links(site, path), "preview": _preview(own[2], site, path)}
    return _HOLE.sub(lambda hole: fillings.get(hole[1], hole[0]), whole)


def _links(site: Site, path: str) -> str:
    """The footer's links to what this installation has: only those that are configured."""
    links = {
        "Source": site.source_url,
        "Contact": site.support_email and f"mailto:{site.support_email}",
        "Terms": site.terms_url,
        "Privacy": site.privacy_url,
        "Refunds": site.refunds_url,
        "Status": site.status_url or "/status",
    }
    return "\n".join(_link(name, url, path) for name, url in links.items() if url)


def _link(name: str, url: str, path: str) -> str:
    here = ' aria-current="page"' if url == path else ""
    away = ' rel="noopener noreferrer"' if url.startswith("http") else ""
    return f'<li><a href="{escape(url)}"{here}{away}>{name}</a></li>'


def _preview(head: str, site: Site, path: str) -> str:
    """What apps show of a link to the page. They need whole addresses."""
    if not path:
        return ""
    title = _TITLE.search(head)
    about = _ABOUT.search(head)
    width, height = PICTURE_SIZE
    tags = {
        "og:type": "website",
        "og:site_name": escape(site.name),
        "og:title": (title[1] if title else "{{site}}").replace("{{site}}", escape(site.name)),
        "og:description": about[1] if about else sentences.ABOUT,
        "og:url": escape(site.public_url + path),
        "og:image": escape(site.public_url + PICTURE),
        "og:image:width": width,
        "og:image:height": height,
        "og:image:alt": PICTURE_TEXT,
    }
    lines = [f'<meta property="{name}" content="{text}">' for name, text in tags.items()]
    return "\n".join([*lines, '<meta name="twitter:card" content="summary_large_image">'])
