"""The overlay: live words on a transparent page that its URL describes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.browser.lives import HOSTILE
from tests.browser.speaker import proxied, said, speaking, stop, used
from tests.browser.visitor import Visitor
from tests.e2e.client import Captions, User, sound
from tests.e2e.overlay import address, key
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream, words
from tests.standin.script import Script
from tests.waiting import until

INJECTIONS: Final = [
    "red;background:url(//evil.example/x)", "url(https://evil.example)", "expression(alert(1))", "</style><script>",
    "var(--x)", "ffffff}", "fff", "1e3", "-1", "48.5", "0x20", "٤٨", "999", "48px", " 48", "48\n", "", "true",
    "__proto__", "constructor",
]  # fmt: skip
"""Values that no parameter allows."""
SOCKET: Final = "**/ws/overlay"
BREAKS: Final = """([module, look]) => {
    const place = document.getElementById('overlay');
    const overlay = new module.Overlay(place, look.read(new URLSearchParams('size=40&width=50&lines=3&fade=0')));
    const words = Array.from({length: 400}, (_, n) => 'abcdefghijklm'.slice(0, 1 + (n * 7) % 13) + n);
    const begins = new Set(), seen = [];
    let most = 0;
    for (let n = 0; n < words.length; n += 5) {
        for (let more = 1; more <= 5; more++) {
            const text = words.slice(n, n + more).join(' ');
            overlay.line({session: 's', text, is_final: more === 5});
            const pieces = [...place.querySelectorAll('.said span')].filter(piece => piece.textContent.trim());
            const voice = place.querySelector('.voice').getBoundingClientRect();
            let line = null;
            const now = [];
            for (const piece of pieces) {
                const top = piece.getClientRects()[0].top;
                if (top !== line && top >= voice.top) now.push(piece.textContent);
                line = top;
            }
            seen.push(now);
            most = Math.max(most, pieces.length);
        }
    }
    return {seen, most, height: place.querySelector('.voice').getBoundingClientRect().height};
}"""
"""Shows 400 words one by one, five in each final. Returns the first words of the visible lines after each."""


@asynccontextmanager
async def watching(visitor: Visitor, url: str, **look: Any) -> AsyncIterator[Page]:
    """Open an overlay in a new tab, and wait until the service has accepted it."""
    page = await visitor.context.new_page()
    query = "&".join(f"{name}={value}" for name, value in look.items())
    async with let_in(page):
        await page.goto(url.replace("#", f"?{query}#"))
    yield page
    await page.close()


@asynccontextmanager
async def let_in(page: Page) -> AsyncIterator[None]:
    """Wait after the block for the first message on a socket that the page opened during it."""
    heard = asyncio.Event()
    page.once("websocket", lambda socket: socket.on("framereceived", lambda _: heard.set()))
    yield
    await asyncio.wait_for(heard.wait(), 10)


async def shows(page: Page, text: str) -> None:
    await expect(page.locator(".said").first).to_have_text(text, timeout=10_000)


async def talk(service: Service, user: User, config: Any = None) -> Captions:
    captions = await service.captions(user, config)
    await captions.ready()
    return captions


async def style(page: Page, selector: str, *names: str) -> list[str]:
    found: list[str] = await page.locator(selector).first.evaluate(
        "(element, names) => names.map(name => getComputedStyle(element)[name])", names
    )
    return found


async def test_the_overlay_shows_captions_from_any_worker(
    microphone_browser: Browser, scratch: Path, upstream: Upstream
) -> None:
    async with serving(environment(scratch / "two", upstream.url, WORKERS="2")) as service, AsyncExitStack() as stack:
        user = await service.user()
        visitor = await stack.enter_async_context(speaking(microphone_browser, service, user))
        url = await address(service, user)
        pages = [await stack.enter_async_context(watching(visitor, url)) for _ in range(4)]
        await visitor.press("Start")
        await used(visitor, 4)
        await stop(visitor)
        told = await said(visitor)
        assert told.startswith(words(6))
        for page in pages:
            await shows(page, told)


async def test_ten_overlays_do_not_block_the_site_in_one_browser(visitor: Visitor, service: Service) -> None:
    """A browser opens six HTTP connections to a host. The seventh page used to hang, and so did the dashboard."""
    user = await service.user()
    await visitor.become(user)
    url = await address(service, user)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(watching(visitor, url)) for _ in range(10)]
        await visitor.goto("/dashboard")
        await expect(visitor.page.locator("#balance")).to_contain_text("60")
        captions = await talk(service, user)
        await captions.send(sound(2))
        for page in pages:
            await shows(page, words(4))
        await captions.stop()


async def test_words_become_final_in_place_and_sessions_are_stacked(
    visitor: Visitor, service: Service, upstream: Upstream
) -> None:
    user = await service.user()
    async with watching(visitor, await address(service, user), fade=3) as page:
        assert await style(page, "html", "backgroundColor") == ["rgba(0, 0, 0, 0)"]
        assert await style(page, "body", "backgroundColor", "overflow") == ["rgba(0, 0, 0, 0)", "hidden"]
        await expect(page.locator("body")).to_have_text("")
        one = await talk(service, user, upstream.scripted(Script(word="one")))
        await one.send(sound(1.5))
        await shows(page, "one0 one1 one2")
        await one.send(sound(0.5))
        await shows(page, "one0 one1 one2 one3")
        two = await talk(service, user, upstream.scripted(Script(word="two")))
        await two.send(sound(0.5))
        await expect(page.locator(".said")).to_have_text(["one0 one1 one2 one3 ", "two0 "])
        await one.send(sound(0.5))
        await expect(page.locator(".said")).to_have_text(["one0 one1 one2 one3 one4 ", "two0 "])
        await expect(page.locator(".voice")).to_have_count(0)
        await one.send(sound(0.5))
        await shows(page, "one4 one5")
        await one.stop()
        await two.stop()
        await expect(page.locator(".voice")).to_have_count(0)


async def test_a_session_that_follows_another_takes_its_place(
    visitor: Visitor, service: Service, upstream: Upstream
) -> None:
    user = await service.user()
    async with watching(visitor, await address(service, user), fade=0) as page:
        one = await talk(service, user, upstream.scripted(Script(word="one")))
        await one.send(sound(2))
        await shows(page, "one0 one1 one2 one3")
        two = await service.captions(user, upstream.scripted(Script(word="two")), replaces=one.session_id)
        await two.ready()
        assert (await one.end())["reason"] == "replaced"
        await shows(page, "one0 one1 one2 one3")
        await two.send(sound(1))
        await expect(page.locator(".said")).to_have_text(["two0 two1 "])
        await two.stop()


async def test_visible_lines_never_rewrap_and_old_ones_are_removed(visitor: Visitor) -> None:
    await visitor.goto("/overlay")
    modules = [f"import('/static/overlay-{name}.js')" for name in ("words", "style")]
    found = await visitor.page.evaluate(f"Promise.all([{', '.join(modules)}]).then({BREAKS})")
    for before, after in zip(found["seen"], found["seen"][1:], strict=False):
        assert after[: len(before)] == before or after[: len(before) - 1] == before[1:], (before, after)
    assert {len(seen) for seen in found["seen"][100:]} == {3}
    assert found["most"] < 120
    assert found["height"] == pytest.approx(3 * 1.35 * 40, abs=1)


async def test_the_overlay_follows_its_urls_style(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    look = {
        "font": "serif", "size": 30, "color": "ff8000", "opacity": 50, "background": "102030", "background_opacity": 20,
        "lines": 4, "width": 50, "position": "top-right", "align": "center", "upper": 1, "outline": 2,
    }  # fmt: skip
    async with watching(visitor, await address(service, user), **look) as page:
        await page.set_viewport_size({"width": 1000, "height": 600})
        captions = await talk(service, user)
        await captions.send(sound(2))
        await shows(page, words(4))
        assert await style(page, ".said", "color", "backgroundColor", "textTransform", "fontSize", "textAlign") == [
            "rgba(255, 128, 0, 0.5)", "rgba(16, 32, 48, 0.2)", "uppercase", "30px", "center",
        ]  # fmt: skip
        (font, shadow) = await style(page, ".said", "fontFamily", "textShadow")
        assert font.startswith("Georgia")
        assert shadow.startswith("rgb(0, 0, 0) 2px 0px 0px, rgb(0, 0, 0) -2px 0px 0px")
        assert await style(page, ".voice", "maxHeight", "width") == ["162px", "470px"]
        box = await page.locator(".voice").bounding_box()
        assert box is not None
        assert (round(box["x"]), round(box["y"])) == (500, 30)
        await captions.stop()


async def test_invalid_parameters_are_ignored(visitor: Visitor) -> None:
    await visitor.goto("/billing/cancel")
    read = "queries => import('/static/overlay-style.js').then(m => queries.map(q => m.read(new URLSearchParams(q))))"
    (usual,) = await visitor.page.evaluate(read, [""])
    assert usual == {
        "font": "sans", "size": 48, "color": "ffffff", "opacity": 100, "background": "000000", "background_opacity": 75,
        "lines": 2, "width": 80, "position": "bottom", "align": "left", "upper": False, "outline": 0, "fade": 8,
        "mask": False,
    }  # fmt: skip
    queries = [[[name, value]] for name in [*usual, "x", "__proto__"] for value in INJECTIONS]
    assert all(style == usual for style in await visitor.page.evaluate(read, queries))
    bounds = {"size": (12, 200), "opacity": (10, 100), "background_opacity": (0, 100), "lines": (1, 10)}
    bounds |= {"width": (10, 100), "outline": (0, 10), "fade": (0, 600)}
    for name, (least, most) in bounds.items():
        given = [least - 1, least, most, most + 1]
        read_back = await visitor.page.evaluate(read, [[[name, str(value)]] for value in given])
        assert [each[name] for each in read_back] == [usual[name], least, most, usual[name]]


async def test_neither_words_nor_parameters_become_markup(
    visitor: Visitor, service: Service, upstream: Upstream
) -> None:
    user = await service.user()
    hostile = "red;background:url(//evil.example)</style><script>alert(1)</script>"
    async with watching(visitor, await address(service, user), color=hostile, font=hostile) as page:
        await page.set_viewport_size({"width": 390, "height": 300})
        captions = await talk(service, user, upstream.scripted(Script(word=HOSTILE)))
        await captions.send(sound(1))
        await expect(page.locator(".said")).to_contain_text(f"{HOSTILE}1")
        assert await style(page, ".voice p", "direction") == ["ltr"]
        assert await page.locator("main img, script:not([src])").count() == 0
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        assert await style(page, ".said", "color") == ["rgb(255, 255, 255)"]
        await captions.stop()


async def test_right_to_left_text_is_shown_right_to_left(
    visitor: Visitor, service: Service, upstream: Upstream
) -> None:
    user = await service.user()
    async with watching(visitor, await address(service, user)) as page:
        captions = await talk(service, user, upstream.scripted(Script(word="שלום")))
        await captions.send(sound(1))
        await expect(page.locator(".said")).to_contain_text("שלום1")
        assert await style(page, ".voice p", "direction") == ["rtl"]
        await captions.stop()


async def test_swear_words_are_masked_on_request(visitor: Visitor, service: Service, upstream: Upstream) -> None:
    user = await service.user()
    url = await address(service, user)
    config = upstream.scripted(Script(word="Damn, classy ass "))
    async with watching(visitor, url, mask=1) as masked, watching(visitor, url) as plain:
        captions = await talk(service, user, config)
        await captions.send(sound(1))
        await shows(masked, "D***, classy a** 0 D***, classy a** 1")
        await shows(plain, "Damn, classy ass 0 Damn, classy ass 1")
        await captions.stop()
    for text, wanted in {
        "FUCKING hell, Motherfucker!": "F****** hell, M***********!",
        "Scunthorpe, Dickens, assess, shiitake, class": "Scunthorpe, Dickens, assess, shiitake, class",
        "what a dick. Dicks…": "what a d***. D****…",
    }.items():
        call = "text => import('/static/overlay-mask.js').then(module => module.masked(text))"
        await visitor.goto("/billing/cancel")
        assert await visitor.page.evaluate(call, text) == wanted


async def test_a_lost_stream_is_reopened_silently(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    url = await address(service, user)
    captions = await talk(service, user)
    async with proxied(service) as (proxy, there):
        page = await visitor.context.new_page()
        async with let_in(page):
            await page.goto(f"{there.url}/overlay#{key(url)}")
        await captions.send(sound(2))
        await shows(page, words(4))
        async with let_in(page):
            for link in list(proxy.links):
                link.cut()
        await expect(page.locator("#says")).to_be_hidden()
        await captions.send(sound(2))
        await shows(page, words(8))
        await page.close()
    await captions.stop()
    visitor.requests = [request for request in visitor.requests if not request.url.startswith(there.url)]


async def test_reconnects_to_a_silent_service_back_off(visitor: Visitor) -> None:
    clock = visitor.page.clock
    await clock.install()
    opened: list[WebSocketRoute] = []
    await visitor.page.route_web_socket(SOCKET, lambda socket: opened.append(socket))  # noqa: PLW0108 - it is marked
    await visitor.goto("/overlay#a-key")
    await until(lambda: len(opened) == 1)
    await clock.run_for(44_000)
    assert len(opened) == 1
    await clock.run_for(2000)
    await until(lambda: len(opened) == 2)
    for _ in range(200):
        await opened[-1].close()
        await clock.run_for(1000)
    assert 5 < len(opened) < 25
    await expect(visitor.page.locator("body")).to_have_text("")


@pytest.mark.parametrize(
    ("code", "says"),
    [("too_many_watchers", "10 pages show these captions already: close one."), ("service_unavailable", "")],
)
async def test_a_problem_that_the_owner_can_fix_is_shown_for_a_while(
    visitor: Visitor, service: Service, code: str, says: str
) -> None:
    url = await address(service, await service.user())
    opened: list[WebSocketRoute] = []

    async def refuse_twice(socket: WebSocketRoute) -> None:
        opened.append(socket)
        if len(opened) > 2:
            socket.connect_to_server()
            return
        error = {"code": code, "message": "10 pages show these captions already: close one."}
        socket.send(json.dumps({"event": "error", "error": error}))
        await socket.close()

    await visitor.page.route_web_socket(SOCKET, refuse_twice)
    await visitor.page.goto(url)
    await expect(visitor.page.locator("#says")).to_have_text(says)
    await until(lambda: len(opened) == 3)
    await expect(visitor.page.locator("#says")).to_be_hidden()


@pytest.mark.parametrize("fragment", ["", "#", "#a%20key", "#ключ"])
async def test_an_incomplete_url_is_explained(visitor: Visitor, fragment: str) -> None:
    await visitor.goto(f"/overlay{fragment}")
    await visitor.says("This overlay URL is incomplete. Copy it again from the Overlay page of your account.")
    assert visitor.sockets == []


async def test_only_the_overlay_may_be_framed(browser: Browser, service: Service) -> None:
    url = await address(service, await service.user())
    frames = "".join(f'<iframe src="{each}"></iframe>' for each in (url, f"{service.url}/register"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{frames}".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as another:
        context = await browser.new_context()
        page = await context.new_page()
        async with let_in(page):
            await page.goto(f"http://127.0.0.1:{another.sockets[0].getsockname()[1]}/")
        await expect(page.frame_locator("iframe").first.locator("#overlay")).to_be_attached()
        assert [frame.url.partition("#")[0] for frame in page.frames[1:]] == [
            f"{service.url}/overlay",
            "chrome-error://chromewebdata/",
        ]
        await context.close()
