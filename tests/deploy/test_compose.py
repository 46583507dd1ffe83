"""The compose files: settings that exist, images that are named with a version, and time for a proper end."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.settings import names
from tests.unit.settings import PRODUCTION
from transcription_proxy.config import Settings, load
from transcription_proxy.process.supervisor import GRACE_SECONDS

ROOT = Path(__file__).parents[2]
FILES = ["compose.yaml", "compose.prod.yaml"]
CHOSEN = {"DOMAIN": "captions.example.org", "POSTGRES_PASSWORD": "hunter2"}


def compose(name: str) -> dict[str, Any]:
    """Read a file as compose does, with the variables that .env has."""
    text = re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: CHOSEN[found[1]], (ROOT / name).read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def settings(name: str) -> Settings:
    app = compose(name)["services"]["app"]["environment"]
    return load({**(PRODUCTION if app.get("APP_ENV") == "production" else {}), **app, "DATA_DIR": "/nowhere-to-write"})


@pytest.mark.parametrize("name", FILES)
def test_settings_exist(name: str) -> None:
    assert set(compose(name)["services"]["app"]["environment"]) <= names()


def test_production_starts_with_them() -> None:
    loaded = settings("compose.prod.yaml")
    assert loaded.production
    assert loaded.public_url == "https://captions.example.org"
    edge = compose("compose.prod.yaml")["networks"]["edge"]["ipam"]["config"][0]["subnet"]
    assert [str(network) for network in loaded.trusted_proxies] == [edge]


@pytest.mark.parametrize("name", FILES)
def test_the_service_gets_the_time_to_end_its_sessions(name: str) -> None:
    app = compose(name)["services"]["app"]
    drain = float(app["environment"].get("DRAIN_SECONDS", 30))
    assert int(app["stop_grace_period"].removesuffix("s")) >= drain + GRACE_SECONDS


@pytest.mark.parametrize("name", FILES)
def test_volumes_networks_and_services_that_are_named_exist(name: str) -> None:
    file = compose(name)
    for service in file["services"].values():
        named = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")}
        assert named <= set(file["volumes"])
        assert set(service.get("networks", [])) <= set(file.get("networks", {}))
        assert set(service.get("depends_on", [])) <= set(file["services"])
        paths = {volume.split(":")[0] for volume in service.get("volumes", []) if volume.startswith(".")}
        assert all((ROOT / path).is_file() for path in paths - {"./settings"})  # the operator's own
        assert "image" in service or service["build"] == "."
        assert re.search(r":\d", service.get("image", ":1"))


def test_production_publishes_caddy_alone_and_limits_memory_to_a_small_server() -> None:
    services = compose("compose.prod.yaml")["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["caddy"]
    limits = [
        int(service["deploy"]["resources"]["limits"]["memory"].removesuffix("M")) for service in services.values()
    ]
    assert sum(limits) <= 512
    app = services["app"]
    assert (app["read_only"], app["cap_drop"], app["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
