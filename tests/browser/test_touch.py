"""Touch targets: on a phone, each is at least 24 pixels high and wide, on every page and state."""

from typing import Final

import pytest

from tests.browser.states import STATES
from tests.browser.visitor import Visitor

SMALL: Final = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .map(each => each.matches('input') && each.closest('label') || each)
    .filter(each => each.checkVisibility({visibilityProperty: true}) && !each.matches('.unseen, .skip'))
    .map(each => [each.outerHTML.slice(0, 100), each.getBoundingClientRect()])
    .filter(([, {width, height}]) => Math.min(width, height) < 24)
    .map(([html, {width, height}]) => `${Math.round(width)} x ${Math.round(height)}: ${html}`)"""
"""Returns targets that are too small. A checkbox counts with its label; the skip link is for the keyboard."""


@pytest.mark.parametrize("name", STATES)
async def test_targets_are_large_enough_for_a_finger(visitor: Visitor, name: str) -> None:
    await visitor.page.set_viewport_size({"width": 390, "height": 844})
    await STATES[name].enter(visitor)
    assert await visitor.page.evaluate(SMALL) == []
