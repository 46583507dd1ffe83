"""The settings in the user's YAML file. Comments and unknown keys survive a save; secrets move to the secret store."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from transcription_client.engine.managed import expiry
from transcription_client.errors import ClientError
from transcription_client.files import replace_file, writing
from transcription_client.secret_store import SecretStore, folder
from transcription_client.store import Login, Store

NAME: Final = "config.yaml"
BYOK_KEY: Final = "byok_api_key"
SECRETS: Final = ("auth_token", "refresh_token", BYOK_KEY)
"""Keys of `remote` that never stay in the file."""
NEVER: Final = 2.0**40
"""When a token expires that does not say so, in seconds since 1970."""
Section = dict[str, Any]
Changes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check of a value, and the words that say what the value must be."""

    wanted: str
    holds: Callable[[Any], bool]


def _one_of(*names: str) -> Rule:
    return Rule(f"one of {', '.join(names)}", lambda value: value in names)


def _from_to(least: int, most: int) -> Rule:
    return Rule(
        f"a whole number from {least:,} to {most:,}", lambda value: type(value) is int and least <= value <= most
    )


TEXT: Final = Rule("text", lambda value: isinstance(value, str))
FLAG: Final = Rule("true or false", lambda value: isinstance(value, bool))
COLOR: Final = Rule(
    'a color like "#ffffff"', lambda value: isinstance(value, str) and bool(re.fullmatch("#[0-9a-fA-F]{6}", value))
)
RULES: Final[dict[str, dict[str, Rule]]] = {
    "remote": {
        "mode": _one_of("local", "managed", "byok"),
        "fallback": Rule('local or ""', ("", "local").__contains__),
    },
    "captions": {
        "size": _from_to(12, 160),
        "lines": _from_to(1, 12),
        "color": COLOR,
        "background": COLOR,
        "opacity": _from_to(0, 100),
        "always_on_top": FLAG,
    },
    "window": {"theme": _one_of("system", "light", "dark")},
    "overlay": {"enabled": FLAG, "port": _from_to(1024, 65_535)},
}
"""By section and key. All other keys of the defaults are text; keys that are not among them may be anything."""


@dataclass
class Config:
    """The settings as they are: the file's values over the defaults. `problems`: sentences about what was wrong."""

    path: Path
    sections: dict[str, Section]
    problems: list[str] = field(default_factory=list)
    is_new: bool = False

    @classmethod
    def load(cls, directory: Path | None = None) -> "Config":
        """Read the settings. A broken file is set aside, and a wrong value gives way to the default."""
        path = (directory or folder()) / NAME
        problems: list[str] = []
        document, is_new = _read(path, problems)
        sections = {
            name: _merged(name, defaults, document.get(name), problems) for name, defaults in _defaults().items()
        }
        return cls(path, sections, problems, is_new)

    def save(self, changes: Changes) -> None:
        """Change some values in the file as it is now, which may have been edited meanwhile. Raise ClientError."""
        document, _ = _read(self.path, self.problems)
        for name, section in changes.items():
            if not isinstance(document.get(name), dict):
                document[name] = {}
            document[name].update(section)
            self.sections.setdefault(name, {}).update(section)
        out = io.BytesIO()
        _yaml().dump(document, out)
        replace_file(self.path.resolve(), out.getvalue())  # a link stays one
        self.is_new = False

    def take_problems(self) -> str:
        """Return the sentences about what was wrong, a line for each, and forget them."""
        told = "\n".join(self.problems)
        self.problems.clear()
        return told

    def move_secrets(self, secrets: SecretStore, store: Store) -> None:
        """Move tokens and keys from the file to the secret store, and say so among the problems."""
        remote = self.sections["remote"]
        found = {name: value for name in SECRETS if (value := str(remote.get(name) or ""))}
        if not found:
            return
        try:
            if BYOK_KEY in found:
                secrets.set(BYOK_KEY, found[BYOK_KEY])
            if "auth_token" in found and store.load() is None:
                store.save(_login(remote))
            self.save({"remote": dict.fromkeys(found, "")})
        except ClientError as error:
            self.problems.append(f"{self.path.name} holds {_listed(found)}, which can't be moved. {error}")
        else:
            self.problems.append(f"Moved {_listed(found)} out of {self.path.name}. {secrets.place()}")


def engine_config(remote: Mapping[str, Any], secrets: SecretStore, store: Store) -> Section:
    """Return the config of an engine: the `remote` settings, with the tokens and the key. Raise ClientError."""
    login = store.load() if remote.get("mode") == "managed" else None
    config = dict(remote)
    if login is not None and same_server(login.server, str(remote.get("server_url", ""))):
        config |= {"server_url": login.server, "auth_token": login.token, "refresh_token": login.refresh_token}
    if remote.get("mode") == "byok":
        config[BYOK_KEY] = secrets.get(BYOK_KEY) or ""
    return config


def same_server(one: str, other: str) -> bool:
    """Return whether two addresses name the same server."""
    return one.strip().rstrip("/").lower() == other.strip().rstrip("/").lower()


def _login(remote: Mapping[str, Any]) -> Login:
    token, refresh_token = str(remote["auth_token"]), str(remote.get("refresh_token") or "")
    server = str(remote.get("server_url", "")).rstrip("/")
    return Login(server, "", token, refresh_token, expires_at(token))


def expires_at(token: str) -> float:
    """Return when a token expires, in seconds since 1970. JSON has no infinity."""
    return min(expiry(token), NEVER)


def _listed(found: Mapping[str, str]) -> str:
    return "a Deepgram key" if list(found) == [BYOK_KEY] else "a login and a key" if BYOK_KEY in found else "a login"


def _read(path: Path, problems: list[str]) -> tuple[Any, bool]:
    """Return the file's mapping, or that of the defaults, and whether the latter."""
    try:
        return _parsed(path.read_bytes()), False
    except FileNotFoundError:
        pass
    except OSError as error:
        problems.append(f"Can't read {path} ({error.strerror}). Using the default settings.")
    except (YAMLError, ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError
        problems.append(_set_aside(path, error))
    return _parsed(_default_file()), True


def _parsed(content: bytes) -> Any:
    document = _yaml().load(content)
    if document is None:
        return _yaml().load(b"{}\n") if not content.strip() else _yaml().load(_default_file())
    if not isinstance(document, dict):
        raise ValueError("it holds no settings")
    return document


def _set_aside(path: Path, error: Exception) -> str:
    """Rename a broken file, and return the sentence about it."""
    aside = path.with_name(f"{path.stem}.broken-{datetime.now(UTC):%Y%m%d-%H%M%S}{path.suffix}")
    with writing(path.parent):
        path.replace(aside)
    mark = getattr(error, "problem_mark", None)
    line = f" (line {mark.line + 1})" if mark is not None else ""
    return f"{path.name} couldn't be read{line}. It's now {aside}, and you start with the default settings."


def _merged(name: str, defaults: Section, given: Any, problems: list[str]) -> Section:
    """Return a section: what the file gives where it is right, and else the default."""
    if given is not None and not isinstance(given, dict):
        problems.append(f"{NAME}: {name} isn't a list of settings. Using the defaults.")
        given = None
    return {**defaults, **dict(_right(name, defaults, given or {}, problems))}


def _right(name: str, defaults: Section, given: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, Any]]:
    for key, read in given.items():
        value = _plain(read)
        rule = RULES.get(name, {}).get(key, TEXT)
        if key not in defaults or rule.holds(value):
            yield key, value
        elif value is not None:
            problems.append(f"{NAME}: {name}.{key} must be {rule.wanted}. Using {_shown(defaults[key])}.")


def _plain(value: Any) -> Any:
    """Return a value without ruamel.yaml's own types, which remember quotes and comments, and which JSON has not."""
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    kind = next((kind for kind in (ScalarBoolean, str, int, float) if isinstance(value, kind)), None)
    if kind is None or isinstance(value, bool):
        return value
    return bool(value) if kind is ScalarBoolean else kind(value)


def _shown(value: Any) -> str:
    return json.dumps(value)


def _defaults() -> dict[str, Section]:
    defaults: dict[str, Section] = _plain(_yaml().load(_default_file()))
    return defaults


def _default_file() -> bytes:
    return files("transcription_client").joinpath("default_config.yaml").read_bytes()


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096  # so that no long line is folded
    return yaml
