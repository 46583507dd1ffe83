"""References to rules, such as "money 9" or "deepgram 2.3", name a rule that the documents in docs/ have."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("money", "protocol", "deepgram")
REFERENCE = re.compile(rf"\b({'|'.join(DOCUMENTS)}) (\d+(?:\.\d+)?(?:(?:-|, | and )\d+(?:\.\d+)?)*)(?!\w)")
NUMBERED = re.compile(r"^(\d+)\. ", re.MULTILINE)
SECTION = re.compile(r"^## (\d+)\. [^\n]*\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def rules(document: str) -> set[str]:
    """The numbers of a document: rules ("9"), or sections ("2") with their numbered points ("2.3")."""
    text = (ROOT / "docs" / f"{document}.md").read_text()
    sections = {number: NUMBERED.findall(body) for number, body in SECTION.findall(text)}
    if not sections:
        return set(NUMBERED.findall(text))
    return set(sections) | {f"{number}.{point}" for number, points in sections.items() for point in points}


def references(text: str) -> Iterator[tuple[str, str]]:
    """Document and number of each reference; a range such as "2-7" gives each number in it."""
    for document, numbers in REFERENCE.findall(text):
        for part in re.split(r", | and ", numbers):
            first, _, last = part.partition("-")
            for number in range(int(first), int(last) + 1) if last else [first]:
                yield document, str(number)


def sources() -> Iterator[Path]:
    for folder in ("src", "tests", "bench", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".js", ".toml", ".md"} and path != Path(__file__):
                yield path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(money 9)", [("money", "9")]),
        ("money 2-4, 7 and deepgram 1.4", [("money", str(n)) for n in (2, 3, 4, 7)] + [("deepgram", "1.4")]),
        ("protocol 1, 2 and 3.", [("protocol", "1"), ("protocol", "2"), ("protocol", "3")]),
        ("the money 9x and money", []),
    ],
)
def test_references_are_found(text: str, found: list[tuple[str, str]]) -> None:
    assert list(references(text)) == found


def test_every_reference_names_a_rule_that_exists() -> None:
    known = {document: rules(document) for document in DOCUMENTS}
    unknown = [
        f"{path.relative_to(ROOT)}: {document} {number}"
        for path in sources()
        for document, number in references(path.read_text())
        if number not in known[document]
    ]
    assert unknown == []


def test_no_reference_leads_out_of_the_repository() -> None:
    outside = re.compile(r"\b(?:contract|design|recipes|plan|style|field)(?:\.md)? \d")
    assert [str(path) for path in sources() if path.name != "plan.md" and outside.search(path.read_text())] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_rules_are_numbered_without_a_gap(document: str) -> None:
    numbers = sorted(int(number) for number in rules(document) if "." not in number)
    assert numbers[0] == 1
    assert all(after == before + 1 for before, after in pairwise(numbers))


def test_every_rule_of_money_is_referred_to_by_the_code() -> None:
    cited = {number for path in sources() for document, number in references(path.read_text()) if document == "money"}
    assert rules("money") - cited == set()
