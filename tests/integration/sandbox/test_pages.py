"""The pages over HTTP: every way a checkout can go, the developer's buttons, and input that means no good."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from tests.integration.sandbox.running import SITE, Sandbox, order

HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;"
WORKING = ("script", "iframe", "object", "embed", "img")
NOT_PLAIN = re.compile("on|style")


class Seen(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def success(name: str) -> str:
    return f"{SITE}/success?session_id={name}"


def state(sandbox: Sandbox, name: str) -> tuple[str | None, str]:
    found = sandbox.client.v1.checkout.sessions.retrieve(name)
    return found.status, found.payment_status


def test_paying_leads_back_to_the_site(sandbox: Sandbox) -> None:
    name = sandbox.session().id
    answer = sandbox.buttons.checkout(name)
    assert (answer.status_code, answer.headers["Location"]) == (303, success(name))
    assert state(sandbox, name) == ("complete", "paid")
    again = sandbox.buttons.checkout(name, "decline")
    assert (again.status_code, again.headers["Location"]) == (303, success(name))
    assert "Already paid" in sandbox.buttons.page(name).text
    assert f'href="{success(name)}"' in sandbox.buttons.page(name).text


@pytest.mark.parametrize(("action", "paid", "word"), [("settle", "paid", "Paid"), ("fail", "unpaid", "Failed")])
def test_what_is_paid_later_settles_or_fails(sandbox: Sandbox, action: str, paid: str, word: str) -> None:
    name = sandbox.session().id
    assert sandbox.buttons.checkout(name, "later").headers["Location"] == success(name)
    assert state(sandbox, name) == ("complete", "unpaid")
    assert "Payment pending" in sandbox.buttons.page(name).text
    answer = sandbox.buttons.payment(name, action)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/#{name}")
    assert state(sandbox, name) == ("complete", paid)
    assert word in article(sandbox, name)
    assert sandbox.buttons.payment(name, action).status_code == 400


def article(sandbox: Sandbox, name: str) -> str:
    """What the dashboard shows of one payment."""
    return sandbox.buttons.dashboard().partition(f'id="{name}"')[2].partition("</article>")[0]


def test_after_a_decline_the_same_page_takes_the_money(sandbox: Sandbox) -> None:
    name = sandbox.session().id
    answer = sandbox.buttons.checkout(name, "decline")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/c/pay/{name}")
    assert "Your card was declined. You weren&#39;t charged" in sandbox.buttons.page(name).text
    assert state(sandbox, name) == ("open", "unpaid")
    assert sandbox.buttons.checkout(name).headers["Location"] == success(name)
    assert state(sandbox, name) == ("complete", "paid")


def test_cancel_leads_back_and_leaves_the_checkout_open(sandbox: Sandbox) -> None:
    name = sandbox.session().id
    [cancel] = [link for link in Seen(sandbox.buttons.page(name).text).all("a") if link["href"].startswith(SITE)]
    assert cancel["href"] == f"{SITE}/cancel"
    assert state(sandbox, name) == ("open", "unpaid")


def test_an_expired_checkout_takes_no_money(sandbox: Sandbox) -> None:
    name = sandbox.session().id
    sandbox.client.v1.checkout.sessions.expire(name)
    page = sandbox.buttons.page(name)
    assert "Checkout expired" in page.text
    assert f'href="{SITE}/cancel"' in page.text
    assert "Checkout expired" in sandbox.buttons.checkout(name).text
    assert state(sandbox, name) == ("expired", "unpaid")
    assert sandbox.client.v1.checkout.sessions.retrieve(name).payment_intent is None


def test_a_promotion_code_makes_it_cheaper_or_free(sandbox: Sandbox) -> None:
    name = sandbox.session(allow_promotion_codes=True).id
    assert "There is no promotion code NONE." in sandbox.buttons.checkout(name, "code", code=" none ").text
    assert sandbox.buttons.checkout(name, "code", code="half50").status_code == 303
    assert "Pay Example Store $1.50" in Seen(sandbox.buttons.page(name).text).text
    assert sandbox.buttons.checkout(name, "no-code").status_code == 303
    sandbox.buttons.checkout(name, "code", code="FREE100")
    page = Seen(sandbox.buttons.page(name).text)
    assert [button["value"] for button in page.all("button")] == ["no-code", "pay"]
    sandbox.buttons.checkout(name)
    assert state(sandbox, name) == ("complete", "no_payment_required")
    without = sandbox.session().id
    assert "Promotion code" not in sandbox.buttons.page(without).text
    assert sandbox.buttons.checkout(without, "code", code="FREE100").status_code == 400


def test_every_page_is_safe_and_needs_no_script(sandbox: Sandbox) -> None:
    """Names that somebody else chose are text on all of them."""
    email = "<b>&\"'@example.org"
    customer = sandbox.client.v1.customers.create({"email": email}).id
    opened = sandbox.session(**order(300, HOSTILE), customer=customer).id
    paid = sandbox.paid(**order(300, HOSTILE), customer=customer)
    intent: Any = paid.payment_intent
    expired = sandbox.session().id
    sandbox.client.v1.checkout.sessions.expire(expired)
    receipt = intent.latest_charge.receipt_url.removeprefix(sandbox.url)
    checkouts = [f"/c/pay/{name}" for name in (opened, paid.id, expired)]
    for path in (*checkouts, "/", receipt, f"/receipts/{HOSTILE}"):
        answer = sandbox.buttons.http.get(path)
        seen = Seen(answer.text)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'"), path
        assert "script-src" not in policy
        assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")
        working = [(tag, has) for tag, has in seen.tags if tag in WORKING or any(map(NOT_PLAIN.match, has))]
        assert working == []
        elsewhere = [link["href"] for link in seen.all("link") if not link["href"].startswith("/static/")]
        assert elsewhere == []
    assert HOSTILE in Seen(sandbox.buttons.page(opened).text).text
    dashboard = Seen(sandbox.buttons.dashboard())
    assert HOSTILE in dashboard.text
    assert email in dashboard.text
    assert email in Seen(sandbox.buttons.http.get(receipt).text).text


def test_a_form_may_lead_to_its_own_site_only(sandbox: Sandbox) -> None:
    name = sandbox.session().id
    assert sandbox.buttons.page(name).headers["Content-Security-Policy"].endswith(f"form-action 'self' {SITE}")
    assert sandbox.buttons.http.get("/").headers["Content-Security-Policy"].endswith("form-action 'self'")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
def test_another_page_cannot_press_the_buttons(sandbox: Sandbox, headers: dict[str, str]) -> None:
    name = sandbox.session().id
    answer = sandbox.buttons.http.post(f"/c/pay/{name}", data={"action": "pay"}, headers=headers)
    assert answer.status_code in (403, 421)
    assert state(sandbox, name) == ("open", "unpaid")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"action=steal", 400),
        (b"action=pay%00", 400),
        (b"\xff\xfe=\xff", 400),
        (b"action=pay&" + b"x=1&" * 100, 400),
        (b"action=code&code=" + b"A" * 5000, 400),
        (b"a" * ((1 << 20) + 1), 413),
    ],
)
def test_forms_that_nobody_filled_in_are_refused_with_a_page(sandbox: Sandbox, content: bytes, status: int) -> None:
    name = sandbox.session(allow_promotion_codes=True).id
    answer = sandbox.buttons.http.post(f"/c/pay/{name}", content=content)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert state(sandbox, name) == ("open", "unpaid")


@pytest.mark.parametrize("name", ["none", "%3Cb%3E", "%00", "a" * 3000])
def test_what_is_not_there_is_said_on_a_page(sandbox: Sandbox, name: str) -> None:
    answers: list[httpx.Response] = [
        sandbox.buttons.http.get(f"/c/pay/{name}"),
        sandbox.buttons.http.get(f"/receipts/{name}"),
        sandbox.buttons.http.post(f"/c/pay/{name}", data={"action": "pay"}),
        sandbox.buttons.http.post(f"/payments/{name}", data={"action": "refund"}),
        sandbox.buttons.http.post(f"/refunds/{name}", data={"action": "fail"}),
        sandbox.buttons.http.post(f"/disputes/{name}", data={"action": "win"}),
        sandbox.buttons.http.post(f"/events/{name}"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 7
    assert all("Page not found" in answer.text for answer in answers)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "0 isn&#39;t a valid amount."),
        ("-1", "-1 isn&#39;t a valid amount."),
        ("1.005", "1.005 isn&#39;t a valid amount."),
        ("<b>", "&lt;b&gt; isn&#39;t a valid amount."),
        ("3.01", "wasn&#39;t refunded yet: $3.00"),
        ("999999999", "wasn&#39;t refunded yet: $3.00"),
    ],
)
def test_an_amount_that_cannot_be_refunded_is_refused(sandbox: Sandbox, amount: str, said: str) -> None:
    session = sandbox.paid()
    answer = sandbox.buttons.payment(session.id, "refund", amount)
    assert (answer.status_code, said in answer.text) == (400, True)
    assert amount_refunded(sandbox, session) == 0


def charge_of(sandbox: Sandbox, session: Any) -> Any:
    expand: Any = {"expand": ["payment_intent.latest_charge"]}
    found: Any = sandbox.client.v1.checkout.sessions.retrieve(session.id, expand)
    return found.payment_intent.latest_charge


def amount_refunded(sandbox: Sandbox, session: Any) -> int:
    cents: int = charge_of(sandbox, session).amount_refunded
    return cents


def test_a_second_click_on_an_old_page_refunds_nothing(sandbox: Sandbox) -> None:
    session = sandbox.paid()
    form = {"action": "refund", "amount": "1.00", "refunded": "0"}
    assert sandbox.buttons.http.post(f"/payments/{session.id}", data=form).status_code == 303
    answer = sandbox.buttons.http.post(f"/payments/{session.id}", data=form)
    assert (answer.status_code, "has changed since you loaded this page" in answer.text) == (400, True)
    assert amount_refunded(sandbox, session) == 100


def test_refunds_and_disputes_end_as_the_developer_says(sandbox: Sandbox) -> None:
    v1 = sandbox.client.v1
    session = sandbox.paid()
    intent: Any = session.payment_intent
    sandbox.buttons.payment(session.id, "refund", "1.00")
    [refund] = v1.refunds.list({"charge": intent.latest_charge.id}).data
    sandbox.buttons.refund(refund.id, "fail")
    assert v1.refunds.retrieve(refund.id).status == "failed"
    sandbox.buttons.payment(session.id, "inquiry", "2.00")
    [dispute] = v1.disputes.list({"payment_intent": intent.id}).data
    for action, status in (("escalate", "needs_response"), ("lose", "lost"), ("reinstate", "lost")):
        answer = sandbox.buttons.dispute(dispute.id, action)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/#{session.id}")
        assert v1.disputes.retrieve(dispute.id).status == status
    assert sandbox.buttons.dispute(dispute.id, "win").status_code == 400
    assert "Reinstate" not in article(sandbox, session.id)
