"""The frame around each page, with what this installation calls itself."""

import re
from html.parser import HTMLParser

import pytest

from transcription_proxy.sentences import ABOUT
from transcription_proxy.web.frame import code, render
from transcription_proxy.web.services import Site

EVIL = '"><script>alert(1)</script> & {{ links }}'
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


def test_the_name_is_in_title_and_header() -> None:
    html = render("register.html", ALL)
    assert "<title>Create an account · Café Captions</title>" in html
    assert ">Café Captions</a>" in html


def test_a_name_is_text_whatever_it_holds() -> None:
    html = render("register.html", Site(name=EVIL, public_url="https://x.example"), "/register")
    assert "<script>alert" not in html
    assert Seen(html).meta["og:site_name"] == EVIL
    assert Seen(html).meta["og:title"] == f"Create an account · {EVIL}"


def test_code_is_marked_and_everything_else_is_text() -> None:
    assert code("`a<b>` & c") == "<code>a&lt;b&gt;</code> &amp; c"


def test_the_footer_links_to_what_is_configured() -> None:
    assert {name: link["href"] for name, link in footer(render("register.html", ALL)).items()} == {
        "API": "/docs",
        "Source": "https://captions.example/source",
        "Contact": "mailto:help@captions.example",
        "Terms": "https://captions.example/terms?a=1&b=2",
        "Privacy": "https://captions.example/privacy",
        "Refunds": "https://captions.example/refunds",
        "Status": "/status",
    }
    assert set(footer(render("register.html", Site()))) == {"API", "Status"}


def test_a_status_page_elsewhere_takes_the_place_of_ours() -> None:
    status = footer(render("register.html", Site(status_url="https://status.example")))["Status"]
    assert status == {"href": "https://status.example", "rel": "noopener noreferrer"}


@pytest.mark.parametrize(("path", "name"), [("/status", "Status"), ("/docs", "API")])
def test_a_link_to_where_one_is_says_so(path: str, name: str) -> None:
    assert [name for name, link in footer(render("register.html", ALL, path)).items() if "aria-current" in link] == [
        name
    ]


def test_what_is_shown_where_a_page_is_shared_has_whole_addresses() -> None:
    meta = Seen(render("register.html", ALL, "/register")).meta
    assert meta["og:title"] == "Create an account · Café Captions"
    assert meta["og:description"] == ABOUT
    assert meta["og:url"] == "https://captions.example/register"
    assert meta["og:image"] == "https://captions.example/static/preview.png"
    assert (meta["og:image:width"], meta["og:image:height"]) == ("1200", "630")
    assert meta["twitter:card"] == "summary_large_image"


def test_a_page_has_a_description_of_its_own() -> None:
    meta = Seen(render("index.html", ALL, "/")).meta
    assert meta["og:description"] == meta["description"] != ABOUT


def test_the_page_for_the_lost_is_not_for_sharing() -> None:
    assert not re.search("og:|twitter:", render("missing.html", ALL))
