"""Lines of CSV, as RFC 4180 has them and as no spreadsheet runs them."""

import csv
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.web.spreadsheets import line


def test_a_line_ends_as_rfc_4180_says_and_quotes_what_needs_it() -> None:
    assert line(["a,b", 'say "hi"', "two\nlines", 3, 1.5, None]) == '"a,b","say ""hi""","two\nlines",3,1.5,\r\n'


def test_moments_are_utc_and_say_so() -> None:
    berlin = datetime(2026, 11, 28, 20, 2, 11, 999_999, timezone(timedelta(hours=1)))
    assert line([berlin, datetime(2026, 1, 1, tzinfo=UTC)]) == "2026-11-28T19:02:11Z,2026-01-01T00:00:00Z\r\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_text_that_is_a_formula_is_shown_and_not_run(text: str) -> None:
    assert next(csv.reader(StringIO(line([text]), newline=""))) == ["'" + text]


def test_a_number_below_zero_stays_a_number() -> None:
    assert line([-1, -0.5]) == "-1,-0.5\r\n"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_whatever_is_written_is_read_again(cells: list[str]) -> None:
    [read] = list(csv.reader(StringIO(line(cells), newline="")))
    assert [text.removeprefix("'") for text in read] == [text.removeprefix("'") for text in cells]
