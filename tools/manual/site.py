"""Puts the site together: the texts of docs/, the generated pages, and the navigation over both."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tools.manual import commands, configuration, http, sockets

ROOT: Final = Path(__file__).parents[2]
REFERENCE: Final = {
    "reference/http.md": http.render,
    "reference/sockets.md": sockets.render,
    "reference/configuration.md": configuration.render,
    "reference/commands.md": commands.render,
}
COPIED: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Files of the project's folder that are pages too."""
NAVIGATION: Final[dict[str, tuple[str, ...]]] = {
    "Start": ("index.md", "tutorial.md"),
    "How-to guides": (),
    "Reference": (*REFERENCE, "protocol.md", "deepgram.md", "glossary.md", "CHANGELOG.md"),
    "Explanation": (
        *("architecture.md", "money.md", "chaos.md", "scale.md", "benchmarks.md", "plan.md"),
        *("CONTRIBUTING.md", "SECURITY.md"),
    ),
    "Decisions": (),
}
"""The sections. Records of decisions go into the last; any other page that is not named is a how-to guide."""
LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
EXTERNAL: Final = re.compile(r"[a-z]+:|#")


def assemble(folder: Path) -> None:
    """Write the site's pages and pictures, and zensical.toml beside them, into a new folder."""
    pages = folder / "docs"
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("preview"))
    for name in COPIED:
        shutil.copy(ROOT / name, pages / name)
    for path in pages.rglob("*.md"):
        path.write_text(within_the_site(path.read_text(), path.parent, pages))
    (pages / "reference").mkdir()
    for name, render in REFERENCE.items():
        (pages / name).write_text(render())
    (folder / "zensical.toml").write_text(_config(navigation(pages)))


def within_the_site(text: str, here: Path, pages: Path) -> str:
    """Point links at the site's copies of files, and turn links to other files of the project into their text.

    A link to a page that does not exist stays, and fails the build."""

    def link(match: re.Match[str]) -> str:
        picture, label, target = match.groups()
        path, _, anchor = target.partition("#")
        if EXTERNAL.match(target) or ((here / path).resolve().is_relative_to(pages) and (here / path).exists()):
            return match[0]
        name = path.removeprefix("../").removeprefix("docs/")
        if (pages / name).is_file():
            return f"{picture}[{label}]({name}{'#' if anchor else ''}{anchor})"
        outside = not (here / path).resolve().is_relative_to(pages) or (ROOT / path).exists()
        return label if outside else match[0]

    return LINK.sub(link, text)


def navigation(pages: Path) -> dict[str, list[str]]:
    """Return the pages of each section. Every page has a place; one that does not exist is left out."""
    found = sorted(str(path.relative_to(pages)) for path in pages.rglob("*.md"))
    decisions = [name for name in found if name.startswith("decisions/")]
    named = {name for names in NAVIGATION.values() for name in names}
    rest = [name for name in found if name not in named and name not in decisions]
    more = {"How-to guides": rest, "Decisions": decisions}
    return {
        section: [*(name for name in names if name in found), *more.get(section, [])]
        for section, names in NAVIGATION.items()
    }


def _config(sections: Mapping[str, list[str]]) -> str:
    """Return zensical.toml. JSON strings and lists are TOML too; `font = false`: nothing is loaded from elsewhere."""
    settings: dict[str, Any] = {
        "site_name": "transcription-proxy",
        "site_description": "Live captions over Deepgram with prepaid minutes, exact to the second",
        "docs_dir": "docs",
        "site_dir": "site",
        "use_directory_urls": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    nav = ",\n".join(f"  {{ {json.dumps(section)} = {json.dumps(names)} }}" for section, names in sections.items())
    theme = ["[project.theme]", "font = false", 'features = ["navigation.sections", "content.code.copy"]']
    return "\n".join(["[project]", *lines, f"nav = [\n{nav}\n]", "", *theme, ""])
