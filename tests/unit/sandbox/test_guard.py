"""Who may open the pages and press their buttons; what a page may lead to."""

import pytest

from transcription_sandbox.guard import check, policy
from transcription_sandbox.refusals import Refused

SITE = "http://pay.example:3200"
OWN = {"host": "pay.example:3200"}
FROM_ELSEWHERE = "http://evil.example"


@pytest.mark.parametrize(
    "host", ["pay.example:3200", "PAY.example:3200", "localhost:1", "127.0.0.1:3200", "[::1]:3200"]
)
def test_it_answers_to_its_own_name_and_on_the_machine_itself(host: str) -> None:
    check("GET", {"host": host}, SITE)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:3200", "127.0.0.1.evil.example", "[::1", "pay.example"]
)
def test_another_name_is_refused_for_it_may_be_pointed_here(host: str) -> None:
    with pytest.raises(Refused, match=r"pay\.example") as refused:
        check("GET", {"host": host}, SITE)
    assert refused.value.status == 421


@pytest.mark.parametrize(
    "more",
    [
        {"origin": SITE},
        {"origin": "http://PAY.example:3200", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {},
    ],
)
def test_its_own_forms_may(more: dict[str, str]) -> None:
    check("POST", OWN | more, SITE)


@pytest.mark.parametrize(
    "more",
    [
        {"origin": FROM_ELSEWHERE},
        {"origin": "null"},
        {"origin": "http://pay.example:3201"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": SITE, "sec-fetch-site": "cross-site"},
    ],
)
def test_forms_of_other_pages_may_not(more: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        check("POST", OWN | more, SITE)
    assert refused.value.status == 403
    check("GET", OWN | more, SITE)


def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing() -> None:
    assert policy().startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert policy().endswith("form-action 'self'")
    assert "script" not in policy()


def test_a_form_may_lead_to_the_shop() -> None:
    assert policy("https://shop.example/done?x={ID}").endswith("form-action 'self' https://shop.example")
    assert policy("http://[::1]:3000/done").endswith("form-action 'self' http:")  # no CSP source can name it
