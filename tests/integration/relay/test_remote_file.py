"""Downloads from a URL that a client names: never from inside our network, also after redirects and changes of DNS."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator

import pytest

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.relay.remote_file import Address, RemoteFiles, is_public

FILE = b"audio" * 1000
LOOPBACK = ipaddress.ip_address("127.0.0.1")
PUBLIC = ipaddress.ip_address("93.184.215.14")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A web server with a file, a redirect to another name, a loop, and a missing page."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        port = writer.get_extra_info("sockname")[1]
        answers = {
            "/file": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(FILE), FILE),
            "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nabc",
            "/inside": b"HTTP/1.1 302 F\r\nLocation: http://inside:%d/file\r\nContent-Length: 0\r\n\r\n" % port,
            "/away": b"HTTP/1.1 302 F\r\nLocation: http://outside:%d/file\r\nContent-Length: 0\r\n\r\n" % port,
            "/loop": b"HTTP/1.1 302 F\r\nLocation: /loop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        }
        missing = b"HTTP/1.1 404 N\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(answers.get(path, missing))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


class Names:
    """A resolver. Only the name `inside` leads to an address that is forbidden."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.forbidden = {"inside"}

    async def resolve(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        return [LOOPBACK]

    def files(self) -> RemoteFiles:
        return RemoteFiles(self.resolve, lambda _: self.asked[-1] not in self.forbidden)


async def download(files: RemoteFiles, url: str) -> tuple[bytes, int | None]:
    async with files.open(url) as file:
        return b"".join([chunk async for chunk in file.chunks]), file.size


async def test_a_file_is_downloaded_with_its_size(port: int) -> None:
    names = Names()
    assert await download(names.files(), f"http://outside:{port}/file") == (FILE, len(FILE))
    assert names.asked == ["outside"]


async def test_a_redirect_is_followed_and_checked(port: int) -> None:
    assert await download(Names().files(), f"http://first:{port}/away") == (FILE, len(FILE))
    names = Names()
    with pytest.raises(Refusal) as refused:
        await download(names.files(), f"http://outside:{port}/inside")
    assert refused.value.message == sentences.URL_NOT_PUBLIC
    assert names.asked == ["outside", "inside"]


async def test_a_name_with_one_forbidden_address_is_refused(port: int) -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        return [PUBLIC, LOOPBACK]

    with pytest.raises(Refusal) as refused:
        await download(RemoteFiles(resolve), f"http://mixed:{port}/file")
    assert refused.value.message == sentences.URL_NOT_PUBLIC


async def test_the_address_that_was_checked_is_the_one_that_is_dialled(port: int) -> None:
    """A name that leads elsewhere the second time is not asked a second time."""
    answers = iter([[LOOPBACK]])

    async def resolve(host: str, port: int) -> list[Address]:
        return list(next(answers))

    assert (await download(RemoteFiles(resolve, lambda _: True), f"http://rebinds:{port}/file"))[0] == FILE


@pytest.mark.parametrize("path", ["/none", "/loop", "/cut"])
async def test_a_failed_download_is_refused(port: int, path: str) -> None:
    with pytest.raises(Refusal) as refused:
        await download(Names().files(), f"http://outside:{port}{path}")
    assert refused.value.code == "bad_url"


@pytest.mark.parametrize("url", ["", "http://", "ftp://example.com/a", "file:///etc/passwd", "http://[/", "no url"])
async def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(Refusal):
        await download(Names().files(), url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)  # fmt: skip
def test_these_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111"])
def test_these_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
