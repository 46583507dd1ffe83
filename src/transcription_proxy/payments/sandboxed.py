"""Chooses the real Stripe or the sandbox, whose address and secrets are stored in DATA_DIR."""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from transcription_proxy import sentences
from transcription_proxy.errors import Unavailable

FOLDER: Final = "sandbox"


@dataclass(frozen=True, slots=True)
class Address:
    """How to call Stripe. `api_base` None: Stripe's own. `proxy` None: without a proxy."""

    key: str
    api_base: str | None = None
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Sandboxed:
    """Address and secrets of the sandbox. `port` 0: it has never run."""

    key: str
    webhook_secret: str
    port: int = 0
    host: str = "127.0.0.1"

    @property
    def api_base(self) -> str:
        return f"http://{self.host}:{self.port}"


def address(data_dir: Path, key: str | None, api_base: str | None, proxy: str | None) -> Address:
    """Return the real Stripe's address for a key, the sandbox's without one. Raise Unavailable if that never ran."""
    if key is not None:
        return Address(key, api_base, proxy)
    here = load(data_dir)
    if here is None:
        raise Unavailable(sentences.NO_SANDBOX)
    return Address(here.key, here.api_base)


def load(data_dir: Path) -> Sandboxed | None:
    """Return the sandbox of a DATA_DIR, or None where there has been none yet."""
    try:
        return Sandboxed(**json.loads((data_dir / FOLDER / "address.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def make(data_dir: Path) -> Sandboxed:
    """Return the sandbox of a DATA_DIR, or a new one with secrets of its own."""
    return load(data_dir) or Sandboxed(f"sk_test_{secrets.token_urlsafe(24)}", f"whsec_{secrets.token_urlsafe(24)}")


def keep(data_dir: Path, sandboxed: Sandboxed, host: str, port: int) -> Sandboxed:
    """Store where the sandbox listens now, and return it with that address."""
    here = replace(sandboxed, host=f"[{host}]" if ":" in host else host, port=port)
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / "address.json.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(here)))
    draft.replace(folder / "address.json")
    return here


def state_file(data_dir: Path) -> Path:
    return data_dir / FOLDER / "state.sqlite3"
