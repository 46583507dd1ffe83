"""Every sentence that people read stands in the one place for it, and every one there is used."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.unit.sentences.literals import SOURCE, STATIC, javascript, python
from transcription_proxy.web import shared_sentences

SERVICE: Final = SOURCE / "transcription_proxy"
SPEAKING: Final = ("web", "accounts", "payments", "relay", "stream", "ledger", "mail")
SENTENCE: Final = re.compile(r"[A-Z][\w']*[a-z'][^\n]* [^\n]*[.?!:]")
"""Capital first, several words, an end. SQL begins with a word in capitals."""
WORDS: Final = re.compile(r"[A-Z](?!\d)[\w']* [^\n]+")
"""In a script, a capital and a second word are enough: labels are sentences too.

A capital and a digit begin a path of SVG."""


WINDOWS: Final = SOURCE / "transcription_client" / "gui"


def test_the_windows_take_their_sentences_from_one_module() -> None:
    found = [
        each
        for path in WINDOWS.glob("*.py")
        if path.name != "sentences.py"
        for each in python(path)
        if SENTENCE.fullmatch(each.text)
    ]
    assert [f"{each.place}: move to gui/sentences.py: {each.text}" for each in found] == []


def test_the_windows_say_all_of_them() -> None:
    names = re.findall(r"^(?:def )?(\w+)(?:: Final| ?\()", (WINDOWS / "sentences.py").read_text(), re.MULTILINE)
    source = "".join(path.read_text() for path in WINDOWS.glob("*.py"))
    assert {name for name in names if not re.search(rf"sentences\.{name}\b", source)} == set()


def modules() -> Iterator[Path]:
    for folder in SPEAKING:
        yield from (SERVICE / folder).rglob("*.py")


def scripts() -> Iterator[Path]:
    yield from (path for path in STATIC.glob("*.js") if path.name != "sentences.js")


def test_the_server_takes_its_sentences_from_one_module() -> None:
    found = [each for path in modules() for each in python(path) if SENTENCE.fullmatch(each.text)]
    assert [f"{each.place}: move to sentences.py: {each.text}" for each in found] == []


def test_a_refusal_is_never_given_a_sentence_of_its_own() -> None:
    found = [each for path in modules() for each in python(path) if each.shown and " " in each.text]
    assert [f"{each.place}: move to sentences.py: {each.text}" for each in found] == []


def test_the_server_says_all_of_them() -> None:
    names = set(re.findall(r"^(?:def )?(\w+)(?:: Final| ?\()", (SERVICE / "sentences.py").read_text(), re.MULTILINE))
    source = "".join(path.read_text() for path in SERVICE.rglob("*.py"))
    assert {name for name in names if f"sentences.{name}" not in source} == set()


def test_scripts_take_their_sentences_from_one_module() -> None:
    found = [
        each
        for path in scripts()
        for each in javascript(path)
        if WORDS.fullmatch(each.text) or (each.shown and re.search(r"[A-Za-z]", each.text))
    ]
    assert [f"{each.place}: move to sentences.js: {each.text}" for each in found] == []


def test_only_one_script_formats_numbers_and_moments() -> None:
    """The others would do it in the reader's language, and not in the page's."""
    formats = re.compile(r"toLocale\w*String\(|Intl\.(?:DateTime|Number|RelativeTime|Duration|List)\w*")
    found = [path.name for path in STATIC.glob("*.js") if formats.search(path.read_text())]
    assert found == ["format.js"]


GROUP: Final = re.compile(r"^export const ([A-Z]+) = \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
ENTRY: Final = re.compile(r"^  (\w+):", re.MULTILINE)


def defined() -> set[str]:
    source = (STATIC / "sentences.js").read_text()
    return {f"{name}.{key}" for name, body in GROUP.findall(source) for key in ENTRY.findall(body)}


def test_scripts_name_only_sentences_that_are_there_and_all_of_them() -> None:
    """A name that is not there would be shown as "undefined"."""
    names = {name for name, _, _ in (entry.partition(".") for entry in defined())}
    used, whole = set[str](), set[str]()
    for path in STATIC.glob("*.js"):
        source = path.read_text()
        used |= {f"{group}.{key}" for group, key in re.findall(r"\b([A-Z]+)\.(\w+)", source) if group in names}
        whole |= {group for group in re.findall(r"\b([A-Z]+)\[", source) if group in names}
    assert used - defined() == set()
    assert {entry for entry in defined() - used if entry.partition(".")[0] not in whole} == set()


@pytest.mark.parametrize("path", list(scripts()), ids=lambda path: path.name)
def test_scripts_import_only_what_is_exported(path: Path) -> None:
    for names, module in re.findall(r'import \{([^}]*)\} from "\./([^"]+)"', path.read_text()):
        source = shared_sentences.MODULE if module == "shared-sentences.js" else (STATIC / module).read_text()
        exported = set(re.findall(r"^export (?:async )?(?:const|function|class) (\w+)", source, re.MULTILINE))
        for listed in re.findall(r"^export \{([^}]*)\}", source, re.MULTILINE):
            exported |= {name.strip() for name in listed.split(",")}
        assert {name.strip() for name in names.split(",") if name.strip()} <= exported, (path.name, module)
