"""The configuration: what may be set, what it means, and where it comes from.

TOML from ``PASSPORT_CONFIG`` (inline) or else ``PASSPORT_CONFIG_FILE`` (a path) or else nothing; over that,
``PASSPORT_<SECTION>__<KEY>`` for every key; over that, four short names. ``load`` is the only reader of the
environment. An unknown key, or a value out of range, stops the start with its name.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from ron_kms import check_namespace

MIB: Final = 1024 * 1024

Seconds = Annotated[int, Meta(ge=0, le=10 * 365 * 86400)]
Lifetime = Annotated[int, Meta(ge=1, le=10 * 365 * 86400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class ConfigError(Exception):
    """The configuration is not one. The message names the key."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or (_is_ip(self.host) and ip_address(self.host).is_loopback)


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the service listens, and how it ends."""

    bind: str = "127.0.0.1:5307"
    admin_bind: str = "127.0.0.1:5308"
    admin_public: bool = False  # serve the admin plane on ``bind`` too
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    drain_delay_s: Annotated[int, Meta(ge=0, le=3600)] = 0  # not ready, still serving: balancers look away
    drain_timeout_s: Annotated[int, Meta(ge=0, le=3600)] = 10  # for what is in flight


class Passport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is issued and accepted."""

    issuer: Annotated[str, Meta(min_length=1, max_length=256)] = "svc-passport"
    default_ttl_s: Lifetime = 3600
    max_ttl_s: Lifetime = 86400
    clock_skew_s: Annotated[int, Meta(ge=0, le=3600)] = 120
    namespace: str = "default"


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where keys rest, who verifies, and how they follow one another."""

    store: str = "sqlite:"
    engine: Literal["auto", "native", "sodium"] = "auto"
    crosscheck_every: Annotated[int, Meta(ge=0, le=2**31)] = 1024  # one in so many acceptances; 0: none
    grace_s: Seconds | None = None  # how long a version stays published after it signed; see ``Config``
    publish_ahead_s: Seconds | None = None  # how long before it signs; as ``cache.jwks_ttl_s`` if not set


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What opens the store."""

    key_file: str = ""  # ``seal.key`` beside the store


class Verify(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How verifications are gathered."""

    target_batch: Count = 64  # pending ones that are not kept waiting for more
    max_batch: Count = 256  # signatures in one call of the engine
    max_wait_us: Annotated[int, Meta(ge=0, le=1_000_000)] = 500  # 0: every request by itself


class Cache(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long what was read holds."""

    vk_ttl_s: Lifetime = 60  # the longest a process goes without looking at its store
    jwks_ttl_s: Seconds = 60  # the key set's max-age


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is read at most."""

    max_msg_bytes: Annotated[int, Meta(ge=64, le=MIB)] = 4096
    max_batch: Annotated[int, Meta(ge=1, le=65536)] = 512
    max_body_bytes: Annotated[int, Meta(ge=64, le=1024 * MIB)] | None = None
    verify_concurrency: Count = 64  # requests at once, for each worker
    batch_concurrency: Count = 16


class Security(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is demanded."""

    require_aud: bool = True
    capability_max_ttl_s: Lifetime = 7776000


class Logging(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is told on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json"] = "json"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set."""

    server: Server = Server()
    passport: Passport = Passport()
    keys: Keys = Keys()
    seal: Seal = Seal()
    verify: Verify = Verify()
    cache: Cache = Cache()
    limits: Limits = Limits()
    security: Security = Security()
    log: Logging = Logging()
    development: bool = False  # the profile; ``serve --dev`` chooses it, nothing else can

    @property
    def publish_ahead_s(self) -> int:
        """How long a version is published before it signs."""
        ahead = self.keys.publish_ahead_s
        return self.cache.jwks_ttl_s if ahead is None else ahead

    @property
    def grace_s(self) -> int:
        """How long a version stays published after it signed: as long as others may need it, if not set."""
        needed = self.passport.max_ttl_s + self.passport.clock_skew_s + self.cache.jwks_ttl_s
        return needed if self.keys.grace_s is None else self.keys.grace_s

    def max_body_bytes(self, *, batch: bool = False) -> int:
        """Return the longest request body that is read."""
        if self.limits.max_body_bytes is not None:
            return self.limits.max_body_bytes
        token_bytes = 4 * -(-self.limits.max_msg_bytes // 3) + 512
        return max(MIB, self.limits.max_batch * token_bytes) if batch else MIB


_SHORT: Final = {
    "PASSPORT_MAX_MSG_BYTES": ("limits", "max_body_bytes"),
    "PASSPORT_MAX_BATCH": ("limits", "max_batch"),
    "PASSPORT_VERIFY_CONCURRENCY": ("limits", "verify_concurrency"),
    "PASSPORT_VERIFY_BATCH_CONCURRENCY": ("limits", "batch_concurrency"),
}
_DEVELOPMENT: Final[dict[str, dict[str, Any]]] = {
    "server": {"admin_public": True},
    "keys": {"store": "memory:", "publish_ahead_s": 0},
}


def load(environ: Mapping[str, str], *, development: bool = False) -> Config:
    """Return the configuration that the environment describes.

    Args:
        development: Whether the development profile's defaults stand under it.

    Raises:
        ConfigError: It describes none.
    """
    settings = {name: dict(values) for name, values in _DEVELOPMENT.items() if development}
    for name, values in _toml(environ).items():
        if name not in Config.__struct_fields__ or name == "development":
            raise ConfigError(f"{name}: there is no such section")
        if not isinstance(values, dict):
            raise ConfigError(f"{name}: a section is a table")
        settings.setdefault(name, {}).update(values)
    for section, key, text in _from_environment(environ):
        settings.setdefault(section, {})[key] = text
    try:
        config = msgspec.convert(settings | {"development": development}, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error))) from None
    _check(config)
    return _resolved(config, environ)


def ignored(environ: Mapping[str, str]) -> list[str]:
    """Return the names that look like ours and set nothing. Some are not: Kubernetes makes such names."""
    known = {"PASSPORT_CONFIG", "PASSPORT_CONFIG_FILE", *_SHORT}
    known |= {f"PASSPORT_{section}__{key}".upper() for section, keys in _SECTIONS.items() for key in keys}
    return sorted(name for name in environ if name.startswith("PASSPORT_") and name not in known)


def address(text: str) -> Address:
    """Read ``host:port`` or ``[v6]:port``; port 0 asks for any.

    Raises:
        ValueError: It is neither.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        raise ValueError("not host:port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets")
    return Address(host, int(port))


def _toml(environ: Mapping[str, str]) -> dict[str, Any]:
    text, path = environ.get("PASSPORT_CONFIG"), environ.get("PASSPORT_CONFIG_FILE")
    try:
        if text:
            return msgspec.toml.decode(text)  # type: ignore[no-any-return]
        if path:
            return msgspec.toml.decode(Path(path).read_bytes())  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        name = "PASSPORT_CONFIG" if text else "PASSPORT_CONFIG_FILE"
        raise ConfigError(f"{name}: not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"PASSPORT_CONFIG_FILE: cannot be read: {error.strerror}") from None
    return {}


def _from_environment(environ: Mapping[str, str]) -> list[tuple[str, str, Any]]:
    """Return section, key and value of every variable that sets one; an empty variable sets nothing."""
    found = []
    for name, text in environ.items():
        section, double, key = name.removeprefix("PASSPORT_").lower().partition("__")
        if name.startswith("PASSPORT_") and double and section in _SECTIONS and text:
            if key not in _SECTIONS[section]:
                raise ConfigError(f"{name}: there is no such key")
            found.append((section, key, _value(name, text, _SECTIONS[section][key])))
    for name, (section, key) in _SHORT.items():
        if environ.get(name):
            found.append((section, key, _value(name, environ[name], _SECTIONS[section][key])))
    return found


def _value(name: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {error}") from None


def _check(config: Config) -> None:
    """Raise for what no single key can be blamed for by its type."""
    server, passport = config.server, config.passport
    for name, text in (("server.bind", server.bind), ("server.admin_bind", server.admin_bind)):
        try:
            where = address(text)
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from None
        if config.development and not where.is_loopback:
            raise ConfigError(f"{name}: the development profile listens on loopback only")
    try:
        check_namespace(passport.namespace)
    except ValueError as error:
        raise ConfigError(f"passport.namespace: {error}") from None
    if not _is_utf8(passport.issuer):
        raise ConfigError("passport.issuer: not text in UTF-8")
    if passport.default_ttl_s > passport.max_ttl_s:
        raise ConfigError("passport.default_ttl_s: longer than passport.max_ttl_s")
    if config.grace_s < passport.max_ttl_s + passport.clock_skew_s + config.cache.jwks_ttl_s:
        raise ConfigError(
            "keys.grace_s: shorter than passport.max_ttl_s + passport.clock_skew_s + cache.jwks_ttl_s,"
            " so that tokens would outlive their key"
        )
    if config.keys.store != "memory:" and not config.keys.store.startswith("sqlite:"):
        raise ConfigError("keys.store: memory:, or sqlite: with a path")
    if config.keys.store == "memory:" and server.workers > 1:
        raise ConfigError(
            "server.workers: memory: is one process's; more than one worker needs a sqlite: store"
        )


def _resolved(config: Config, environ: Mapping[str, str]) -> Config:
    """Return the configuration with every path absolute."""
    store, key_file = config.keys.store, config.seal.key_file
    scheme, _, path = store.partition(":")
    if scheme == "sqlite":
        state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "/") / ".local/state")
        rests = Path(path or Path(state) / "svc-passport" / "keys.db").absolute()
        store, key_file = f"sqlite:{rests}", str(Path(key_file or rests.with_name("seal.key")).absolute())
    return msgspec.structs.replace(
        config,
        keys=msgspec.structs.replace(
            config.keys, store=store, publish_ahead_s=config.publish_ahead_s, grace_s=config.grace_s
        ),
        seal=msgspec.structs.replace(config.seal, key_file=key_file),
    )


def _sentence(error: str) -> str:
    """Put msgspec's path in front, as ``section.key: …``."""
    what, _, where = error.partition(" - at `$.")
    return f"{where.rstrip('`')}: {what}" if where else error


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


_SECTIONS: Final = {
    section.name: {field.name: field.type for field in msgspec.structs.fields(section.type)}
    for section in msgspec.structs.fields(Config)
    if section.name != "development"
}
