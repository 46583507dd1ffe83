"""What keeps a release from being made."""

import re
from pathlib import Path

import pytest

from tools.release import ROOT, digests, objections
from transcription_wire.version import VERSION

DATED = f"# Changelog\n\n## [Unreleased]\n\n## [{VERSION}] - 2026-11-29\n"


def test_a_committed_tree_with_a_dated_changelog_can_be_released() -> None:
    assert objections(DATED, "") == []


@pytest.mark.parametrize(
    "changelog",
    ["", "## [Unreleased]\n", f"## [{VERSION}]\n", f"## [{VERSION}] - soon\n", "## [0.0.1] - 2026-11-29\n"],
)
def test_a_version_without_a_date_in_the_changelog_cannot(changelog: str) -> None:
    (problem,) = objections(changelog, "")
    assert problem.startswith("CHANGELOG.md has no line")


def test_changes_that_are_not_committed_are_in_the_way() -> None:
    assert len(objections("", " M src/x.py\n")) == 2


def test_digests_tell_builds_apart(tmp_path: Path) -> None:
    for name, text in (("one", "same"), ("two", "same"), ("three", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "wheel").write_text(text)
    assert digests(tmp_path / "one") == digests(tmp_path / "two") != digests(tmp_path / "three")


def test_documents_name_the_wheel_of_this_version() -> None:
    texts = [path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    named = {version for text in texts for version in re.findall(r"transcription_proxy-([\d.]+)-py3", text)}
    assert named == {VERSION}
