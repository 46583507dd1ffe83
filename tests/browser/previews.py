"""Renders the link preview and the touch icon from docs/preview/: `python -m tests.browser.previews`.

Reduce preview.png to 256 colours before you commit it: some apps show no picture above 300 KB."""

import asyncio
from pathlib import Path
from typing import Final

from playwright.async_api import async_playwright

from tests.browser import chromium
from transcription_proxy.web.frame import PICTURE_SIZE
from transcription_proxy.web.pages import STATIC

SOURCES: Final = Path(__file__).parents[2] / "docs" / "preview"
SIZES: Final = {"preview": PICTURE_SIZE, "touch-icon": (180, 180)}


async def main() -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        for name, (width, height) in SIZES.items():
            page = await browser.new_page(viewport={"width": width, "height": height})
            await page.goto((SOURCES / f"{name}.html").as_uri())
            await page.screenshot(path=STATIC / f"{name}.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
