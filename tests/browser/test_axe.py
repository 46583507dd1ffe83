"""axe-core's findings on every page and state, light and dark, from a small phone to a wide screen."""

from typing import Final, Literal

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.browser.states import STATES
from tests.browser.visitor import Visitor

SERIOUS: Final = {"serious", "critical"}
WIDTHS: Final = (320, 390, 1440)
SAY: Final = {"resultTypes": ["violations"]}
RULES: Final[dict[Literal["light", "dark"], dict[str, list[str]]]] = {
    "light": SAY,
    "dark": {**SAY, "runOnly": ["color-contrast"]},
}
"""All rules in light mode, and in dark mode those whose result may differ."""


@pytest.mark.parametrize("name", STATES)
async def test_pages_have_no_axe_violations_and_fit_the_screen(visitor: Visitor, name: str) -> None:
    await STATES[name].enter(visitor)
    for scheme, rules in RULES.items():
        await visitor.page.emulate_media(color_scheme=scheme)
        found = (await Axe().run(visitor.page, options=rules)).response["violations"]
        assert not [(scheme, each["id"], each["nodes"]) for each in found if each["impact"] in SERIOUS]
    for width in WIDTHS:
        await visitor.page.set_viewport_size({"width": width, "height": 844})
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
