"""The frame around each page, with what this installation calls itself."""

import re
from html.parser import HTMLParser

import pytest

from transcription_proxy.sentences import ABOUT
from transcription_proxy.web.frame import framed
from transcription_proxy.web.services import Site

OWN = """<html lang="en">
<head>
<title>Hello · {{site}}</title>
</head>
<main class="page" id="content">{{report}}</main>
</html>"""
EVIL = '"><script>alert(1)</script> & {{links}}'
ALL = Site(
    name="Café Captions",
    public_url="https://captions.example",
    support_email="help@captions.example",
    terms_url="https://captions.example/terms?a=1&b=2",
    privacy_url="https://captions.example/privacy",
    refunds_url="https://captions.example/refunds",
    source_url="https://captions.example/source",
)


class Seen(HTMLParser):
    """Links of the footer by text, and meta tags by name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: dict[str, dict[str, str | None]] = {}
        self.meta: dict[str, str | None] = {}
        self._link: dict[str, str | None] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "meta":
            self.meta[found.get("property") or found.get("name") or ""] = found.get("content")
        self._link = found if tag == "a" else {}

    def handle_data(self, data: str) -> None:
        if self._link and data.strip():
            self.links[data.strip()] = self._link


def footer(html: str) -> dict[str, dict[str, str | None]]:
    return Seen(html[html.index("<footer") : html.index("</footer>")]).links


def test_the_name_is_in_title_and_header_and_other_holes_are_left() -> None:
    html = framed(OWN, ALL)
    assert "<title>Hello · Café Captions</title>" in html
    assert ">Café Captions</a>" in html
    assert "{{report}}" in html


def test_a_name_is_text_whatever_it_holds() -> None:
    html = framed(OWN, Site(name=EVIL, public_url="https://x.example"), "/")
    assert "<script>alert" not in html
    assert Seen(html).meta["og:site_name"] == EVIL
    assert Seen(html).meta["og:title"] == f"Hello · {EVIL}"


def test_the_footer_links_to_what_is_configured() -> None:
    assert {name: link["href"] for name, link in footer(framed(OWN, ALL)).items()} == {
        "API": "/docs",
        "Source": "https://captions.example/source",
        "Contact": "mailto:help@captions.example",
        "Terms": "https://captions.example/terms?a=1&b=2",
        "Privacy": "https://captions.example/privacy",
        "Refunds": "https://captions.example/refunds",
        "Status": "/status",
    }
    assert set(footer(framed(OWN, Site()))) == {"API", "Status"}


def test_a_status_page_elsewhere_takes_the_place_of_ours() -> None:
    status = footer(framed(OWN, Site(status_url="https://status.example")))["Status"]
    assert status == {"href": "https://status.example", "rel": "noopener noreferrer"}


@pytest.mark.parametrize(("path", "name"), [("/status", "Status"), ("/docs", "API")])
def test_a_link_to_where_one_is_says_so(path: str, name: str) -> None:
    assert [name for name, link in footer(framed(OWN, ALL, path)).items() if "aria-current" in link] == [name]


def test_what_is_shown_where_a_page_is_shared_has_whole_addresses() -> None:
    meta = Seen(framed(OWN, ALL, "/register")).meta
    assert meta["og:title"] == "Hello · Café Captions"
    assert meta["og:description"] == ABOUT
    assert meta["og:url"] == "https://captions.example/register"
    assert meta["og:image"] == "https://captions.example/static/preview.png"
    assert (meta["og:image:width"], meta["og:image:height"]) == ("1200", "630")
    assert meta["twitter:card"] == "summary_large_image"


def test_a_page_tells_what_it_is_about_itself() -> None:
    about = OWN.replace("</title>", '</title>\n<meta name="description" content="Of its own.">')
    assert Seen(framed(about, ALL, "/")).meta["og:description"] == "Of its own."


def test_the_page_for_the_lost_is_not_for_sharing() -> None:
    assert not re.search("og:|twitter:", framed(OWN, ALL))
