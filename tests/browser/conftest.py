"""One service and one headless Chromium for all browser tests. Each test has separate tabs."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.browser import chromium, microphone
from tests.browser.visitor import SITE, Visitor
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.standin.deepgram import DeepgramStandIn

HERE = Path(__file__).parent
expect.set_options(timeout=20_000)  # Playwright's 5 s are too short for a page on a machine that is busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All these tests share one event loop with the fixtures."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that any user can enter, because PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="captions-browser-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def upstream() -> AsyncIterator[Upstream]:
    async with DeepgramStandIn() as standin:
        yield Upstream(standin)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    async with serving(environment(scratch / "main", upstream.url, **SITE)) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = chromium.find_light()
    assert program, chromium.HOW_TO
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def microphone_browser(scratch: Path) -> AsyncIterator[Browser]:
    """A browser whose microphone plays SOUND from the beginning, for each page that opens it."""
    async with microphone.listening(
        microphone.keep(scratch / "sound.wav", microphone.SOUND, microphone.RATE)
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, service: Service) -> AsyncIterator[Visitor]:
    """A visitor with a new browser context, who is not logged in."""
    async with Visitor.arriving(browser, service) as arrived:
        yield arrived
