"""What a second costs: families, languages, add-ons, and files with mistakes in them."""

import json
from contextlib import suppress
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.errors import ConfigError
from transcription_proxy.metering.rates import ADDONS, Rate, Rates, Unpriced, load

BUILTIN_TEXT = files("transcription_proxy.metering").joinpath("rates.toml").read_text()
BUILTIN = load()
MODEL = 'models.nova-2 = { cost_per_minute = "0.006", credits_per_second = "1" }\n'


def problems(text: str) -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.problems
    return caught.value.problems


# --- the rate of a stream


def rate_of(model: str = "nova-2", language: str = "en-US", *addons: str) -> tuple[str, str]:
    """Credits a second and dollars a minute of the built-in file."""
    found = BUILTIN.rate(model, language, addons)
    return f"{found.micro / 1_000_000:g}", f"{found.cost:f}"


@pytest.mark.parametrize("model", ["nova-2", "nova-2-meeting", "nova-2-conversational-ai", "nova-3", "NOVA-2-Meeting"])
def test_a_model_has_the_rate_of_its_family(model: str) -> None:
    assert rate_of(model) == ("1", "0.006")


@pytest.mark.parametrize(
    "model", ["nova", "nova-", "nova-20", "nova-4", "nova-2meeting", "my-nova-2", "enhanced", "", "-"]
)
def test_a_model_without_a_rate_is_refused_and_those_that_have_one_are_named(model: str) -> None:
    with pytest.raises(Unpriced, match="nova-2, nova-3") as caught:
        BUILTIN.rate(model, "en-US")
    assert caught.value.key == "model"


def test_the_nearest_family_counts() -> None:
    table = {name: Rate(micro, Decimal(0)) for micro, name in enumerate(("nova-2", "nova-2-medical", "base"), 1)}
    found = [Rates(table).rate(model, "en").micro for model in ("nova-2-medical-x", "nova-2-med", "base")]
    assert found == [2, 1, 3]


@pytest.mark.parametrize("language", ["multi", "MULTI"])
def test_multi_replaces_the_figures_of_the_model(language: str) -> None:
    assert rate_of("nova-3", language) == ("1.2", "0.0072")


@pytest.mark.parametrize(
    ("language", "addons", "expected"),
    [
        ("en-US", ["diarize"], ("1.34", "0.0080")),
        ("en-US", ["keyterm"], ("1.22", "0.0073")),
        ("en-US", ["diarize", "keyterm"], ("1.56", "0.0093")),
        ("multi", ["diarize", "keyterm"], ("1.76", "0.0105")),
    ],
)
def test_add_ons_are_added(language: str, addons: list[str], expected: tuple[str, str]) -> None:
    assert rate_of("nova-3", language, *addons) == expected


@pytest.mark.parametrize(
    ("cost", "micro"), [("0.006", 6_000), ("0", 0), ("0.000001", 1), ("1000", 10**9), ("1.1", 1_100_000)]
)
def test_a_cost_is_kept_in_whole_millionths_of_a_dollar(cost: str, micro: int) -> None:
    assert load(MODEL.replace("0.006", cost)).rate("nova-2", "en").cost_micro == micro


@pytest.mark.parametrize("addon", ADDONS)
def test_an_add_on_without_a_rate_is_refused(addon: str) -> None:
    with pytest.raises(Unpriced, match=addon) as caught:
        load(MODEL).rate("nova-2", "en-US", [addon])
    assert caught.value.key == addon


@pytest.mark.parametrize(("language", "addons"), [("en-US", []), ("multi", []), ("en-US", list(ADDONS))])
def test_the_built_in_engine_takes_one_credit_a_second_and_costs_nothing(language: str, addons: list[str]) -> None:
    flat = load(builtin_engine=True)
    assert flat.rate("nova-2-meeting", language, addons) == Rate(1_000_000, Decimal(0))
    with pytest.raises(Unpriced):
        flat.rate("enhanced", language)


# --- the file


def test_the_built_in_file_has_the_published_prices() -> None:
    assert (BUILTIN.date, BUILTIN.stripe_fee_percent, BUILTIN.stripe_fee_cents) == ("2026-11-23", Decimal("2.9"), 30)
    assert set(BUILTIN.models) == {"nova-2", "nova-3", "flux-general-en", "flux-general-multi"}
    assert set(BUILTIN.languages) == {"multi"}
    assert set(BUILTIN.addons) == set(ADDONS)


def test_a_file_needs_no_more_than_a_model() -> None:
    found = load(MODEL)
    assert found == Rates({"nova-2": Rate(1_000_000, Decimal("0.006"))})
    assert (found.stripe_fee_percent, found.stripe_fee_cents, found.date) == (Decimal("2.9"), 30, "")


def test_names_in_a_file_may_have_capitals() -> None:
    found = load(
        MODEL.replace("nova", "Nova") + 'languages.MULTI = { cost_per_minute = "0", credits_per_second = "3" }'
    )
    assert found.rate("nova-2", "en").micro == 1_000_000
    assert found.rate("nova-2", "multi").micro == 3_000_000


def test_a_date_may_be_written_as_one() -> None:
    assert load("date = 2026-11-23\n" + MODEL).date == "2026-11-23"


@pytest.mark.parametrize(
    ("line", "age"),
    [
        ("date = 2026-11-23\n", 40),
        ("date = 2026-11-23T08:00:00Z\n", 40),
        ('date = "2027-01-02"\n', 0),
        ('date = "2027-02-02"\n', -31),
        *((line, None) for line in ("", 'date = "today"\n', "date = 7\n", 'date = "2026-13-01"\n')),
    ],
)
def test_the_age_of_a_file_counts_from_its_date(line: str, age: int | None) -> None:
    assert load(line + MODEL).age_days(date(2027, 1, 2)) == age


@pytest.mark.parametrize(
    ("credits", "micro"),
    [("1.1", 1_100_000), ("0.000001", 1), ("1000", 10**9), ("1.560000", 1_560_000), ("1.2000000000", 1_200_000)],
)
def test_credits_are_read_exactly(credits: str, micro: int) -> None:
    assert load(MODEL.replace('"1"', f'"{credits}"')).rate("nova-2", "en").micro == micro


STRINGS = [
    "0.0000001",
    "-1",
    "-0",
    "1000.000001",
    "inf",
    "nan",
    "sNaN",
    "",
    "one",
    "1,5",
    "1e-9999999999",
    "1e9999999999",
]


@pytest.mark.parametrize(
    "figure",
    [*map(json.dumps, STRINGS), '"1.' + "0" * 50 + '1"', "1", "1.5", "true", "[]", "{}", "2026-11-23"],
)
def test_a_figure_that_is_no_decimal_string_of_six_places_is_a_mistake(figure: str) -> None:
    assert len(problems(MODEL.replace('"1"', figure))) == 1
    assert len(problems(MODEL.replace('"0.006"', figure))) == 1
    assert len(problems(f"stripe_fee_percent = {figure}\n" + MODEL)) == 1


@pytest.mark.parametrize("zero", ['"0"', '"0.000000"'])
def test_nothing_is_free_of_credits(zero: str) -> None:
    (problem,) = problems(MODEL.replace('"1"', zero))
    assert problem.startswith('models.nova-2: credits_per_second must be a string such as "1.2", above 0')


def test_a_fee_that_leaves_no_price_to_break_even_is_a_mistake() -> None:
    assert load('stripe_fee_percent = "50"\n' + MODEL).stripe_fee_percent == 50
    (problem,) = problems('stripe_fee_percent = "50.1"\n' + MODEL)
    assert "stripe_fee_percent" in problem


@pytest.mark.parametrize("cents", ["-1", "10001", "30.0", "true", '"30"', "[]"])
def test_the_fee_in_cents_is_a_whole_number(cents: str) -> None:
    (problem,) = problems(f"stripe_fee_cents = {cents}\n" + MODEL)
    assert "stripe_fee_cents" in problem


@pytest.mark.parametrize("text", ["", "languages = {}", "models = {}", "date = 'today'"])
def test_a_file_without_a_model_offers_nothing(text: str) -> None:
    assert problems(text) == ["the rates file offers no model: [models.NAME]"]


@pytest.mark.parametrize(
    "text",
    ["[models", "\0", MODEL + MODEL, "x = " + "[" * 100_000, "x = " + "{a=" * 5000, "x = " + "9" * 5000],
    ids=["cut short", "a zero byte", "twice the same", "brackets", "braces", "a number without end"],
)
def test_text_that_is_no_toml_is_reported(text: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("the rates file isn't valid TOML")


MISTAKES = {
    'models.a = { cost_per_minute = 0.006, credits_per_second = "1" }': "models.a: cost_per_minute",
    'models.a-b = { cost_per_minute = "0.006", credits_per_second = "1.0000001" }': "models.a-b: credits_per_second",
    'models.a-b-c = { cost_per_minute = "0.006", credits_per_second = "0" }': "models.a-b-c: credits_per_second must",
    'models.b-c = { cost_per_minute = "0.006" }': "models.b-c: credits_per_second",
    'models.d = { cost_per_minute = "1", credits_per_second = "1", per = "hour" }': "models.d has an unknown key 'per'",
    'models.e = "1"': "models.e must be a table",
    "languages = []": "languages must be a table",
    'addons.diarise = { cost_per_minute = "0", credits_per_second = "1" }': "addons.diarise is not an add-on",
    'addons.diarize = { cost_per_minute = "-1", credits_per_second = "1" }': "addons.diarize: cost_per_minute",
    'stripe_fee_percent = "101"': "stripe_fee_percent",
    "stripe_fee_cents = 0.3": "stripe_fee_cents",
    "stripe_fee = 30": "unknown key 'stripe_fee'",
}
"""A line with one mistake, and what is said of it."""


@given(st.lists(st.sampled_from(sorted(MISTAKES)), min_size=1, unique=True))
def test_all_mistakes_are_reported_at_once(lines: list[str]) -> None:
    found = problems("\n".join([*lines, MODEL]))
    for line in lines:
        assert [MISTAKES[line] in problem for problem in found].count(True) == 1, (line, found)
    assert len(found) == len(lines)


def test_two_mistakes_in_one_rate_are_both_reported() -> None:
    found = problems('models.a = { cost_per_minute = "x", credits_per_second = "0" }')
    assert len(found) == 2


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), TEXT, st.decimals().map(str), st.dates(), st.times()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(TEXT, st.sampled_from(["cost_per_minute", "credits_per_second", "diarize", "nova-2"])),
            inner,
            max_size=3,
        ),
    ),
)
KEYS = ["date", "stripe_fee_percent", "stripe_fee_cents", "models", "languages", "addons"]


def toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{toml(str(key))} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return f"{value:.20e}" if abs(value) < float("inf") else str(value)
        case _:
            return str(value)


def check(text: str) -> None:
    """A file is read, or its mistakes are told; nothing else comes out."""
    try:
        found = load(text)
    except ConfigError as error:
        assert all(error.problems)
        return
    assert found.models
    for rate in (*found.models.values(), *found.languages.values(), *found.addons.values()):
        assert rate.micro > 0
        assert rate.cost >= 0
    with suppress(Unpriced):
        assert found.rate("nova-2", "multi", ADDONS).micro > 0


@given(st.dictionaries(st.one_of(st.sampled_from(KEYS), TEXT), VALUES, max_size=4))
def test_odd_values_are_reported_as_mistakes_only(table: dict[str, Any]) -> None:
    check("\n".join(f"{toml(key)} = {toml(value)}" for key, value in table.items()))


@given(st.data())
def test_a_damaged_file_is_reported_as_mistakes_only(data: st.DataObject) -> None:
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(BUILTIN_TEXT))] * 2)))
    middle = data.draw(st.one_of(TEXT, st.text("[]{}\"'=.,0123456789-_\n# ", max_size=5)))
    check(BUILTIN_TEXT[:begin] + middle + BUILTIN_TEXT[end:])
