"""nginx, HAProxy and Caddy with the configurations of `deploy/`, of which only addresses and files are changed."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.debian import find

DEPLOY = Path(__file__).parents[2] / "deploy"
CERTIFICATE = Path(__file__).parents[1] / "standin" / "localhost.pem"
NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include captions.conf;
}
"""


@dataclass
class Address:
    """Where a reverse proxy listens, and what for."""

    plain: int
    tls: int
    services: list[str]
    """Addresses with ports."""


class Nginx:
    """Debian's, with an nginx.conf around `deploy/nginx.conf`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def configure(self, address: Address) -> None:
        (self._folder / "nginx.conf").write_text(NGINX)
        servers = "".join(f"server {service};" for service in address.services)
        changes = {
            "listen 80;": f"listen 127.0.0.1:{address.plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{address.tls} ssl",
            "server 127.0.0.1:3000;": servers,
            "/etc/letsencrypt/live/captions.example.com/fullchain.pem": str(CERTIFICATE),
            "/etc/letsencrypt/live/captions.example.com/privkey.pem": str(CERTIFICATE),
        }
        (self._folder / "captions.conf").write_text(changed(DEPLOY / "nginx.conf", changes))

    @property
    def command(self) -> list[str]:
        return [str(find("nginx")), "-p", str(self._folder), "-c", "nginx.conf"]

    env: Mapping[str, str] = {}

    def reload(self, process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(signal.SIGHUP)


class HAProxy:
    """Debian's, in the master-worker mode that its unit uses."""

    env: Mapping[str, str] = {}

    def __init__(self, folder: Path) -> None:
        self._config = folder / "haproxy.cfg"

    def configure(self, address: Address) -> None:
        hosts = [f"    server host{n} {service} tcp-ut 15s" for n, service in enumerate(address.services, 1)]
        changes = {
            "bind :80\n": f"bind 127.0.0.1:{address.plain}\n",
            "bind :443 ssl": f"bind 127.0.0.1:{address.tls} ssl",
            "/etc/haproxy/certs/captions.pem": str(CERTIFICATE),
            "    server host1 127.0.0.1:3000 tcp-ut 15s\n": "\n".join(hosts) + "\n",
        }
        if os.geteuid() != 0:
            changes |= {"    user haproxy\n": "", "    group haproxy\n": ""}
        self._config.write_text(changed(DEPLOY / "haproxy.cfg", changes))

    @property
    def command(self) -> list[str]:
        return [str(find("haproxy")), "-W", "-f", str(self._config)]

    def reload(self, process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(signal.SIGUSR2)


class Caddy:
    """From its wheel, since Debian's is too old to keep a WebSocket through a reload."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "Caddyfile"
        self._admin = f"127.0.0.1:{free_port()}"
        self.env: Mapping[str, str] = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}

    def configure(self, address: Address) -> None:
        upstreams = " ".join(address.services)
        changes = {
            "\n{$DOMAIN:captions.example.com} {\n": f"""
{{
    admin {self._admin}
    http_port {address.plain}
    https_port {address.tls}
    skip_install_trust
}}
localhost {{
    bind 127.0.0.1
    tls {CERTIFICATE} {CERTIFICATE}
""",
            "{$UPSTREAM:127.0.0.1:3000}": upstreams,
        }
        self._config.write_text(changed(DEPLOY / "Caddyfile", changes))

    @property
    def command(self) -> list[str]:
        return [_CADDY, "run", "--adapter", "caddyfile", "--config", str(self._config)]

    def reload(self, process: "subprocess.Popen[bytes]") -> None:
        command = [_CADDY, "reload", "--adapter", "caddyfile", "--config", str(self._config), "--address", self._admin]
        subprocess.run(command, check=True, capture_output=True, timeout=30, env={**os.environ, **self.env})


Kind = type[Nginx] | type[HAProxy] | type[Caddy]
_CADDY = str(Path(sys.executable).with_name("caddy"))


class ReverseProxy:
    """A running one. `http` and `connect_options` reach it over TLS, from the address 127.0.0.2."""

    def __init__(self, kind: Kind, folder: Path, *services: str) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.address = Address(free_port(), free_port(), list(services))
        self._program = kind(folder)
        self._program.configure(self.address)
        self._log = (folder / "log").open("ab")
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), **self._program.env}
        self._process = subprocess.Popen(
            self._program.command, env=env, cwd=folder, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self.tls = ssl.create_default_context(cafile=str(CERTIFICATE))
        transport = httpx.AsyncHTTPTransport(verify=self.tls, local_address="127.0.0.2")
        self.http = httpx.AsyncClient(transport=transport, timeout=10)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.address.tls}"

    @property
    def ws_url(self) -> str:
        return f"wss://localhost:{self.address.tls}"

    async def answers(self, url: str) -> None:
        """Wait until it answers there."""
        async with asyncio.timeout(20):
            while True:
                assert self._process.poll() is None, self._read_log()
                with contextlib.suppress(httpx.TransportError):
                    if (await self.http.get(f"{url}/ready")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    def _read_log(self) -> str:
        return Path(self._log.name).read_text()

    async def move(self) -> None:
        """Reload with other ports, which proves that the reload happened: the old ones are closed."""
        old = self.address.tls
        self.address.plain, self.address.tls = free_port(), free_port()
        self._program.configure(self.address)
        await asyncio.to_thread(self._program.reload, self._process)
        await self.answers(self.url)
        async with asyncio.timeout(20):
            while _listens(old):
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self.http.aclose()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            await asyncio.to_thread(self._process.wait, 5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()


@contextlib.asynccontextmanager
async def proxying(kind: Kind, folder: Path, *services: int | str) -> AsyncIterator[ReverseProxy]:
    """Run a reverse proxy before services, on these ports of this machine or at these addresses."""
    addresses = [f"127.0.0.1:{service}" if isinstance(service, int) else service for service in services]
    proxy = ReverseProxy(kind, folder, *addresses)
    try:
        await proxy.answers(proxy.url)
        yield proxy
    finally:
        await proxy.close()


def changed(file: Path, changes: Mapping[str, str]) -> str:
    """Return a file's text with changes, each of which must find its place exactly once."""
    text = file.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, f"{file.name}: {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
