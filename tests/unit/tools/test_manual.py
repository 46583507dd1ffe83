"""The documentation's site: its generated pages, its navigation, and links that would lead nowhere."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec import UnsetType

from tools.manual import commands, configuration, http, sockets
from tools.manual.configuration import sections_of
from tools.manual.markdown import table
from tools.manual.site import NAVIGATION, ROOT, assemble, navigation, within_the_site
from tools.manual.sockets import json_type
from transcription_proxy.payments.translate import NEEDED
from transcription_proxy.stream.options import CHECKS
from transcription_wire.codes import ErrorCode, Reason


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assemble(folder)
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "zensical.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)


def test_the_site_has_no_broken_link_and_a_broken_one_would_be_found(site: Path) -> None:
    done = build(site)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index", "tutorial", "reference/http", "reference/configuration", "decisions/0001-embedded-postgres"):
        assert (site / "site" / f"{page}.html").is_file()
    with (site / "docs/index.md").open("a") as index:
        index.write("\n[gone](gone.md)\n")
    assert build(site).returncode != 0


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"?(https?:[^\" >]+)")
    build(site)
    pages = list((site / "site").rglob("*.html"))
    assert pages
    assert {url for page in pages for url in loaded.findall(page.read_text())} == set()


def test_every_page_has_one_place(site: Path) -> None:
    placed = [name for names in navigation(site / "docs").values() for name in names]
    assert sorted(placed) == sorted(str(path.relative_to(site / "docs")) for path in (site / "docs").rglob("*.md"))


def test_the_navigation_names_only_pages_that_exist(site: Path) -> None:
    assert [name for names in NAVIGATION.values() for name in names if not (site / "docs" / name).exists()] == []


def test_every_request_message_setting_and_command_is_in_the_reference() -> None:
    assert {"`POST /auth/register`", "`GET /health`", "`POST /account/keys`"} <= set(re.findall("`.+?`", http.render()))
    socket_page = sockets.render()
    for name in (*ErrorCode, *Reason, *CHECKS, '{"type":"ready"}', '{"type":"stop"}', '{"event":"line"}'):
        assert f"`{name}`" in socket_page
    settings = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert re.findall(r"^\| `(\w+)`", configuration.render(), re.MULTILINE) == settings
    command_page = commands.render()
    for command in ("transcription-proxy serve", "transcription-proxy user list", "transcription-client transcribe"):
        assert f"### `{command}`" in command_page
    assert "Traceback" not in command_page


def test_a_setting_has_its_default_its_range_and_its_comment() -> None:
    assert "| `DRAIN_SECONDS` | `30` | a number from 0 to 3600 | How long SIGTERM waits" in configuration.render()


def test_every_setting_has_a_meaning() -> None:
    assert re.findall(r"^\| `(\w+)` .*\|  \|$", configuration.render(), re.MULTILINE) == []


def test_a_comment_of_the_example_belongs_to_the_next_setting_only() -> None:
    example = "# head\n# --- First: remark\n# one\n# two\nA=1\n#B=2\n\n# loose\n\n# --- Second\nC=\n"
    assert list(sections_of(example)) == [
        ("First", "Remark. Loose.", [("A", "1", "one two"), ("B", "", "")]),
        ("Second", "", [("C", "", "")]),
    ]


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (str, "string"),
        (float | None, "number or null"),
        (int | UnsetType, "whole number"),
        (list[int], "list of whole number"),
        (dict[str, Any], "object"),
        (Literal["a", "b"], '`"a"` or `"b"`'),
        (Any, "any"),
    ],
)
def test_types_read_as_json(hint: Any, words: str) -> None:
    assert json_type(hint) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[log](../CHANGELOG.md)", "[log](CHANGELOG.md)"),
        ("[money](docs/money.md#prices)", "[money](money.md#prices)"),
        ("[manifests](../deploy/kubernetes/)", "manifests"),
        ("[Stripe](https://stripe.com)", "[Stripe](https://stripe.com)"),
        ("[below](#prices)", "[below](#prices)"),
        ("[typo](mony.md)", "[typo](mony.md)"),
    ],
)
def test_links_lead_to_pages_of_the_site_or_become_text(text: str, shown: str, tmp_path: Path) -> None:
    for name in ("CHANGELOG.md", "money.md"):
        (tmp_path / name).touch()
    assert within_the_site(text, tmp_path, tmp_path) == shown


def test_what_is_in_a_cell_neither_ends_it_nor_is_html() -> None:
    assert table(["A"], [["x|y\nz"]]) == "| A |\n| --- |\n| x\\|y z |\n"
    assert table(["A"], [["<b> `<c>`"]]).endswith("| &lt;b> `<c>` |\n")
    assert table(["A"], []) == ""


def test_the_guide_to_stripe_lists_the_events_that_are_needed() -> None:
    (listed,) = re.findall(r"```text\n(.*?)```", (ROOT / "docs/stripe.md").read_text(), re.DOTALL)
    assert listed.split() == list(NEEDED)
