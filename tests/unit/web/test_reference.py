"""The page at /docs, from small OpenAPI documents."""

import re
from html.parser import HTMLParser
from typing import Any

import markupsafe
import pytest

from transcription_proxy.web import reference
from transcription_proxy.web.services import Site

SCHEMAS: dict[str, Any] = {
    "Login": {
        "properties": {
            "token": {"type": "string", "description": "Goes into `Authorization`."},
            "user": {"$ref": "#/components/schemas/User"},
        },
        "required": ["token", "user"],
    },
    "User": {
        "properties": {"id": {"type": "string", "format": "uuid"}, "name": {"type": "string"}},
        "required": ["id"],
    },
    "Days": {
        "properties": {
            "days": {"type": "array", "items": {"$ref": "#/components/schemas/User"}},
            "end": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "numbers": {"type": "array", "items": {"type": "integer"}},
            "odd": {},
        },
        "required": ["days", "end", "numbers", "odd"],
    },
}


def ref(name: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def document(**operation: Any) -> dict[str, Any]:
    """A document with `POST /login` and what is said of it."""
    about = {"summary": "Log in", "responses": {"200": {"description": "Fine"}}, **operation}
    return {"info": {"title": "A <service>"}, "paths": {"/login": {"post": about}}, "components": {"schemas": SCHEMAS}}


def page(document: dict[str, Any]) -> str:
    """Without its frame."""
    _, own = reference.page(document, Site()).split("<main", 1)
    return "<main" + own.partition("</main>")[0] + "</main>"


class Rows(HTMLParser):
    """The rows of each table by its caption, and every tag that was opened and not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.open: list[str] = []
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link"):
            self.open.append(tag)
        if tag == "tr":
            self._table.append([])
        if tag in ("caption", "td"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "caption":
            self._table = self.tables.setdefault(self._text, [])
        if tag == "td":
            self._table[-1].append(self._text)


def test_an_operation_is_a_section_with_its_summary_and_description() -> None:
    html = re.sub(r"\n+", "\n", page(document(description="With an `address`.")))
    assert (
        '<h3 id="post-login"><code>POST /login</code></h3>\n<p>Log in.</p>\n<p>With an <code>address</code>.</p>'
        in html
    )
    assert html.count("<section") == 1
    assert "<p>200: Fine</p>" in html


def test_each_method_of_each_path_has_a_section() -> None:
    about = document()
    about["paths"]["/me"] = dict.fromkeys(("get", "delete"), about["paths"]["/login"]["post"])
    assert re.findall("<h3.*><code>(.*)</code></h3>", page(about)) == ["POST /login", "GET /me", "DELETE /me"]


def test_the_contents_lead_to_each_operation_under_its_tag() -> None:
    about = document(tags=["Accounts"])
    about["paths"]["/billing/checkout/{session_id}"] = {
        "get": {**about["paths"]["/login"]["post"], "tags": ["Billing"]}
    }
    html = page(about)
    assert re.findall("<h2>(.*)</h2>", html) == ["Accounts", "Billing"]
    links = re.findall('href="#(.*?)">(.*?)</a>', html)
    assert links == [
        ("post-login", "POST /login"),
        ("get-billing-checkout-session-id", "GET /billing/checkout/{session_id}"),
    ]
    for place, _ in links:
        assert html.count(f'id="{place}"') == 1


def test_it_stands_in_the_frame_of_our_pages() -> None:
    html = reference.page(document(), Site())
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>API · Live Captions</title>" in html
    assert html.index('<header class="top">') < html.index("<h1>A &lt;service&gt;: API</h1>") < html.index("<footer")


def test_a_body_is_a_table_of_its_fields_with_those_inside() -> None:
    rows = Rows(page(document(requestBody=ref("Login")))).tables["Body (JSON)"]
    assert rows == [
        ["token", "string", "Goes into Authorization."],
        ["user", "User", ""],
        ["user.id", "uuid", ""],
        ["user.name", "string", "optional"],
    ]


def test_an_answer_with_fields_is_a_table_and_an_error_a_line() -> None:
    answers = {"200": {"description": "x", **ref("Days")}, "401": {"description": "`unauthorized`", **ref("Login")}}
    html = page(document(responses=answers))
    assert Rows(html).tables["Response 200"] == [
        ["days", "list of User", ""],
        ["days[].id", "uuid", ""],
        ["days[].name", "string", "optional"],
        ["end", "date-time or null", ""],
        ["numbers", "list of integer", ""],
        ["odd", "any", ""],
    ]
    assert "<p>401: <code>unauthorized</code></p>" in html


def test_parameters_say_where_they_stand() -> None:
    parameters = [
        {"name": "tz", "in": "query", "schema": {"type": "string"}, "description": "The `zone`."},
        {"name": "id", "in": "path", "schema": {"type": "string"}},
    ]
    assert Rows(page(document(parameters=parameters))).tables["Parameters"] == [
        ["tz", "string, in the query", "The zone."],
        ["id", "string, in the path", ""],
    ]


@pytest.mark.parametrize(("security", "said"), [([{"HTTPBearer": []}], True), ([], False), (None, False)])
def test_what_needs_a_login_says_so(security: list[Any] | None, said: bool) -> None:
    assert ("Authorization: Bearer" in page(document(security=security))) is said


def test_what_kind_of_token_is_needed_is_said_in_the_words_of_the_document() -> None:
    about = document(security=[{"Key": []}])
    about["components"] = {**about["components"], "securitySchemes": {"Key": {"description": "The `key` of a door."}}}
    said = "<p>Needs <code>Authorization: Bearer &lt;token&gt;</code>. The <code>key</code> of a door.</p>"
    assert said in page(about)


def test_the_description_of_the_whole_comes_first_and_may_be_missing() -> None:
    about = document()
    without = page(about)
    about["info"]["description"] = "All of it, in `JSON`."
    assert "<p>All of it, in <code>JSON</code>.</p>" in page(about)
    assert "<p></p>" not in without


def test_everything_is_escaped_and_every_tag_closed() -> None:
    evil = "<script>alert('x')</script> & \"{title}\""
    about = document(
        summary=evil,
        description=evil,
        parameters=[{"name": evil, "in": "query", "schema": {"type": evil}, "description": evil}],
        responses={"200": {"description": evil, **ref("Login")}, "401": {"description": evil}},
        requestBody=ref("Days"),
    )
    about["info"] = {"title": evil, "description": evil}
    about["paths"][f"/{evil}"] = about["paths"].pop("/login")
    html = page(about)
    assert "<script" not in html
    assert f"<h1>{markupsafe.escape(evil)}: API</h1>" in html
    assert "{title}" in html
    assert Rows(html).open == []


def test_the_page_refers_to_our_own_files_only() -> None:
    links = re.findall(r'(?:src|href)="([^"]*)"', page(document(description="See https://example.com/x.js")))
    assert sorted(links) == ["#post-login", "/openapi.json"]
