"""Settings from environment variables or the project's `.env`, checked together, so that every mistake is reported.

Only the programs that start things (cli, supervisor, worker) read them. All other modules get plain arguments."""

import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final, Literal, TypeVar

from dotenv import dotenv_values

from transcription_proxy import urls
from transcription_proxy.errors import ConfigError
from transcription_proxy.secret_files import SECRETS, UnusableSecret, file_setting, secret
from transcription_proxy.setting_values import (
    address,
    between,
    duration,
    identifier,
    mailbox,
    networks,
    one_of,
    parts,
    site_name,
    smtp,
)
from transcription_wire.proxies import HTTP, UnusableProxy, choose, named

EXAMPLE_JWT_SECRET: Final = "changeme_use_long_random_string"  # noqa: S105 - refused, not used
T = TypeVar("T")


def project_folder(source: Path, env: Mapping[str, str]) -> Path:
    """Return the folder of `.env` and `.data`: the checkout that `source` is in, else one of the user's own."""
    if (source.parent / "pyproject.toml").is_file():
        return source.parent
    try:
        share = Path(env.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    except RuntimeError:  # a user without a home, such as systemd's DynamicUser
        share = Path.cwd()
    return share / "transcription-proxy"


PROJECT: Final = project_folder(Path(__file__).resolve().parents[1], os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. One that is not set is None, or an empty tuple."""

    host: str
    port: int
    production: bool
    data_dir: Path
    database_url: str | None
    database_schema: str | None
    public_url: str
    public_url_given: bool
    """False: `public_url` is the default, which is right only if PORT is the running service's."""
    site_name: str
    """The service's name on pages, in emails and at the checkout."""
    jwt_secret: str
    jwt_expiry: timedelta
    auth_rate_per_minute: int
    max_sessions_per_user: int
    stripe_secret_key: str | None
    """None for the sandbox."""
    stripe_webhook_secrets: tuple[str, ...]
    stripe_api_base: str | None
    """None for Stripe's own."""
    stripe_proxy: str | None
    sandbox_port: int | None
    """None: the port of the sandbox's last run, or any free one."""
    topups: bool
    credits_per_dollar: int
    packages_file: Path | None
    allow_loss_making_packages: bool
    deepgram_api_key: str | None
    deepgram_url: str | None
    """None for the built-in engine."""
    deepgram_proxy: str | None
    upstream_max_streams: int
    upstream_max_diarized: int
    max_recording_mb: int
    trial_seconds: int
    disposable_domains_file: Path | None
    rates_file: Path | None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    smtp_url: str | None
    mail_from: str | None
    source_url: str | None
    support_email: str | None
    terms_url: str | None
    privacy_url: str | None
    refunds_url: str | None
    status_url: str | None
    """None for the service's own page."""
    metrics_token: str | None
    workers: int
    keep_alive_seconds: float
    drain_seconds: float
    idle_minutes: float
    log_level: Literal["debug", "info", "warning", "error"]

    @property
    def builtin_engine(self) -> bool:
        """Whether the service runs its own speech engine."""
        return self.deepgram_url is None

    @property
    def sandbox(self) -> bool:
        """Whether the sandbox takes the place of Stripe."""
        return self.stripe_secret_key is None


def environment(project: Path = PROJECT) -> dict[str, str]:
    """Return the variables of `.env`, whose relative paths begin in its folder, overridden by our environment."""
    # an empty variable counts: it unsets what the file sets
    file = {name: value for name, value in dotenv_values(project / ".env").items() if value is not None}
    paths = {name: str(project / Path(file[name]).expanduser()) for name in _PATHS if file.get(name)}
    return {**file, **paths, **os.environ}


def load(env: Mapping[str, str] | None = None, also: Callable[[Settings], list[str]] = lambda settings: []) -> Settings:
    """Return the settings. Raise ConfigError with every mistake, and in production with every insecure default.

    `also` returns more problems of the settings. A wrong setting has its default there, but a missing file its path.
    A problem that begins with the name of a setting is dropped if that setting has a problem already.
    """
    reader = _Reader(environment() if env is None else env)
    settings = _read(reader)
    wrong = {problem.split()[0].removesuffix("_FILE") for problem in reader.problems}
    problems = reader.problems + [
        problem
        for problem in (_production_problems(reader) if settings.production else [])
        if problem.split()[0] not in wrong
    ]
    wrong |= {problem.split()[0] for problem in problems}
    problems += [problem for problem in also(settings) if problem.split()[0] not in wrong]
    if problems:
        raise ConfigError(problems)
    return settings


class _Reader:
    """Reads variables one by one and collects their problems. An empty value counts as unset."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._secrets: dict[str, str] = {}
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        if name in SECRETS:
            return self._secret(name) or None
        return self._env.get(name, "").strip() or None

    def _secret(self, name: str) -> str:
        if name not in self._secrets:
            self._secrets[name] = ""
            try:
                self._secrets[name] = secret(self._env, name)
            except UnusableSecret as error:
                self.problems.append(str(error))
        return self._secrets[name]

    def take(self, name: str, default: T, parse: Callable[[str], T], meaning: str, shown: bool = True) -> T:
        value = self.text(name)
        if value is None:
            return default
        try:
            return parse(value)
        except ValueError:
            self.problems.append(f"{name} must be {meaning}" + (f", not {value!r}" if shown else ""))
            return default

    def secret(self, name: str, data_dir: Path) -> str:
        """Return a variable's value, or a generated one that is kept in `data_dir`."""
        try:
            return self.text(name) or _generated_secret(data_dir, name.lower())
        except OSError as error:
            self.problems.append(f"DATA_DIR must be a writable folder, not {data_dir} ({error.strerror})")
            return ""

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        return self.take(name, default, between(int, low, high), f"a whole number from {low} to {high}")

    def number(self, name: str, default: float, low: float, high: float) -> float:
        return self.take(name, default, between(float, low, high), f"a number from {low:g} to {high:g}")

    def flag(self, name: str) -> bool:
        return self.take(name, "false", one_of(*_YES, *_NO), "true or false") in _YES

    def several(self, name: str) -> tuple[str, ...]:
        """Return values that are separated by commas."""
        return tuple(parts(self.text(name) or ""))

    def file(self, name: str) -> Path | None:
        """Return the path of a file. A missing file is a problem, and its path is returned all the same."""
        value = self.text(name)
        path = Path(value).expanduser().resolve() if value else None
        if path is not None and not path.is_file():
            self.problems.append(f"{name} must be a file that exists, not {value!r}")
        return path

    def url(self, name: str, parse: Callable[[str], str], meaning: str) -> str | None:
        """Return a URL. The problem of a wrong one does not show it, since it may hold a password."""

        def parsed(value: str) -> str | None:
            return parse(value)

        return self.take(name, None, parsed, f"a URL that starts with {meaning}", shown=False)

    def proxy(self, url: str | None, *more_schemes: str) -> str | None:
        """Return the proxy that the environment names for connections to `url`."""
        try:
            return choose(url, named(self._env), (*HTTP, *more_schemes)) if url else None
        except UnusableProxy as error:
            self.problems.append(str(error))
            return None

    def link(self, name: str) -> str | None:
        """Return the URL of a page that our pages link to."""
        return self.url(name, lambda value: urls.link(value, "https", "http"), "https:// or http://, then a host")


def _read(reader: _Reader) -> Settings:
    port = reader.whole("PORT", 3000, 1, 65535)
    data_dir = Path(reader.text("DATA_DIR") or PROJECT / ".data").expanduser().resolve()
    production = reader.take("APP_ENV", "development", one_of("development", "production"), _MODES) == "production"
    deepgram_key = reader.text("DEEPGRAM_API_KEY")
    deepgram_url = reader.url("DEEPGRAM_URL", urls.upstream, f"wss://, ws://, https:// or http://{_BASE}")
    if deepgram_url is None and deepgram_key is not None:
        deepgram_url = "wss://api.deepgram.com"
    stripe_key, stripe_base = reader.text("STRIPE_SECRET_KEY"), reader.url("STRIPE_API_BASE", urls.stripe, _STRIPE)
    return Settings(
        host=reader.text("HOST") or "127.0.0.1",
        port=port,
        production=production,
        data_dir=data_dir,
        database_url=reader.url("DATABASE_URL", urls.database, _DATABASE),
        database_schema=reader.take("DATABASE_SCHEMA", None, identifier, "a plain lower-case name"),
        public_url=reader.url("PUBLIC_URL", urls.site, _SITE) or f"http://127.0.0.1:{port}",
        public_url_given=reader.text("PUBLIC_URL") is not None,
        site_name=reader.take("SITE_NAME", "Live Captions", site_name, "1 to 60 printable characters"),
        jwt_secret=reader.text("JWT_SECRET") or "" if production else reader.secret("JWT_SECRET", data_dir),
        jwt_expiry=reader.take("JWT_EXPIRY", timedelta(days=7), duration, "a time such as 7d, 12h or 30m"),
        auth_rate_per_minute=reader.whole("AUTH_RATE_PER_MINUTE", 10, 1, 1_000_000),
        max_sessions_per_user=reader.whole("MAX_SESSIONS_PER_USER", 2, 1, 1000),
        stripe_secret_key=stripe_key,
        stripe_webhook_secrets=reader.several("STRIPE_WEBHOOK_SECRET"),
        stripe_api_base=stripe_base,
        stripe_proxy=reader.proxy((stripe_base or "https://api.stripe.com") if stripe_key else None),
        sandbox_port=reader.whole("SANDBOX_PORT", 0, 0, 65535) or None,
        topups=reader.flag("TOPUPS"),
        credits_per_dollar=reader.whole("CREDITS_PER_DOLLAR", 1000, 1, 1_000_000),
        packages_file=reader.file("PACKAGES_FILE"),
        allow_loss_making_packages=reader.flag("ALLOW_LOSS_MAKING_PACKAGES"),
        deepgram_api_key=deepgram_key,
        deepgram_url=deepgram_url,
        deepgram_proxy=reader.proxy(deepgram_url, "socks4", "socks5"),
        upstream_max_streams=reader.whole("UPSTREAM_MAX_STREAMS", 150, 1, 1_000_000),
        upstream_max_diarized=reader.whole("UPSTREAM_MAX_DIARIZED", 50, 1, 1_000_000),
        max_recording_mb=reader.whole("MAX_RECORDING_MB", 2048, 1, 1_000_000),
        trial_seconds=reader.whole("TRIAL_SECONDS", 0 if stripe_key else 600, 0, 1_000_000),
        disposable_domains_file=reader.file("DISPOSABLE_DOMAINS_FILE"),
        rates_file=reader.file("RATES_FILE"),
        trusted_proxies=reader.take("TRUSTED_PROXIES", (), networks, "addresses or networks, separated by commas"),
        smtp_url=reader.take("SMTP_URL", None, smtp, _SMTP, shown=False),
        mail_from=reader.take("MAIL_FROM", None, mailbox, "an email address, or Name <address>"),
        source_url=reader.link("SOURCE_URL"),
        support_email=reader.take("SUPPORT_EMAIL", None, address, "an email address"),
        terms_url=reader.link("TERMS_URL"),
        privacy_url=reader.link("PRIVACY_URL"),
        refunds_url=reader.link("REFUNDS_URL"),
        status_url=reader.link("STATUS_URL"),
        metrics_token=reader.text("METRICS_TOKEN"),
        workers=reader.whole("WORKERS", 1, 1, 64),
        keep_alive_seconds=reader.number("KEEP_ALIVE_SECONDS", 75, 1, 3600),
        drain_seconds=reader.number("DRAIN_SECONDS", 30, 0, 3600),
        idle_minutes=reader.number("IDLE_MINUTES", 15, 0.01, 1440),
        log_level=reader.take("LOG_LEVEL", "info", one_of(*_LEVELS), " or ".join(_LEVELS)),  # type: ignore[arg-type]
    )


def _production_problems(reader: _Reader) -> list[str]:
    """Return what production refuses (money 33, .env.example)."""
    problems = []
    secret = reader.text("JWT_SECRET")
    if secret is None:
        problems.append("JWT_SECRET must be set in production. Use at least 32 random bytes")
    elif secret == EXAMPLE_JWT_SECRET or len(secret.encode()) < 32:
        problems.append("JWT_SECRET is the example value or shorter than 32 bytes. Use at least 32 random bytes")
    problems += [
        f"{name} must be set in production"
        for name in ("DATABASE_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
        if not reader.several(name)
    ]
    if reader.text("DEEPGRAM_API_KEY") is None and reader.text("DEEPGRAM_URL") is None:
        problems.append("DEEPGRAM_API_KEY must be set in production (or DEEPGRAM_URL to another server)")
    if not (reader.text("PUBLIC_URL") or "").startswith("https://"):
        problems.append("PUBLIC_URL must be set in production and start with https://")
    return problems


def _generated_secret(data_dir: Path, name: str) -> str:
    """Return a secret that is kept in `data_dir`, generated on first use. Processes that start at once agree on it."""
    path = data_dir / name
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=data_dir, delete=False) as draft:
            draft.write(secrets.token_urlsafe(48))
        try:
            os.link(draft.name, path)  # atomic, and refuses to replace another process's secret
        except FileExistsError:
            pass
        finally:
            Path(draft.name).unlink()
    return path.read_text().strip()


_PATHS: Final = (
    "DATA_DIR",
    "RATES_FILE",
    "PACKAGES_FILE",
    "DISPOSABLE_DOMAINS_FILE",
    *map(file_setting, SECRETS),
)
_YES: Final = ("true", "yes", "on", "1")
_NO: Final = ("false", "no", "off", "0")
_BASE: Final = ", then a host, and no user, ? or #"
_DATABASE: Final = "postgresql:// or postgres://, then [USER:PASSWORD@]HOST[:PORT]/NAME (%40 for @, and so on)"
_STRIPE: Final = f"https:// or http://{_BASE}"
_SITE: Final = "https:// or http://, then a host, and no path, user, ? or #: give the service a host name of its own"
_SMTP: Final = "a URL that starts with smtp:// or smtps://, then [USER:PASSWORD@]HOST[:PORT] (%40 for @, and so on)"
_MODES: Final = "development or production"
_LEVELS: Final = ("debug", "info", "warning", "error")
