"""HTML: what is filled in is text."""

from transcription_proxy.sandbox.markup import Html, joined, page, tag, when

HOSTILE = "<script>alert('1')</script>\"&{0}"
SAFE = "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&quot;&amp;{0}"


def test_what_is_filled_in_is_text_and_html_stays() -> None:
    assert tag('<p title="{}">{x}</p>', HOSTILE, x=HOSTILE) == f'<p title="{SAFE}">{SAFE}</p>'
    assert tag("<p>{}{n}</p>", Html("<b>1</b>"), n=2) == "<p><b>1</b>2</p>"
    assert tag("<p>{}</p>", joined([Html("<b>"), Html("</b>")])) == "<p><b></b></p>"


def test_what_was_filled_in_stays_safe_when_it_is_put_together() -> None:
    inner = tag("<b>{}</b>", HOSTILE)
    assert tag("<p>{}</p>", inner) == f"<p><b>{SAFE}</b></p>"


def test_a_page_has_its_title_as_text() -> None:
    made = page("/root", HOSTILE, Html("<p>1</p>"))
    assert f"<title>{SAFE}</title>" in made
    assert '<main id="main"><p>1</p></main>' in made
    assert 'href="/root/static/sandbox.css"' in made


def test_a_moment_can_be_read_by_people_and_programs() -> None:
    assert when(0) == '<time datetime="1970-01-01T00:00:00+00:00">01 Jan 1970, 00:00:00 UTC</time>'
