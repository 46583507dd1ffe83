"""Form parameters: brackets become a tree, and a tree becomes checked values or the error that Stripe would give."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_sandbox import params
from transcription_sandbox.params import Field, Raw, Reader, checked, nested
from transcription_sandbox.refusals import Refused


def error(reader: Reader, raw: Raw, name: str = "thing") -> dict[str, Any]:
    """What is said of a parameter that is not taken."""
    with pytest.raises(Refused) as refused:
        reader(raw, name)
    body: dict[str, Any] = refused.value.body()["error"]
    assert (body["type"], refused.value.status) == ("invalid_request_error", 400)
    return body


def test_brackets_are_a_tree() -> None:
    pairs = [
        ("mode", "payment"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][quantity]", "2"),
        ("line_items[1][quantity]", "3"),
        ("expand[]", "customer"),
        ("expand[]", "payment_intent"),
    ]
    assert nested(pairs) == {
        "mode": "payment",
        "line_items": {
            "0": {"price_data": {"currency": "usd"}, "quantity": "2"},
            "1": {"quantity": "3"},
        },
        "expand": {"0": "customer", "1": "payment_intent"},
    }


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("", "1")], "Invalid parameter name"),
        ([("[a]", "1")], "Invalid parameter name"),
        ([("a[b", "1")], "Invalid parameter name"),
        ([("a]", "1")], "Invalid parameter name"),
        ([("a[b]c", "1")], "Invalid parameter name"),
        ([("a" + "[b]" * 6, "1")], "Invalid parameter name"),
        ([("a", "1"), ("a", "2")], "given more than once"),
        ([("a", "1"), ("a[b]", "2")], "Invalid object"),
        ([("a[b]", "1"), ("a", "2")], "given more than once"),
    ],
)
def test_names_that_make_no_tree_are_refused(pairs: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(Refused, match=said):
        nested(pairs)


@given(st.lists(st.tuples(st.text("ab[]01", max_size=12), st.text(max_size=3)), max_size=8))
def test_no_names_break_it(pairs: list[tuple[str, str]]) -> None:
    try:
        tree = nested(pairs)
    except Refused:
        return
    assert set(tree) == {name.partition("[")[0] for name, _ in pairs}


FIELDS = {
    "mode": Field(params.choice("payment"), needed=True),
    "data": Field(params.shape({"note": Field(params.text(5), needed=True), "amount": Field(params.whole(1, 9))})),
}


def test_what_is_known_is_read() -> None:
    raw = nested([("mode", "payment"), ("data[note]", "hello"), ("data[amount]", "9")])
    assert checked(raw, FIELDS) == {"mode": "payment", "data": {"note": "hello", "amount": 9}}


@pytest.mark.parametrize(
    ("pairs", "code", "param"),
    [
        ([("mode", "payment"), ("colour", "red")], "parameter_unknown", "colour"),
        ([("mode", "payment"), ("data[note]", "x"), ("data[colour]", "red")], "parameter_unknown", "data[colour]"),
        ([], "parameter_missing", "mode"),
        ([("mode", "payment"), ("data[amount]", "1")], "parameter_missing", "data[note]"),
        ([("mode", "payment"), ("data[note]", "longer")], "parameter_invalid_string", "data[note]"),
        ([("mode", "payment"), ("data[note]", "")], "parameter_invalid_empty", "data[note]"),
        (
            [("mode", "payment"), ("data[note]", "x"), ("data[amount]", "0")],
            "parameter_invalid_integer",
            "data[amount]",
        ),
    ],
)
def test_the_parameter_that_is_wrong_is_named(pairs: list[tuple[str, str]], code: str, param: str) -> None:
    body = error(lambda raw, _: checked(raw, FIELDS), nested(pairs))
    assert (body["code"], body["param"]) == (code, param)
    assert body["doc_url"].endswith(code.replace("_", "-"))


def test_all_unknown_parameters_are_named_at_once() -> None:
    body = error(lambda raw, _: checked(raw, FIELDS), nested([("mode", "payment"), ("a", "1"), ("b[c]", "2")]))
    assert body["message"] == "Received unknown parameters: a, b"


@pytest.mark.parametrize("value", ["", "x", "1.5", "1e3", " 1", "٣", "0x1", "9" * 19])
def test_a_whole_number_has_digits_only(value: str) -> None:
    error(params.whole(-(10**18), 10**18), value)


def test_a_whole_number_has_bounds() -> None:
    assert params.whole(-5, 5)("-5", "n") == -5
    assert "greater than or equal to -5" in error(params.whole(-5, 5), "-6")["message"]
    assert "less than or equal to 5" in error(params.whole(-5, 5), "6")["message"]


def test_a_list_keeps_the_order_of_its_numbers() -> None:
    tree: Raw = {"10": "c", "2": "b", "0": "a"}
    assert params.many(params.text())(tree, "list") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("text", "Invalid object"),
        ({"first": "a"}, "Invalid array"),
        ({"٣": "a"}, "Invalid array"),
        ({}, "at least 1 element"),
        ({str(number): "a" for number in range(101)}, "exceeded maximum 100"),
    ],
)
def test_what_is_no_list_is_refused(raw: Raw, said: str) -> None:
    assert said in error(params.many(params.text(), least=1), raw)["message"]


@pytest.mark.parametrize("value", ["True", "1", "yes", ""])
def test_a_flag_is_true_or_false(value: str) -> None:
    assert params.flag("true", "on")
    assert not params.flag("false", "on")
    error(params.flag, value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "shop.example",
        "//shop.example",
        "javascript:alert(1)",
        "http://",
        "http://[",
        "http://a b",
        "http://\n",
        "é",
    ],
)
def test_an_address_is_one_of_the_web(value: str) -> None:
    assert params.url("https://shop.example/?id={CHECKOUT_SESSION_ID}", "url").startswith("https://")
    error(params.url, value)


def test_a_currency_has_three_letters_of_either_case() -> None:
    assert params.currency("USD", "currency") == "usd"
    for value in ("us", "usdt", "us1", "€€€"):
        error(params.currency, value)


def test_metadata_are_short_texts_and_an_empty_one_is_none() -> None:
    assert params.metadata({"a": "1", "b": ""}, "metadata") == {"a": "1"}
    error(params.metadata, {"a": {"b": "1"}})
    error(params.metadata, {"k" * 41: "1"})
    error(params.metadata, {"k": "1" * 501})
    error(params.metadata, {str(number): "1" for number in range(51)})
    error(params.metadata, "text")


def test_a_moment_is_bounded_or_exact() -> None:
    assert params.moment({"gte": "5", "lt": "9"}, "created") == {"gte": 5, "lt": 9}
    assert params.moment("5", "created") == {"gte": 5, "lte": 5}
    assert error(params.moment, {"after": "5"})["code"] == "parameter_unknown"
    assert error(params.moment, {"gte": "soon"})["param"] == "thing[gte]"


def test_an_object_is_no_text() -> None:
    for reader in (params.text(), params.flag, params.url, params.currency, params.choice("a"), params.whole(0, 1)):
        assert "Invalid string" in error(reader, {"a": "b"})["message"]
