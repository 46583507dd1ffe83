"""HTML: what a template names is text."""

import pytest

from transcription_sandbox.markup import CLOSED, closed, render, when

HOSTILE = "<script>alert('1')</script>\"&{0}"
SAFE = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&#34;&amp;{0}"


def test_values_are_text() -> None:
    page = render("message", "/root", title=HOSTILE, text=HOSTILE, back=HOSTILE)
    assert f"<title>{SAFE}</title>" in page
    assert f"<p>{SAFE}</p>" in page
    assert f'href="{SAFE}"' in page
    assert HOSTILE not in page
    assert 'href="/root/static/sandbox.css"' in page


@pytest.mark.parametrize("paid", sorted(set(CLOSED) - {"expired"}))
def test_a_closed_checkout_says_why_and_leads_back(paid: str) -> None:
    page = closed("", {"status": "complete", "payment_status": paid}, "https://shop.example/done")
    title, text = CLOSED[paid]
    assert f"<h1>{title}</h1>" in page
    assert text.replace("'", "&#39;") in page
    assert 'href="https://shop.example/done"' in page


def test_an_expired_checkout_without_a_way_back_has_no_link() -> None:
    page = closed("", {"status": "expired", "payment_status": "unpaid"}, None)
    assert "<h1>Checkout expired</h1>" in page
    assert "Back to the site" not in page


def test_a_moment_can_be_read_by_people_and_programs() -> None:
    assert when(0) == '<time datetime="1970-01-01T00:00:00+00:00">01 Jan 1970, 00:00:00 UTC</time>'
